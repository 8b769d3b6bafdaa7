//! The index of open work.

use server::storage::{OpenWork, keys};

use crate::fixtures::Table;

on_both!(open_work_is_found_until_it_is_done);

async fn open_work_is_found_until_it_is_done(t: &Table) {
    let all = async || {
        let mut all = Vec::new();
        for shard in 0..keys::OPEN_SHARDS {
            all.extend(t.store.open_turns(shard).await.unwrap());
        }
        all
    };
    assert_eq!(all().await, []);
    let mut sent = Vec::new();
    for _ in 0..20 {
        let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
        t.store.send(&tx).await.unwrap();
        sent.push(tx);
    }
    let found = all().await;
    assert_eq!(found.len(), 20);
    for tx in &sent {
        assert!(found.contains(&OpenWork::Turn(tx.turn.id, tx.turn.created_at)));
    }
    let shards = async |n| t.store.open_turns(n).await.unwrap().len();
    assert!(shards(0).await < 20, "spread over shards");
    for tx in &sent[1..] {
        t.store.compact(&t.answer(tx, "A")).await.unwrap();
    }
    assert_eq!(all().await, [OpenWork::Turn(sent[0].turn.id, sent[0].turn.created_at)]);
    let now = t.clock.now();
    t.store.tombstone(sent[1].session.id, sent[1].session.owner, now).await.unwrap();
    assert!(all().await.contains(&OpenWork::Deleted(sent[1].session.id, now)));
    t.store.restore(sent[1].session.id, sent[1].session.owner, now).await.unwrap();
    assert_eq!(all().await.len(), 1);
}
