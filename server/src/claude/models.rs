//! Which models there are and what they can do: as the API tells, with a table behind it for when it does not.
//!
//! Nothing here infers anything from a model's name.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{client::Claude, request::Thinking};

/// For so long the list is taken to be right.
const FRESH: Duration = Duration::from_secs(3600);
/// After so long a failed call is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// Longest that anyone waits for the first list.
const FIRST: Duration = Duration::from_secs(2);
/// The window and the longest reply of a model that is in no list, and of one whose entry does not say.
const MODEST_INPUT: u64 = 200_000;
const MODEST_OUTPUT: u64 = 32_000;

/// One model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub id: String,
    /// As people call it.
    pub display_name: String,
    /// The window: most tokens of the prompt.
    pub max_input_tokens: u64,
    /// Most tokens of one reply.
    pub max_tokens: u64,
    pub lifecycle: Lifecycle,
    /// As the API gives it: a tree with `supported` at its leaves. Null when it is not told.
    pub capabilities: Value,
}

/// A model's stage of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    Active,
    /// Usable, but headed for retirement.
    Deprecated,
    /// Requests that name it fail.
    Retired,
    /// Not told, or a stage that is not known yet.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Model {
    /// Whether a capability is there, by its path in the API's tree (`["thinking", "types", "adaptive"]`); `None`
    /// if it is not told.
    #[must_use]
    pub fn supports(&self, path: &[&str]) -> Option<bool> {
        path.iter().try_fold(&self.capabilities, |value, key| value.get(key))?.get("supported")?.as_bool()
    }

    /// What to ask for when `wanted` is wanted: what the model does not take, or may not take, is left to its own
    /// default, because asking for it would be refused.
    #[must_use]
    pub fn thinking(&self, wanted: Thinking) -> Thinking {
        let kind = match wanted {
            Thinking::Default => return wanted,
            Thinking::Off => "disabled",
            Thinking::Adaptive => "adaptive",
        };
        if self.supports(&["thinking", "types", kind]) == Some(true) { wanted } else { Thinking::Default }
    }

    /// A model that is in no list but may be there all the same: modest limits, nothing known.
    #[must_use]
    pub fn unlisted(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            display_name: id.to_owned(),
            max_input_tokens: MODEST_INPUT,
            max_tokens: MODEST_OUTPUT,
            lifecycle: Lifecycle::Unknown,
            capabilities: Value::Null,
        }
    }
}

/// A page of `GET /v1/models`.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    data: Vec<Value>,
    #[serde(default)]
    has_more: Option<bool>,
    #[serde(default)]
    last_id: Option<String>,
}

impl Page {
    /// The id after which the next page begins.
    pub(super) fn next(&self) -> Option<String> {
        self.last_id.clone().filter(|_| self.has_more == Some(true))
    }

    /// The models in it that can be used; an entry that cannot be read is left out.
    pub(super) fn into_models(self) -> impl Iterator<Item = Model> {
        self.data.into_iter().filter_map(|entry| Entry::deserialize(entry).ok()).filter_map(Entry::into_model)
    }
}

/// An entry as the API gives it: <https://platform.claude.com/docs/en/api/models/list>.
#[derive(Debug, Deserialize)]
struct Entry {
    id: String,
    display_name: Option<String>,
    max_input_tokens: Option<u64>,
    max_tokens: Option<u64>,
    #[serde(default)]
    lifecycle: Option<Lifecycle>,
    #[serde(default)]
    capabilities: Value,
}

impl Entry {
    fn into_model(self) -> Option<Model> {
        let known = built_in().into_iter().find(|model| model.id == self.id);
        let known = known.unwrap_or_else(|| Model::unlisted(&self.id));
        let lifecycle = self.lifecycle.unwrap_or_default();
        (lifecycle != Lifecycle::Retired).then_some(Model {
            display_name: self.display_name.unwrap_or(known.display_name),
            max_input_tokens: self.max_input_tokens.filter(|&n| n > 0).unwrap_or(known.max_input_tokens),
            max_tokens: self.max_tokens.filter(|&n| n > 0).unwrap_or(known.max_tokens),
            lifecycle,
            capabilities: if self.capabilities.is_null() { known.capabilities } else { self.capabilities },
            id: self.id,
        })
    }
}

