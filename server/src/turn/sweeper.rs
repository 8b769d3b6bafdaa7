//! Turns that nobody runs: what an earlier process left, what was released, what was abandoned.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use app::{
    domain::{Outcome, SessionId, Timestamp, Timing, TurnId, Usage},
    error::Code,
};

use futures::StreamExt;
use tokio::time::Instant;

use super::{
    Host, Prompt, Start, Turns,
    budget::{self, Purse},
    log::Log,
    runner::{BARREN, CLAIMS, FRUITLESS, add},
    watch::{JITTER, Lease, Watch},
};
use crate::{
    claude::tokens::Letters,
    clock::jitter,
    prices,
    queue::Note,
    storage::{Append, By, End, Kind, OpenWork, Segment, StoreError, TurnItem, TurnState, keys},
};

/// How much open work is tended to at once.
const AT_ONCE: usize = 8;
/// The shortest pause between two sweeps.
const SOON: Duration = Duration::from_millis(200);
/// For so long Lambda may keep a runner frozen, that would write to a purged log when it is thawed.
const LATE: Duration = Duration::from_secs(15 * 60);

/// What came of tending to a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tended {
    /// It is over, and its message is stored.
    Done,
    /// It runs here now.
    Started,
    /// Somebody runs it, as far as one can tell.
    Alive,
}

/// Tries to make a claim, until it is known whether it stands.
pub(super) async fn claim(
    turns: &Turns,
    turn: &TurnItem,
    seq: u64,
    segment: &Segment,
    claims: u32,
) -> Result<bool, StoreError> {
    let mut attempts = 0;
    let won = loop {
        match turns.inner.store.claim(turn.id, seq, segment, claims, turn.ttl).await {
            Ok(won) => break won,
            Err(error) if error.ambiguous() && attempts < 10 => {
                attempts += 1;
                tokio::time::sleep(Duration::from_millis(50 + jitter(200))).await;
                // The answer may have been lost: mine if the nonce is mine.
                if let Ok(Some(met)) = turns.inner.store.segment_at(turn.id, seq).await {
                    break met.nonce == segment.nonce;
                }
            }
            Err(error) => return Err(error),
        }
    };
    if won {
        turns.inner.metrics.claimed(claims > 0);
    }
    Ok(won)
}

