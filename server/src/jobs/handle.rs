//! What whoever takes a message out of the queue does with it.
//!
//! A message is acknowledged only if its turn has ended, or once another message stands for it: so it never matters
//! whether it comes once, twice or late.

use std::time::Duration;

use app::domain::{JobId, TurnId};

use super::{Jobs, Told};
use crate::{
    queue::Note,
    storage::{By, StoreError, StoreErrorKind},
    turn::{Host, Looked},
};

/// What to tell the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It was dealt with.
    Done,
    /// Deliver it again.
    Again,
}

impl Jobs {
    /// Deals with a note. Resolves when a turn that runs because of it has ended or was handed over. `dead` is a note
    /// out of the queue for dead letters: what nobody runs is ended, not begun again.
    pub async fn handle(&self, note: Note, host: Host, dead: bool) -> Handled {
        let result = match note {
            Note::Turn(turn) => self.handle_turn(turn, host, dead).await,
            Note::Webhook(job) => self.finished(job).await,
        };
        result.unwrap_or_else(|error| {
            tracing::warn!(?note, %error, "a message could not be dealt with");
            // What this server cannot read another may.
            let hopeless = matches!(error.kind(), StoreErrorKind::Corrupt);
            if hopeless { Handled::Done } else { Handled::Again }
        })
    }

    async fn handle_turn(&self, id: TurnId, host: Host, dead: bool) -> Result<Handled, StoreError> {
        let Some(turn) = self.inner.store.turn(id).await? else { return Ok(Handled::Done) };
        let looked = if dead {
            self.inner.turns.bury(&turn).await?
        } else {
            self.inner.turns.look_after(&turn, By::Queue, host).await?
        };
        match looked {
            Looked::Done => {
                if turn.variant.is_some() {
                    self.finished(turn.session.into()).await
                } else {
                    Ok(Handled::Done)
                }
            }
            // The runner itself has put a message in its place before it let go.
            Looked::Released => Ok(Handled::Done),
            Looked::Alive(for_now) => Ok(self.replace(Note::Turn(id), for_now.max(Duration::from_secs(1))).await),
        }
    }

    /// Puts a message in the place of the one that is being dealt with.
    async fn replace(&self, note: Note, delay: Duration) -> Handled {
        match self.inner.queue.send(&[note], delay).await {
            Ok(()) => Handled::Done,
            Err(error) => {
                tracing::warn!(?note, %error, "a message could not be replaced");
                Handled::Again
            }
        }
    }

    /// What there is to do once one of a job's variants has ended: the last one's end is told to the webhook.
    async fn finished(&self, id: JobId) -> Result<Handled, StoreError> {
        match self.inner.store.job(id).await? {
            Some(job) if job.open.is_some() && job.is_over() => match self.tell(&job).await? {
                Told::Done => Ok(Handled::Done),
                Told::Again(pause) | Told::Early(pause) => Ok(self.replace(Note::Webhook(id), pause).await),
            },
            _ => Ok(Handled::Done),
        }
    }
}
