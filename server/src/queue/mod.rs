//! The queue: who is to look at which turn, and when. A message holds ids and nothing else.
//!
//! Two kinds: SQS, and on a laptop one in this process, whose messages are lost with it and are made again from the
//! table at the next start.

mod local;
mod sqs;

use std::{fmt, time::Duration};

use app::domain::{JobId, TurnId};
use serde::{Deserialize, Serialize};

pub use self::{
    local::Local,
    sqs::{Received, Sqs, SqsConfig},
};

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Look after this turn: run it if nobody does.
    Turn(TurnId),
    /// This job may be finished: tell its webhook.
    Webhook(JobId),
}

impl Note {
    /// As it stands in a message.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From a message; none if it is not one of ours.
    #[must_use]
    pub fn decode(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }
}

/// The queue did not take a message, or not all of them. Its text is for the log.
#[derive(Debug, Clone)]
pub struct QueueError(String);

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the queue: {}", self.0)
    }
}

impl std::error::Error for QueueError {}

/// Either kind. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Queue {
    Local(Local),
    Sqs(Sqs),
}

impl Queue {
    /// Whether its messages outlive this process.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        matches!(self, Self::Sqs(_))
    }

    /// Whether a note is in it, as far as this process knows: none that outlives a process knows otherwise.
    #[must_use]
    pub fn holds(&self, note: &Note) -> bool {
        match self {
            Self::Local(local) => local.holds(note),
            Self::Sqs(_) => true,
        }
    }

    /// Sends notes, to be seen after `delay` (at most 15 minutes).
    ///
    /// # Errors
    /// If one of them was not taken; others may have been, and sending again is harmless.
    pub async fn send(&self, notes: &[Note], delay: Duration) -> Result<(), QueueError> {
        match self {
            Self::Local(local) => {
                local.send(notes, delay);
                Ok(())
            }
            Self::Sqs(sqs) => sqs.send(notes, delay).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use app::domain::Timestamp;

    use super::*;

    #[test]
    fn a_note_is_its_ids_and_nothing_else_is_one() {
        let turn = Note::Turn(TurnId::from_parts(Timestamp::from_millis(5), 7));
        assert_eq!(Note::decode(&turn.encode()), Some(turn));
        assert!(turn.encode().len() < 60);
        for bad in ["", "{}", "x", r#"{"turn":"x"}"#, r#"{"other":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#] {
            assert_eq!(Note::decode(bad), None, "{bad}");
        }
    }
}
