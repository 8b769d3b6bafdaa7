//! A request for a reply, read and checked as the API checks it.

use serde::Deserialize;
use serde_json::Value;

use super::{
    refusal::Refusal,
    script::{self, Script},
    text::hash,
};
use crate::claude::{
    models::{Model, built_in},
    request::Role,
};

/// The body as it comes; what is not known is ignored.
#[derive(Debug, Deserialize)]
struct Body {
    model: Option<String>,
    max_tokens: Option<i64>,
    messages: Option<Vec<Value>>,
    #[serde(default)]
    system: Value,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    thinking: Value,
    #[serde(default)]
    output_config: Value,
    #[serde(default)]
    cache_control: Value,
    temperature: Option<Value>,
    top_p: Option<Value>,
    top_k: Option<Value>,
}

/// The versions of the API that are spoken: <https://platform.claude.com/docs/en/api/versioning>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2023-06-01`.
    Of2023,
    /// `2026-10-21`: no sampling parameters any more.
    Of2026,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub role: Role,
    /// The text blocks, joined.
    pub text: String,
}

/// A request that the API would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    pub model: Model,
    pub max_tokens: usize,
    pub messages: Vec<Said>,
    pub system: String,
    pub stream: bool,
    /// Asked to think.
    pub thinks: bool,
    /// Marked for the cache.
    pub cached: bool,
    pub script: Script,
    /// The reply has to fit this JSON Schema.
    pub schema: Option<Value>,
}

/// What a request may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Reply,
    /// `count_tokens`: no `max_tokens`.
    Count,
}

impl Prompt {
    /// Reads a body. A script in `header` goes before one in the messages.
    ///
    /// # Errors
    /// What the API would refuse, and a script that cannot be read.
    pub fn read(body: &[u8], header: Option<&str>, version: Version, purpose: Purpose) -> Result<Self, Refusal> {
        let body: Body = serde_json::from_slice(body).map_err(|error| {
            Refusal::invalid(if error.is_data() {
                format!("body: {error}")
            } else {
                "The request body is not valid JSON.".to_owned()
            })
        })?;
        let sampling = [("temperature", &body.temperature), ("top_p", &body.top_p), ("top_k", &body.top_k)];
        if version == Version::Of2026
            && let Some((name, _)) = sampling.iter().find(|(_, value)| value.is_some())
        {
            return Err(Refusal::invalid(format!("{name}: Extra inputs are not permitted")));
        }
        let id = body.model.ok_or_else(|| required("model"))?;
        let max_tokens = match purpose {
            Purpose::Reply => body.max_tokens.ok_or_else(|| required("max_tokens"))?,
            Purpose::Count => body.max_tokens.unwrap_or(1),
        };
        if max_tokens < 1 {
            return Err(Refusal::invalid("max_tokens: must be greater than or equal to 1"));
        }
        let values = body.messages.ok_or_else(|| required("messages"))?;
        let messages = messages(&values)?;
        let model = built_in().into_iter().find(|model| model.id == id);
        let model = model.ok_or_else(|| Refusal::new(404, format!("model: {id}")))?;
        if max_tokens as u64 > model.max_tokens {
            return Err(Refusal::invalid(format!(
                "max_tokens: {max_tokens} > {}, which is the maximum allowed number of output tokens for {id}",
                model.max_tokens
            )));
        }
        let thinking = body.thinking.get("type").and_then(Value::as_str);
        if let Some(kind) = thinking
            && model.supports(&["thinking", "types", kind]) != Some(true)
        {
            return Err(Refusal::invalid(format!("thinking.type: `{kind}` is not supported by this model")));
        }
        let source = header.or_else(|| scripted(&messages).map(|(_, source)| source));
        let script = source.map_or_else(|| Ok(Script::default()), str::parse)?;
        let prompt = Self {
            model,
            max_tokens: max_tokens as usize,
            system: text_of(&body.system),
            stream: body.stream.unwrap_or(false),
            thinks: matches!(thinking, Some("adaptive" | "enabled")),
            cached: !body.cache_control.is_null()
                || marked(&body.system)
                || values.iter().any(|value| value.get("content").is_some_and(marked)),
            messages,
            script,
            schema: schema(&body.output_config)?,
        };
        prompt.check_end(purpose)?;
        let (tokens, window) = (prompt.tokens(), prompt.model.max_input_tokens);
        if tokens > window {
            return Err(Refusal::invalid(format!("prompt is too long: {tokens} tokens > {window} maximum")));
        }
        Ok(prompt)
    }

