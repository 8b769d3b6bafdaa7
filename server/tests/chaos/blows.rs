//! What happens to processes and lines.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use server::storage::Kind as Segment;
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::{
    dice::Dice,
    ledger::{Blow, Kind, Wrong},
    servers::LEASE_MS,
    world::{Turn, World},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Kill,
    KillTwice,
    Terminate,
    Pause,
    Cut,
    CutForAWhile,
    StoreGone,
}

const BLOWS: &[(u64, What)] = &[
    (40, What::Kill),
    (10, What::KillTwice),
    (16, What::Terminate),
    (22, What::Pause),
    (14, What::Cut),
    (7, What::CutForAWhile),
    (7, What::StoreGone),
];

/// Hits at random until it is told to stop; then everything is set right again.
pub(crate) async fn rain(world: Arc<World>, mut dice: Dice, mut stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    let (from, to) = world.options.calm;
    // However short the run is, somebody is killed in it, and somebody frozen.
    let mut first = vec![What::Pause, What::Kill];
    loop {
        tokio::select! {
            () = sleep(Duration::from_millis(dice.between(from, to))) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let what = first.pop().unwrap_or_else(|| dice.weighted(BLOWS));
        let (world, dice) = (Arc::clone(&world), dice.fork());
        tasks.spawn(async move { strike(&world, what, dice).await });
    }
    while tasks.join_next().await.is_some() {}
    for server in &world.servers {
        server.relay.close(false);
        server.store.set_gone(false);
        server.store.set_faults(0);
        server.start().await;
    }
    *world.calm_since.lock().unwrap() = Some(Instant::now());
}

async fn strike(world: &World, what: What, mut dice: Dice) {
    match what {
        What::Kill => {
            // Of a turn that is being read, if there is one.
            let running = world.running();
            let shown: Vec<_> = running.iter().filter(|t| !t.firsts.lock().unwrap().is_empty()).collect();
            let server = match shown.is_empty() {
                true => None,
                false => runner(world, shown[dice.below(shown.len())]).await,
            };
            let server = server.unwrap_or_else(|| world.any_server(&mut dice));
            kill(world, server, "kills").await;
            restart(world, server, &mut dice).await;
        }
        What::KillTwice => {
            let running = world.running();
            let waiting: Vec<_> =
                running.iter().filter(|t| t.plan.slow_start() && t.firsts.lock().unwrap().is_empty()).collect();
            let Some(turn) = waiting.first() else { return };
            kill_twice(world, turn, &mut dice).await;
        }
        What::Terminate => {
            let server = world.any_server(&mut dice);
            let victims = victims(world, server).await;
            let at = Instant::now();
            match world.servers[server].terminate().await {
                None => return,
                Some(true) => {}
                Some(false) => {
                    world.ledger.wrong(Wrong::new(Kind::Stuck, format!("server {server} did not end on SIGTERM")))
                }
            }
            world.ledger.blow(Blow { name: "SIGTERMs", at, victims });
            restart(world, server, &mut dice).await;
        }
        What::Pause => {
            let server = &world.servers[world.any_server(&mut dice)];
            if let Some(id) = server.pause().await {
                world.ledger.count("pauses past the lease");
                sleep(Duration::from_millis(LEASE_MS + dice.between(1000, 4500))).await;
                server.resume(id).await;
            }
        }
        What::Cut => {
            world.servers[world.any_server(&mut dice)].relay.cut();
            world.ledger.count("cuts");
        }
        What::CutForAWhile => {
            let relay = &world.servers[world.any_server(&mut dice)].relay;
            relay.close(true);
            world.ledger.count("cuts");
            sleep(Duration::from_millis(dice.between(300, 2500))).await;
            relay.close(false);
        }
        What::StoreGone => {
            let store = &world.servers[world.any_server(&mut dice)].store;
            store.set_gone(true);
            world.ledger.count("times that a server's store was gone");
            sleep(Duration::from_millis(dice.between(500, 3000))).await;
            store.set_gone(false);
        }
    }
}

async fn restart(world: &World, server: usize, dice: &mut Dice) {
    sleep(Duration::from_millis(dice.between(0, 2500))).await;
    world.servers[server].start().await;
}

async fn kill(world: &World, server: usize, name: &'static str) {
    let victims = victims(world, server).await;
    let at = Instant::now();
    if world.servers[server].kill().await {
        world.ledger.blow(Blow { name, at, victims });
    }
}

/// Kills who runs a turn that has no token yet, and then who has taken it over.
async fn kill_twice(world: &World, turn: &Turn, dice: &mut Dice) {
    let Some(first) = runner(world, turn).await else { return };
    kill(world, first, "kills before a token").await;
    let restarting = restart(world, first, dice);
    let again = async {
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until && turn.firsts.lock().unwrap().is_empty() {
            match held(world, turn).await {
                Some((claim, Some(server))) if claim > 0 => {
                    kill(world, server, "kills before a token").await;
                    world.ledger.count("turns whose runners died twice before a token");
                    return Some(server);
                }
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
        None
    };
    let (second, ()) = tokio::join!(again, restarting);
    if let Some(second) = second {
        world.servers[second].start().await;
    }
}

/// A turn's newest claim and the server that holds it, if it has not ended or been handed over.
async fn held(world: &World, turn: &Turn) -> Option<(u32, Option<usize>)> {
    let log = world.store.read_log(turn.id, 0, true).await.ok()?;
    let (_, last) = log.iter().rfind(|(_, s)| s.kind != Segment::Stop)?;
    if matches!(last.kind, Segment::End | Segment::Release) {
        return None;
    }
    Some((last.claim, world.servers.iter().position(|s| s.wrote(&last.boot))))
}

async fn runner(world: &World, turn: &Turn) -> Option<usize> {
    held(world, turn).await?.1
}

/// The turns that a server runs now.
async fn victims(world: &World, server: usize) -> Vec<(usize, u32)> {
    let running = world.running();
    let held = futures::future::join_all(running.iter().map(|turn| held(world, turn))).await;
    let of = |(turn, held): (&Arc<Turn>, Option<(u32, Option<usize>)>)| {
        held.filter(|(_, by)| *by == Some(server)).map(|(claim, _)| (turn.plan.index, claim))
    };
    running.iter().zip(held).filter_map(of).collect()
}
