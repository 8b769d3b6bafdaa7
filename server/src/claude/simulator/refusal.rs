//! Refusals in the API's own shape: <https://platform.claude.com/docs/en/api/errors>.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// A request that gets an error instead of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    /// Seconds.
    pub retry_after: Option<u32>,
}

impl Refusal {
    #[must_use]
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// 400.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// A status that a script asked for, in the API's usual words.
    #[must_use]
    pub fn scripted(status: u16, retry_after: Option<u32>) -> Self {
        let message = match status {
            401 => "invalid x-api-key",
            402 => "Your credit balance is too low to access the Anthropic API.",
            403 => "Your API key does not have permission to use the specified resource.",
            404 => "Not found",
            413 => "Request exceeds the maximum size",
            429 => "This request would exceed your organization's rate limit.",
            504 => "Request timed out",
            529 => "Overloaded",
            400..500 => "Bad request",
            _ => "Internal server error",
        };
        Self { retry_after, ..Self::new(status, message) }
    }

    /// The error type that goes with the status.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            504 => "timeout_error",
            529 => "overloaded_error",
            400..500 => "invalid_request_error",
            _ => "api_error",
        }
    }

    /// As a response with the given request id.
    #[must_use]
    pub fn response(&self, request_id: &str) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({
            "type": "error",
            "error": {"type": self.kind(), "message": self.message},
            "request_id": request_id,
        });
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
