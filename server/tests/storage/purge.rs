//! Deletion for good.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use server::storage::{Append, Kind, OpenWork, keys};

use crate::fixtures::{Table, later, scan};

on_both!(
    a_purge_leaves_nothing_but_other_sessions,
    a_purge_waits_until_nobody_can_restore,
    a_purge_can_be_repeated_wherever_it_broke_off,
    what_a_frozen_runner_writes_is_found,
    every_item_has_a_ttl,
);

fn key_of(item: &HashMap<String, AttributeValue>) -> (String, String) {
    (item["pk"].as_s().unwrap().clone(), item["sk"].as_s().unwrap().clone())
}

async fn keys_left(t: &Table) -> Vec<(String, String)> {
    let mut all: Vec<_> = scan(t).await.iter().map(key_of).filter(|(pk, _)| !pk.starts_with("USAGE#")).collect();
    all.sort();
    all
}

/// A session with every way that its turns can be known by.
async fn rich_session(t: &Table) -> server::storage::SessionItem {
    let mut session = t.session(t.clock.user_id());
    for n in 0..30 {
        session = t.talk(&session, n == 0, "question", &"reply ".repeat(n * 30)).await;
    }
    let cleared = t.ask(&session, false, "its turn is cleared");
    t.store.send(&cleared).await.unwrap();
    t.store.clear_active(session.id, cleared.turn.id).await.unwrap();
    let session = t.store.session(session.id).await.unwrap().unwrap();
    let mut running = t.ask(&session, false, "");
    running.message = None;
    t.store.send(&running).await.unwrap();
    for seq in 1..40 {
        t.store.append(running.turn.id, seq, &t.segment(Kind::Beat, 0, 0, ""), t.ttl()).await.unwrap();
    }
    t.store.session(session.id).await.unwrap().unwrap()
}

async fn a_purge_leaves_nothing_but_other_sessions(t: &Table) {
    let other = t.talk(&t.session(t.clock.user_id()), true, "Q", "A").await;
    let others = keys_left(t).await;
    let now = t.clock.now();
    let session = rich_session(t).await;
    t.store.tombstone(session.id, session.owner, now).await.unwrap().unwrap();
    assert!(t.store.purge(session.id, later(now, 61)).await.unwrap());
    let mut left = others.clone();
    left.push((format!("SESSION#{}", session.id), "SESSION".to_owned()));
    left.sort();
    assert_eq!(keys_left(t).await, left, "only the tombstone is left");
    assert!(t.store.session(session.id).await.unwrap().unwrap().deleted_at.is_some());
    let mut open = Vec::new();
    for shard in 0..keys::OPEN_SHARDS {
        open.extend(t.store.open_turns(shard).await.unwrap());
    }
    assert_eq!(open, [OpenWork::Deleted(session.id, now)], "and is remembered");
    assert!(!t.store.restore(session.id, session.owner, now).await.unwrap(), "even by a clock that is late");
    t.store.forget(session.id).await.unwrap();
    t.store.forget(session.id).await.unwrap();
    assert_eq!(keys_left(t).await, others);
    assert!(!t.store.purge(session.id, later(now, 99)).await.unwrap(), "there is nothing left to purge");
    assert_eq!(t.store.session(other.id).await.unwrap(), Some(other));
}

async fn a_purge_waits_until_nobody_can_restore(t: &Table) {
    let session = t.talk(&t.session(t.clock.user_id()), true, "Q", "A").await;
    let now = t.clock.now();
    assert!(!t.store.purge(session.id, later(now, 1_000)).await.unwrap(), "it isn't deleted");
    t.store.tombstone(session.id, session.owner, now).await.unwrap();
    assert!(!t.store.purge(session.id, later(now, 60)).await.unwrap());
    t.store.forget(session.id).await.unwrap();
    assert!(t.store.restore(session.id, session.owner, later(now, 60)).await.unwrap(), "nothing was lost");
    assert_eq!(t.store.messages_back(session.id, 9, 50, None).await.unwrap().0.len(), 2);
}

async fn a_purge_can_be_repeated_wherever_it_broke_off(t: &Table) {
    let session = rich_session(t).await;
    let now = t.clock.now();
    t.store.tombstone(session.id, session.owner, now).await.unwrap();
    // Dropped in the middle of it, again and again: after 1, 2, 4, 8 … ms.
    for n in 0..6 {
        let broken = t.store.purge(session.id, later(now, 61));
        let _ = tokio::time::timeout(std::time::Duration::from_millis(1 << n), broken).await;
    }
    assert!(t.store.purge(session.id, later(now, 61)).await.unwrap());
    assert_eq!(keys_left(t).await.len(), 1);
    t.store.forget(session.id).await.unwrap();
    assert_eq!(keys_left(t).await, []);
}

async fn what_a_frozen_runner_writes_is_found(t: &Table) {
    let session = t.session(t.clock.user_id());
    let tx = t.ask(&session, true, "Q");
    t.store.send(&tx).await.unwrap();
    t.store.compact(&t.answer(&tx, "A")).await.unwrap();
    let now = t.clock.now();
    t.store.tombstone(session.id, session.owner, now).await.unwrap();
    assert!(t.store.purge(session.id, later(now, 61)).await.unwrap());
    // Its turn was done, its log is gone: nothing holds it up.
    let late = t.segment(Kind::Text, 0, 0, "from the freezer");
    assert_eq!(t.store.append(tx.turn.id, 1, &late, t.ttl()).await.unwrap(), Append::Written);
    assert!(t.store.purge(session.id, later(now, 1_000)).await.unwrap());
    t.store.forget(session.id).await.unwrap();
    assert_eq!(keys_left(t).await, []);
}

async fn every_item_has_a_ttl(t: &Table) {
    let session = rich_session(t).await;
    t.store.tombstone(session.id, session.owner, t.clock.now()).await.unwrap();
    t.talk(&t.session(session.owner), true, &"漢".repeat(200_000), &"long ".repeat(40_000)).await;
    let now = t.clock.now().seconds();
    for item in scan(t).await {
        let ttl: u64 =
            item.get("ttl").unwrap_or_else(|| panic!("{:?}", key_of(&item))).as_n().unwrap().parse().unwrap();
        assert!((now + 80_000..now + 500 * 86_400).contains(&ttl), "{:?}: {ttl}", key_of(&item));
    }
}
