//! The events of a streamed reply, as JSON on the wire.
//!
//! One flat struct for all of them, so that a text delta costs a single pass without buffering: serde's tagged
//! enums would first copy each event into a tree. Fields and kinds that are not known are skipped, as the API's
//! versioning policy asks of clients: <https://platform.claude.com/docs/en/api/versioning>.

use serde::Deserialize;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    MessageStart,
    ContentBlockStart,
    ContentBlockDelta,
    ContentBlockStop,
    MessageDelta,
    MessageStop,
    Ping,
    Error,
    #[default]
    #[serde(other)]
    Unknown,
}

impl EventKind {
    /// Whether an SSE event of this name is one whose data matters, so that it has to be readable.
    #[must_use]
    pub fn is_content(name: &[u8]) -> bool {
        name.starts_with(b"message") || name.starts_with(b"content_block")
    }
}

/// What a `content_block_delta` or a content block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    #[serde(alias = "text_delta")]
    Text,
    #[serde(alias = "thinking_delta")]
    Thinking,
    /// Tool use, signatures, citations, and what is not known yet.
    #[default]
    #[serde(other)]
    Other,
}

/// One event, with the fields of all kinds. Only `type` has to be there.
#[derive(Debug, Default, Deserialize)]
pub struct Event {
    #[serde(rename = "type")]
    pub kind: EventKind,
    pub message: Option<Start>,
    pub content_block: Option<Part>,
    pub delta: Option<Part>,
    pub usage: Option<Counts>,
    pub error: Option<ErrorBody>,
}

/// `message_start`'s message, as far as it is of use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Start {
    pub model: Option<String>,
    pub usage: Option<Counts>,
}

/// A content block, a delta of one, or the delta of `message_delta`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Part {
    #[serde(rename = "type")]
    pub kind: PartKind,
    pub text: Option<String>,
    pub thinking: Option<String>,
    pub stop_reason: Option<String>,
}

/// Token counts; those of `message_delta` are cumulative, and what is absent keeps its last value.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cache_creation_input_tokens: Option<u64>,
    pub cache_read_input_tokens: Option<u64>,
}

/// The body of an error, in an `error` event or a refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
}

/// A refusal: the answer to a request that got no stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    pub error: ErrorBody,
    pub request_id: Option<String>,
}

/// Not an event of the Messages API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnEvent;

impl Event {
    /// Reads one event. Whatever an unknown kind of event or part holds, it is skipped and not an error.
    ///
    /// # Errors
    /// When it is no JSON, or a known event whose fields are not what they should be.
    pub fn parse(data: &[u8]) -> Result<Self, NotAnEvent> {
        match serde_json::from_slice::<Self>(data) {
            Ok(event) => Ok(event),
            Err(_) => Self::parse_unknown(data),
        }
    }

    /// A new kind of event may use a known field's name for something else.
    fn parse_unknown(data: &[u8]) -> Result<Self, NotAnEvent> {
        #[derive(Deserialize)]
        struct Kinds {
            #[serde(rename = "type")]
            kind: EventKind,
            delta: Option<serde_json::Value>,
            content_block: Option<serde_json::Value>,
        }
        let kinds: Kinds = serde_json::from_slice(data).map_err(|_| NotAnEvent)?;
        let part = |value: Option<&serde_json::Value>| {
            value
                .and_then(|value| value.get("type"))
                .is_some_and(|kind| matches!(PartKind::deserialize(kind), Ok(PartKind::Other)))
        };
        let skipped = match kinds.kind {
            EventKind::Unknown | EventKind::Ping => true,
            EventKind::ContentBlockDelta => part(kinds.delta.as_ref()),
            EventKind::ContentBlockStart => part(kinds.content_block.as_ref()),
            _ => false,
        };
        if skipped { Ok(Self::default()) } else { Err(NotAnEvent) }
    }
}
