//! Faults upstream: each has one decided outcome (`docs/faults.md`).

use std::time::Duration;

use app::domain::{Outcome, TurnEvent};

use crate::rig::{Reader, Rig, calls, new_chat, splice};

/// What becomes of a script: outcome, stop reason, error, how many calls it takes.
type Row = (&'static str, Outcome, Option<&'static str>, Option<&'static str>, usize);

#[tokio::test]
async fn every_fault_has_its_outcome() {
    use Outcome::{Complete, Failed};
    let rig = Rig::start().await;
    let server = rig.server(true);
    let rows: &[Row] = &[
        // Before the first byte: asked again, four times a claim.
        ("status=529 times=1", Complete, Some("end_turn"), None, 2),
        ("status=500 times=2", Complete, Some("end_turn"), None, 3),
        ("status=429 retry-after=1 times=1", Complete, Some("end_turn"), None, 2),
        ("fault=reset@0 times=1", Complete, Some("end_turn"), None, 2),
        ("status=529 retry-after=600", Failed, None, Some("upstream_overloaded"), 1),
        ("status=429 retry-after=600", Failed, None, Some("upstream_rate_limited"), 1),
        // What no second attempt helps.
        ("status=401", Failed, None, Some("upstream_unauthorized"), 1),
        ("status=403", Failed, None, Some("upstream_forbidden"), 1),
        ("status=404", Failed, None, Some("upstream_model_not_found"), 1),
        ("status=400", Failed, None, Some("upstream_invalid"), 1),
        ("status=413", Failed, None, Some("upstream_too_large"), 1),
        // In the middle: carried on.
        ("fault=reset@10 times=1", Complete, Some("end_turn"), None, 2),
        ("fault=truncate@10 times=1", Complete, Some("end_turn"), None, 2),
        ("fault=error@10 times=1", Complete, Some("end_turn"), None, 2),
        ("fault=overloaded@10 times=2", Complete, Some("end_turn"), None, 3),
        ("fault=garbage@10 times=1", Complete, Some("end_turn"), None, 2),
        ("fault=stall@10 times=1", Complete, Some("end_turn"), None, 2),
        ("bytes=1", Complete, Some("end_turn"), None, 1),
        // Ends that are the model's own.
        ("stop=refusal", Complete, Some("refusal"), None, 1),
        ("stop=max_tokens", Complete, Some("max_tokens"), None, 1),
        ("stop=model_context_window_exceeded", Complete, Some("model_context_window_exceeded"), None, 1),
    ];
    for (script, outcome, stop_reason, error, asked) in rows {
        let before = calls(&rig).await;
        let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
        let backend = server.of(user);
        let mut reader = Reader::default();
        let text = format!("q\n/sim vary tokens=30 rate=0 {script}");
        reader.read(backend.send(new_chat(session, turn, &text)).await.unwrap()).await;
        reader.follow(&backend, turn).await;
        assert_eq!((reader.outcome(), reader.error().as_deref()), (*outcome, *error), "{script}");
        let Some(TurnEvent::End { stop_reason: stopped, .. }) = &reader.end else { panic!("no end") };
        assert_eq!(stopped.as_deref(), *stop_reason, "{script}");
        assert_eq!(calls(&rig).await - before, *asked, "{script}");
        let page = backend.get_session(session, None, None).await.unwrap();
        assert_eq!(page.messages[1].text, reader.text(), "{script}: what is shown is what is stored");
        assert_eq!(page.messages[1].outcome, Some(*outcome));
        if *outcome == Complete {
            splice(&reader.text(), 30);
        }
        assert_eq!(reader.rewinds, 0, "{script}: what was shown stays");
    }
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
