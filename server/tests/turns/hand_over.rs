//! Planned hand-overs: deadlines and the end of a process.

use std::time::Duration;

use app::domain::{Cursor, Outcome};
use server::turn::{Host, TurnConfig};
use tokio::time::Instant;

use crate::rig::{Reader, Rig, config, new_chat, splice};

/// 40 hand-overs, each runner living for 2 s at most: the person sees nothing but text.
#[tokio::test]
async fn a_reply_outlives_forty_runners() {
    let rig = Rig::start().await;
    let server = rig.server_with(TurnConfig { run: Some(Duration::from_secs(2)), ..config(false) });
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let mut reader = Reader::default();
    reader.read(backend.send(new_chat(session, turn, "x\n/sim tokens=960 rate=10 vary")).await.unwrap()).await;
    let patience = Duration::from_secs(240);
    let all = async {
        while reader.end.is_none() {
            let stream = backend.follow(turn, reader.cursor).await.unwrap();
            reader.read(stream).await;
        }
    };
    tokio::time::timeout(patience, all).await.unwrap();
    assert_eq!(reader.outcome(), Outcome::Complete);
    let reply = backend.get_session(session, None, None).await.unwrap().messages.remove(1);
    assert_eq!(reply.text, reader.text());
    let calls = splice(&reply.text, 960);
    assert!(calls > 40, "{calls} calls");
    assert_eq!(reader.rewinds, 0, "nothing that was shown is taken back");
    assert!(reply.seams.iter().all(|s| s.planned) && reply.seams.len() > 38, "{}", reply.seams.len());
}

/// 30 processes in a row that are told to end while they write one reply.
#[tokio::test]
async fn a_reply_outlives_thirty_restarts() {
    let rig = Rig::start().await;
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let mut server = rig.server(false);
    let mut reader = Reader::default();
    let stream = server.of(user).send(new_chat(session, turn, "x\n/sim tokens=400 rate=40 vary")).await.unwrap();
    let mut stream = Some(stream);
    for _ in 0..30 {
        let enough = reader.shown.len() + 60;
        let next = match stream.take() {
            Some(stream) => stream,
            None => server.of(user).follow(turn, reader.cursor).await.unwrap(),
        };
        let closing = server.turns.clone();
        let end = async move {
            closing.close().await;
        };
        reader.read_until(next, |r| r.shown.len() > enough).await;
        end.await;
        server = rig.server(false);
    }
    reader.follow(&server.of(user), turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
    let text = server.of(user).get_session(session, None, None).await.unwrap().messages[1].text.clone();
    assert_eq!(text, reader.text());
    assert!(splice(&text, 400) > 25);
}

/// A request's own deadline, as the platform gives it, ends its runner's life; whoever comes next goes on.
#[tokio::test]
async fn a_runner_hands_over_before_its_requests_deadline() {
    let rig = Rig::start().await;
    let server = rig.server_with(TurnConfig { resident: false, ..config(false) });
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let host = || Host { until: Some(Instant::now() + Duration::from_millis(700)), ..Host::default() };
    let of = |host| server.asked(user, None, host);
    let mut reader = Reader::default();
    reader.read(of(host()).send(new_chat(session, turn, "x\n/sim tokens=100 rate=50 vary")).await.unwrap()).await;
    assert_eq!((reader.releases, reader.end.is_none()), (1, true));
    let legs = async {
        let mut legs = 1;
        while reader.end.is_none() {
            reader.read(of(host()).follow(turn, reader.cursor).await.unwrap()).await;
            legs += 1;
        }
        legs
    };
    let legs = tokio::time::timeout(Duration::from_secs(60), legs).await.unwrap();
    assert!(legs >= 3, "{legs}");
    assert_eq!(reader.outcome(), Outcome::Complete);
    splice(&reader.text(), 100);
}

#[tokio::test]
async fn a_process_that_ends_hands_its_turns_over() {
    let rig = Rig::start().await;
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let first = rig.server(false);
    let stream = first.of(user).send(new_chat(session, turn, "x\n/sim tokens=150 rate=100 vary")).await.unwrap();
    let (mut reader, mut stream) = (Reader::default(), stream);
    reader.read_more(&mut stream, |r| r.shown.len() > 100).await;
    first.turns.close().await;
    // Whoever was there is told that the runner changes.
    reader.read(stream).await;
    assert_eq!((reader.releases, reader.end.is_none()), (1, true));
    // Who follows a process that ends is sent away, and nothing is claimed there any more.
    let mut late = Reader::default();
    late.read(first.of(user).follow(turn, Cursor::default()).await.unwrap()).await;
    assert!(late.end.is_none());
    let second = rig.server(false);
    reader.follow(&second.of(user), turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
    assert_eq!(second.of(user).get_session(session, None, None).await.unwrap().messages[1].text, reader.text());
    assert_eq!(splice(&reader.text(), 150), 2);
}