    fn check_end(&self, purpose: Purpose) -> Result<(), Refusal> {
        let Some(last) = self.messages.last().filter(|last| last.role == Role::Assistant) else { return Ok(()) };
        if purpose == Purpose::Count {
            return Ok(());
        }
        if !self.script.prefill {
            return Err(Refusal::invalid(
                "This model does not support assistant message prefill. The conversation must end with a user message.",
            ));
        }
        if last.text.ends_with(char::is_whitespace) {
            return Err(Refusal::invalid("messages: final assistant content cannot end with trailing whitespace"));
        }
        Ok(())
    }

    /// Where the script stands in the conversation, if one of its messages holds it.
    #[must_use]
    pub fn script_at(&self) -> Option<usize> {
        scripted(&self.messages).map(|(at, _)| at)
    }

    /// The prompt in tokens: a quarter of its characters.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.prefixes().last().map_or(1, |&(_, tokens)| tokens)
    }

    /// For each message: what identifies the prompt up to it, and how many tokens that is.
    #[must_use]
    pub fn prefixes(&self) -> Vec<(u64, u64)> {
        let mut id = hash(0, &[&self.model.id, &self.system]);
        let mut characters = self.system.chars().count();
        self.messages
            .iter()
            .map(|said| {
                id = hash(id, &[if said.role == Role::User { "user" } else { "assistant" }, &said.text]);
                characters += said.text.chars().count() + 8;
                (id, characters.div_ceil(4) as u64)
            })
            .collect()
    }
}

fn required(field: &str) -> Refusal {
    Refusal::invalid(format!("{field}: Field required"))
}

/// The schema of a request for structured output.
fn schema(config: &Value) -> Result<Option<Value>, Refusal> {
    let Some(format) = config.get("format").filter(|format| !format.is_null()) else { return Ok(None) };
    if format.get("type").and_then(Value::as_str) != Some("json_schema") {
        return Err(Refusal::invalid("output_config.format.type: Input should be 'json_schema'"));
    }
    match format.get("schema") {
        Some(schema) if schema.is_object() => Ok(Some(schema.clone())),
        _ => Err(required("output_config.format.schema")),
    }
}

/// The last user message that holds a script.
fn scripted(messages: &[Said]) -> Option<(usize, &str)> {
    let users = messages.iter().enumerate().rev().filter(|(_, said)| said.role == Role::User);
    users.filter_map(|(at, said)| script::find(&said.text).map(|source| (at, source))).next()
}

fn messages(values: &[Value]) -> Result<Vec<Said>, Refusal> {
    let mut messages = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let role = match value.get("role").and_then(Value::as_str) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some(_) => {
                return Err(Refusal::invalid(format!("messages.{at}.role: Input should be 'user' or 'assistant'")));
            }
            None => return Err(required(&format!("messages.{at}.role"))),
        };
        if at == 0 && role != Role::User {
            return Err(Refusal::invalid("messages: first message must use the \"user\" role"));
        }
        let content = value.get("content").ok_or_else(|| required(&format!("messages.{at}.content")))?;
        let empty = match content {
            Value::String(text) => text.is_empty(),
            Value::Array(blocks) => blocks.is_empty(),
            _ => {
                return Err(Refusal::invalid(format!("messages.{at}.content: Input should be a valid string or list")));
            }
        };
        let last = at + 1 == values.len();
        if empty && !(last && role == Role::Assistant) {
            return Err(Refusal::invalid(format!("messages.{at}: all messages must have non-empty content")));
        }
        check_blocks(content)?;
        messages.push(Said { role, text: text_of(content) });
    }
    if messages.is_empty() {
        return Err(Refusal::invalid("messages: at least one message is required"));
    }
    Ok(messages)
}

