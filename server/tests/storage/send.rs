//! Sending and compaction: all or nothing.

use app::domain::{Outcome, TurnError};
use server::storage::{Compacted, DayTotals, OpenWork, SendOutcome, SendTx, TurnState, keys};

use crate::fixtures::{Table, later, no_turn, usage};

on_both!(
    a_sent_question_is_all_there,
    sending_again_is_the_same_send,
    a_refused_send_leaves_nothing,
    one_of_fifty_senders_wins,
    a_retry_has_no_message,
    a_turn_ends_in_its_message,
    a_turn_is_counted_once_whoever_compacts,
    a_failed_turn_keeps_its_reason,
    a_turn_of_a_deleted_session_is_only_done,
    a_turn_done_while_its_session_was_deleted_frees_the_restored,
    a_send_is_refused_if_the_branch_has_grown_meanwhile,
    an_active_turn_that_was_cleared_still_gets_its_message,
);

async fn a_sent_question_is_all_there(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "What is this?");
    assert_eq!(t.store.send(&tx).await.unwrap(), SendOutcome::Sent);
    assert_eq!(t.store.session(tx.session.id).await.unwrap(), Some(tx.session.clone()));
    assert_eq!(t.store.turn(tx.turn.id).await.unwrap(), Some(tx.turn.clone()));
    assert_eq!(t.store.segment_at(tx.turn.id, 0).await.unwrap(), tx.claim);
    let message = tx.message.clone().unwrap();
    assert_eq!(t.store.message(tx.session.id, message.id, 0).await.unwrap(), Some(message.clone()));
    assert_eq!(t.store.messages_at(tx.session.id, 0).await.unwrap(), [message]);

    // The second question changes only what it has to.
    t.store.compact(&t.answer(&tx, "A test.")).await.unwrap();
    let before = t.store.session(tx.session.id).await.unwrap().unwrap();
    t.store.rename(before.id, before.owner, "Renamed meanwhile").await.unwrap();
    let second = t.ask(&before, false, "And that?");
    assert_eq!(t.store.send(&second).await.unwrap(), SendOutcome::Sent);
    let after = t.store.session(before.id).await.unwrap().unwrap();
    assert_eq!(after.title, "Renamed meanwhile");
    assert_eq!((after.head, after.active), (second.session.head, Some(second.turn.id)));
    assert_eq!(after.head.unwrap().depth, 3);
}

async fn sending_again_is_the_same_send(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Once");
    for _ in 0..2 {
        assert_eq!(t.store.send(&tx).await.unwrap(), SendOutcome::Sent, "the token makes it one");
    }
    // The same turn sent by another server, which makes its own message and claim.
    let other = SendTx { message: t.ask(&tx.session, false, "Once").message, ..tx.clone() };
    assert_eq!(t.store.send(&other).await.unwrap(), SendOutcome::Refused);
    assert_eq!(t.store.messages_back(tx.session.id, 9, 50, None).await.unwrap().0.len(), 1);
}

async fn a_refused_send_leaves_nothing(t: &Table) {
    let user = t.clock.user_id();
    let there = t.talk(&t.session(user), true, "Q", "A").await;
    let running = t.ask(&there, false, "Q2");
    t.store.send(&running).await.unwrap();
    let deleted = t.talk(&t.session(user), true, "Q", "A").await;
    t.store.tombstone(deleted.id, user, t.clock.now()).await.unwrap();
    let free = t.talk(&t.session(user), true, "Q", "A").await;
    let mut foreign = t.ask(&free, false, "not mine");
    foreign.session.owner = t.clock.user_id();
    let mut taken = t.ask(&free, false, "its turn is there");
    taken.turn.id = running.turn.id;
    for (why, tx) in [
        ("it is not there", t.ask(&t.session(user), false, "x")),
        ("it is there", t.ask(&free, true, "x")),
        ("it has an active turn", t.ask(&there, false, "x")),
        ("it is deleted", t.ask(&deleted, false, "x")),
        ("it is somebody else's", foreign),
        ("the turn exists", taken),
    ] {
        let before = t.store.session(tx.session.id).await.unwrap();
        assert_eq!(t.store.send(&tx).await.unwrap(), SendOutcome::Refused, "{why}");
        assert_eq!(t.store.session(tx.session.id).await.unwrap(), before, "{why}");
        if tx.turn.id != running.turn.id {
            assert_eq!(t.store.turn(tx.turn.id).await.unwrap(), None, "{why}");
            assert_eq!(t.store.read_log(tx.turn.id, 0, true).await.unwrap(), [], "{why}");
        }
        let message = tx.message.unwrap();
        assert_eq!(t.store.message(tx.session.id, message.id, message.depth).await.unwrap(), None, "{why}");
    }
}

