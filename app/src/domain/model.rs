//! Models, as people choose them.

use serde::Serialize;

use super::json::from_json;

/// One model that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    pub id: String,
    /// As people call it.
    pub name: String,
    /// The window: most tokens of prompt and reply together.
    pub context: u64,
    /// Most tokens of one reply.
    pub max_output: u64,
}

/// `GET /api/models`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Models {
    /// The id of the model used when none is named.
    pub default: String,
    pub models: Vec<ModelInfo>,
}

from_json!(ModelInfo { id, name, context, max_output });
from_json!(Models { default, models });
