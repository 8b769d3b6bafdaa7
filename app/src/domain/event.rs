//! What a follower of a turn is told.

use serde::Serialize;
use serde_json::Value;

use super::{
    Cursor, MessageId, TurnId,
    json::{FromJson, deserialize, field, from_json},
};

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The model ended it, also with the stop reasons `refusal`, `max_tokens`, `model_context_window_exceeded`.
    Complete,
    /// A person ended it.
    Stopped,
    /// It could not be carried on; `error` says why.
    Failed,
}

/// Why a turn failed. Never holds a cause, a key, a prompt or a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TurnError {
    /// `upstream_…`, `deleted`, `interrupted`, ….
    pub code: String,
    /// A sentence for the person who reads it.
    pub message: String,
    /// Whether trying again may help.
    pub retryable: bool,
}

/// Tokens of a turn, as the Messages API counts them. Cache reads and writes are apart from `input_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_creation_input_tokens: u64,
    pub cache_read_input_tokens: u64,
    /// Part of it was estimated, because the runner that would have been told is gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// How long it took, in milliseconds from the first claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Timing {
    /// To the first text or thinking; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// From the first thinking to the first text, or to the end where no text came; absent where nothing was thought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_ms: Option<u64>,
    /// To the end.
    pub total_ms: u64,
}

/// One event of a turn's stream. Concatenating the `text` of a stream, with `rewind` applied by offset,
/// gives exactly the stored message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum TurnEvent {
    /// Every stream begins with it.
    Start {
        turn_id: TurnId,
        message_id: MessageId,
        model: String,
    },
    Text {
        text: String,
    },
    Thinking {
        text: String,
    },
    /// Drop all content past the offset of `to`, which is the new cursor.
    Rewind {
        to: Cursor,
    },
    /// Storage does not answer, so writing is on hold; or it does again. Nothing is lost meanwhile.
    Store {
        waiting: bool,
    },
    /// What follows is written by a runner whom the last one handed the reply over to: no reason to speak of it. Also
    /// for those who come later than the `release`.
    Planned {},
    /// The runner changes; follow again at once.
    Release {},
    /// The message is stored; the stream closes.
    End {
        outcome: Outcome,
        stop_reason: Option<String>,
        usage: Usage,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<TurnError>,
        #[serde(skip_serializing_if = "Option::is_none")]
        timing: Option<Timing>,
    },
}

impl TurnEvent {
    /// The SSE event's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Text { .. } => "text",
            Self::Thinking { .. } => "thinking",
            Self::Rewind { .. } => "rewind",
            Self::Store { .. } => "store",
            Self::Planned {} => "planned",
            Self::Release {} => "release",
            Self::End { .. } => "end",
        }
    }
}

from_json!(Outcome: "complete" = Complete, "stopped" = Stopped, "failed" = Failed);
from_json!(TurnError { code, message, retryable });
from_json!(Timing { first_ms, thinking_ms, total_ms });

impl FromJson for Usage {
    /// What is absent is 0.
    fn from_json(json: &Value) -> Option<Self> {
        json.is_object().then_some(())?;
        let tokens = |name| field::<Option<u64>>(json, name).map(Option::unwrap_or_default);
        Some(Self {
            input_tokens: tokens("input_tokens")?,
            output_tokens: tokens("output_tokens")?,
            cache_creation_input_tokens: tokens("cache_creation_input_tokens")?,
            cache_read_input_tokens: tokens("cache_read_input_tokens")?,
            estimated: field::<Option<bool>>(json, "estimated")?.unwrap_or_default(),
        })
    }
}

deserialize!(Usage);
