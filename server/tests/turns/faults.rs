//! Faults upstream: each has one decided outcome (`docs/faults.md`).

use std::{panic::AssertUnwindSafe, time::Duration};

use app::{
    components::state::{Place, cap, foot},
    domain::{Message, Outcome, TurnEvent},
};
use futures::{FutureExt, StreamExt};
use server::{storage::Store, turn::TurnConfig};

use crate::rig::{Reader, Rig, calls, config, new_chat, splice};

/// The words of a scripted reply.
const WORDS: usize = 30;

/// A row of the table.
#[derive(Debug, Clone)]
struct Row {
    made_by: String,
    done: String,
    calls: Option<usize>,
    outcome: Outcome,
    /// The stop reason, or the error's code.
    why: String,
    reads: String,
}

/// The table as it is printed: nothing in it goes untested.
fn table() -> Vec<Row> {
    let text = include_str!("../../../docs/faults.md");
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, made_by, done, calls, outcome, reads] = cells[..] else { panic!("{line}") };
        let (outcome, why) = outcome.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        Row {
            made_by: made_by.to_owned(),
            done: done.to_owned(),
            calls: (calls != "–").then(|| calls.parse().unwrap()),
            outcome: match outcome {
                "complete" => Outcome::Complete,
                "failed" => Outcome::Failed,
                _ => panic!("{line}"),
            },
            why: why.trim_matches('`').to_owned(),
            reads: reads.to_owned(),
        }
    })
    .collect()
}

/// Where Claude is for a row, and the script of the question.
async fn stage(rig: &Rig, row: &Row) -> (String, String) {
    if let Some(script) = row.made_by.strip_prefix('`') {
        return (rig.simulator.clone(), script.trim_end_matches('`').to_owned());
    }
    let base_url = match row.made_by.as_str() {
        "a port where nobody listens" => {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        }
        "a name under `.invalid`" => "http://claude.invalid".to_owned(),
        "TLS to a port that speaks plain HTTP" => rig.simulator.replace("http://", "https://"),
        other => panic!("no test makes `{other}`"),
    };
    (base_url, String::new())
}

/// How often the simulator was asked with a script.
async fn asked(rig: &Rig, script: &str) -> usize {
    let text = reqwest::get(format!("{}/sim/calls", rig.simulator)).await.unwrap().text().await.unwrap();
    let calls: serde_json::Value = serde_json::from_str(&text).unwrap();
    calls.as_array().unwrap().iter().filter(|call| call["script"] == script).count()
}

