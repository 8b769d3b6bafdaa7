//! The items as data, free of DynamoDB.

use app::domain::{
    MessageId, Outcome, Piece, PieceKind, Role, SessionId, Timestamp, Timing, TurnError, TurnId, Usage, UserId,
};
use serde::{Deserialize, Serialize};

use super::segment::{SeamClass, VERSION};

/// The end of a session's current branch: the newest turn's message, whether or not it is written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub message: MessageId,
    /// Its depth in the tree: the first question has 0, its answer 1.
    pub depth: u32,
}

/// `pk = SESSION#<id>`, `sk = SESSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionItem {
    pub id: SessionId,
    pub owner: UserId,
    pub title: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Of the newest turn.
    pub model: Option<String>,
    pub head: Option<Head>,
    pub active: Option<TurnId>,
    /// A job's own, which no list shows.
    pub of_job: bool,
    /// A tombstone: 404 everywhere, restorable for 60 s.
    pub deleted_at: Option<Timestamp>,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// Whether a turn is still being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    Open,
    Done,
}

/// Where a claim began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    pub at: u32,
    /// Right behind a `release`.
    pub planned: bool,
    /// How its text was joined to what stood there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seam: Option<SeamClass>,
}

/// `pk = TURN#<id>`, `sk = TURN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnItem {
    pub id: TurnId,
    pub owner: UserId,
    pub session: SessionId,
    /// The question it answers.
    pub parent: MessageId,
    /// Of the message it writes.
    pub depth: u32,
    pub model: String,
    pub state: TurnState,
    /// How many.
    pub claims: u32,
    /// The message whose text this turn begins with, where it continues one.
    pub continues: Option<MessageId>,
    /// Which of its job's variants it is; the job has its session's id.
    pub variant: Option<u32>,
    pub created_at: Timestamp,
    /// At the end: where each claim began.
    pub bases: Vec<Base>,
    pub usage: Usage,
    pub outcome: Option<Outcome>,
    pub stop_reason: Option<String>,
    pub error: Option<TurnError>,
    pub timing: Option<Timing>,
    /// Bytes of content at the end.
    pub total: u32,
    /// Format version of its log.
    pub v: u32,
    pub ttl: u64,
}

/// `pk = SESSION#<id>`, `sk = MSG#<depth>#<id>#<part>`: one message, in parts of at most 350 KB.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageItem {
    pub id: MessageId,
    pub session: SessionId,
    pub parent: Option<MessageId>,
    pub depth: u32,
    pub role: Role,
    pub content: Vec<Piece>,
    /// All below: of an assistant's message only.
    pub turn: Option<TurnId>,
    pub model: Option<String>,
    pub outcome: Option<Outcome>,
    pub stop_reason: Option<String>,
    pub error: Option<TurnError>,
    pub usage: Option<Usage>,
    pub timing: Option<Timing>,
    pub bases: Vec<Base>,
    pub left_out: Option<u32>,
    pub created_at: Timestamp,
    pub ttl: u64,
}

impl TurnItem {
    /// A turn that is to answer `asked`, as it begins: open, and claimed by nobody.
    #[must_use]
    pub fn open(
        id: TurnId,
        owner: UserId,
        session: SessionId,
        asked: Head,
        model: String,
        now: Timestamp,
        ttl: u64,
    ) -> Self {
        Self {
            id,
            owner,
            session,
            parent: asked.message,
            depth: asked.depth + 1,
            model,
            state: TurnState::Open,
            claims: 0,
            continues: None,
            variant: None,
            created_at: now,
            bases: Vec::new(),
            usage: Usage::default(),
            outcome: None,
            stop_reason: None,
            error: None,
            timing: None,
            total: 0,
            v: VERSION,
            ttl,
        }
    }
}

impl MessageItem {
    /// What a person asks.
    #[must_use]
    pub fn question(
        asked: Head,
        session: SessionId,
        parent: Option<MessageId>,
        text: String,
        created_at: Timestamp,
        ttl: u64,
    ) -> Self {
        Self {
            id: asked.message,
            session,
            parent,
            depth: asked.depth,
            role: Role::User,
            content: vec![Piece { kind: PieceKind::Text, text }],
            turn: None,
            model: None,
            outcome: None,
            stop_reason: None,
            error: None,
            usage: None,
            timing: None,
            bases: Vec::new(),
            left_out: None,
            created_at,
            ttl,
        }
    }
}

/// `pk = USAGE#<user>`, `sk = <day>`: what a user's turns used on one day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayTotals {
    pub turns: u64,
    /// What they cost, in millionths of a dollar.
    pub micros: u64,
    pub usage: Usage,
}
