//! How it looks on the wire.

use serde_json::{Value, json};

/// What a call has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    pub input: u64,
    pub cache_created: u64,
    pub cache_read: u64,
    pub output: usize,
    /// Of the output.
    pub thinking: usize,
}

impl Used {
    fn json(self) -> Value {
        json!({
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.cache_created,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_created, "ephemeral_1h_input_tokens": 0,
            },
            "output_tokens": self.output,
            "output_tokens_details": {"thinking_tokens": self.thinking},
            "server_tool_use": null,
            "service_tier": "standard",
        })
    }
}

/// Whose reply it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    pub message: String,
    pub model: String,
}

fn event(out: &mut Vec<u8>, kind: &str, data: &Value) {
    out.extend_from_slice(format!("event: {kind}\ndata: {data}\n\n").as_bytes());
}

/// A reply as one message; in a stream, its beginning.
#[must_use]
pub fn message(names: &Names, content: &Value, stop_reason: Option<&str>, used: Used) -> Value {
    json!({
        "id": names.message,
        "type": "message",
        "role": "assistant",
        "model": names.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "stop_details": stop_details(stop_reason),
        "usage": used.json(),
    })
}

/// Only a refusal has any.
fn stop_details(stop_reason: Option<&str>) -> Value {
    match stop_reason {
        Some("refusal") => {
            json!({"type": "refusal", "category": null, "explanation": "The script asked for a refusal."})
        }
        _ => Value::Null,
    }
}

/// The content of a whole message.
#[must_use]
pub fn content(thinking: &str, text: &str) -> Value {
    let mut blocks = Vec::new();
    if !thinking.is_empty() {
        blocks.push(json!({"type": "thinking", "thinking": thinking, "signature": SIGNATURE}));
    }
    if !text.is_empty() {
        blocks.push(json!({"type": "text", "text": text, "citations": null}));
    }
    Value::Array(blocks)
}

const SIGNATURE: &str = "c2ltdWxhdGVkLCBub3RoaW5nIHRvIHZlcmlmeQ==";

/// `message_start`.
pub fn start(out: &mut Vec<u8>, names: &Names, used: Used) {
    let message = message(names, &json!([]), None, used);
    event(out, "message_start", &json!({"type": "message_start", "message": message}));
}

/// A sign of life.
pub fn ping(out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
}

/// What the API may have tomorrow: an event, a block, and a field in an event that is known, of so many bytes each.
pub fn unknown(out: &mut Vec<u8>, size: usize) {
    let much = "?".repeat(size);
    event(out, "hologram", &json!({"type": "hologram", "delta": much}));
    let block = json!({"type": "hologram", "text": [much]});
    event(out, "content_block_start", &json!({"type": "content_block_start", "index": 9, "content_block": block}));
    event(out, "content_block_stop", &json!({"type": "content_block_stop", "index": 9}));
    let delta = json!({"type": "text_delta", "text": "", "aura": much});
    event(out, "content_block_delta", &json!({"type": "content_block_delta", "index": 0, "delta": delta}));
}

/// A block begins.
pub fn block_start(out: &mut Vec<u8>, index: usize, thinking: bool) {
    let block = if thinking {
        json!({"type": "thinking", "thinking": "", "signature": ""})
    } else {
        json!({"type": "text", "text": ""})
    };
    event(out, "content_block_start", &json!({"type": "content_block_start", "index": index, "content_block": block}));
}

/// A block ends; thinking is signed first.
pub fn block_stop(out: &mut Vec<u8>, index: usize, thinking: bool) {
    if thinking {
        let delta = json!({"type": "signature_delta", "signature": SIGNATURE});
        event(out, "content_block_delta", &json!({"type": "content_block_delta", "index": index, "delta": delta}));
    }
    event(out, "content_block_stop", &json!({"type": "content_block_stop", "index": index}));
}

/// One token. Written by hand, because a benchmark should measure who relays it and not who makes it.
pub fn token(out: &mut Vec<u8>, index: usize, thinking: bool, token: &str) {
    out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
    out.extend_from_slice(if index == 0 { b"0" } else { b"1" });
    out.extend_from_slice(if thinking {
        b",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":"
    } else {
        b",\"delta\":{\"type\":\"text_delta\",\"text\":"
    });
    // Writing a string into memory does not fail.
    let _ = serde_json::to_writer(&mut *out, token);
    out.extend_from_slice(b"}}\n\n");
}

/// `message_delta` and `message_stop`.
pub fn end(out: &mut Vec<u8>, stop_reason: &str, used: Used) {
    let delta = json!({
        "stop_reason": stop_reason, "stop_sequence": null, "stop_details": stop_details(Some(stop_reason)),
    });
    let mut usage = used.json();
    if let Some(usage) = usage.as_object_mut() {
        usage.remove("cache_creation");
        usage.remove("service_tier");
    }
    event(out, "message_delta", &json!({"type": "message_delta", "delta": delta, "usage": usage}));
    event(out, "message_stop", &json!({"type": "message_stop"}));
}

/// An error in mid-stream.
pub fn error(out: &mut Vec<u8>, kind: &str, words: &str) {
    event(out, "error", &json!({"type": "error", "error": {"type": kind, "message": words}}));
}
