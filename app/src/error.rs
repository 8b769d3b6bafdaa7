//! The one error that leaves the server, and that the browser reads.

use std::fmt;

use serde::Serialize;
use server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};

use crate::domain::{TurnId, json::from_json};

/// What went wrong, in a word that programs may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Undecodable, or a field is missing.
    Malformed,
    Unauthorized,
    Forbidden,
    /// Not there, or not yours: never told apart.
    NotFound,
    MethodNotAllowed,
    /// The session is being answered; `turn_id` says by which turn.
    TurnActive,
    TooLarge,
    /// Refused by validation; `field` names it.
    Invalid,
    RateLimited,
    BudgetSpent,
    UpstreamUnavailable,
    Unavailable,
    /// The browser could not reach the server. Never sent by it.
    Network,
    Internal,
}

impl Code {
    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TurnActive => 409,
            Self::TooLarge => 413,
            Self::Invalid => 422,
            Self::RateLimited | Self::BudgetSpent => 429,
            Self::UpstreamUnavailable => 502,
            Self::Unavailable | Self::Network => 503,
            Self::Internal => 500,
        }
    }

    /// As it is spelled on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TurnActive => "turn_active",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::RateLimited => "rate_limited",
            Self::BudgetSpent => "budget_spent",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::Unavailable => "unavailable",
            Self::Network => "network",
            Self::Internal => "internal",
        }
    }
}

/// Every error of every endpoint. The message is for a person and never holds the cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiError {
    pub code: Code,
    pub message: String,
    pub retryable: bool,
    /// Joins the answer to the server's log line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Which field was refused (`invalid`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Which turn is running (`turn_active`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// Seconds after which it may work; also the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl ApiError {
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retryable: matches!(
                code,
                Code::TurnActive
                    | Code::RateLimited
                    | Code::BudgetSpent
                    | Code::UpstreamUnavailable
                    | Code::Unavailable
                    | Code::Network
            ),
            request_id: None,
            field: None,
            turn_id: None,
            retry_after: None,
        }
    }

    /// Not there, or not yours.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is nothing here, or it is not yours.")
    }

    /// Refused by validation.
    #[must_use]
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(Code::Invalid, message) }
    }

    /// Too many characters or bytes in `field`.
    #[must_use]
    pub fn too_large(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(Code::TooLarge, message) }
    }

    /// A turn is running in this session already.
    #[must_use]
    pub fn turn_active(turn: TurnId) -> Self {
        Self {
            turn_id: Some(turn),
            ..Self::new(Code::TurnActive, "This chat is still being answered. You can send when it is done.")
        }
    }

    /// Something broke that the person can do nothing about. The cause goes to the log, not in here.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::Internal, "Something went wrong on the server. Nothing that was stored is lost.")
    }

    /// The store or another part does not answer just now.
    #[must_use]
    pub fn unavailable() -> Self {
        Self {
            retry_after: Some(2),
            ..Self::new(Code::Unavailable, "Storage is not answering just now. Try again in a moment.")
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(e: ServerFnErrorErr) -> Self {
        match e {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                Self::new(Code::Malformed, "The request could not be read: a field is missing or malformed.")
            }
            // In the browser: what answered is not our server, but a proxy that could not reach it.
            ServerFnErrorErr::Deserialization(_) if cfg!(feature = "hydrate") => Self::unavailable(),
            // How an overflow of the body limit arrives here; the edge tells the two apart by the length.
            ServerFnErrorErr::Deserialization(_) => Self::new(Code::Malformed, "The request could not be read."),
            ServerFnErrorErr::Request(_) => Self::new(Code::Network, "The server could not be reached."),
            _ => Self::internal(),
        }
    }
}

from_json!(Code:
    "malformed" = Malformed,
    "unauthorized" = Unauthorized,
    "forbidden" = Forbidden,
    "not_found" = NotFound,
    "method_not_allowed" = MethodNotAllowed,
    "turn_active" = TurnActive,
    "too_large" = TooLarge,
    "invalid" = Invalid,
    "rate_limited" = RateLimited,
    "budget_spent" = BudgetSpent,
    "upstream_unavailable" = UpstreamUnavailable,
    "unavailable" = Unavailable,
    "network" = Network;
    |_| Some(Code::Internal)
);
from_json!(ApiError { code, message, retryable, request_id, field, turn_id, retry_after });
