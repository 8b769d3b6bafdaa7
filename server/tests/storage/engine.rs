//! What only the embedded engine has: a file, its lock, and a process that may die.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use server::{
    clock::Clock,
    storage::{
        Store, StoreConfig, StoreErrorKind,
        embedded::{self, EmbeddedError},
    },
};

use crate::fixtures::Table;

fn store(endpoint: &str) -> Store {
    Store::new(StoreConfig::new(Some(endpoint.to_owned()), "local", "outlast", Clock::default()))
}

#[tokio::test]
async fn one_process_owns_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("made/for/it");
    let first = embedded::start(&data).await.unwrap();
    let error = embedded::start(&data).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::InUse(_)));
    let text = error.to_string();
    assert!(text.contains(data.to_str().unwrap()) && !text.contains('\n'), "{text}");
    first.stop().await;
    embedded::start(&data).await.unwrap().stop().await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("outlast.db"), "this is no database, however long it may be. ".repeat(100)).unwrap();
    let error = embedded::start(dir.path()).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::Database(..)), "{error}");
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = embedded::start(&file).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::Io(..)) && !error.to_string().contains('\n'), "{error}");
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let engine = embedded::start(dir.path()).await.unwrap();
    let t = Table::at(engine.endpoint(), "outlast").await;
    let session = t.talk(&t.session(t.clock.user_id()), true, "Q", "A").await;
    engine.stop().await;
    let gone = t.store.session(session.id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::Unavailable);
    let engine = embedded::start(dir.path()).await.unwrap();
    let store = store(engine.endpoint());
    store.init().await.unwrap();
    assert_eq!(store.session(session.id).await.unwrap(), Some(session.clone()));
    assert_eq!(store.messages_back(session.id, 9, 50, None).await.unwrap().0.len(), 2);
}

/// The process that is killed: writes until then, and tells what was acknowledged. Does nothing unless it is told.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Ok(dir) = std::env::var("OUTLAST_TEST_WRITE_TO") else { return };
    let engine = embedded::start(Path::new(&dir)).await.unwrap();
    let t = Table::at(engine.endpoint(), "outlast").await;
    let mut session = t.session(t.clock.user_id());
    let mut new = true;
    loop {
        session = t.talk(&session, new, "Will this last?", "It will.").await;
        new = false;
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nacknowledged {} {}", session.id, session.head.unwrap().depth).unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_process_being_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "engine::child_that_writes_until_it_is_killed", "--nocapture"])
            .env("OUTLAST_TEST_WRITE_TO", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut seen = 0;
        // After the kill the rest of the pipe is read too: all that was told before.
        for line in lines {
            let Some(told) = line.strip_prefix("acknowledged ") else { continue };
            let (id, depth) = told.split_once(' ').unwrap();
            acknowledged.push((id.parse().unwrap(), depth.parse().unwrap()));
            seen += 1;
            if seen == 10 + round {
                // SIGKILL.
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success() && seen >= 10, "killed after {seen}");
    }
    let engine = embedded::start(dir.path()).await.unwrap();
    let store = store(engine.endpoint());
    for (session, depth) in acknowledged {
        let item = store.session(session).await.unwrap().unwrap();
        assert!(item.head.unwrap().depth >= depth);
        let message = store.messages_at(session, depth).await.unwrap().remove(0);
        assert_eq!(message.content[0].text, "It will.");
        assert!(store.read_log(message.turn.unwrap(), 0, true).await.unwrap().last().unwrap().1.end.is_some());
    }
}
