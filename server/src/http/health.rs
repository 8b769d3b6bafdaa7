//! `GET /healthz`: whether the process answers. It touches nothing, so that a slow store restarts nobody.

/// The handler.
pub async fn handler() -> &'static str {
    "ok"
}
