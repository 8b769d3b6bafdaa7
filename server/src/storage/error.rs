//! What can go wrong with the table.

use std::fmt;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

/// Why an operation on the table failed, as far as a caller may want to act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// DynamoDB asked for less haste, and went on asking.
    Throttled,
    /// No connection, no answer in time, or a fault on its side.
    Unavailable,
    /// Other transactions held the same items, repeatedly.
    Conflict,
    /// No credentials, or none that may do this.
    Denied,
    /// The table isn't there: `init` was never run, or the name is wrong.
    Missing,
    /// An item doesn't read as what its key says.
    Corrupt,
    /// A log segment was written in a newer format than this server knows.
    Newer,
    /// A page token that this server didn't make, or made for another list.
    BadPage,
    /// A bug, or a change of DynamoDB's.
    Other,
}

/// A failure of the table. Its text is for the log: it names codes, keys and attributes, never their content.
#[derive(Debug, Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    doing: &'static str,
    detail: String,
}

impl StoreError {
    pub(super) fn new(kind: StoreErrorKind, doing: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, doing, detail: detail.into() }
    }

    pub(crate) fn corrupt(detail: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, "reading an item", detail)
    }

    /// For requests of ours that the SDK's builders refuse: a field is missing.
    pub(super) fn build(e: impl fmt::Display) -> Self {
        Self::new(StoreErrorKind::Other, "building a request", e.to_string())
    }

    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether a write that failed so may have been applied all the same.
    ///
    /// Generous, because the SDK retries: an attempt that was applied and whose answer was lost may be followed
    /// by one that is throttled. Reading again is the only way to know.
    #[must_use]
    pub const fn ambiguous(&self) -> bool {
        use StoreErrorKind as K;
        matches!(self.kind, K::Throttled | K::Unavailable | K::Conflict | K::Other)
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        use StoreErrorKind as K;
        matches!(self.kind, K::Throttled | K::Unavailable | K::Conflict)
    }

    /// Sorts an error of the SDK. Its own texts are used sparingly: some carry whole items.
    pub(super) fn sdk<E: ProvideErrorMetadata>(doing: &'static str, e: &SdkError<E, HttpResponse>) -> Self {
        use StoreErrorKind as K;
        let (kind, detail) = match e {
            SdkError::ConstructionFailure(_) => (K::Other, "the request could not be built".to_owned()),
            SdkError::TimeoutError(_) => (K::Unavailable, "no answer in time".to_owned()),
            SdkError::DispatchFailure(f) if f.is_user() => (K::Other, "the request could not be sent".to_owned()),
            SdkError::DispatchFailure(_) => (K::Unavailable, "no connection, or it broke".to_owned()),
            SdkError::ResponseError(r) => (K::Unavailable, format!("an answer that is none ({})", r.raw().status())),
            SdkError::ServiceError(s) => {
                let code = s.err().code().unwrap_or("no code");
                let mut message = s.err().message().unwrap_or_default().to_owned();
                message.truncate(message.floor_char_boundary(300));
                (code_kind(code, s.raw().status().as_u16()), format!("{code}: {message}"))
            }
            _ => (K::Other, "an unknown kind of failure".to_owned()),
        };
        Self::new(kind, doing, detail)
    }
}

/// The kind of a service error, by its code (the API reference's common errors and each action's own).
pub(super) fn code_kind(code: &str, status: u16) -> StoreErrorKind {
    use StoreErrorKind as K;
    match code {
        "ProvisionedThroughputExceededException"
        | "ProvisionedThroughputExceeded"
        | "ThrottlingException"
        | "ThrottlingError"
        | "Throttling"
        | "RequestLimitExceeded"
        | "LimitExceededException" => K::Throttled,
        "TransactionConflictException" | "TransactionConflict" | "TransactionInProgressException" => K::Conflict,
        "ResourceNotFoundException" => K::Missing,
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "IncompleteSignature"
        | "ExpiredTokenException"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken" => K::Denied,
        _ if status >= 500 => K::Unavailable,
        _ => K::Other,
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}: {}", self.doing, self.kind, self.detail)
    }
}

impl std::error::Error for StoreError {}
