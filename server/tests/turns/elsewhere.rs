//! Runners and followers in different processes.

use std::time::Duration;

use app::{
    domain::{Cursor, Outcome, TurnEvent},
    sse::Frame,
};
use futures::StreamExt;
use server::{
    storage::{Store, StoreConfig},
    turn::TurnConfig,
};

use crate::rig::{Reader, Rig, calls, config, killable, new_chat, splice};

#[tokio::test]
async fn what_an_earlier_process_left_is_finished_after_the_restart() {
    let rig = Rig::start().await;
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let first = killable();
    let server = rig.server(true);
    let mut reader = Reader::default();
    let script = "x\n/sim tokens=200 rate=100 vary";
    let stream = {
        let backend = server.of(user);
        first.spawn(async move { backend.send(new_chat(session, turn, script)).await.unwrap() }).await.unwrap()
    };
    reader.read_until(stream, |r| r.shown.len() > 200).await;
    first.shutdown_background();
    let second = rig.server(true);
    assert_eq!(second.turns.sweep().await.unwrap(), 1);
    reader.follow(&second.of(user), turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
    let page = second.of(user).get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages[1].text, reader.text());
    assert_eq!(splice(&reader.text(), 200), 2, "carried on, not begun anew");
    assert_eq!(page.messages[1].seams.len(), 1);
    assert!(!page.messages[1].seams[0].planned);
    assert_eq!(second.turns.sweep().await.unwrap(), 0);
}

on_both!(a_follower_elsewhere_reads_along_and_takes_over_what_is_abandoned);
async fn a_follower_elsewhere_reads_along_and_takes_over_what_is_abandoned(rig: Rig) {
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let first = killable();
    let server = rig.server(false);
    let backend = server.of(user);
    let script = "x\n/sim tokens=150 rate=100 vary";
    let stream =
        first.spawn(async move { backend.send(new_chat(session, turn, script)).await.unwrap() }).await.unwrap();
    drop(stream);
    let elsewhere = rig.server(false);
    let backend = elsewhere.of(user);
    let mut reader = Reader::default();
    reader.read_until(backend.follow(turn, Cursor::default()).await.unwrap(), |r| r.shown.len() > 300).await;
    assert_eq!(reader.rewinds, 0, "read along live, out of the log");
    first.shutdown_background();
    reader.follow(&backend, turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
    assert_eq!(backend.get_session(session, None, None).await.unwrap().messages[1].text, reader.text());
    assert_eq!(splice(&reader.text(), 150), 2);
    assert_eq!(elsewhere.turns.metrics().take().takeovers, 1);
}

on_both!(a_stop_for_a_turn_whose_runner_is_dead_ends_it_without_a_call_upstream);
async fn a_stop_for_a_turn_whose_runner_is_dead_ends_it_without_a_call_upstream(rig: Rig) {
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let first = killable();
    let lease = TurnConfig { lease: Duration::from_secs(600), ..config(false) };
    let server = rig.server_with(lease.clone());
    let backend = server.of(user);
    let script = "x\n/sim tokens=300 rate=100";
    let stream =
        first.spawn(async move { backend.send(new_chat(session, turn, script)).await.unwrap() }).await.unwrap();
    let mut reader = Reader::default();
    reader.read_until(stream, |r| r.shown.len() > 200).await;
    first.shutdown_background();
    let calls = calls(&rig).await;
    let elsewhere = rig.server_with(lease);
    elsewhere.of(user).stop(turn).await.unwrap();
    reader.follow(&elsewhere.of(user), turn).await;
    assert_eq!(reader.outcome(), Outcome::Stopped);
    let page = elsewhere.of(user).get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages[1].text, reader.text());
    assert!(!reader.shown.is_empty());
    assert_eq!(self::calls(&rig).await, calls);
}

/// Reads of the table that one reader and many cause, of a turn that runs elsewhere.
#[tokio::test]
async fn many_readers_of_a_turn_read_its_log_once() {
    let rig = Rig::start().await;
    let server = rig.server(false);
    let mut units = Vec::new();
    for readers in [1, 50] {
        let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
        drop(server.of(user).send(new_chat(session, turn, "x\n/sim tokens=100 rate=50 seed=1")).await.unwrap());
        let counted = StoreConfig { count_capacity: true, ..rig.store_config() };
        let elsewhere = rig.server_on(Store::new(counted), config(false));
        let mut all = Vec::new();
        for _ in 0..readers {
            let backend = elsewhere.of(user);
            let stream = backend.follow(turn, Cursor::default()).await.unwrap();
            all.push(tokio::spawn(async move {
                let mut reader = Reader::default();
                reader.read(stream).await;
                reader
            }));
        }
        let mut texts = Vec::new();
        for reader in all {
            let reader = reader.await.unwrap();
            assert_eq!(reader.outcome(), Outcome::Complete);
            texts.push(reader.text());
        }
        texts.dedup();
        assert_eq!(texts.len(), 1);
        units.push(elsewhere.store.consumed().read);
    }
    // Each reader costs the two reads that say whose turn it is, and the one that says that it is not over.
    let (one, fifty) = (units[0], units[1]);
    assert!(fifty - one < 49.0 * 4.0 + one, "{one} units for one reader, {fifty} for 50");
}

on_both!(a_process_that_was_frozen_writes_nothing_more);
/// A runner that cannot be woken for more than half a lease finds itself replaced, whatever it had to say.
async fn a_process_that_was_frozen_writes_nothing_more(rig: Rig) {
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let frozen = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = rig.server(false);
    let backend = server.of(user);
    let script = "x\n/sim tokens=150 rate=100 vary";
    let stream =
        frozen.spawn(async move { backend.send(new_chat(session, turn, script)).await.unwrap() }).await.unwrap();
    let mut reader = Reader::default();
    reader.read_until(stream, |r| r.shown.len() > 100).await;
    let (thaw, thawed) = std::sync::mpsc::channel::<()>();
    // Its only worker stands still, as under SIGSTOP.
    frozen.spawn(async move { thawed.recv() });
    let elsewhere = rig.server(false);
    let mut other = Reader::default();
    let stream = elsewhere.of(user).follow(turn, Cursor::default()).await.unwrap();
    other.read_until(stream, |r| r.cursor.claim == 1).await;
    thaw.send(()).unwrap();
    other.follow(&elsewhere.of(user), turn).await;
    assert_eq!(other.outcome(), Outcome::Complete);
    let text = elsewhere.of(user).get_session(session, None, None).await.unwrap().messages[1].text.clone();
    assert_eq!((splice(&text, 150), other.text()), (2, text.clone()));
    // And whoever held on to the zombie is told the same in the end.
    reader.follow(&elsewhere.of(user), turn).await;
    assert_eq!(reader.text(), text);
    assert_eq!(server.turns.metrics().take().fenced, 1);
    frozen.shutdown_background();
}

/// A cursor of a claim that never was is taken back to the very beginning, also once all is stored.
#[tokio::test]
async fn a_claim_that_never_was_is_taken_back_to_nought() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let mut reader = Reader::default();
    reader.read(server.of(user).send(new_chat(session, turn, "x\n/sim tokens=5 rate=0")).await.unwrap()).await;
    let mut stream = server.of(user).follow(turn, Cursor::new(5, 10)).await.unwrap();
    let mut told = Vec::new();
    while let Some(frame) = stream.next().await {
        told.push(frame.unwrap());
    }
    let rewound = TurnEvent::Rewind { to: Cursor::default() };
    assert_eq!(told[1], Frame::Event { cursor: Some(Cursor::default()), event: rewound }, "{told:?}");
    assert!(told.len() >= 4, "{told:?}");
}
