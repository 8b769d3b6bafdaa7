//! The turn log: who runs a turn, what is written, and what followers are told.
//!
//! `content`, `log`, `writer` and `follow` are pure; `runner`, `follower`, `stop` and `sweeper` bring the store,
//! Claude and the clock to them. There is one way from the model to a person: runner → log → follower.

pub mod budget;
mod compact;
pub mod content;
pub mod follow;
mod follower;
pub mod hub;
pub mod log;
mod look;
pub mod metrics;
mod mirror;
mod runner;
pub mod seam;
mod stop;
mod sweeper;
#[cfg(test)]
mod testing;
mod thought;
mod upstream;
mod watch;
pub mod writer;

use std::{
    collections::HashSet,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use app::domain::{JobId, TurnError, TurnId, Usage};
use tokio::{
    sync::{Notify, watch as signal},
    time::Instant,
};

use crate::{
    claude::{self, Claude},
    clock::{Clock, jitter},
    queue::{Note, Queue},
    schema::Schema,
    storage::{By, Kind, Segment, Store, StoreError, StoreErrorKind, TurnItem},
};

use self::{
    budget::{Budget, Purse},
    hub::{Busy, Hub},
    log::Log,
    metrics::Metrics,
    writer::{Author, random_nonce},
};
pub use self::{follower::Follower, look::Looked, sweeper::Tended};

/// The turn log's times and limits.
#[derive(Debug, Clone)]
pub struct TurnConfig {
    /// A log that stands still for so long without `end` is abandoned.
    pub lease: Duration,
    /// How often a runner writes, where there are not very many of them: see [`TurnConfig::pace`].
    pub flush: Duration,
    /// The longest that a turn may take, over all its runners.
    pub longest: Duration,
    /// The longest run of one runner before it hands over.
    pub run: Option<Duration>,
    /// One process owns the store: whatever runs elsewhere is abandoned at once.
    pub sole_owner: bool,
    /// This process lives between requests: what it handed over because of `run` it takes up again by itself.
    pub resident: bool,
}

impl TurnConfig {
    /// So many calls a second are what one process asks of its store for all its turns together, about half of what
    /// the embedded engine gets done on a core.
    const CALLS: u32 = 600;

    /// How often each of `running` turns writes: as often as configured, or less where there are many, so that what
    /// they write leaves the machine time for what they show. Never so seldom that one looks abandoned.
    #[must_use]
    pub fn pace(&self, running: usize) -> Duration {
        let shared = Duration::from_secs(1) * u32::try_from(running).unwrap_or(u32::MAX) / Self::CALLS;
        self.flush.max(shared.min(self.lease / 4))
    }
}

/// A turn is looked after so long after it began, at the earliest.
const CHECK: Duration = Duration::from_secs(30);
/// So long its check is waited for, where nothing else keeps the process awake.
const CHECK_SENT: Duration = Duration::from_secs(2);

/// Who makes a runner run: what becomes of it when they go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host {
    /// By when a runner that this starts has to have handed over.
    pub until: Option<Instant>,
    /// By when a stream that hosts no runner ends, to be followed again: it would keep a whole instance awake.
    pub follow: Option<Instant>,
}

/// What Claude is asked for a turn.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub request: claude::Request,
    /// How many of the branch's oldest messages no longer fit.
    pub left_out: u32,
    /// What turns this model's thinking off: it cannot be carried on.
    pub no_thinking: claude::Thinking,
    /// The text that the reply begins with, where it continues another.
    pub begins_with: String,
    /// What the reply has to fit. Such a reply is not carried on: it begins anew.
    pub shape: Option<Arc<Schema>>,
}

/// Where a runner that did not begin the turn gets its prompt from.
pub trait PromptSource: Send + Sync {
    /// The prompt of a turn; `None` if what it answers is gone.
    fn prompt(&self, turn: &TurnItem) -> Pin<Box<dyn Future<Output = Result<Option<Prompt>, StoreError>> + Send + '_>>;
}

/// Looks after an open job that the sweeper has found.
pub type JobKeeper = Arc<dyn Fn(JobId) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> + Send + Sync>;

/// Everything that turns need. Cheap to clone.
#[derive(Clone)]
pub struct Turns {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    claude: Claude,
    clock: Clock,
    config: TurnConfig,
    /// A random id of this process.
    boot: String,
    hub: Hub,
    metrics: Arc<Metrics>,
    prompts: OnceLock<Arc<dyn PromptSource>>,
    budget: OnceLock<Budget>,
    jobs: OnceLock<JobKeeper>,
    /// Where another message can be put for a turn that is handed over.
    queue: Queue,
    /// True once the process is to end: nothing is claimed any more, runners release, followers close.
    closing: signal::Sender<bool>,
    /// Wakes the sweeper before its time.
    sweep: Notify,
    /// Turns whose log cannot be read here, of which that was said.
    left_alone: Mutex<HashSet<TurnId>>,
}

