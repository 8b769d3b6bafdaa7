//! Carrying on: the seam, `continue`, and what the joined text looks like.

use std::time::Duration;

use app::{
    domain::{Cursor, MessageId, Outcome},
    error::Code,
};
use server::{
    http::forms::FormReply,
    turn::{Host, metrics::Counted},
};

use crate::rig::{Reader, Rig, Server, new_chat, refused, request, splice};

/// The reply to a script, read to its end.
async fn reply(rig: &Rig, server: &Server, script: &str) -> String {
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let mut reader = Reader::default();
    reader.read(backend.send(new_chat(session, turn, &format!("q\n/sim {script}"))).await.unwrap()).await;
    reader.follow(&backend, turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete, "{script}");
    reader.text()
}

/// Cut anywhere, in any kind of text, a reply that is carried on reads as if it had not been: 200 cuts each with
/// `OUTLAST_CUTS=200`, which prints the classes too.
#[tokio::test]
async fn a_cut_leaves_no_mark() {
    let cuts: usize = std::env::var("OUTLAST_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let rig = Rig::start().await;
    let server = rig.server(true);
    for (name, script, tokens) in [
        ("prose", "seed=5 tokens=220", 220),
        ("CJK and emoji", "seed=6 tokens=220 utf8", 220),
        ("code, tables, lists", "seed=7 tokens=420 markdown", 420),
        ("the same in CJK", "seed=8 tokens=420 markdown utf8", 420),
    ] {
        let whole = reply(&rig, &server, &format!("{script} rate=0")).await;
        server.turns.metrics().take();
        for n in 0..cuts {
            let cut = 1 + n * (tokens - 2) / cuts;
            for odd in ["", " bytes=7"] {
                let script = format!("{script} rate=0 times=1 fault=reset@{cut}{odd}");
                let joined = reply(&rig, &server, &script).await;
                assert_eq!(joined, whole, "{name}, cut at {cut}");
            }
        }
        let counted = server.turns.metrics().take();
        let Counted { exact, fuzzy, overlap, none, restart, .. } = counted;
        println!("{name}: {exact} exact, {fuzzy} fuzzy, {overlap} overlap, {none} none, {restart} restart");
        assert_eq!(exact as usize, 2 * cuts, "{name}: {counted:?}");
    }
}

/// What other models do when they are asked: greet, begin again, go on without a word of the old.
#[tokio::test]
async fn every_way_of_going_on_has_its_class() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let of = |c: Counted| (c.exact, c.overlap, c.none, c.restart);
    let whole = reply(&rig, &server, "seed=5 tokens=160 rate=0").await;
    for (seam, classes) in [("greet", (1, 0, 0, 0)), ("none", (0, 0, 1, 0)), ("restart", (0, 0, 0, 1))] {
        server.turns.metrics().take();
        let joined =
            reply(&rig, &server, &format!("seed=5 tokens=160 rate=0 times=1 fault=reset@70 seam={seam}")).await;
        assert_eq!(joined, whole, "{seam}");
        assert_eq!(of(server.turns.metrics().take()), classes, "{seam}");
    }
    // The white space that it lost is put back where two words meet.
    let joined = reply(&rig, &server, "seed=5 tokens=160 rate=0 times=1 fault=reset@70 seam=space").await;
    assert_eq!(joined, whole);
}

on_both!(a_stopped_answer_is_continued_beside_itself);
async fn a_stopped_answer_is_continued_beside_itself(rig: Rig) {
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let stream = backend.send(new_chat(session, turn, "x\n/sim tokens=120 rate=100 vary")).await.unwrap();
    let mut reader = Reader::default();
    reader.read_until(stream, |r| r.shown.len() > 150).await;
    backend.stop(turn).await.unwrap();
    reader.follow(&backend, turn).await;
    assert_eq!(reader.outcome(), Outcome::Stopped);
    let stopped = reader.text();

    let next = rig.turn();
    let mut more = Reader::default();
    more.read(backend.carry_on(next, turn.into()).await.unwrap()).await;
    more.follow(&backend, next).await;
    assert_eq!(more.outcome(), Outcome::Complete);
    assert!(more.text().starts_with(stopped.trim_end()));
    assert_eq!(splice(&more.text(), 120), 2);
    let page = backend.get_session(session, None, None).await.unwrap();
    let shown = &page.messages[1];
    assert_eq!((shown.message_id, shown.text.clone()), (next.into(), more.text()));
    assert_eq!(shown.siblings.as_ref().unwrap().ids, [MessageId::from(turn), next.into()]);
    // The same call again follows the same turn; a whole answer has nothing to continue.
    let mut again = Reader::default();
    again.read(backend.carry_on(next, turn.into()).await.unwrap()).await;
    assert_eq!(again.text(), more.text());
    let error = refused(backend.carry_on(rig.turn(), next.into()).await);
    assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some("message_id")));
    let stranger = server.of(rig.user());
    assert_eq!(refused(stranger.carry_on(rig.turn(), turn.into()).await).code, Code::NotFound);
    // And the chat goes on below it.
    let after = rig.turn();
    let mut below = Reader::default();
    below.read(backend.send(request(session, after, "on\n/sim tokens=3 rate=0")).await.unwrap()).await;
    assert_eq!(below.outcome(), Outcome::Complete);
    assert_eq!(backend.get_session(session, None, None).await.unwrap().messages.len(), 4);
}

#[tokio::test]
async fn an_answer_that_reached_its_limit_is_continued_and_may_be_interrupted_meanwhile() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let mut reader = Reader::default();
    let script = "x\n/sim vary tokens=90 rate=0 fault=reset@40";
    reader.read(backend.send(new_chat(session, turn, script)).await.unwrap()).await;
    reader.follow(&backend, turn).await;
    // Every call breaks after 40 tokens, which the repeated end is a part of; in the end it is whole all the same.
    assert_eq!(reader.outcome(), Outcome::Complete);
    assert!(splice(&reader.text(), 90) >= 3);

    let (session, turn) = (rig.session(), rig.turn());
    let script = "x\n/sim vary tokens=90 rate=0 stop=max_tokens";
    let mut cut = Reader::default();
    cut.read(backend.send(new_chat(session, turn, script)).await.unwrap()).await;
    let next = rig.turn();
    let mut more = Reader::default();
    more.read(backend.carry_on(next, turn.into()).await.unwrap()).await;
    more.follow(&backend, next).await;
    assert!(more.text().starts_with(&cut.text()));
}

/// A continuation whose runner dies before it has written what it begins with.
#[tokio::test]
async fn a_continuation_that_nobody_ran_begins_with_the_old_text_all_the_same() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let stream = backend.send(new_chat(session, turn, "x\n/sim tokens=120 rate=100 vary")).await.unwrap();
    let mut reader = Reader::default();
    reader.read_until(stream, |r| r.shown.len() > 150).await;
    backend.stop(turn).await.unwrap();
    reader.follow(&backend, turn).await;
    // A plain form claims nothing; the page that follows it does.
    let plain = server.asked(user, Some(FormReply::default()), Host::default());
    let next = rig.turn();
    drop(plain.carry_on(next, turn.into()).await.unwrap());
    let mut more = Reader::default();
    let stream = tokio::time::timeout(Duration::from_secs(5), backend.follow(next, Cursor::default()));
    more.read(stream.await.unwrap().unwrap()).await;
    assert_eq!(more.outcome(), Outcome::Complete);
    assert!(more.text().starts_with(reader.text().trim_end()));
    splice(&more.text(), 120);
}
