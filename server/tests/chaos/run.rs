//! One run, from its seed to its verdict.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use app::domain::{MessageId, Outcome};
use server::storage::{OpenWork, keys};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::sleep,
};

use crate::{
    blows, checks,
    dice::Dice,
    ledger::{Kind, Wrong},
    options::Options,
    people, plan,
    report::{self, Verdict},
    table,
    world::{Turn, World},
};

/// When all chats have begun, the blows go on for so many seconds.
const LAST: u64 = 10;

/// Runs it, prints what happened, and fails if anything was wrong.
pub(crate) async fn run(options: Options) {
    println!("chaos: {options:?}");
    let began = Instant::now();
    let mut dice = Dice::new(options.seed);
    let chats = plan::chats(&options, &mut dice);
    let world = World::start(options, &mut dice).await;
    let (stop, stopped) = watch::channel(false);
    let (clear_up, cleared_up) = watch::channel(false);
    let rain = tokio::spawn(blows::rain(Arc::clone(&world), dice.fork(), cleared_up));
    let calls = tokio::spawn(count_calls(Arc::clone(&world), stopped));
    let seats = Arc::new(Semaphore::new(world.options.at_once as usize));
    let mut people = JoinSet::new();
    for plans in chats {
        let seat = Arc::clone(&seats).acquire_owned().await.unwrap();
        let world = Arc::clone(&world);
        people.spawn(async move {
            people::chat(world, plans).await;
            drop(seat);
        });
    }
    // The last are hit, too; but then there is an end to it.
    let last = Duration::from_secs(LAST);
    tokio::spawn(async move {
        sleep(last).await;
        clear_up.send_replace(true);
    });
    while let Some(done) = people.join_next().await {
        if let Err(error) = done {
            world.ledger.wrong(Wrong::new(Kind::Rule, format!("a chat broke: {error}")));
        }
    }
    rain.await.unwrap();
    settle(&world).await;
    stop.send_replace(true);
    calls.await.unwrap();
    world.read_calls().await.unwrap();
    let mut verdict = Verdict::default();
    let turns = world.turns.lock().unwrap().clone();
    for turn in &turns {
        judge(&world, turn, &mut verdict).await;
    }
    for wrong in table::check(&world.engine, &world.table).await {
        world.ledger.wrong(wrong);
    }
    for panic in world.servers.iter().flat_map(|server| server.panics()) {
        world.ledger.wrong(Wrong::new(Kind::Rule, format!("a server panicked: {panic}")));
    }
    print!("{}", report::text(&world, &verdict, began.elapsed()));
    let wrongs = world.ledger.wrongs();
    assert!(
        wrongs.is_empty(),
        "{} things were wrong (seed {}, logs in {}); the first: {}",
        wrongs.len(),
        world.options.seed,
        world.dir.display(),
        wrongs[0]
    );
    let _ = std::fs::remove_dir_all(&world.dir);
}

async fn count_calls(world: Arc<World>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = sleep(Duration::from_millis(500)) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let _ = world.read_calls().await;
    }
}

/// With everything in order again, waits for what nobody has waited for: turns without readers.
async fn settle(world: &World) {
    let until = Instant::now() + Duration::from_secs(world.options.patience);
    loop {
        let mut open = Vec::new();
        for shard in 0..keys::OPEN_SHARDS {
            let work = world.store.open_turns(shard).await.unwrap();
            open.extend(work.into_iter().filter_map(|work| match work {
                OpenWork::Turn(id, _) => Some(id),
                OpenWork::Job(..) | OpenWork::Deleted(..) => None,
            }));
        }
        if open.is_empty() {
            return;
        }
        if Instant::now() > until {
            world.ledger.wrong(Wrong::new(Kind::Stuck, format!("still open in the end: {open:?}")));
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn judge(world: &World, turn: &Turn, verdict: &mut Verdict) {
    let log = world.store.read_log(turn.id, 0, true).await.unwrap();
    let Some(item) = world.store.turn(turn.id).await.unwrap() else {
        // Purged, if its chat was deleted; else it has never been.
        if turn.is(&turn.acknowledged) && !turn.is(&turn.chat.deleted) {
            world.ledger.wrong(wrong(turn, &Wrong::new(Kind::Lost, "the turn is not there"), ""));
        }
        verdict.absent += 1;
        return;
    };
    let message = world.store.message(item.session, MessageId::from(turn.id), item.depth).await.unwrap();
    let session = world.store.session(item.session).await.unwrap();
    let deleted = session.as_ref().is_none_or(|s| s.deleted_at.is_some());
    let made: BTreeSet<u64> =
        world.calls.lock().unwrap().iter().filter(|(_, of)| **of == turn.plan.index).map(|(call, _)| *call).collect();
    let mut found = Vec::new();
    match checks::fold(&log) {
        Err(wrong) => found.push(wrong),
        Ok(fold) => {
            found.extend(checks::outcome(&fold, turn.is(&turn.stopped) || turn.is(&turn.chat.was_deleted)).err());
            found.extend(checks::stored(&fold, &item, message.as_ref(), deleted).err());
            match checks::splice(&turn.plan, &fold) {
                Ok(words) => found.extend(checks::calls(&turn.plan, &fold, &words, &made).err()),
                Err(wrong) => found.push(wrong),
            }
            for reader in turn.readers.lock().unwrap().iter() {
                found.extend(checks::shown(&fold, reader).err());
            }
            if !deleted && session.is_some_and(|s| s.active == Some(turn.id)) {
                found.push(Wrong::new(Kind::Stuck, "its session is not freed"));
            }
            if fold.end.as_ref().is_some_and(|end| end.outcome == Outcome::Failed) {
                println!("given up: {}", wrong(turn, &Wrong::new(Kind::Lost, "by its limits"), &checks::print(&log)));
            }
            verdict.take(turn, &log, &fold, message.as_ref(), made.len(), world.clock.now());
        }
    }
    if !found.is_empty() {
        let log = checks::print(&log);
        for one in found {
            world.ledger.wrong(wrong(turn, &one, &log));
        }
    }
}

fn wrong(turn: &Turn, wrong: &Wrong, log: &str) -> Wrong {
    let script = turn.plan.text().lines().last().unwrap_or_default().to_owned();
    Wrong::new(wrong.kind, format!("turn {} ({}, `{script}`): {}\n{log}", turn.plan.index, turn.id, wrong.what))
}
