//! The log: one winner for each key.

use server::storage::{Append, Kind, Segment, SendOutcome, StoreErrorKind};

use crate::fixtures::{Table, no_turn, piece};

on_both!(
    a_segment_is_what_was_put,
    a_key_is_taken_once,
    one_of_fifty_appenders_wins,
    of_two_claims_one_wins,
    a_claim_needs_the_turn_as_it_was_read,
    only_the_contiguous_run_is_read,
    a_long_log_is_read_whole,
    a_newer_format_is_told_apart,
);

async fn sent(t: &Table) -> app::domain::TurnId {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    assert_eq!(t.store.send(&tx).await.unwrap(), SendOutcome::Sent);
    tx.turn.id
}

async fn a_segment_is_what_was_put(t: &Table) {
    let turn = sent(t).await;
    let mut mixed = t.segment(Kind::Text, 0, 0, "text \"quoted\"\n\u{0}漢");
    mixed.pieces.push(app::domain::Piece { kind: app::domain::PieceKind::Thinking, text: "hm".into() });
    mixed.pieces.push(piece("more"));
    let mut log = vec![t.segment(Kind::Beat, 0, 0, ""), mixed, t.segment(Kind::Stop, 0, 9, ""), t.end(0, 9, "bye")];
    log.push(t.segment(Kind::Text, 0, 9, &"x".repeat(256 * 1024)));
    for (n, segment) in log.iter().enumerate() {
        assert_eq!(t.store.append(turn, n as u64 + 1, segment, t.ttl()).await.unwrap(), Append::Written);
    }
    let read = t.store.read_log(turn, 1, true).await.unwrap();
    assert_eq!(read.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(read.into_iter().map(|(_, s)| s).collect::<Vec<Segment>>(), log);
    assert_eq!(t.store.segment_at(turn, 4).await.unwrap().as_ref(), Some(&log[3]));
    assert_eq!(t.store.segment_at(turn, 6).await.unwrap(), None);
}

async fn a_key_is_taken_once(t: &Table) {
    let turn = sent(t).await;
    let (mine, other) = (t.segment(Kind::Text, 0, 0, "mine"), t.segment(Kind::Text, 0, 0, "other"));
    assert_eq!(t.store.append(turn, 1, &mine, t.ttl()).await.unwrap(), Append::Written);
    assert_eq!(t.store.append(turn, 1, &other, t.ttl()).await.unwrap(), Append::Met(Box::new(mine.clone())));
    assert_eq!(t.store.append(turn, 1, &mine, t.ttl()).await.unwrap(), Append::Met(Box::new(mine)));
}

async fn one_of_fifty_appenders_wins(t: &Table) {
    let turn = sent(t).await;
    let mut appenders = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (store, segment, ttl) = (t.store.clone(), t.segment(Kind::Text, 0, 0, &n.to_string()), t.ttl());
        appenders.spawn(async move { (store.append(turn, 1, &segment, ttl).await.unwrap(), segment) });
    }
    let all = appenders.join_all().await;
    let winners: Vec<_> = all.iter().filter(|(how, _)| *how == Append::Written).collect();
    assert_eq!(winners.len(), 1);
    for (how, segment) in &all {
        if segment != &winners[0].1 {
            assert_eq!(how, &Append::Met(Box::new(winners[0].1.clone())), "who loses sees who won");
        }
    }
}

async fn of_two_claims_one_wins(t: &Table) {
    for _ in 0..5 {
        let turn = sent(t).await;
        let mut claimants = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let (store, claim, ttl) = (t.store.clone(), t.segment(Kind::Claim, 1, 0, ""), t.ttl());
            claimants.spawn(async move {
                loop {
                    match store.claim(turn, 1, &claim, 1, ttl).await {
                        Ok(won) => return (won, claim),
                        Err(e) => assert!(e.retryable(), "{e}"),
                    }
                }
            });
        }
        let won: Vec<_> = claimants.join_all().await.into_iter().filter(|(won, _)| *won).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(t.store.segment_at(turn, 1).await.unwrap().as_ref(), Some(&won[0].1));
        assert_eq!(t.store.turn(turn).await.unwrap().unwrap().claims, 2);
    }
}

async fn a_claim_needs_the_turn_as_it_was_read(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    t.store.send(&tx).await.unwrap();
    // What is sent again is the same in all of it, the second at which it expires too.
    let (turn, claim, ttl) = (tx.turn.id, t.segment(Kind::Claim, 1, 0, ""), t.ttl());
    assert!(!t.store.claim(turn, 1, &claim, 0, ttl).await.unwrap(), "somebody claimed since");
    assert!(!t.store.claim(turn, 0, &claim, 1, ttl).await.unwrap(), "the key is taken");
    assert!(!t.store.claim(no_turn(), 0, &claim, 0, ttl).await.unwrap(), "there is no such turn");
    assert_eq!(t.store.read_log(no_turn(), 0, true).await.unwrap(), []);
    assert!(t.store.claim(turn, 1, &claim, 1, ttl).await.unwrap());
    assert!(t.store.claim(turn, 1, &claim, 1, ttl).await.unwrap(), "the same again, its answer was lost");
    assert_eq!(t.store.turn(turn).await.unwrap().unwrap().claims, 2);
    t.store.compact(&t.answer(&tx, "")).await.unwrap();
    assert!(!t.store.claim(turn, 2, &t.segment(Kind::Claim, 2, 0, ""), 2, ttl).await.unwrap(), "it is done");
    assert_eq!(t.store.segment_at(turn, 2).await.unwrap(), None);
}

async fn only_the_contiguous_run_is_read(t: &Table) {
    let turn = sent(t).await;
    for seq in [1, 2, 4, 5] {
        t.store.append(turn, seq, &t.segment(Kind::Text, 0, 0, "x"), t.ttl()).await.unwrap();
    }
    let seqs = async |from, strong| {
        let log = t.store.read_log(turn, from, strong).await.unwrap();
        log.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, true).await, [0, 1, 2]);
    assert_eq!(seqs(2, false).await, [2]);
    assert_eq!(seqs(3, true).await, [] as [u64; 0]);
    assert_eq!(seqs(4, true).await, [4, 5]);
    assert_eq!(seqs(6, true).await, [] as [u64; 0]);
}

async fn a_long_log_is_read_whole(t: &Table) {
    let turn = sent(t).await;
    let text = "漢字かな ".repeat(13_000);
    for seq in 1..=20 {
        t.store.append(turn, seq, &t.segment(Kind::Text, 0, 0, &text), t.ttl()).await.unwrap();
    }
    let log = t.store.read_log(turn, 0, true).await.unwrap();
    assert_eq!(log.len(), 21);
    let bytes: usize = log.iter().flat_map(|(_, s)| &s.pieces).map(|p| p.text.len()).sum();
    assert!(bytes == 20 * text.len() && bytes > 3 << 20, "{bytes}");
}

async fn a_newer_format_is_told_apart(t: &Table) {
    let turn = sent(t).await;
    let newer = Segment { v: 2, ..t.segment(Kind::Text, 0, 0, "x") };
    t.store.append(turn, 1, &newer, t.ttl()).await.unwrap();
    for error in [
        t.store.segment_at(turn, 1).await.unwrap_err(),
        t.store.read_log(turn, 0, true).await.unwrap_err(),
        t.store.append(turn, 1, &t.segment(Kind::Text, 0, 0, "x"), t.ttl()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Newer);
        assert!(!error.retryable() && !error.ambiguous());
    }
}