/// The table behind the API, as of November 2026: <https://platform.claude.com/docs/en/about-claude/models/overview>.
#[must_use]
pub fn built_in() -> Vec<Model> {
    const MILLION: u64 = 1_000_000;
    let model = |id: &str, name: &str, input, output, off| Model {
        id: id.to_owned(),
        display_name: name.to_owned(),
        max_input_tokens: input,
        max_tokens: output,
        lifecycle: Lifecycle::Active,
        capabilities: json!({
            "structured_outputs": {"supported": true},
            "thinking": {"supported": true, "types": {
                "adaptive": {"supported": true},
                "disabled": {"supported": off},
                "enabled": {"supported": false},
                "between_tools": {"supported": false},
            }},
            "effort": {"supported": true, "low": {"supported": true}, "medium": {"supported": true},
                "high": {"supported": true}, "max": {"supported": true}},
        }),
    };
    vec![
        model("claude-sonnet-5-5", "Claude Sonnet 5.5", MILLION, 128_000, true),
        model("claude-opus-5-5", "Claude Opus 5.5", MILLION, 128_000, false),
        model("claude-haiku-5-5", "Claude Haiku 5.5", MILLION, 128_000, true),
        model("claude-sonnet-5", "Claude Sonnet 5", MILLION, 128_000, true),
        model("claude-sonnet-4-6", "Claude Sonnet 4.6", MODEST_INPUT, 64_000, true),
    ]
}

/// The list of models, kept for a while. Asking for it never delays anybody: an old list is given at once and
/// renewed on the side, and when the API does not answer the last one stays, at first the built-in table.
#[derive(Debug, Clone)]
pub struct Models {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    claude: Claude,
    state: Mutex<State>,
    /// Held while the API is asked, so that it is asked once.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    models: Arc<Vec<Model>>,
    /// When to ask again; none before the first time.
    renew: Option<Instant>,
}

impl Models {
    #[must_use]
    pub fn new(claude: Claude) -> Self {
        let state = State { models: Arc::new(built_in()), renew: None };
        Self { inner: Arc::new(Inner { claude, state: Mutex::new(state), asking: tokio::sync::Mutex::default() }) }
    }

    /// The list as it is known now. Renews it on the side if it is old; needs a runtime only for that.
    #[must_use]
    pub fn current(&self) -> Arc<Vec<Model>> {
        if self.due()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let models = self.clone();
            runtime.spawn(async move { models.renew().await });
        }
        Arc::clone(&self.state().models)
    }

    /// The list; the very first time waits for the API, up to two seconds.
    pub async fn list(&self) -> Arc<Vec<Model>> {
        if self.state().renew.is_none() {
            let models = self.clone();
            // A task of its own: the renewal goes on if this gives up waiting.
            let _ = timeout(FIRST, tokio::spawn(async move { models.renew().await })).await;
        }
        self.current()
    }

    /// The named model, if it is listed.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Model> {
        self.current().iter().find(|model| model.id == id).cloned()
    }

    async fn renew(&self) {
        let _alone = self.inner.asking.lock().await;
        if !self.due() {
            return;
        }
        let result = self.inner.claude.models().await;
        let mut state = self.state();
        match result {
            Ok(models) if !models.is_empty() => {
                state.models = Arc::new(models);
                state.renew = Some(Instant::now() + FRESH);
            }
            Ok(_) => state.renew = Some(Instant::now() + RETRY),
            Err(fault) => {
                state.renew = Some(Instant::now() + RETRY);
                drop(state);
                tracing::warn!(%fault, "the list of models was not renewed");
            }
        }
    }

    fn due(&self) -> bool {
        self.state().renew.is_none_or(|at| Instant::now() >= at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
