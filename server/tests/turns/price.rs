//! What it costs to look for work.

use server::storage::{Store, StoreConfig};

use crate::rig::{Reader, Rig, config, new_chat};

/// Read units of a sweep that finds nothing: half a unit for each of the index's four shards.
const IDLE: f64 = 2.0;

#[tokio::test]
async fn an_idle_sweep_costs_the_same_whatever_there_is() {
    idle(Rig::start().await, IDLE).await;
    // DynamoDB Local counts a query that finds nothing as free, which Amazon does not.
    idle(Rig::dynamodb_local().await, 0.0).await;
}

async fn idle(rig: Rig, units: f64) {
    let counted = StoreConfig { count_capacity: true, ..rig.store_config() };
    let server = rig.server_on(Store::new(counted), config(false));
    for turns in [0, 12] {
        for _ in 0..turns {
            let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
            let backend = server.of(user);
            let mut reader = Reader::default();
            reader.read(backend.send(new_chat(session, turn, "x\n/sim tokens=200 rate=0")).await.unwrap()).await;
            reader.follow(&backend, turn).await;
        }
        let before = server.store.consumed();
        for _ in 0..3 {
            assert_eq!(server.turns.sweep().await.unwrap(), 0);
        }
        let used = server.store.consumed() - before;
        assert_eq!((used.read, used.write), (3.0 * units, 0.0), "after {turns} turns");
    }
}

/// The sweeper itself, left to itself: how often it comes, and what each time costs.
#[tokio::test]
async fn an_idle_sweeper_comes_once_a_lease() {
    let rig = Rig::start().await;
    let counted = StoreConfig { count_capacity: true, ..rig.store_config() };
    let server = rig.server_on(Store::new(counted), config(false));
    let turns = server.turns.clone();
    let began = tokio::time::Instant::now();
    let sweeping = tokio::spawn(async move { turns.sweep_for_ever().await });
    // At the start and then every lease, with up to half a second of jitter.
    let sweeps = |units: f64| units / IDLE;
    while sweeps(server.store.consumed().read) < 4.0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(began.elapsed() >= 3 * config(false).lease, "{:?}", began.elapsed());
    server.turns.close().await;
    sweeping.await.unwrap();
}
