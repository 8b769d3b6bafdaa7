//! Turns that nobody runs: what an earlier process left, what was released, what was abandoned.

use std::time::Duration;

use app::domain::{Outcome, SessionId, Timestamp, Timing, Usage};
use tokio::time::Instant;

use super::{
    Start, Turns,
    log::Log,
    runner::{CLAIMS, FRUITLESS},
};
use crate::{
    clock::jitter,
    storage::{Append, By, End, Kind, OpenWork, Segment, StoreError, TurnItem, TurnState, keys},
};

/// Slack for clocks, when the stamp of a log's tail is trusted.
const SLACK: Duration = Duration::from_secs(2);
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
    loop {
        match turns.inner.store.claim(turn.id, seq, segment, claims, turn.ttl).await {
            Ok(won) => return Ok(won),
            Err(error) if error.ambiguous() && attempts < 10 => {
                attempts += 1;
                tokio::time::sleep(Duration::from_millis(50 + jitter(200))).await;
                // The answer may have been lost: mine if the nonce is mine.
                if let Ok(Some(met)) = turns.inner.store.segment_at(turn.id, seq).await {
                    return Ok(met.nonce == segment.nonce);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

impl Turns {
    /// Looks after a turn: compacts it if it has ended, claims it if nobody runs it. `watched` is for how long the
    /// caller has seen its log stand still.
    ///
    /// # Errors
    /// When the store does not answer; nothing is lost then, and it may be tried again.
    pub async fn tend(&self, turn: &TurnItem, by: By, watched: Duration) -> Result<Tended, StoreError> {
        if turn.state == TurnState::Done {
            return Ok(Tended::Done);
        }
        if self.inner.hub.get(turn.id).is_some() {
            return Ok(Tended::Alive);
        }
        let log = self.read(turn.id).await?;
        if log.end().is_some() {
            self.compact(turn, &log).await?;
            return Ok(Tended::Done);
        }
        if self.closing() || !self.is_abandoned(&log, watched) {
            return Ok(Tended::Alive);
        }
        // A task of its own: a follower that leaves between the claim and the run must not strand the turn.
        let (turns, turn) = (self.clone(), turn.clone());
        tokio::spawn(async move { turns.take(&turn, log, by).await }).await.unwrap_or_else(|error| {
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

    /// Whether nobody runs it: unclaimed, released, or its log has stood still for the lease.
    pub(super) fn is_abandoned(&self, log: &Log, watched: Duration) -> bool {
        let Some(tail) = log.tail() else { return true };
        if log.released() {
            return true;
        }
        let config = &self.inner.config;
        if config.sole_owner && tail.boot != self.inner.boot {
            // One process owns the store: another boot is gone.
            return true;
        }
        let silent = Duration::from_millis(self.inner.clock.now().since(tail.time));
        // The lease doubles with each claim that brought nothing.
        let lease = config.lease * (1 << log.fruitless().min(3));
        silent > lease + SLACK || watched >= lease
    }

    async fn take(&self, turn: &TurnItem, mut log: Log, by: By) -> Result<Tended, StoreError> {
        let Some(current) = self.inner.store.turn(turn.id).await? else { return Ok(Tended::Done) };
        if current.state == TurnState::Done {
            return Ok(Tended::Done);
        }
        let number = log.bases().len() as u32;
        let author = self.author(by);
        let ended = self.verdict(&log);
        // Until runners can carry on, an abandoned turn begins anew; one that only ends keeps all that is logged.
        let at = if ended.is_some() { log.content().len() } else { 0 };
        let before = estimate(&log);
        let segment = author.segment(Kind::Claim, number, at, self.inner.clock.now());
        if !claim(self, &current, log.next(), &segment, number).await? {
            return Ok(Tended::Alive);
        }
        if let Err(fault) = log.apply(log.next(), &segment) {
            tracing::error!(turn = %turn.id, %fault, "a claim that cannot follow");
            return Ok(Tended::Alive);
        }
        tracing::info!(turn = %turn.id, claim = number, at, "claimed");
        let prompt = match (&ended, self.inner.prompts.get()) {
            (None, Some(prompts)) => prompts.prompt(&current).await?,
            _ => None,
        };
        match prompt {
            Some(prompt) => self.run(Start { turn: current, log, prompt, before, by }),
            None => {
                let (outcome, error) = ended.unwrap_or((Outcome::Stopped, None));
                self.end_claimed(&current, &mut log, by, outcome, error, before).await?;
                return Ok(Tended::Done);
            }
        }
        Ok(Tended::Started)
    }

    /// How a turn ends that is not to be generated any more: somebody pressed stop, or a limit is spent.
    fn verdict(&self, log: &Log) -> Option<(Outcome, Option<app::domain::TurnError>)> {
        if log.stop() {
            return Some((Outcome::Stopped, None));
        }
        let age = log.began().map_or(0, |began| self.inner.clock.now().since(began));
        let spent = log.fruitless() >= FRUITLESS
            || log.unplanned() >= CLAIMS
            || age > self.inner.config.longest.as_millis() as u64;
        spent.then(|| {
            let error = app::domain::TurnError {
                code: "interrupted".to_owned(),
                message: "The reply broke off and could not be carried on.".to_owned(),
                retryable: true,
            };
            (Outcome::Failed, Some(error))
        })
    }

    /// Ends a turn that was claimed for that only: no call upstream.
    pub(super) async fn end_claimed(
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
        let timing = Timing { first_ms: log.first_content().map(|t| t.since(began)), total_ms: now.since(began) };
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
                    self.compact(turn, log).await?;
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
        let mut started = 0;
        for shard in 0..keys::OPEN_SHARDS {
            for work in self.inner.store.open_turns(shard).await? {
                match work {
                    OpenWork::Turn(id, _) => match self.sweep_turn(id).await {
                        Ok(Tended::Started) => started += 1,
                        Ok(_) => {}
                        Err(error) => tracing::warn!(turn = %id, %error, "an open turn could not be tended to"),
                    },
                    OpenWork::Deleted(session, at) => {
                        if let Err(error) = self.sweep_deleted(session, at).await {
                            tracing::warn!(%session, %error, "a deleted session could not be purged yet");
                        }
                    }
                }
            }
        }
        Ok(started)
    }

    async fn sweep_turn(&self, id: app::domain::TurnId) -> Result<Tended, StoreError> {
        let Some(turn) = self.inner.store.turn(id).await? else { return Ok(Tended::Done) };
        // A turn that was just sent by a plain form is claimed by the page that follows it; give it a lease.
        let fresh = self.inner.clock.now().since(turn.created_at) < self.inner.config.lease.as_millis() as u64;
        if turn.claims == 0 && fresh {
            return Ok(Tended::Alive);
        }
        self.tend(&turn, By::Sweeper, Duration::ZERO).await
    }

    /// Purges a deleted session once it cannot be restored any more, and once more when no frozen runner can write
    /// any more; then its tombstone goes.
    async fn sweep_deleted(&self, session: SessionId, at: Timestamp) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let purged = self.inner.store.purge(session, now).await?;
        if purged && now.since(at) > (LATE + self.inner.config.lease).as_millis() as u64 {
            self.inner.store.forget(session).await?;
        }
        Ok(())
    }

    /// Sweeps at start and then every lease, jittered, until the process is to end.
    pub async fn sweep_for_ever(&self) {
        let mut closing = self.inner.closing.subscribe();
        loop {
            match self.sweep().await {
                Ok(0) => {}
                Ok(started) => tracing::info!(started, "took up turns that nobody ran"),
                Err(error) => tracing::warn!(%error, "open turns could not be swept"),
            }
            let lease = self.inner.config.lease.as_millis() as u64;
            let next = Instant::now() + Duration::from_millis(lease + jitter(500));
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                _ = closing.changed() => return,
            }
        }
    }
}

/// What runners that are gone have used: nobody was told, so by the length of what they wrote.
fn estimate(log: &Log) -> Usage {
    if log.unclaimed() {
        return Usage::default();
    }
    Usage { output_tokens: u64::from(log.content().len()) / 4, estimated: true, ..Usage::default() }
}