impl Turns {
    /// Looks after a turn: compacts it if it has ended, claims it if nobody runs it. `watch` is what the caller has
    /// seen of its log; without one only a turn that is free is taken.
    ///
    /// # Errors
    /// When the store does not answer; nothing is lost then, and it may be tried again.
    pub(super) async fn tend(
        &self,
        turn: &TurnItem,
        by: By,
        host: Host,
        watch: Option<&Watch>,
    ) -> Result<Tended, StoreError> {
        if turn.state == TurnState::Done {
            return Ok(Tended::Done);
        }
        let Some(busy) = self.inner.hub.reserve(turn.id) else { return Ok(Tended::Alive) };
        let log = self.read(turn.id).await?;
        if log.end().is_some() {
            self.compact(turn, &log).await?;
            return Ok(Tended::Done);
        }
        let free = self.is_free_of(&log, false) || watch.is_some_and(|w| w.is_over(&log, Instant::now()));
        if self.closing() || !free {
            return Ok(Tended::Alive);
        }
        // A task of its own: a follower that leaves between the claim and the run must not strand the turn.
        let (turns, turn) = (self.clone(), turn.clone());
        let take = async move {
            let taken = turns.take(&turn, log, by, host).await;
            drop(busy);
            taken
        };
        tokio::spawn(take).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a take-over failed");
            Ok(Tended::Alive)
        })
    }

    /// Whether a turn is over. One that has ended and is not stored is compacted; nothing is claimed.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn settle(&self, turn: &TurnItem) -> Result<bool, StoreError> {
        if turn.state == TurnState::Done {
            return Ok(true);
        }
        let log = self.read(turn.id).await?;
        Ok(self.compact(turn, &log).await?.is_some())
    }

    /// Stores the message of a turn that was done while its session was deleted, once the session is restored.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn rescue(&self, turn: &TurnItem) -> Result<(), StoreError> {
        let log = self.read(turn.id).await?;
        self.compact(turn, &log).await.map(|_| ())
    }

    /// Begins to watch a turn's log, as it was read just `now`.
    pub(super) fn watch(&self, turn: &TurnItem, log: &Log, now: Instant, lease: Lease) -> Watch {
        Watch::new(log, turn.created_at, self.inner.clock.now(), now, lease)
    }

    /// Whether it is a job's variant that nobody has begun: it is claimed through the queue alone, so that no more run
    /// at once than there are workers.
    pub(super) fn waits(&self, turn: &TurnItem, log: &Log) -> bool {
        log.unclaimed() && turn.variant.is_some()
    }

    /// Whether nobody runs it, and that can be told without watching it: unclaimed, released, or, where one process
    /// owns the store, not running here.
    pub(super) fn is_free(&self, turn: TurnId, log: &Log) -> bool {
        self.is_free_of(log, self.inner.hub.is_here(turn))
    }

    fn is_free_of(&self, log: &Log, here: bool) -> bool {
        !here && (log.unclaimed() || log.released() || self.inner.config.sole_owner)
    }

    async fn take(&self, turn: &TurnItem, mut log: Log, by: By, host: Host) -> Result<Tended, StoreError> {
        let Some(current) = self.inner.store.turn(turn.id).await? else { return Ok(Tended::Done) };
        if current.state == TurnState::Done {
            return Ok(Tended::Done);
        }
        let number = log.bases().len() as u32;
        let author = self.author(by);
        let mut ended = self.verdict(&log);
        if let (None, Some(budget)) = (&ended, self.budget())
            && budget.check(current.owner, &current.model).await.is_err_and(|e| e.code == Code::BudgetSpent)
        {
            ended = Some((Outcome::Stopped, Some(budget::error())));
        }
        // Before the claim: should the store not answer, it is better found out now.
        let asked = self.asked(&current, &log, ended.is_none()).await?;
        let before = estimate(&log, asked.as_ref());
        let mut prompt = asked.filter(|_| ended.is_none());
        // One that has to fit a schema begins anew.
        let anew = prompt.as_ref().is_some_and(|p| p.shape.is_some());
        let mut at = if anew { 0 } else { log.content().resume_at() };
        if prompt.is_some() && (log.fruitless_after(at) >= FRUITLESS || log.barren_after(at) >= BARREN) {
            (ended, prompt) = (Some(interrupted()), None);
        }
        if prompt.is_none() {
            // It only ends: all that is logged is kept.
            at = log.content().len();
        }
        let chars = Some(log.content().chars(at));
        let segment = Segment { chars, ..author.segment(Kind::Claim, number, at, self.inner.clock.now()) };
        if !claim(self, &current, log.next(), &segment, number).await? {
            return Ok(Tended::Alive);
        }
        if let Err(fault) = log.apply(log.next(), &segment) {
            tracing::error!(turn = %turn.id, %fault, "a claim that cannot follow");
            return Ok(Tended::Alive);
        }
        tracing::info!(turn = %turn.id, claim = number, at, "claimed");
        match prompt {
            Some(prompt) => {
                let purse = self.purse(&current, &log);
                self.run(Start { turn: current, log, prompt, before, by, host, purse });
            }
            None => {
                let (outcome, error) = ended.unwrap_or((Outcome::Stopped, None));
                self.end_claimed(&current, &mut log, by, outcome, error, before).await?;
                return Ok(Tended::Done);
            }
        }
        Ok(Tended::Started)
    }

    /// What a turn may spend, where that is capped.
    fn purse(&self, turn: &TurnItem, log: &Log) -> Option<Purse> {
        // Whoever handed it over has counted what it cost there.
        Some(self.budget()?.purse(turn.owner, prices::micros(&turn.model, &log.known())))
    }

    /// What Claude is asked for a turn: to ask it, or to reckon what runners that are gone were asked.
    async fn asked(&self, turn: &TurnItem, log: &Log, asks: bool) -> Result<Option<Prompt>, StoreError> {
        match self.inner.prompts.get() {
            Some(prompts) if asks || log.unknown().0 > 0 => prompts.prompt(turn).await,
            _ => Ok(None),
        }
    }

    /// How a turn ends that is not to be generated any more: somebody pressed stop, or a limit is spent.
    fn verdict(&self, log: &Log) -> Option<(Outcome, Option<app::domain::TurnError>)> {
        if log.stop() {
            return Some((Outcome::Stopped, None));
        }
        let age = log.began().map_or(0, |began| self.inner.clock.now().since(began));
        let spent = log.unplanned() >= CLAIMS || age > self.inner.config.longest.as_millis() as u64;
        spent.then(interrupted)
    }

    /// Claims a turn for nothing but its end, with all that is logged; false if somebody else was first.
    pub(super) async fn claim_to_end(
        &self,
        turn: &TurnItem,
        log: &mut Log,
        by: By,
        outcome: Outcome,
        error: Option<app::domain::TurnError>,
    ) -> Result<bool, StoreError> {
        let usage = estimate(log, self.asked(turn, log, false).await?.as_ref());
        let (seq, number) = (log.next(), log.bases().len() as u32);
        let segment = self.author(by).segment(Kind::Claim, number, log.content().len(), self.inner.clock.now());
        if !claim(self, turn, seq, &segment, number).await? || log.apply(seq, &segment).is_err() {
            return Ok(false);
        }
        self.end_claimed(turn, log, by, outcome, error, usage).await?;
        Ok(true)
    }

    /// Ends a turn that was claimed for that only: no call upstream.
    async fn end_claimed(
        &self,
        turn: &TurnItem,
        log: &mut Log,
        by: By,
        outcome: Outcome,
        error: Option<app::domain::TurnError>,
        usage: Usage,
    ) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let began = log.began().unwrap_or(now);
        let total = log.content().len();
        let first_ms = log.first_content().map(|t| t.since(began));
        let timing = Timing { first_ms, thinking_ms: None, total_ms: now.since(began) };
        let end = End { outcome, stop_reason: None, error, usage, timing, total, left_out: 0 };
        let claim = log.bases().len().saturating_sub(1) as u32;
        let segment = Segment { end: Some(end), ..self.author(by).segment(Kind::End, claim, total, now) };
        loop {
            let seq = log.next();
            match self.inner.store.append(turn.id, seq, &segment, turn.ttl).await {
                Ok(Append::Met(met)) if met.nonce != segment.nonce => {
                    let stop = met.kind == Kind::Stop;
                    if log.apply(seq, &met).is_err() || !stop {
                        return Ok(());
                    }
                }
                Ok(_) => {
                    let _ = log.apply(seq, &segment);
                    let cost = prices::micros(&turn.model, &usage);
                    self.inner.metrics.spent(cost);
                    let mut purse = self.purse(turn, log);
                    if let Some(purse) = &mut purse {
                        purse.over(cost).await;
                    }
                    self.compact(turn, log).await?;
                    if let Some(purse) = &mut purse {
                        purse.settled();
                    }
                    return Ok(());
                }
                Err(error) if error.ambiguous() => tokio::time::sleep(Duration::from_millis(100 + jitter(200))).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// One sweep over the index of open work. Gives how many turns it began to run.
    ///
    /// # Errors
    /// When the index cannot be read; single turns that fail are logged and left for the next sweep.
    pub async fn sweep(&self) -> Result<u32, StoreError> {
        self.sweep_once(&Watches::default()).await.map(|swept| swept.started)
    }

    async fn sweep_once(&self, watches: &Watches) -> Result<Swept, StoreError> {
        let (mut work, mut fault) = (Vec::new(), None);
        for shard in 0..keys::OPEN_SHARDS {
            match self.inner.store.open_turns(shard).await {
                Ok(found) => work.extend(found),
                Err(error) => fault = Some(error),
            }
        }
        if let Some(error) = fault.take_if(|_| work.is_empty()) {
            return Err(error);
        }
        let open: HashSet<TurnId> = work.iter().filter_map(OpenWork::turn).collect();
        // Several at once and never in the same order: with a slow store and a short life none waits for ever.
        let start = jitter(work.len().saturating_sub(1) as u64) as usize;
        work.rotate_left(start);
        let tended = futures::stream::iter(work).map(|work| self.sweep_work(work, watches)).buffer_unordered(AT_ONCE);
        let started = tended.filter(|started| std::future::ready(*started)).count().await as u32;
        let (now, lease) = (Instant::now(), self.inner.config.lease);
        let mut watches = watches.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.is_none() {
            watches.retain(|id, _| open.contains(id));
        }
        let left = watches.values().map(|w| w.left(now)).filter(|left| !left.is_zero()).min();
        Ok(Swept { started, next: left.map_or(lease, |left| left.min(lease)).max(SOON) })
    }

    /// True if a turn runs here because of it.
    async fn sweep_work(&self, work: OpenWork, watches: &Watches) -> bool {
        match work {
            OpenWork::Turn(id, _) => match self.sweep_turn(id, watches).await {
                Ok(tended) => return tended == Tended::Started,
                Err(error) if self.leaves_alone(id, &error) => {}
                Err(error) => tracing::warn!(turn = %id, %error, "an open turn could not be tended to"),
            },
            OpenWork::Job(id, _) => {
                if let Some(keeper) = self.inner.jobs.get()
                    && let Err(error) = keeper(id).await
                {
                    tracing::warn!(job = %id, %error, "an open job could not be looked after");
                }
            }
            OpenWork::Deleted(session, at) => {
                if let Err(error) = self.sweep_deleted(session, at).await {
                    tracing::warn!(%session, %error, "a deleted session could not be purged yet");
                }
            }
        }
        false
    }

    async fn sweep_turn(&self, id: TurnId, watches: &Watches) -> Result<Tended, StoreError> {
        let watched = || watches.lock().unwrap_or_else(PoisonError::into_inner);
        if self.inner.hub.is_here(id) {
            watched().remove(&id);
            return Ok(Tended::Alive);
        }
        let note = Note::Turn(id);
        if !self.inner.queue.is_durable() && self.inner.queue.holds(&note) {
            // It waits for a worker that is free; there may be a thousand of them.
            return Ok(Tended::Alive);
        }
        let Some(turn) = self.inner.store.turn(id).await? else { return Ok(Tended::Done) };
        if turn.state == TurnState::Done {
            return Ok(Tended::Done);
        }
        let log = self.read(id).await?;
        if self.waits(&turn, &log) && self.inner.queue.holds(&note) {
            return Ok(Tended::Alive);
        }
        let (lease, now) = (Lease::new(self.inner.config.lease), Instant::now());
        let watch = {
            let mut watches = watched();
            let watch = watches.entry(id).or_insert_with(|| self.watch(&turn, &log, now, lease));
            watch.see(&log, now, lease);
            watch.clone()
        };
        // A turn that was just sent by a plain form is claimed by the page that follows it; give it a lease.
        let free = self.is_free(id, &log) && !log.unclaimed();
        let over = watch.is_over(&log, now);
        if over && self.waits(&turn, &log) {
            // The process that queued it is gone. It is claimed as any other variant, when a worker is free.
            if let Err(error) = self.inner.queue.send(&[note], Duration::ZERO).await {
                tracing::warn!(turn = %id, %error, "a variant could not be queued");
            }
            return Ok(Tended::Alive);
        }
        if log.end().is_some() || free || over {
            return self.tend(&turn, By::Sweeper, Host::default(), Some(&watch)).await;
        }
        Ok(Tended::Alive)
    }

    /// Purges a deleted session once it cannot be restored any more, and once more when no frozen runner can write
    /// any more; then its tombstone goes.
    async fn sweep_deleted(&self, session: SessionId, at: Timestamp) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let purged = self.inner.store.purge(session, now).await?;
        if !purged {
            // Its running turn was stopped by whoever deleted it; unless the store did not answer then.
            let active = self.inner.store.session(session).await?.filter(|s| s.deleted_at.is_some());
            if let Some(active) = active.and_then(|s| s.active)
                && let Some(turn) = self.inner.store.turn(active).await?
            {
                self.stop(&turn).await?;
            }
        }
        if purged && now.since(at) > (LATE + self.inner.config.lease).as_millis() as u64 {
            self.inner.store.forget(session).await?;
        }
        Ok(())
    }

    /// Sweeps at start and then every lease, jittered, or when a turn that stands still is due, until the process is
    /// to end.
    pub async fn sweep_for_ever(&self) {
        let mut closing = self.inner.closing.subscribe();
        let watches = Watches::default();
        loop {
            let mut next = self.inner.config.lease;
            match self.sweep_once(&watches).await {
                Ok(swept) => {
                    next = swept.next;
                    if swept.started > 0 {
                        tracing::info!(started = swept.started, "took up turns that nobody ran");
                    }
                }
                Err(error) => tracing::warn!(%error, "open turns could not be swept"),
            }
            tokio::select! {
                () = tokio::time::sleep(next + Duration::from_millis(jitter(JITTER))) => {}
                () = self.inner.sweep.notified() => {}
                _ = closing.changed() => return,
            }
        }
    }
}

