//! Everything of a run: the store, the simulator, the servers, what was sent, and what happened.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use app::domain::{SessionId, TurnId};
use server::{
    auth::identity::Identity,
    clock::{Clock, random_u128},
    config::Secret,
    storage::{Store, StoreConfig},
};
use tokio::time::sleep;

use crate::{
    dice::Dice,
    ledger::Ledger,
    options::Options,
    plan::TurnPlan,
    process::{Process, Watchdog},
    reader::Reader,
    servers::{Common, REGION, Server, free_port, make_site},
    store_proxy::StoreProxy,
};

/// The servers' clocks are so far apart, in milliseconds.
const APART: i64 = 600_000;

/// What all turns of a chat share.
pub(crate) struct Chat {
    pub(crate) session: SessionId,
    /// It was deleted, and stays so.
    pub(crate) deleted: AtomicBool,
    /// It was deleted, perhaps for a while: readers may have been told so.
    pub(crate) was_deleted: AtomicBool,
}

/// A turn of the run.
pub(crate) struct Turn {
    pub(crate) plan: TurnPlan,
    pub(crate) id: TurnId,
    /// A server has taken it.
    pub(crate) acknowledged: AtomicBool,
    /// Nobody is busy with it any more.
    pub(crate) over: AtomicBool,
    pub(crate) chat: Arc<Chat>,
    pub(crate) stopped: AtomicBool,
    /// When somebody was first shown something of a claim.
    pub(crate) firsts: Mutex<BTreeMap<u32, Instant>>,
    /// Readers that were told the end.
    pub(crate) readers: Mutex<Vec<Reader>>,
}

impl Turn {
    pub(crate) fn is(&self, what: &AtomicBool) -> bool {
        what.load(Ordering::SeqCst)
    }

    pub(crate) fn saw(&self, firsts: &[(u32, Instant)]) {
        let mut all = self.firsts.lock().unwrap();
        for (claim, at) in firsts {
            let first = all.entry(*claim).or_insert(*at);
            *first = (*first).min(*at);
        }
    }
}

pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) dir: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    /// Straight to the store, without faults.
    pub(crate) store: Store,
    pub(crate) table: String,
    pub(crate) engine: String,
    pub(crate) servers: Vec<Server>,
    pub(crate) http: reqwest::Client,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) turns: Mutex<Vec<Arc<Turn>>>,
    /// Calls upstream by their number: which turn each was for.
    pub(crate) calls: Mutex<BTreeMap<u64, usize>>,
    pub(crate) simulator: String,
    /// When the blows ended and all was set right.
    pub(crate) calm_since: Mutex<Option<Instant>>,
    _simulating: Process,
}

impl World {
    pub(crate) async fn start(options: Options, dice: &mut Dice) -> Arc<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let program =
            std::env::var_os("OUTLAST_CHAOS_BIN").map_or_else(|| env!("CARGO_BIN_EXE_outlast").into(), PathBuf::from);
        let run = format!("chaos-{}-{:08x}", options.seed, random_u128() as u32);
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&run);
        make_site(&dir);
        let clock = Clock::default();
        let engine = tokio::task::spawn_blocking(crate::dynamodb::endpoint).await.unwrap().to_owned();
        let store = Store::new(StoreConfig::new(Some(engine.clone()), REGION, run.clone(), clock.clone()));
        store.init().await.unwrap();
        let watchdog = Watchdog::start();
        let at = free_port();
        let mut simulate = Command::new(&program);
        simulate.args(["simulate", "--addr", &at.to_string()]);
        let simulating = Process::start(&mut simulate, &dir.join("simulator.log"), &watchdog);
        let secret = format!("{:032x}", random_u128());
        let simulator = format!("http://{at}");
        let common = Arc::new(Common {
            program,
            dir: dir.clone(),
            table: run.clone(),
            secret: secret.clone(),
            simulator: simulator.clone(),
            watchdog,
        });
        let ledger = Arc::new(Ledger::default());
        let mut servers = Vec::new();
        for index in 0..options.servers as usize {
            let proxy = StoreProxy::start(&engine, dice.fork(), options.store_faults, Arc::clone(&ledger)).await;
            // Half before the real time, half behind it.
            let skew = if index % 2 == 0 { -APART / 2 } else { APART / 2 };
            servers.push(Server::new(index, skew, Arc::clone(&common), proxy).await);
        }
        futures::future::join_all(servers.iter().map(Server::start)).await;
        let world = Self {
            options,
            dir,
            identity: Identity::new(&Secret::new(secret), &[], clock.clone()),
            clock,
            store,
            table: run,
            engine,
            servers,
            http: reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap(),
            ledger,
            turns: Mutex::default(),
            calls: Mutex::default(),
            simulator,
            calm_since: Mutex::default(),
            _simulating: simulating,
        };
        // It has begun to listen long since, or does it now.
        while world.read_calls().await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        Arc::new(world)
    }

    /// Whether what was begun then takes too long: counted from when nothing bad happens any more. As long as it does,
    /// somebody may be hit again and again.
    pub(crate) fn too_long(&self, since: Instant) -> bool {
        let patience = Duration::from_secs(self.options.patience);
        match *self.calm_since.lock().unwrap() {
            Some(calm) => calm.max(since).elapsed() > patience,
            None => since.elapsed() > patience * 4,
        }
    }

    pub(crate) fn any_server(&self, dice: &mut Dice) -> usize {
        dice.below(self.servers.len())
    }

    /// A moment before trying again, as a page takes it.
    pub(crate) async fn breathe(&self, dice: &mut Dice) {
        sleep(Duration::from_millis(dice.between(50, 300))).await;
    }

    /// Takes a turn into the list; it comes at its plan's place.
    pub(crate) fn enter(&self, plan: TurnPlan, id: TurnId, chat: &Arc<Chat>) -> Arc<Turn> {
        let no = || AtomicBool::new(false);
        let turn = Arc::new(Turn {
            plan,
            id,
            chat: Arc::clone(chat),
            acknowledged: no(),
            over: no(),
            stopped: no(),
            firsts: Mutex::default(),
            readers: Mutex::default(),
        });
        self.turns.lock().unwrap().push(Arc::clone(&turn));
        turn
    }

    /// Turns that are being answered, as far as one knows.
    pub(crate) fn running(&self) -> Vec<Arc<Turn>> {
        let turns = self.turns.lock().unwrap();
        turns.iter().filter(|t| t.is(&t.acknowledged) && !t.is(&t.over)).cloned().collect()
    }

    /// Takes in which calls there were. The simulator remembers the last 500.
    pub(crate) async fn read_calls(&self) -> Result<(), reqwest::Error> {
        let list = self.http.get(format!("{}/sim/calls", self.simulator)).send().await?.bytes().await?;
        let list: Vec<serde_json::Value> = serde_json::from_slice(&list).unwrap();
        let mut calls = self.calls.lock().unwrap();
        for call in list {
            let script = call["script"].as_str().unwrap_or_default();
            let seed = script.split_whitespace().find_map(|word| word.strip_prefix("seed=")?.parse().ok());
            calls.insert(call["call"].as_u64().unwrap(), seed.unwrap_or(usize::MAX));
        }
        Ok(())
    }
}
