//! Turns from send to stored message, on the embedded engine and the simulator.
#![expect(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, clippy::expect_used, clippy::panic, reason = "a part of it is used")]
#[path = "common/dynamodb.rs"]
mod dynamodb;
mod rig;

use app::{
    backend::Parent,
    domain::{Cursor, Outcome, Role},
    error::Code,
};
use rig::{Reader, Rig, new_chat, refused, request};
use server::turn::TurnConfig;
use std::time::Duration;

/// The same test on the embedded engine and on DynamoDB Local.
macro_rules! on_both {
    ($name:ident) => {
        mod $name {
            #[tokio::test]
            async fn embedded() {
                super::$name(super::Rig::start().await).await;
            }
            #[tokio::test]
            async fn dynamodb_local() {
                super::$name(super::Rig::dynamodb_local().await).await;
            }
        }
    };
}

on_both!(a_reply_is_streamed_stored_and_the_same_for_everybody);
async fn a_reply_is_streamed_stored_and_the_same_for_everybody(rig: Rig) {
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let mut first = Reader::default();
    let stream = backend.send(new_chat(session, turn, "Hello\n/sim tokens=60 rate=200 seed=1 utf8")).await.unwrap();
    first.read_until(stream, |r| r.shown.len() > 20).await;
    // The first reader left; a second one comes from the beginning, the first goes on from its cursor.
    let mut second = Reader::default();
    let (a, b) = (server.of(user), server.of(user));
    tokio::join!(first.follow(&a, turn), second.follow(&b, turn));
    assert_eq!(first.outcome(), Outcome::Complete);
    assert_eq!(first.shown, second.shown);
    assert_eq!(first.rewinds, 0);

    let page = backend.get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages.len(), 2);
    assert_eq!(page.active_turn, None);
    assert_eq!(page.session.title, "Hello");
    let reply = &page.messages[1];
    assert_eq!((reply.role, reply.text.clone()), (Role::Assistant, first.text()));
    assert_eq!(reply.outcome, Some(Outcome::Complete));
    assert!(reply.usage.unwrap().output_tokens > 0);
    assert!(reply.timing.unwrap().first_ms.is_some());
    // Afterwards, from any cursor, it is the same.
    for offset in [0, 1, 7, reply.text.len() as u32, 1_000_000] {
        let mut late = Reader { cursor: Cursor::new(0, 0), ..Reader::default() };
        let mut stream = server.of(user).follow(turn, Cursor::new(0, offset)).await.unwrap();
        use futures::StreamExt;
        let mut text = reply.text.clone().into_bytes();
        text.resize(offset as usize, b'?');
        while !reply.text.is_char_boundary((offset as usize).min(reply.text.len())) && text.pop().is_some() {
            if reply.text.is_char_boundary(text.len()) {
                break;
            }
        }
        late.shown = text;
        while let Some(frame) = stream.next().await {
            late.take(frame.unwrap());
        }
        assert_eq!(late.text(), reply.text, "from {offset}");
    }
    let list = backend.list_sessions(None).await.unwrap();
    assert_eq!(list.sessions[0].session_id, session);
    assert_eq!(list.sessions[0].active_turn, None);
}

#[tokio::test]
async fn a_closed_tab_stops_nothing() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let stream = server.of(user).send(new_chat(session, turn, "x\n/sim tokens=40 rate=100")).await.unwrap();
    drop(stream);
    let mut reader = Reader::default();
    reader.follow(&server.of(user), turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
    assert!(!reader.shown.is_empty());
}

on_both!(the_same_send_again_is_the_same_send);
async fn the_same_send_again_is_the_same_send(rig: Rig) {
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let send = || new_chat(session, turn, "once\n/sim tokens=30 rate=100");
    let (a, b) = (server.of(user), server.of(user));
    let (one, two) = tokio::join!(a.send(send()), b.send(send()));
    let (mut x, mut y) = (Reader::default(), Reader::default());
    tokio::join!(x.read(one.unwrap()), y.read(two.unwrap()));
    x.follow(&a, turn).await;
    y.follow(&b, turn).await;
    assert_eq!(x.shown, y.shown);
    let mut again = Reader::default();
    again.read(a.send(send()).await.unwrap()).await;
    assert_eq!(again.shown, x.shown);
    assert_eq!(a.get_session(session, None, None).await.unwrap().messages.len(), 2);
}

