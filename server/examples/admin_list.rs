//! What the admins' list costs, and how long it takes, with few sessions in the table and with many.
//!
//! `cargo run --release -p server --example admin_list -- http://127.0.0.1:8000 [sessions]`, against a DynamoDB Local
//! or another endpoint. It makes a table of its own and leaves it.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]

use std::time::{Duration, Instant};

use app::domain::{Outcome, Timestamp, UserId};
use futures::StreamExt;
use server::{
    admin::{
        Admin,
        sessions::{Filter, Wanted},
    },
    clock::{self, Clock},
    storage::{SessionItem, Store, StoreConfig},
};

/// How many days they are spread over.
const DAYS: u64 = 30;

async fn fill(store: &Store, clock: &Clock, from: u64, to: u64) {
    let now = clock.now().millis();
    futures::stream::iter(from..to)
        .for_each_concurrent(32, |n| async move {
            let at = Timestamp::from_millis(now - n * DAYS * 86_400_000 / to);
            let session = SessionItem {
                id: app::domain::SessionId::from_parts(at, clock::random_u128()),
                owner: UserId::from_parts(Timestamp::from_millis(1), u128::from(n % 1000)),
                title: format!("Session number {n}, about something or other"),
                created_at: at,
                updated_at: at,
                model: Some("claude-sonnet-5-5".into()),
                head: None,
                active: None,
                of_job: false,
                deleted_at: None,
                ttl: clock.now().seconds() + 86_400_000,
            };
            store.create_session(&session).await.unwrap();
        })
        .await;
}

async fn measure(what: &str, store: &Store, admin: &Admin, filter: &Filter) {
    let mut times = Vec::new();
    let mut units = 0.0;
    let mut rows = 0;
    for _ in 0..20 {
        let (before, start) = (store.consumed(), Instant::now());
        rows = admin.sessions(filter, None).await.unwrap().rows.len();
        times.push(start.elapsed());
        units = (store.consumed() - before).read;
    }
    times.sort_unstable();
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    println!(
        "  {what:<34} {rows:>3} rows, p50 {:>7.1} ms, worst {:>7.1} ms, {units} read units",
        ms(times[10]),
        ms(times[19])
    );
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let endpoint = args.next().unwrap_or_else(|| "http://127.0.0.1:8000".to_owned());
    let most: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let clock = Clock::default();
    let table = format!("admin-list-{:08x}", clock::random_u128() as u32);
    let config = StoreConfig::new(Some(endpoint), "local", table, clock.clone());
    let store = Store::new(StoreConfig { count_capacity: true, ..config });
    store.init().await.unwrap();
    let admin = Admin::new(store.clone(), clock.clone(), 365);
    let mut there = 0;
    for n in [most / 100, most] {
        let start = Instant::now();
        fill(&store, &clock, there, n).await;
        there = n;
        println!("{n} sessions over {DAYS} days (filled in {:.0} s)", start.elapsed().as_secs_f64());
        measure("first page", &store, &admin, &Filter::default()).await;
        let day = clock.now().plus_millis(0).millis() - 7 * 86_400_000;
        let day = Timestamp::from_millis(day).to_string()[..10].to_owned();
        measure("a day last week", &store, &admin, &Filter { day: Some(day), ..Filter::default() }).await;
        let user = Some(UserId::from_parts(Timestamp::from_millis(1), 7));
        measure("one user's", &store, &admin, &Filter { user, ..Filter::default() }).await;
        let words = Some("number 77".to_owned());
        measure("words in titles", &store, &admin, &Filter { words, ..Filter::default() }).await;
        let outcome = Some(Wanted::Ended(Outcome::Failed));
        measure("an outcome that none has", &store, &admin, &Filter { outcome, ..Filter::default() }).await;
    }
}
