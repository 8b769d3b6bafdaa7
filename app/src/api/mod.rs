//! The server functions: thin. They parse what came in, call the backend, and give back what it says.

pub mod chat;
pub mod jobs;
pub mod models;
pub mod sessions;

#[cfg(feature = "ssr")]
use std::str::FromStr;

#[cfg(feature = "ssr")]
use leptos::prelude::use_context;

#[cfg(feature = "ssr")]
use crate::{backend::SharedBackend, error::ApiError};

/// All endpoints, for the router's checks and the tests.
pub const ENDPOINTS: &[(&str, &str)] = &[
    ("GET", "/api/models"),
    ("POST", "/api/sessions/create"),
    ("GET", "/api/sessions/list"),
    ("GET", "/api/sessions/get"),
    ("POST", "/api/sessions/rename"),
    ("POST", "/api/sessions/delete"),
    ("POST", "/api/sessions/restore"),
    ("POST", "/api/chat/send"),
    ("POST", "/api/chat/retry"),
    ("POST", "/api/chat/continue"),
    ("GET", "/api/chat/follow"),
    ("POST", "/api/chat/stop"),
    ("POST", "/api/jobs/submit"),
    ("GET", "/api/jobs/status"),
    ("GET", "/api/jobs/list"),
    ("POST", "/api/jobs/cancel"),
    ("POST", "/api/jobs/retry"),
];

#[cfg(feature = "ssr")]
fn backend() -> Result<SharedBackend, ApiError> {
    use_context::<SharedBackend>().ok_or_else(ApiError::internal)
}

/// A field that must parse: else 422, naming it.
#[cfg(feature = "ssr")]
fn field<T: FromStr>(name: &str, value: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| ApiError::invalid(name, format!("`{name}` is not well-formed.")))
}

/// As [`field`], for what may be absent. An empty form field counts as absent.
#[cfg(feature = "ssr")]
fn optional<T: FromStr>(name: &str, value: Option<&str>) -> Result<Option<T>, ApiError> {
    value.filter(|v| !v.is_empty()).map(|v| field(name, v)).transpose()
}