async fn walk(rig: &Rig, row: Row) {
    let (base_url, script) = stage(rig, &row).await;
    let script = format!("vary tokens={WORDS} rate=0 {script}").trim_end().to_owned();
    // A server of its own: what it counts is this row's.
    let patient = TurnConfig { lease: Duration::from_secs(30), ..config(true) };
    let server = rig.server_at(&base_url, Store::new(rig.store_config()), patient);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let mut reader = Reader::default();
    reader.read(backend.send(new_chat(session, turn, &format!("q\n/sim {script}"))).await.unwrap()).await;
    reader.follow(&backend, turn).await;

    let Some(TurnEvent::End { stop_reason, error, .. }) = &reader.end else { panic!("no end") };
    let why = error.as_ref().map(|e| e.code.clone()).or(stop_reason.clone());
    assert_eq!((reader.outcome(), why.as_deref()), (row.outcome, Some(row.why.as_str())), "{row:?}");
    if let Some(calls) = row.calls {
        assert_eq!(asked(rig, &script).await, calls, "{row:?}");
    }
    let counted = server.turns.metrics().take();
    match row.done.as_str() {
        "given up" | "taken" => assert_eq!((counted.takeovers, row.calls), (0, Some(1)), "{row:?}"),
        "asked again" => assert!(counted.takeovers == 0 && row.calls != Some(1), "{row:?}: {counted:?}"),
        "carried on" => assert!(counted.takeovers > 0, "{row:?}: {counted:?}"),
        _ => panic!("{row:?}"),
    }

    let page = backend.get_session(session, None, None).await.unwrap();
    let message = &page.messages[1];
    let all = format!("{}{}", message.thinking.clone().unwrap_or_default(), message.text);
    assert_eq!(all, reader.text(), "{row:?}: what is shown is what is stored");
    assert_eq!(message.outcome, Some(row.outcome), "{row:?}");
    // Thinking cannot be carried on and is begun anew; anything else that was shown stays.
    if !script.contains("think") {
        assert_eq!(reader.rewinds, 0, "{row:?}");
    }
    if row.outcome == Outcome::Complete {
        splice(&message.text, WORDS);
    }
    let foot = foot(Place { session: Some(session), fresh: rig.turn(), now: message.created_at }, message, false)
        .replace("&#39;", "'");
    if row.reads == "the reply" {
        assert_eq!(cap(message), cap(&Message { outcome: None, ..message.clone() }), "{row:?}: just a reply");
    } else {
        assert!(foot.contains(&row.reads), "{row:?}: {foot}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_table_has_its_outcome() {
    // Twelve rows at once on a busy machine are slow; that is not to be taken for a stall.
    let mut rig = Rig::start().await;
    rig.stall = Duration::from_secs(8);
    let rows = table();
    assert!(rows.len() > 40, "the table is read: {}", rows.len());
    // At once, because most of it is waiting.
    let rig = &rig;
    let all = futures::stream::iter(rows).map(|row| AssertUnwindSafe(walk(rig, row)).catch_unwind());
    let walked: Vec<_> = all.buffer_unordered(12).collect().await;
    let failed = walked.iter().filter(|walked| walked.is_err()).count();
    assert_eq!(failed, 0, "rows of the table are not as they say");
}

/// Nothing upstream goes on for ever: a reply that breaks without having brought anything is given up in the end.
#[tokio::test]
async fn a_reply_that_breaks_again_and_again_brings_what_it_can_and_fails() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    for (script, error) in [
        // Each time the connection breaks before what was asked for is past the anchor.
        ("fault=reset@3", "upstream_reset"),
        ("think=5 fault=reset@3", "upstream_reset"),
    ] {
        let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
        let backend = server.of(user);
        let mut reader = Reader::default();
        let text = format!("q\n/sim vary tokens=30 rate=0 {script}");
        reader.read(backend.send(new_chat(session, turn, &text)).await.unwrap()).await;
        reader.follow(&backend, turn).await;
        assert_eq!((reader.outcome(), reader.error().as_deref()), (Outcome::Failed, Some(error)), "{script}");
        let page = backend.get_session(session, None, None).await.unwrap();
        let all = format!("{}{}", page.messages[1].thinking.clone().unwrap_or_default(), page.messages[1].text);
        assert_eq!(all, reader.text());
        assert!(!all.is_empty());
    }
}

/// A model that is done when it is asked to go on: the reply was whole.
#[tokio::test]
async fn an_end_at_once_on_a_continuation_is_the_end() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let mut reader = Reader::default();
    // All of it came, and then the stream broke off before its end.
    let script = "q\n/sim seed=3 tokens=30 rate=0 fault=truncate@30 times=1";
    reader.read(backend.send(new_chat(session, turn, script)).await.unwrap()).await;
    reader.follow(&backend, turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
    let page = backend.get_session(session, None, None).await.unwrap();
    assert_eq!((page.messages[1].text.split_whitespace().count(), page.messages[1].text.clone()), (30, reader.text()));
}

/// A stop is obeyed while the runner waits for another attempt, and while the model thinks; nothing is asked after it.
#[tokio::test]
async fn a_stop_is_obeyed_in_a_wait_and_in_thinking() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    for script in ["status=529 retry-after=30", "think=500 rate=20 tokens=5", "ttft=30000 tokens=5"] {
        let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
        let backend = server.of(user);
        let before = calls(&rig).await;
        let stream = backend.send(new_chat(session, turn, &format!("q\n/sim {script}"))).await.unwrap();
        while calls(&rig).await == before {
            tokio::task::yield_now().await;
        }
        tokio::time::timeout(Duration::from_secs(5), backend.stop(turn)).await.unwrap().unwrap();
        let mut reader = Reader::default();
        reader.read(stream).await;
        assert_eq!(reader.outcome(), Outcome::Stopped, "{script}");
        assert_eq!(calls(&rig).await, before + 1, "{script}");
    }
}
