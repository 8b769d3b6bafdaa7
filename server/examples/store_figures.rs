//! What the store alone takes and costs, for `make bench`, which prints it beside the figures of the whole server.
//!
//! `store_figures DYNAMODB_URL N TURNS`: how long the store's part of sending a message takes, the median of N, in an
//! embedded engine and in DynamoDB; and how many write units of DynamoDB the first and the last of TURNS turns of one
//! chat cost. As one line of JSON.
#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]

#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a part of it is used")]
#[path = "../tests/common/dynamodb.rs"]
mod dynamodb;
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a part of it is used")]
#[path = "../tests/storage/fixtures.rs"]
mod fixtures;
#[path = "../tests/rig/mod.rs"]
mod rig;

use std::time::{Duration, Instant};

use fixtures::Table;
use rig::{Reader, Rig, new_chat, request};
use server::{storage::SendOutcome, turn::TurnConfig};

/// Turns of a chat before the next one is taken.
const CHAT: usize = 10;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, n, turns] = args.as_slice() else { unreachable!("store_figures DYNAMODB_URL N TURNS") };
    let (n, turns) = (n.parse().unwrap(), turns.parse().unwrap());
    let embedded = sends(&Table::embedded().await, n).await;
    let local = sends(&Table::at(endpoint, "sends").await, n).await;
    let units = write_units(&Table::at(endpoint, "turns").await, turns).await;
    let time = |(fresh, existing)| serde_json::json!({"fresh": fresh, "existing": existing});
    let figures = serde_json::json!({"embedded": time(embedded), "dynamodb": time(local), "write_units": units});
    println!("{figures}");
}

/// Medians in milliseconds of what stands between a message and the call to Claude: for a new chat the transaction,
/// for an existing one its session, then the transaction and beside it the history.
async fn sends(t: &Table, n: usize) -> (f64, f64) {
    const QUESTION: &str = "Hello\n/sim tokens=5 rate=0 ttft=0 seed=1";
    let (mut fresh, mut existing) = (Vec::new(), Vec::new());
    let owner = t.clock.user_id();
    let mut session = t.talk(&t.session(owner), true, QUESTION, "a reply").await;
    for i in 0..n {
        let tx = t.ask(&t.session(owner), true, QUESTION);
        let since = Instant::now();
        assert_eq!(t.store.send(&tx).await.unwrap(), SendOutcome::Sent);
        fresh.push(since.elapsed());

        if i % CHAT == 0 {
            session = t.talk(&t.session(owner), true, QUESTION, "a reply").await;
        }
        let tx = t.ask(&session, false, QUESTION);
        let depth = session.head.unwrap().depth;
        let since = Instant::now();
        t.store.session(session.id).await.unwrap().unwrap();
        let (sent, history) = tokio::join!(t.store.send(&tx), t.store.messages_back(session.id, depth, 50, None));
        existing.push(since.elapsed());
        assert!(sent.unwrap() == SendOutcome::Sent && !history.unwrap().0.is_empty());
        t.store.append(tx.turn.id, 1, &t.end(0, 0, "a reply"), t.ttl()).await.unwrap();
        t.store.compact(&t.answer(&tx, "a reply")).await.unwrap();
        session.head = tx.session.head;
    }
    (median(fresh), median(existing))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Whole turns of one chat, from send to the stored message, one after another.
async fn write_units(t: &Table, turns: usize) -> serde_json::Value {
    let rig = Rig::start().await;
    let config = TurnConfig {
        lease: Duration::from_secs(10),
        flush: Duration::from_millis(300),
        longest: Duration::from_secs(600),
        sole_owner: true,
        run: None,
        resident: true,
    };
    let server = rig.server_on(t.store.clone(), config);
    let backend = server.of(rig.user());
    let session = rig.session();
    let mut units = Vec::new();
    for i in 0..turns {
        let before = t.store.consumed();
        let text = "What does a whole turn cost?\n/sim tokens=100 rate=0 seed=1";
        let ask = if i == 0 { new_chat } else { request };
        let turn = rig.turn();
        let mut reader = Reader::default();
        reader.read(backend.send(ask(session, turn, text)).await.unwrap()).await;
        reader.follow(&backend, turn).await;
        assert_eq!(reader.outcome(), app::domain::Outcome::Complete);
        units.push((t.store.consumed() - before).write);
    }
    serde_json::json!({"turns": turns, "first": units.first(), "second": units.get(1), "last": units.last()})
}
