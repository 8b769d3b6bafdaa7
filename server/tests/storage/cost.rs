//! What things cost, as the engine itself counts it.

use app::domain::MessageId;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use server::storage::{CapacityTotals, Head, Kind, SessionItem, Store, StoreConfig};

use crate::fixtures::{Table, raw, scan};

on_both!(nothing_grows_with_the_session, a_small_segment_is_one_write_unit, nothing_is_counted_unless_asked_for,);

/// A session of one turn, and then copies of its question at all depths up to `messages`.
async fn long_session(t: &Table, messages: u32) -> SessionItem {
    let mut session = t.talk(&t.session(t.clock.user_id()), true, "a question of a usual length", "a").await;
    let pk = format!("SESSION#{}", session.id);
    let question = scan(t)
        .await
        .into_iter()
        .find(|i| i["pk"].as_s() == Ok(&pk) && i["sk"].as_s().unwrap().starts_with("MSG#00000000#"))
        .unwrap();
    let mut last = session.head.unwrap().message;
    let copies: Vec<_> = (2..messages)
        .map(|depth| {
            last = t.clock.message_id();
            let mut copy = question.clone();
            copy.insert("sk".to_owned(), AttributeValue::S(format!("MSG#{depth:08}#{last}#000")));
            let put = Put::builder().table_name(&t.config.table).set_item(Some(copy)).build().unwrap();
            TransactWriteItem::builder().put(put).build()
        })
        .collect();
    let client = raw(t);
    // A transaction and not a batch: the embedded engine commits a batch's items one by one.
    for some in copies.chunks(100) {
        client.transact_write_items().set_transact_items(Some(some.to_vec())).send().await.unwrap();
    }
    session.head = Some(Head { message: last, depth: messages - 1 });
    session
}

/// What a reader of the page causes: the session and its newest 50 messages.
async fn opening(t: &Table, session: &SessionItem) -> (CapacityTotals, Vec<MessageId>) {
    let before = t.store.consumed();
    t.store.session(session.id).await.unwrap().unwrap();
    let depth = session.head.unwrap().depth;
    let (messages, _) = t.store.messages_back(session.id, depth, 50, None).await.unwrap();
    assert!(messages.iter().map(|m| m.depth).eq((0..=depth).rev().take(50)));
    (t.store.consumed() - before, messages.iter().map(|m| m.id).collect())
}

/// A small turn: a question, twenty lines, an end.
async fn turn(t: &Table, session: &SessionItem) -> CapacityTotals {
    let before = t.store.consumed();
    let mut last = before;
    let mut steps = Vec::new();
    let mut step = |name, store: &Store| {
        let now = store.consumed();
        steps.push(format!("{name} {}", (now - last).write));
        last = now;
    };
    let tx = t.ask(session, false, "What does a whole small turn cost?");
    t.store.send(&tx).await.unwrap();
    step("send", &t.store);
    for seq in 1..=3 {
        t.store.append(tx.turn.id, seq, &t.segment(Kind::Text, 0, 0, &"word ".repeat(150)), t.ttl()).await.unwrap();
    }
    step("3 appends", &t.store);
    t.store.append(tx.turn.id, 4, &t.end(0, 0, "bye"), t.ttl()).await.unwrap();
    step("end", &t.store);
    t.store.compact(&t.answer(&tx, &"word ".repeat(450))).await.unwrap();
    step("compaction", &t.store);
    println!("write units of a small turn at depth {}: {}", tx.turn.depth, steps.join(", "));
    t.store.consumed() - before
}

async fn nothing_grows_with_the_session(t: &Table) {
    let (short, long) = (long_session(t, 60).await, long_session(t, 10_000).await);
    let (of_short, _) = opening(t, &short).await;
    let (of_long, newest) = opening(t, &long).await;
    println!("read units to open a session of 60 messages and of 10,000: {} and {}", of_short.read, of_long.read);
    assert!(of_short.read > 0.0 && newest.len() == 50);
    assert!((of_long.read - of_short.read).abs() <= 1.0, "{of_short:?} {of_long:?}");
    let (at_60, at_10_000) = (turn(t, &short).await, turn(t, &long).await);
    assert!(at_60.write > 0.0 && at_10_000.write <= at_60.write * 1.1, "{at_60:?} {at_10_000:?}");
    assert!(at_60.write <= 40.0, "a small turn has grown dear: {at_60:?}");
}

async fn a_small_segment_is_one_write_unit(t: &Table) {
    let turn = t.clock.turn_id();
    let before = t.store.consumed();
    t.store.append(turn, 1, &t.segment(Kind::Text, 0, 0, &"x".repeat(840)), t.ttl()).await.unwrap();
    assert_eq!(t.store.consumed() - before, CapacityTotals { read: 0.0, write: 1.0 });
}

async fn nothing_is_counted_unless_asked_for(t: &Table) {
    let store = Store::new(StoreConfig { count_capacity: false, ..t.config.clone() });
    store.append(t.clock.turn_id(), 1, &t.segment(Kind::Beat, 0, 0, ""), t.ttl()).await.unwrap();
    assert_eq!(store.consumed(), CapacityTotals::default());
}
