//! `GET /api/models`.

use leptos::prelude::*;
use server_fn::codec::{GetUrl, Json};

use crate::{domain::Models, error::ApiError};

/// The models one can choose, and the default.
#[server(name = ModelsList, prefix = "/api", endpoint = "models", input = GetUrl, output = Json)]
pub async fn models() -> Result<Models, ApiError> {
    super::backend()?.models().await
}