on_both!(one_turn_at_a_time_and_nobody_elses);
async fn one_turn_at_a_time_and_nobody_elses(rig: Rig) {
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    drop(backend.send(new_chat(session, turn, "x\n/sim tokens=400 rate=50")).await.unwrap());
    let other = refused(backend.send(request(session, rig.turn(), "second")).await);
    assert_eq!((other.code, other.turn_id), (Code::TurnActive, Some(turn)));
    let stranger = server.of(rig.user());
    for code in [
        refused(stranger.follow(turn, Cursor::default()).await).code,
        refused(stranger.stop(turn).await).code,
        refused(stranger.get_session(session, None, None).await).code,
        refused(stranger.rename_session(session, "x".into()).await).code,
        refused(stranger.delete_session(session).await).code,
        refused(stranger.restore_session(session).await).code,
        refused(stranger.send(request(session, rig.turn(), "x")).await).code,
        refused(stranger.send(new_chat(session, rig.turn(), "x")).await).code,
        refused(stranger.send(new_chat(rig.session(), turn, "x")).await).code,
        refused(stranger.retry(rig.turn(), turn.into()).await).code,
        refused(stranger.follow(rig.turn(), Cursor::default()).await).code,
    ] {
        assert_eq!(code, Code::NotFound);
    }
    assert!(stranger.list_sessions(None).await.unwrap().sessions.is_empty());
    backend.stop(turn).await.unwrap();
    let page = backend.get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages[1].outcome, Some(Outcome::Stopped));
    backend.stop(turn).await.unwrap();
    let mut reader = Reader::default();
    reader.follow(&backend, turn).await;
    assert_eq!((reader.outcome(), reader.text()), (Outcome::Stopped, page.messages[1].text.clone()));
}

on_both!(edits_and_second_tries_make_branches);
async fn edits_and_second_tries_make_branches(rig: Rig) {
    let server = rig.server(true);
    let (user, session) = (rig.user(), rig.session());
    let backend = server.of(user);
    let quick = "/sim tokens=5 rate=0";
    let mut turns: Vec<_> = (0..4).map(|_| rig.turn()).collect();
    turns.sort_unstable();
    let mut r = Reader::default();
    r.read(backend.send(new_chat(session, turns[0], &format!("first\n{quick}"))).await.unwrap()).await;
    let mut r = Reader::default();
    r.read(backend.retry(turns[1], turns[0].into()).await.unwrap()).await;
    assert_eq!(r.outcome(), Outcome::Complete);
    let page = backend.get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages[1].message_id, turns[1].into());
    assert_eq!(page.messages[1].siblings.as_ref().unwrap().ids, [turns[0].into(), turns[1].into()]);
    // On with the first answer, then a new first question.
    let mut on = request(session, turns[2], &format!("second\n{quick}"));
    on.parent = Parent::Message(turns[0].into());
    Reader::default().read(backend.send(on).await.unwrap()).await;
    let page = backend.get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages.iter().map(|m| m.message_id).nth(1), Some(turns[0].into()));
    assert_eq!(page.messages.len(), 4);
    let mut root = request(session, turns[3], &format!("anew\n{quick}"));
    root.parent = Parent::Root;
    Reader::default().read(backend.send(root).await.unwrap()).await;
    let page = backend.get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages.len(), 2);
    let questions = page.messages[0].siblings.clone().unwrap().ids;
    assert_eq!(questions.len(), 2);
    // Through the first question one comes to its newest end.
    let via = backend.get_session(session, None, Some(questions[0])).await.unwrap();
    assert_eq!(via.messages.last().unwrap().message_id, turns[2].into());
    let via = backend.get_session(session, None, Some(turns[1].into())).await.unwrap();
    assert_eq!(via.messages.last().unwrap().message_id, turns[1].into());
    assert_eq!(refused(backend.get_session(session, None, Some(rig.clock.message_id())).await).code, Code::NotFound);
}

