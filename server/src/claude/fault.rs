//! What can go wrong between here and Claude.

use std::{fmt, time::Duration};

use super::wire::{ErrorBody, Refusal};

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// How long the API asks to wait before another attempt.
    pub retry_after: Option<Duration>,
    /// For the log only. Never holds the key, a prompt or a reply.
    pub detail: String,
}

/// The kinds of faults that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The key is missing or wrong.
    Unauthorized,
    /// The key may not do this, or its account cannot pay.
    Forbidden,
    RateLimited,
    Overloaded,
    /// An error on Claude's side.
    Server,
    /// The request is not what the API takes.
    Invalid,
    /// The model is not there (any more).
    NotFound,
    /// The request, or the prompt in it, is too large.
    TooLarge,
    /// No connection: address, network, TLS.
    Unreachable,
    /// The connection broke.
    Reset,
    /// A clean end of the connection before the reply's end.
    Truncated,
    /// What came is not the Messages API.
    Protocol,
    /// Nothing came for too long.
    Stalled,
}

impl FaultKind {
    /// As it is spelled in a turn's error.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unauthorized => "upstream_unauthorized",
            Self::Forbidden => "upstream_forbidden",
            Self::RateLimited => "upstream_rate_limited",
            Self::Overloaded => "upstream_overloaded",
            Self::Server => "upstream_error",
            Self::Invalid => "upstream_invalid",
            Self::NotFound => "upstream_model_not_found",
            Self::TooLarge => "upstream_too_large",
            Self::Unreachable => "upstream_unreachable",
            Self::Reset => "upstream_reset",
            Self::Truncated => "upstream_truncated",
            Self::Protocol => "upstream_protocol",
            Self::Stalled => "upstream_stalled",
        }
    }

    /// What a person is shown.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unauthorized => "Claude did not accept this server's API key.",
            Self::Forbidden => "This server's API key may not be used for this.",
            Self::RateLimited => "This server has reached its rate limit at Claude for the moment.",
            Self::Overloaded => "Claude is overloaded just now.",
            Self::Server => "Claude had an error on its side.",
            Self::Invalid => "Claude refused the request as it stands.",
            Self::NotFound => "This model is not available.",
            Self::TooLarge => "This chat is longer than the model can read.",
            Self::Unreachable => "Claude could not be reached.",
            Self::Reset => "The connection to Claude broke.",
            Self::Truncated => "The connection to Claude ended before the reply did.",
            Self::Protocol => "What Claude sent could not be read.",
            Self::Stalled => "Claude stopped sending.",
        }
    }

    /// Whether the runner should try again by itself while nothing of the reply was shown.
    #[must_use]
    pub const fn retryable_before_first_byte(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Overloaded
                | Self::Server
                | Self::Unreachable
                | Self::Reset
                | Self::Truncated
                | Self::Protocol
                | Self::Stalled
        )
    }

    /// Whether "Try again" may help the person who reads the message.
    #[must_use]
    pub const fn retryable_by_person(self) -> bool {
        self.retryable_before_first_byte()
    }

    /// The kind that goes with an HTTP status.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            402 | 403 => Self::Forbidden,
            404 => Self::NotFound,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            529 => Self::Overloaded,
            // 408 and 409 are the API's own timeouts and conflicts, which its SDKs retry.
            408 | 409 | 500.. => Self::Server,
            300..500 => Self::Invalid,
            _ => Self::Protocol,
        }
    }

    /// The kind that goes with the `type` of an `error` event:
    /// <https://platform.claude.com/docs/en/api/errors>.
    #[must_use]
    pub fn of_type(kind: &str) -> Self {
        match kind {
            "authentication_error" => Self::Unauthorized,
            "permission_error" | "billing_error" => Self::Forbidden,
            "rate_limit_error" => Self::RateLimited,
            "overloaded_error" => Self::Overloaded,
            "invalid_request_error" => Self::Invalid,
            "not_found_error" => Self::NotFound,
            "request_too_large" => Self::TooLarge,
            _ => Self::Server,
        }
    }
}

impl Fault {
    /// A fault without an HTTP status.
    #[must_use]
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, status: None, retry_after: None, detail: detail.into() }
    }

    /// From an answer that is not a stream.
    #[must_use]
    pub fn refused(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
        let mut kind = FaultKind::of_status(status);
        // The window has no status of its own: only these words tell it from other bad requests.
        let message = refusal.error.message.as_str();
        if status == 400 && (message.starts_with("prompt is too long") || message.contains("exceed context limit")) {
            kind = FaultKind::TooLarge;
        }
        let detail = match &refusal.request_id {
            Some(id) => format!("{} ({})", describe(&refusal.error), shorten(id)),
            None => describe(&refusal.error),
        };
        Self { kind, status: Some(status), retry_after, detail }
    }

    /// From an `error` event.
    #[must_use]
    pub fn event(error: &ErrorBody) -> Self {
        Self::new(FaultKind::of_type(&error.kind), describe(error))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.code())?;
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// The error's type and words for the log.
fn describe(error: &ErrorBody) -> String {
    match (error.kind.as_str(), error.message.as_str()) {
        ("", "") => "no error body".to_owned(),
        (kind, "") => shorten(kind),
        (kind, message) => format!("{}: {}", shorten(kind), shorten(message)),
    }
}

/// One short line, up to the first quotation mark or line end: what follows one may be somebody's own words.
fn shorten(text: &str) -> String {
    text.chars().take_while(|c| !matches!(c, '"' | '“' | '\n' | '\r')).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_the_window() {
        let too_long = br#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"},"request_id":"req_1"}"#;
        let fault = Fault::refused(400, None, too_long);
        assert_eq!(fault.kind, FaultKind::TooLarge);
        assert_eq!(fault.detail, "invalid_request_error: prompt is too long: 9 tokens > 8 maximum (req_1)");
        assert_eq!(Fault::refused(502, None, b"<html>").kind, FaultKind::Server);
        assert_eq!(Fault::refused(400, None, b"").kind, FaultKind::Invalid);
        assert_eq!(FaultKind::of_status(529), FaultKind::Overloaded);
        assert_eq!(FaultKind::of_status(302), FaultKind::Invalid);
        assert_eq!(FaultKind::of_status(204), FaultKind::Protocol);
    }

    #[test]
    fn a_quoted_prompt_stays_out_of_the_detail() {
        let body = br#"{"error":{"type":"invalid_request_error","message":"messages.0: cannot take \"my secret\""}}"#;
        assert!(!Fault::refused(400, None, body).to_string().contains("secret"));
    }
}