async fn one_of_fifty_senders_wins(t: &Table) {
    let session = t.session(t.clock.user_id());
    t.store.create_session(&session).await.unwrap();
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (store, tx) = (t.store.clone(), t.ask(&session, false, &n.to_string()));
        senders.spawn(async move {
            loop {
                match store.send(&tx).await {
                    Ok(outcome) => return (outcome == SendOutcome::Sent).then_some(tx.turn.id),
                    Err(e) => assert!(e.retryable(), "{e}"),
                }
            }
        });
    }
    let won: Vec<_> = senders.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let session = t.store.session(session.id).await.unwrap().unwrap();
    assert_eq!(session.active, Some(won[0]));
    assert_eq!(t.store.messages_at(session.id, 0).await.unwrap().len(), 1);
}

async fn a_retry_has_no_message(t: &Table) {
    let session = t.talk(&t.session(t.clock.user_id()), true, "Q", "first").await;
    let mut tx = t.ask(&session, false, "");
    let question = t.store.messages_at(session.id, 0).await.unwrap().remove(0);
    (tx.message, tx.claim) = (None, None);
    (tx.turn.parent, tx.turn.depth, tx.turn.claims) = (question.id, 1, 0);
    assert_eq!(t.store.send(&tx).await.unwrap(), SendOutcome::Sent);
    assert_eq!(t.store.read_log(tx.turn.id, 0, true).await.unwrap(), []);
    t.store.compact(&t.answer(&tx, "second")).await.unwrap();
    let siblings = t.store.messages_at(session.id, 1).await.unwrap();
    assert_eq!(siblings.iter().map(|m| m.content[0].text.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    assert!(siblings.iter().all(|m| m.parent == Some(question.id)));
}

async fn a_turn_ends_in_its_message(t: &Table) {
    for reply in ["", "Short.", &"Long. ".repeat(1_000)] {
        let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
        t.store.send(&tx).await.unwrap();
        let answer = t.answer(&tx, reply);
        assert_eq!(t.store.compact(&answer).await.unwrap(), Compacted::Now);
        assert_eq!(t.store.turn(tx.turn.id).await.unwrap(), Some(answer.turn.clone()));
        let session = t.store.session(tx.session.id).await.unwrap().unwrap();
        assert_eq!((session.active, session.head), (None, tx.session.head));
        assert_eq!(t.store.message(session.id, tx.turn.id.into(), 1).await.unwrap(), Some(answer.message.clone()));
        assert_eq!(t.store.compact(&answer).await.unwrap(), Compacted::Already);
        assert_eq!(t.store.message(session.id, tx.turn.id.into(), 1).await.unwrap(), Some(answer.message));
    }
}

async fn a_turn_is_counted_once_whoever_compacts(t: &Table) {
    let session = t.session(t.clock.user_id());
    let tx = t.ask(&session, true, "Q");
    t.store.send(&tx).await.unwrap();
    let answer = t.answer(&tx, "A");
    let mut compactors = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (store, answer) = (t.store.clone(), answer.clone());
        compactors.spawn(async move {
            loop {
                match store.compact(&answer).await {
                    Ok(how) => return how,
                    Err(e) => assert!(e.retryable(), "{e}"),
                }
            }
        });
    }
    let how = compactors.join_all().await;
    assert_eq!(how.iter().filter(|h| **h == Compacted::Now).count(), 1, "{how:?}");
    let totals = t.store.day_totals(session.owner, &answer.day).await.unwrap();
    assert_eq!(
        totals,
        DayTotals { turns: 1, micros: server::prices::micros(&answer.turn.model, &usage()), usage: usage() }
    );

    let next = t.store.session(session.id).await.unwrap().unwrap();
    t.talk(&next, false, "Q", "A").await;
    let totals = t.store.day_totals(session.owner, &answer.day).await.unwrap();
    assert_eq!((totals.turns, totals.usage.output_tokens, totals.usage.cache_read_input_tokens), (2, 40, 8));
    assert_eq!(t.store.day_totals(session.owner, "2020-01-01").await.unwrap(), DayTotals::default());
}

async fn a_failed_turn_keeps_its_reason(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    t.store.send(&tx).await.unwrap();
    let mut answer = t.answer(&tx, "");
    answer.turn.outcome = Some(Outcome::Failed);
    answer.turn.stop_reason = None;
    answer.turn.error = Some(TurnError { code: "upstream_error".into(), message: "No.".into(), retryable: true });
    answer.turn.usage.estimated = true;
    answer.message.outcome = answer.turn.outcome;
    answer.message.stop_reason = None;
    answer.message.error = answer.turn.error.clone();
    answer.message.left_out = Some(4);
    answer.message.content.clear();
    t.store.compact(&answer).await.unwrap();
    assert_eq!(t.store.turn(tx.turn.id).await.unwrap(), Some(answer.turn.clone()));
    let stored = t.store.message(tx.session.id, tx.turn.id.into(), 1).await.unwrap();
    assert_eq!(stored, Some(answer.message));
    assert!(t.store.day_totals(tx.turn.owner, &answer.day).await.unwrap().usage.estimated);
}

async fn a_turn_of_a_deleted_session_is_only_done(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    t.store.send(&tx).await.unwrap();
    let gone = t.store.tombstone(tx.session.id, tx.session.owner, t.clock.now()).await.unwrap().unwrap();
    assert_eq!(gone.active, Some(tx.turn.id), "who deletes it learns what to stop");
    let answer = t.answer(&tx, &"A".repeat(2_000));
    assert_eq!(t.store.compact(&answer).await.unwrap(), Compacted::Deleted);
    assert_eq!(t.store.turn(tx.turn.id).await.unwrap().unwrap().state, TurnState::Done);
    assert_eq!(t.store.message(tx.session.id, tx.turn.id.into(), 1).await.unwrap(), None);
    assert_eq!(t.store.messages_back(tx.session.id, 9, 50, None).await.unwrap().0.len(), 1, "only the question");
    assert_eq!(t.store.day_totals(tx.turn.owner, &answer.day).await.unwrap().turns, 1, "it is paid all the same");
    assert_eq!(t.store.finish_deleted(&answer.turn, &answer.day).await.unwrap(), Some(Compacted::Deleted));
    assert_eq!(t.store.day_totals(tx.turn.owner, &answer.day).await.unwrap().turns, 1);

    let mut nowhere = answer.clone();
    nowhere.turn.id = no_turn();
    assert_eq!(t.store.compact(&nowhere).await.unwrap(), Compacted::Deleted);
    assert_eq!(t.store.turn(no_turn()).await.unwrap(), None, "nothing is made by it");
}

async fn a_turn_done_while_its_session_was_deleted_frees_the_restored(t: &Table) {
    let (user, now) = (t.clock.user_id(), t.clock.now());
    let tx = t.ask(&t.session(user), true, "Q");
    t.store.send(&tx).await.unwrap();
    t.store.tombstone(tx.session.id, user, now).await.unwrap();
    let answer = t.answer(&tx, "A");
    t.store.finish_deleted(&answer.turn, &answer.day).await.unwrap();
    assert!(t.store.restore(tx.session.id, user, later(now, 5)).await.unwrap());
    assert_eq!(t.store.session(tx.session.id).await.unwrap().unwrap().active, Some(tx.turn.id));
    assert_eq!(t.store.finish_deleted(&answer.turn, &answer.day).await.unwrap(), None, "it is there again");
    assert_eq!(t.store.compact(&answer).await.unwrap(), Compacted::Already);
    assert_eq!(t.store.session(tx.session.id).await.unwrap().unwrap().active, None);
}

/// A question never follows another answer than the one that its sender saw.
async fn a_send_is_refused_if_the_branch_has_grown_meanwhile(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    t.store.send(&tx).await.unwrap();
    let seen = t.store.session(tx.session.id).await.unwrap().unwrap();
    t.store.compact(&t.answer(&tx, "A")).await.unwrap();
    let between = t.store.session(tx.session.id).await.unwrap().unwrap();
    let first = t.ask(&between, false, "Q2");
    t.store.send(&first).await.unwrap();
    t.store.compact(&t.answer(&first, "A2")).await.unwrap();
    let stale = t.ask(&seen, false, "Q3");
    assert_eq!(t.store.send(&stale).await.unwrap(), SendOutcome::Refused);
    assert_eq!(t.store.turn(stale.turn.id).await.unwrap(), None);
}

async fn an_active_turn_that_was_cleared_still_gets_its_message(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    t.store.send(&tx).await.unwrap();
    t.store.clear_active(tx.session.id, tx.turn.id).await.unwrap();
    let between = t.store.session(tx.session.id).await.unwrap().unwrap();
    let next = t.ask(&between, false, "Q2");
    t.store.send(&next).await.unwrap();
    assert_eq!(t.store.compact(&t.answer(&tx, "late")).await.unwrap(), Compacted::Now);
    assert_eq!(t.store.session(tx.session.id).await.unwrap().unwrap().active, Some(next.turn.id), "not touched");
    assert!(t.store.message(tx.session.id, tx.turn.id.into(), 1).await.unwrap().is_some());
    for shard in 0..keys::OPEN_SHARDS {
        let open = t.store.open_turns(shard).await.unwrap();
        assert!(!open.iter().any(|w| matches!(w, OpenWork::Turn(id, _) if *id == tx.turn.id)));
    }
}
