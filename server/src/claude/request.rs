//! What is asked of Claude.

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::{Value, json};

use super::tokens;

/// Who speaks.
pub use app::domain::Role;
use app::domain::Usage;

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turn {
    pub role: Role,
    /// Never empty or only white space: the API refuses such a message.
    #[serde(rename = "content")]
    pub text: String,
}

impl Turn {
    /// What a person said.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, text: text.into() }
    }

    /// What the model said.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { role: Role::Assistant, text: text.into() }
    }
}

/// Whether the model thinks before it answers. `Model::thinking` says which of these a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thinking {
    /// Nothing is said about it: the model's own default.
    #[default]
    Default,
    /// Turned off.
    Off,
    /// The model decides whether and how much; what it thinks is sent as a summary.
    Adaptive,
}

/// One request for a streamed reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    pub model: String,
    /// Most tokens of the reply.
    pub max_tokens: u64,
    /// Begins and ends with the user's.
    pub messages: Vec<Turn>,
    pub system: Option<String>,
    pub thinking: Thinking,
    /// The reply has to fit this JSON Schema (structured outputs).
    pub schema: Option<Value>,
    /// Mark the prompt for the API's cache, which then reads again what it has in common with the last one.
    pub cache: bool,
}

impl Request {
    /// What Claude is paid for reading this, estimated on the safe side: as if none of it were in its cache.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let messages = self.messages.iter().map(|m| tokens::message(&m.text)).sum::<u64>();
        let system = self.system.as_deref().map_or(0, tokens::message);
        let schema = self.schema.as_ref().map_or(0, |s| tokens::message(&s.to_string()));
        let all = messages + system + schema;
        let (input_tokens, cache_creation_input_tokens) = if self.cache { (0, all) } else { (all, 0) };
        Usage { input_tokens, cache_creation_input_tokens, estimated: true, ..Usage::default() }
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Kind {
            r#type: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            display: Option<&'static str>,
        }
        let kind = |r#type| Kind { r#type, display: None };
        let mut body = serializer.serialize_struct("Request", 8)?;
        body.serialize_field("model", &self.model)?;
        body.serialize_field("max_tokens", &self.max_tokens)?;
        body.serialize_field("stream", &true)?;
        if self.cache {
            body.serialize_field("cache_control", &kind("ephemeral"))?;
        }
        match self.thinking {
            Thinking::Default => {}
            Thinking::Off => body.serialize_field("thinking", &kind("disabled"))?,
            Thinking::Adaptive => {
                body.serialize_field("thinking", &Kind { r#type: "adaptive", display: Some("summarized") })?;
            }
        }
        if let Some(schema) = &self.schema {
            let format = json!({"type": "json_schema", "schema": schema});
            body.serialize_field("output_config", &json!({"format": format}))?;
        }
        if let Some(system) = &self.system {
            body.serialize_field("system", system)?;
        }
        body.serialize_field("messages", &self.messages)?;
        body.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::to_value;

    use super::*;

    #[test]
    fn the_body_is_the_apis() {
        let mut request = Request {
            model: "m".to_owned(),
            max_tokens: 10,
            messages: vec![Turn::user("a"), Turn::assistant("b"), Turn::user("c")],
            system: Some("s".to_owned()),
            thinking: Thinking::Adaptive,
            cache: true,
            schema: None,
        };
        let messages = json!([
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}
        ]);
        assert_eq!(
            to_value(&request).unwrap(),
            json!({"model": "m", "max_tokens": 10, "stream": true, "cache_control": {"type": "ephemeral"},
                "thinking": {"type": "adaptive", "display": "summarized"}, "system": "s", "messages": messages})
        );
        (request.thinking, request.cache, request.system) = (Thinking::Default, false, None);
        assert_eq!(
            to_value(&request).unwrap(),
            json!({"model": "m", "max_tokens": 10, "stream": true, "messages": messages})
        );
    }
}
