//! Sessions and sending: what stands between the API and the turn log.

pub(crate) mod errors;
mod gate;
mod history;
mod prompt;
mod send;
mod sessions;
pub(crate) mod text;
mod turns;

pub(crate) use self::{history::question_id, prompt::text as prompt_text, send::Sent};

use std::sync::Arc;

use app::domain::{ModelInfo, Models as ModelList, Timestamp};

use crate::{
    claude::{Lifecycle, Model, Models, Thinking},
    clock::Clock,
    storage::Store,
    turn::Turns,
};

/// What chats are made with.
#[derive(Debug, Clone)]
pub struct ChatConfig {
    /// The model when none is named.
    pub model: String,
    /// Most tokens of a reply; the model's own limit if that is less.
    pub max_tokens: u64,
    pub thinking: Thinking,
    /// How long anything is kept.
    pub retention_days: u64,
    /// Longest message, in characters.
    pub prompt_chars: usize,
    /// Longest title, in characters.
    pub title_chars: usize,
    /// Most turns of one user that may run at once.
    pub running: Option<u32>,
}

/// Everything that chats need. Cheap to clone.
#[derive(Clone)]
pub struct Chat {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    turns: Turns,
    models: Models,
    clock: Clock,
    config: ChatConfig,
    counts: gate::Counts,
}

impl Chat {
    /// Makes it, and tells `turns` where prompts come from.
    #[must_use]
    pub fn new(store: Store, turns: Turns, models: Models, clock: Clock, config: ChatConfig) -> Self {
        let chat = Self {
            inner: Arc::new(Inner {
                store,
                turns: turns.clone(),
                models,
                clock,
                config,
                counts: gate::Counts::default(),
            }),
        };
        turns.set_prompts(Arc::new(chat.clone()));
        chat
    }

    pub(crate) fn model(&self, id: &str) -> Model {
        self.inner.models.find(id).unwrap_or_else(|| Model::unlisted(id))
    }

    /// When what is written now expires, in seconds since the epoch.
    pub(crate) fn ttl(&self, now: Timestamp) -> u64 {
        now.seconds() + self.inner.config.retention_days * 86_400
    }

    /// The id of the model that is asked for, or of the default one.
    pub(crate) fn model_or_default(&self, id: Option<&str>) -> String {
        self.model(id.unwrap_or(&self.inner.config.model)).id
    }

    /// Longest prompt, in characters.
    pub(crate) fn prompt_chars(&self) -> usize {
        self.inner.config.prompt_chars
    }

    pub(crate) async fn model_list(&self) -> ModelList {
        let listed = self.inner.models.list().await;
        let info = |m: &Model| ModelInfo {
            id: m.id.clone(),
            name: m.display_name.clone(),
            context: m.max_input_tokens,
            max_output: m.max_tokens,
        };
        let mut models: Vec<ModelInfo> =
            listed.iter().filter(|m| m.lifecycle != Lifecycle::Retired).map(info).collect();
        let default = self.inner.config.model.clone();
        if !models.iter().any(|m| m.id == default) {
            models.insert(0, info(&Model::unlisted(&default)));
        }
        ModelList { default, models }
    }
}