/// Refuses text without anything in it.
fn check_blocks(content: &Value) -> Result<(), Refusal> {
    let texts: Vec<&str> = match content {
        Value::String(text) => vec![text],
        Value::Array(blocks) => blocks.iter().filter_map(block_text).collect(),
        _ => Vec::new(),
    };
    if content.is_array() && texts.iter().any(|text| text.is_empty()) {
        return Err(Refusal::invalid("messages: text content blocks must be non-empty"));
    }
    if texts.iter().any(|text| !text.is_empty() && text.trim().is_empty()) {
        return Err(Refusal::invalid("messages: text content blocks must contain non-whitespace text"));
    }
    Ok(())
}

fn block_text(block: &Value) -> Option<&str> {
    (block.get("type")?.as_str()? == "text").then(|| block.get("text").and_then(Value::as_str).unwrap_or(""))
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(block_text).collect(),
        _ => String::new(),
    }
}

fn marked(content: &Value) -> bool {
    let set = |block: &Value| block.get("cache_control").is_some_and(|control| !control.is_null());
    content.as_array().is_some_and(|blocks| blocks.iter().any(set))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> Result<Prompt, String> {
        let mut body =
            json!({"model": "claude-sonnet-5-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]});
        change(&mut body);
        Prompt::read(body.to_string().as_bytes(), None, Version::Of2026, Purpose::Reply)
            .map_err(|refusal| refusal.message)
    }

    #[test]
    fn refusals() {
        let refused = |change: fn(&mut Value), words: &str| {
            let message = read(change).unwrap_err();
            assert!(message.contains(words), "{message}");
        };
        refused(|b| drop(b.as_object_mut().unwrap().remove("max_tokens")), "max_tokens: Field required");
        refused(|b| drop(b.as_object_mut().unwrap().remove("model")), "model: Field required");
        refused(|b| b["temperature"] = json!(1.0), "temperature: Extra inputs are not permitted");
        refused(|b| b["max_tokens"] = json!(0), "greater than or equal to 1");
        refused(|b| b["max_tokens"] = json!(999_999), "maximum allowed number of output tokens");
        refused(|b| b["max_tokens"] = json!("ten"), "body: ");
        refused(|b| b["model"] = json!("gpt"), "model: gpt");
        refused(|b| b["messages"] = json!([]), "at least one message");
        refused(|b| b["messages"][0]["role"] = json!("assistant"), "first message must use the \"user\" role");
        refused(|b| b["messages"][0]["role"] = json!("system"), "messages.0.role");
        refused(|b| b["messages"][0]["content"] = json!(""), "non-empty content");
        refused(|b| b["messages"][0]["content"] = json!([{"type": "text", "text": ""}]), "must be non-empty");
        refused(|b| b["messages"][0]["content"] = json!(" \n"), "non-whitespace");
        refused(
            |b| b["messages"].as_array_mut().unwrap().push(json!({"role": "assistant", "content": "x"})),
            "prefill",
        );
        refused(|b| b["messages"][0]["content"] = json!("x".repeat(4_000_000)), "prompt is too long");
        refused(|b| (b["model"], b["thinking"]) = (json!("claude-opus-5-5"), json!({"type": "disabled"})), "disabled");
        refused(|b| b["messages"][0]["content"] = json!("/sim fly"), "`fly`");
    }

    #[test]
    fn the_last_script_counts_and_prefill_is_allowed_by_it() {
        let prompt = read(|body| {
            body["messages"] = json!([
                {"role": "user", "content": "/sim tokens=1"}, {"role": "assistant", "content": "a"},
                {"role": "user", "content": "x\n/sim tokens=2 prefill"}, {"role": "assistant", "content": "b"},
            ]);
        })
        .unwrap();
        assert_eq!((prompt.script.tokens, prompt.script_at()), (Some(2), Some(2)));
    }
}
