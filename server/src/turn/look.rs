//! Looking after a turn on behalf of a message: until it has ended, or somebody else stands for it.

use std::time::Duration;

use app::domain::{Outcome, TurnError, TurnId};
use tokio::time::Instant;

use super::{Host, Turns, hub::Phase, sweeper::Tended, watch::Lease};
use crate::storage::{By, StoreError, TurnItem, TurnState};

/// What came of looking after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It is over, and its message is stored.
    Done,
    /// It ran here and was handed over; another message stands for it.
    Released,
    /// Somebody runs it, as far as one can tell; look again after so long.
    Alive(Duration),
}

impl Turns {
    /// Runs a turn that nobody runs, and waits until it has ended or was handed over.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn look_after(&self, turn: &TurnItem, by: By, host: Host) -> Result<Looked, StoreError> {
        if turn.state == TurnState::Done {
            return Ok(Looked::Done);
        }
        let log = self.read(turn.id).await?;
        let now = Instant::now();
        let watch = self.watch(turn, &log, now, Lease::plain(self.inner.config.lease));
        let due = log.end().is_some() || self.is_free(turn.id, &log) || watch.is_over(&log, now);
        let tended = if due { self.tend(turn, by, host, Some(&watch)).await? } else { Tended::Alive };
        match tended {
            Tended::Done => Ok(Looked::Done),
            Tended::Started => self.until_left(turn.id).await,
            Tended::Alive => Ok(Looked::Alive(watch.left(Instant::now()))),
        }
    }

    /// Ends a turn that nobody runs and that nobody is to run any more: its message was delivered in vain too often.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn bury(&self, turn: &TurnItem) -> Result<Looked, StoreError> {
        if turn.state == TurnState::Done {
            return Ok(Looked::Done);
        }
        let Some(_busy) = self.inner.hub.reserve(turn.id) else { return Ok(Looked::Alive(self.inner.config.lease)) };
        let mut log = self.read(turn.id).await?;
        let now = Instant::now();
        let watch = self.watch(turn, &log, now, Lease::plain(self.inner.config.lease));
        if log.end().is_some() {
            self.compact(turn, &log).await?;
            return Ok(Looked::Done);
        }
        // Released, it is about to be taken up; unclaimed, its messages have failed before they could.
        if !(log.unclaimed() || watch.is_over(&log, now)) {
            return Ok(Looked::Alive(watch.left(now)));
        }
        let error = TurnError {
            code: "dead_letter".to_owned(),
            message: "This could not be worked on, several times over.".to_owned(),
            retryable: true,
        };
        let ended = self.claim_to_end(turn, &mut log, By::Queue, Outcome::Failed, Some(error)).await?;
        Ok(if ended { Looked::Done } else { Looked::Alive(self.inner.config.lease) })
    }

    /// Waits until a turn that runs here does not any more.
    async fn until_left(&self, turn: TurnId) -> Result<Looked, StoreError> {
        if let Some(live) = self.inner.hub.get(turn) {
            let mut changed = live.watch();
            loop {
                let phase = live.state().phase.clone();
                match phase {
                    Phase::Running => {
                        if changed.changed().await.is_err() {
                            break;
                        }
                    }
                    Phase::Ended(_) => return Ok(Looked::Done),
                    Phase::Released if live.handed_on() => return Ok(Looked::Released),
                    Phase::Released => return Ok(Looked::Alive(Duration::ZERO)),
                    Phase::Gone => break,
                }
            }
        }
        let done = self.inner.store.turn(turn).await?.is_none_or(|t| t.state == TurnState::Done);
        Ok(if done { Looked::Done } else { Looked::Alive(self.inner.config.lease) })
    }
}
