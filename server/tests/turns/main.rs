//! Turns from send to stored message, on the embedded engine and the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity, reason = "tests")]

#[path = "../common/bad_store.rs"]
mod bad_store;
#[allow(dead_code, clippy::expect_used, clippy::panic, reason = "a part of it is used")]
#[path = "../common/dynamodb.rs"]
mod dynamodb;
#[path = "../common/ministack.rs"]
mod ministack;
#[path = "../rig/mod.rs"]
mod rig;

use app::{
    backend::Parent,
    domain::{Cursor, Outcome, Role},
    error::Code,
};
use rig::{Reader, Rig, new_chat, refused, request};
use std::time::Duration;

/// The same test on the embedded engine and on DynamoDB Local.
macro_rules! on_both {
    ($name:ident) => {
        mod $name {
            #[tokio::test]
            async fn embedded() {
                super::$name(crate::Rig::start().await).await;
            }
            #[tokio::test]
            async fn dynamodb_local() {
                super::$name(crate::Rig::dynamodb_local().await).await;
            }
        }
    };
}

mod budget;
mod carry_on;
mod elsewhere;
mod faults;
mod hand_over;
mod job_faults;
mod jobs;
mod price;
mod sqs;
mod store_faults;

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
