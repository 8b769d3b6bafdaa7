//! One item of a turn's log, as data. The rules over them are `turn::log`'s.

use app::domain::{Outcome, Piece, Timestamp, Timing, TurnError, Usage};
use serde::{Deserialize, Serialize};

/// The format that this server writes.
pub const VERSION: u32 = 1;

/// What a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A runner takes the turn; content is truncated to `at`.
    Claim,
    Text,
    /// A sign of life of a runner that has nothing to say.
    Beat,
    /// A person wants it to end; the runner obeys.
    Stop,
    /// The runner hands over.
    Release,
    /// Nothing may follow it.
    End,
}

/// Who wrote a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Web,
    Queue,
    Sweeper,
}

/// How a runner's text was joined to what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeamClass {
    /// The model repeated the end of the text exactly.
    Exact,
    /// It did, but for white space or quotes.
    Fuzzy,
    /// It repeated less of it.
    Overlap,
    /// It repeated nothing, twice: the texts stand side by side.
    None,
    /// It said all of it again first.
    Restart,
}

/// What an `end` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub outcome: Outcome,
    pub stop_reason: Option<String>,
    pub error: Option<TurnError>,
    pub usage: Usage,
    pub timing: Timing,
    /// Bytes of content of the whole turn, this segment's included.
    pub total: u32,
    /// How many of the branch's oldest messages the model was not shown, because they no longer fit.
    #[serde(default)]
    pub left_out: u32,
}

/// One item of the log. Immutable: it is retried as it is until its key is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub kind: Kind,
    /// The claim's number, from 0; for `stop` the newest one its writer saw.
    pub claim: u32,
    pub by: By,
    /// A random id of the process's boot.
    pub boot: String,
    /// New for every put: what stands at a key is mine only if the nonce is mine.
    pub nonce: String,
    /// Content offset where it begins.
    pub at: u32,
    /// What it adds.
    pub pieces: Vec<Piece>,
    pub time: Timestamp,
    /// Format version.
    pub v: u32,
    /// How the content of this claim was joined to what stood there; in the first segment written after that.
    pub seam: Option<SeamClass>,
    /// Only of `release`: what the turn has used so far, with all runners before.
    pub usage: Option<Usage>,
    /// Only of `end`.
    pub end: Option<End>,
    /// Characters of the turn's text up to this segment's end, for who asks no more of the log. Not of `stop`, and of
    /// no segment that a version without it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chars: Option<u32>,
    /// Only of `claim`: its runner made it over itself, because the reply did not fit its schema.
    #[serde(default)]
    pub misfit: bool,
}