/// What a run begins with: its claim stands in the log.
pub(crate) struct Start {
    pub turn: TurnItem,
    /// The log up to and with the claim.
    pub log: Log,
    pub prompt: Prompt,
    /// What runners before this one used, where that is known or estimated.
    pub before: Usage,
    pub by: By,
    pub host: Host,
    /// What it may spend, where that is capped.
    pub purse: Option<Purse>,
}

impl Turns {
    #[must_use]
    pub fn new(store: Store, claude: Claude, clock: Clock, queue: Queue, config: TurnConfig) -> Self {
        let boot = format!("{:016x}", u64::from_le_bytes(crate::clock::random()));
        let inner = Inner {
            store,
            claude,
            clock,
            config,
            boot,
            hub: Hub::default(),
            metrics: Arc::default(),
            prompts: OnceLock::new(),
            budget: OnceLock::new(),
            jobs: OnceLock::new(),
            queue,
            closing: signal::channel(false).0,
            sweep: Notify::new(),
            left_alone: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Says where prompts come from. Once, at start.
    pub fn set_prompts(&self, prompts: Arc<dyn PromptSource>) {
        let _ = self.inner.prompts.set(prompts);
    }

    /// Says what may be spent. Once, at start; without it, anything.
    pub fn set_budget(&self, budget: Budget) {
        let _ = self.inner.budget.set(budget);
    }

    /// What may be spent, where that is capped.
    #[must_use]
    pub fn budget(&self) -> Option<&Budget> {
        self.inner.budget.get()
    }

    /// Says who looks after open jobs. Once, at start.
    pub fn set_jobs(&self, keeper: JobKeeper) {
        let _ = self.inner.jobs.set(keeper);
    }

    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// The random id of this process, which its segments carry.
    #[must_use]
    pub fn boot(&self) -> &str {
        &self.inner.boot
    }

    /// Opens the connection to Claude, while something else is waited for.
    pub fn warm(&self) {
        let claude = self.inner.claude.clone();
        tokio::spawn(async move { claude.connect().await });
    }

    fn author(&self, by: By) -> Author {
        Author { by, boot: self.inner.boot.clone(), nonce: random_nonce }
    }

    /// Claim 0, for the transaction that sends.
    pub async fn first_claim(&self) -> Segment {
        // A claim whose time is minutes ahead would look alive for so long after its runner's death.
        self.inner.store.settle_clock().await;
        self.author(By::Web).segment(Kind::Claim, 0, 0, self.inner.clock.now())
    }

    /// What has happened to turns in this process.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// What goes on in this process at this moment.
    #[must_use]
    pub fn now(&self) -> metrics::Now {
        metrics::Now { followers: self.inner.metrics.followers(), running: self.inner.hub.len() as u64 }
    }

    /// Keeps a turn for this process while it is about to run here, so that nobody here takes it up meanwhile and
    /// the process does not end before.
    #[must_use]
    pub fn busy(&self, turn: TurnId) -> Busy {
        self.inner.hub.busy(turn)
    }

    /// Begins to run a turn whose claim 0 was acknowledged. The runner is a task of its own; nobody has to follow.
    pub(crate) fn start(&self, turn: TurnItem, claim: &Segment, prompt: Prompt, host: Host, purse: Option<Purse>) {
        let mut log = Log::default();
        if let Err(fault) = log.apply(0, claim) {
            tracing::error!(turn = %turn.id, %fault, "a first claim that is none");
            return;
        }
        self.inner.metrics.claimed(false);
        // It may have been followed whatever the budget says, and is in nobody's purse then.
        let purse = purse.or_else(|| Some(self.budget()?.purse(turn.owner, 0)));
        self.run(Start { turn, log, prompt, before: Usage::default(), by: By::Web, host, purse });
    }

    fn run(&self, start: Start) {
        let bases = start.log.bases().to_vec();
        let turn = start.turn.clone();
        let live = self.inner.hub.enter(turn.clone(), bases, start.log.content().clone());
        let seat = Seat { turns: self.clone(), live };
        self.note_begun(&turn);
        let turns = self.clone();
        tokio::spawn(async move {
            let left = runner::run(&seat.turns, &seat.live, start).await;
            drop(seat);
            turns.after(&turn, left).await;
        });
    }

    /// Notes on its job that a variant is begun, beside its run: whoever polls the job need not ask the log of each
    /// that waits.
    fn note_begun(&self, turn: &TurnItem) {
        if turn.variant.is_none() {
            return;
        }
        let (store, hub, turn) = (self.inner.store.clone(), self.inner.hub.clone(), turn.clone());
        tokio::spawn(async move {
            while let Err(error) = store.begin_variant(&turn).await {
                tracing::warn!(turn = %turn.id, %error, "it could not be noted yet that a variant is begun");
                tokio::time::sleep(Duration::from_millis(200 + jitter(300))).await;
                if hub.get(turn.id).is_none() {
                    return;
                }
            }
        });
    }

    /// Puts a message for a turn that was sent into a queue that outlives this process: should its runner die and
    /// nobody follow, or nobody come to run it, it is finished all the same. `waits`: until it is in the queue, or that
    /// takes too long; else beside the path to the first token.
    pub(crate) async fn check_later(&self, turn: TurnId, waits: bool) {
        if !self.inner.queue.is_durable() {
            return;
        }
        let queue = self.inner.queue.clone();
        let delay = (self.inner.config.lease * 2).max(CHECK);
        let sending = tokio::spawn(async move {
            if let Err(error) = queue.send(&[Note::Turn(turn)], delay).await {
                tracing::warn!(%turn, %error, "a turn's check could not be queued");
            }
        });
        if waits && tokio::time::timeout(CHECK_SENT, sending).await.is_err() {
            tracing::warn!(%turn, "the queue did not take a turn's check in time");
        }
    }

    /// Does what an answer need not wait for. Where nothing goes on once an answer is out, it waits all the same.
    pub(crate) async fn aside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let working = tokio::spawn(work);
        if !self.inner.config.resident
            && let Err(error) = working.await
        {
            tracing::error!(%error, "work beside an answer came to nothing");
        }
    }

    /// What a process that goes on living does about a turn that its runner has left.
    async fn after(&self, turn: &TurnItem, left: runner::Done) {
        if matches!(left, runner::Done::Released) && self.inner.config.resident && !self.closing() {
            // At once, though whoever follows it may be first.
            if let Err(error) = self.tend(turn, By::Sweeper, Host::default(), None).await {
                tracing::warn!(turn = %turn.id, %error, "a released turn could not be taken up yet");
                self.inner.sweep.notify_one();
            }
        }
    }

    /// Reads a turn's whole log, strongly.
    async fn read(&self, turn: TurnId) -> Result<Log, StoreError> {
        let mut log = Log::default();
        let segments = self.inner.store.read_log(turn, 0, true).await?;
        log.extend(&segments).map_err(|fault| StoreError::corrupt(format!("the log of {turn}: {fault}")))?;
        Ok(log)
    }

    /// Says, once, that a turn's log cannot be read here, and gives whether `error` means that: a later version wrote
    /// it, or it is broken. Nothing is done about such a turn.
    fn leaves_alone(&self, turn: TurnId, error: &StoreError) -> bool {
        let unreadable = matches!(error.kind(), StoreErrorKind::Newer | StoreErrorKind::Corrupt);
        if unreadable && self.inner.left_alone.lock().unwrap_or_else(PoisonError::into_inner).insert(turn) {
            tracing::error!(%turn, %error, "left alone: its log cannot be read here");
        }
        unreadable
    }

    /// The process is to end: runners release their turns, followers close, nothing is claimed any more. Resolves
    /// when all runners are done.
    pub async fn close(&self) {
        self.inner.closing.send_replace(true);
        let mut wait = tokio::time::interval(Duration::from_millis(10));
        while !self.inner.hub.is_idle() {
            wait.tick().await;
        }
        if let Some(budget) = self.budget() {
            budget.close().await;
        }
    }

    /// As [`Turns::close`], without waiting.
    pub fn close_to_new(&self) {
        self.inner.closing.send_replace(true);
    }

    pub(crate) fn closing(&self) -> bool {
        *self.inner.closing.borrow()
    }
}

/// A runner's place in the hub; given up however the runner ends, so that others may take the turn.
struct Seat {
    turns: Turns,
    live: Arc<hub::Live>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.live.update(|state| {
            if state.phase == hub::Phase::Running {
                state.phase = hub::Phase::Gone;
            }
        });
        self.turns.inner.hub.leave(&self.live);
    }
}

/// The error of a turn whose session was deleted while it ran.
pub(crate) fn deleted_error() -> TurnError {
    TurnError { code: "deleted".to_owned(), message: "This chat was deleted.".to_owned(), retryable: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_turns_write_less_often_and_never_so_seldom_that_they_look_abandoned() {
        let (flush, lease) = (Duration::from_millis(300), Duration::from_secs(10));
        let config = TurnConfig { flush, lease, longest: lease, run: None, sole_owner: true, resident: true };
        for few in [0, 1, 180] {
            assert_eq!(config.pace(few), flush, "{few}");
        }
        assert_eq!(config.pace(600), Duration::from_secs(1));
        for many in [1500, 100_000, usize::MAX] {
            assert_eq!(config.pace(many), lease / 4, "{many}");
        }
        let slow = TurnConfig { flush: lease / 3, ..config };
        assert_eq!(slow.pace(usize::MAX), lease / 3, "no more often than it was told to");
    }
}
