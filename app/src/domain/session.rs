//! Sessions and messages, as they are shown.

use serde::Serialize;

use super::json::from_json;
use super::{MessageId, Outcome, SessionId, Timestamp, Timing, TurnError, TurnId, Usage};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
}

/// `POST /api/sessions/create`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Created {
    pub session_id: SessionId,
}

/// The answer of calls that have nothing to say: `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Empty {}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    pub session_id: SessionId,
    pub title: String,
    pub updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_turn: Option<TurnId>,
}

/// `GET /api/sessions/list`: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SessionList {
    pub sessions: Vec<SessionRow>,
    /// Opaque; leads to older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One session's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    pub session_id: SessionId,
    pub title: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The model of the newest turn, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Where a runner took over, in bytes of the message's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Seam {
    pub offset: u32,
    /// Handed over on purpose (a deadline, a restart); nothing is shown then.
    pub planned: bool,
}

/// Which of several messages under the same parent this one is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Siblings {
    /// Their ids, oldest first; the message's own among them.
    pub ids: Vec<MessageId>,
}

/// One message of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    pub message_id: MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<MessageId>,
    /// How many messages stand before it on its branch; absent in what a page made itself and knows no better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    pub role: Role,
    pub text: String,
    /// The model's thinking, where there was any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<TurnError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seams: Vec<Seam>,
    /// How many of the branch's oldest messages this turn could not show the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u32>,
    /// Present only where there is more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub siblings: Option<Siblings>,
    pub created_at: Timestamp,
}

/// `GET /api/sessions/get`: the current branch, or the one through a named message, in order of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionPage {
    pub session: Session,
    pub messages: Vec<Message>,
    /// The running turn, whose message is not in `messages` until it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_turn: Option<TurnId>,
    /// Opaque; leads to older messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

from_json!(Role: "user" = User, "assistant" = Assistant);
from_json!(Created { session_id });
from_json!(Empty {});
from_json!(SessionRow { session_id, title, updated_at, active_turn });
from_json!(SessionList { sessions, next });
from_json!(Session { session_id, title, created_at, updated_at, model });
from_json!(Seam { offset, planned });
from_json!(Siblings { ids });
from_json!(Message {
    message_id,
    parent_id,
    depth,
    role,
    text,
    thinking,
    turn_id,
    model,
    outcome,
    stop_reason,
    error,
    usage,
    timing,
    seams,
    left_out,
    siblings,
    created_at,
});
from_json!(SessionPage { session, messages, active_turn, next });