#[tokio::test]
async fn faults_before_the_first_token_are_retried_and_later_ones_begin_anew() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    for (script, outcome, error) in [
        ("status=529 times=1 tokens=20 rate=0", Outcome::Complete, None),
        ("status=500 times=2 tokens=20 rate=0", Outcome::Complete, None),
        ("fault=reset@10 times=1 tokens=30 rate=0", Outcome::Complete, None),
        ("fault=truncate@10 times=1 tokens=30 rate=0 vary", Outcome::Complete, None),
        ("fault=overloaded@10 times=2 tokens=30 rate=0 vary", Outcome::Complete, None),
        ("fault=reset@10 tokens=30 rate=0 vary", Outcome::Failed, Some("upstream_reset")),
        ("status=401", Outcome::Failed, Some("upstream_unauthorized")),
        ("status=529 retry-after=600", Outcome::Failed, Some("upstream_overloaded")),
        ("stop=refusal tokens=5 rate=0", Outcome::Complete, None),
        ("stop=max_tokens tokens=5 rate=0", Outcome::Complete, None),
    ] {
        let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
        let backend = server.of(user);
        let mut reader = Reader::default();
        reader.read(backend.send(new_chat(session, turn, &format!("q\n/sim {script}"))).await.unwrap()).await;
        reader.follow(&backend, turn).await;
        assert_eq!((reader.outcome(), reader.error().as_deref()), (outcome, error), "{script}");
        let page = backend.get_session(session, None, None).await.unwrap();
        assert_eq!(page.messages[1].text, reader.text(), "{script}: what is shown is what is stored");
        assert_eq!(page.messages[1].outcome, Some(outcome));
        if script.contains("vary") && outcome == Outcome::Complete {
            assert!(reader.rewinds >= 1, "{script}: what was shown of the broken reply is taken back");
        }
    }
}

on_both!(a_deleted_chat_is_gone_at_once_and_comes_back);
async fn a_deleted_chat_is_gone_at_once_and_comes_back(rig: Rig) {
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let stream = backend.send(new_chat(session, turn, "x\n/sim tokens=600 rate=50")).await.unwrap();
    let mut reader = Reader::default();
    let reading = tokio::spawn(async move {
        reader.read(stream).await;
        reader
    });
    backend.delete_session(session).await.unwrap();
    assert_eq!(refused(backend.get_session(session, None, None).await).code, Code::NotFound);
    assert_eq!(refused(backend.follow(turn, Cursor::default()).await).code, Code::NotFound);
    assert_eq!(refused(backend.delete_session(session).await).code, Code::NotFound);
    let reader = tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap().unwrap();
    assert_eq!((reader.outcome(), reader.error().as_deref()), (Outcome::Stopped, Some("deleted")));
    backend.restore_session(session).await.unwrap();
    let page = backend.get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages[0].role, Role::User);
    assert_eq!(page.messages[1].outcome, Some(Outcome::Stopped));
    assert_eq!(page.messages[1].text, reader.text(), "what was written before the deletion came back too");
    // And it can be talked in again.
    let next = rig.turn();
    let mut again = Reader::default();
    again.read(backend.send(request(session, next, "on\n/sim tokens=3 rate=0")).await.unwrap()).await;
    again.follow(&backend, next).await;
    assert_eq!(again.outcome(), Outcome::Complete);
}

/// A process that can be killed: its tasks end wherever they are, like with `kill -9`.
fn killable() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

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
    assert!(reader.rewinds >= 1);
    let page = second.of(user).get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages[1].text, reader.text());
    assert_eq!(second.turns.sweep().await.unwrap(), 0);
}

on_both!(a_follower_elsewhere_reads_along_and_takes_over_what_is_abandoned);
async fn a_follower_elsewhere_reads_along_and_takes_over_what_is_abandoned(rig: Rig) {
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let first = killable();
    let server = rig.server(false);
    let backend = server.of(user);
    let script = "x\n/sim tokens=300 rate=100 vary";
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
}

on_both!(a_stop_for_a_turn_whose_runner_is_dead_ends_it_without_a_call_upstream);
async fn a_stop_for_a_turn_whose_runner_is_dead_ends_it_without_a_call_upstream(rig: Rig) {
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let first = killable();
    let lease = TurnConfig {
        lease: Duration::from_secs(600),
        flush: Duration::from_millis(50),
        longest: Duration::from_secs(600),
        sole_owner: false,
    };
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

/// How often the simulator was asked for a reply.
async fn calls(rig: &Rig) -> usize {
    let text = reqwest::get(format!("{}/sim/calls", rig.simulator)).await.unwrap().text().await.unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap().as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_process_that_ends_hands_its_turns_over() {
    let rig = Rig::start().await;
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let first = rig.server(false);
    let stream = first.of(user).send(new_chat(session, turn, "x\n/sim tokens=150 rate=100 vary")).await.unwrap();
    let mut reader = Reader::default();
    let closing = first.clone();
    let read = async {
        reader.read_until(stream, |r| r.shown.len() > 100).await;
        closing.turns.close().await;
    };
    read.await;
    let second = rig.server(false);
    reader.follow(&second.of(user), turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
    assert_eq!(second.of(user).get_session(session, None, None).await.unwrap().messages[1].text, reader.text());
}