/// The end of a turn whose limits are spent.
fn interrupted() -> (Outcome, Option<app::domain::TurnError>) {
    let error = app::domain::TurnError {
        code: "interrupted".to_owned(),
        message: "The reply broke off and could not be carried on.".to_owned(),
        retryable: true,
    };
    (Outcome::Failed, Some(error))
}

/// What a sweeper has seen of turns that run elsewhere.
type Watches = Mutex<HashMap<TurnId, Watch>>;

/// What a sweep came to.
struct Swept {
    started: u32,
    /// When to sweep again.
    next: Duration,
}

/// What runners before have used: what those that handed over said, and of those that are gone, since nobody was
/// told, the prompt once a claim and what they wrote, by its length.
fn estimate(log: &Log, prompt: Option<&Prompt>) -> Usage {
    let (claims, written) = log.unknown();
    if claims == 0 {
        return log.known();
    }
    let mut used = Usage { output_tokens: written.tokens(), estimated: true, ..Usage::default() };
    if let Some(prompt) = prompt {
        if log.known() == Usage::default() {
            // It began with another reply's text.
            let copied = Letters::of(&prompt.begins_with).tokens();
            used.output_tokens = used.output_tokens.saturating_sub(copied);
        }
        let read = prompt.request.usage();
        used = (0..claims).fold(used, |used, _| add(used, read));
    }
    add(log.known(), used)
}
