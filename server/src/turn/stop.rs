//! Stopping, from whatever machine: a segment in the log.

use std::time::Duration;

use app::domain::Outcome;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Turns, hub::Phase, log::Log};
use crate::{
    clock::jitter,
    storage::{Append, By, Kind, StoreError, TurnItem, TurnState},
};

impl Turns {
    /// Stops a turn; what was written is kept. Returns once the turn is over, or nearly: the segment is in, and
    /// either its runner has answered or the turn was ended here. Idempotent.
    ///
    /// # Errors
    /// When the store does not answer; the stop may or may not be in then, and can be repeated.
    pub async fn stop(&self, turn: &TurnItem) -> Result<(), StoreError> {
        if turn.state == TurnState::Done {
            return Ok(());
        }
        // A runner here obeys at once, even while the store cannot be told.
        if let Some(live) = self.inner.hub.get(turn.id) {
            live.stop();
        }
        let mut log = self.read(turn.id).await?;
        self.append_stop(turn, &mut log).await?;
        if log.end().is_some() {
            self.compact(turn, &log).await?;
            return Ok(());
        }
        let patience = Duration::from_secs(1).max(self.inner.config.flush * 3);
        if self.await_end(turn, Instant::now() + patience).await {
            return Ok(());
        }
        self.end_stopped(turn).await
    }

    /// At most one per turn, at last + 1.
    async fn append_stop(&self, turn: &TurnItem, log: &mut Log) -> Result<(), StoreError> {
        let author = self.author(By::Web);
        let claim = log.bases().len().saturating_sub(1) as u32;
        let segment = author.segment(Kind::Stop, claim, log.content().len(), self.inner.clock.now());
        while !log.stop() && log.end().is_none() {
            let seq = log.next();
            let stands = match self.inner.store.append(turn.id, seq, &segment, turn.ttl).await? {
                Append::Met(met) if met.nonce != segment.nonce => *met,
                _ => segment.clone(),
            };
            if let Err(fault) = log.apply(seq, &stands) {
                tracing::error!(turn = %turn.id, %fault, "a log that cannot be read further");
                return Ok(());
            }
        }
        if let Some(live) = self.inner.hub.get(turn.id) {
            live.nudge.notify_one();
        }
        Ok(())
    }

    /// Whether the turn's runner ends it until then.
    async fn await_end(&self, turn: &TurnItem, until: Instant) -> bool {
        if let Some(live) = self.inner.hub.get(turn.id) {
            let mut changed = live.watch();
            loop {
                if matches!(live.state().phase, Phase::Ended(_)) {
                    return true;
                }
                if !matches!(timeout_at(until, changed.changed()).await, Ok(Ok(()))) {
                    break;
                }
            }
        }
        while Instant::now() < until {
            if matches!(self.inner.store.turn(turn.id).await, Ok(Some(t)) if t.state == TurnState::Done) {
                return true;
            }
            sleep(Duration::from_millis(100)).await;
        }
        false
    }

    /// The runner does not answer, or there is none: claim, end and compact, without waiting for the lease.
    async fn end_stopped(&self, turn: &TurnItem) -> Result<(), StoreError> {
        for _ in 0..20 {
            let mut log = self.read(turn.id).await?;
            if log.end().is_some() {
                self.compact(turn, &log).await?;
                return Ok(());
            }
            if self.claim_to_end(turn, &mut log, By::Web, Outcome::Stopped, None).await? {
                return Ok(());
            }
            sleep(Duration::from_millis(50 + jitter(100))).await;
        }
        tracing::warn!(turn = %turn.id, "a stop is in the log, but its turn could not be ended here");
        Ok(())
    }
}
