//! What the store's failures become at the edge.

use app::error::ApiError;

use crate::storage::{StoreError, StoreErrorKind};

/// Logs the cause, once, and says what a person may know of it.
pub(crate) fn store(error: StoreError) -> ApiError {
    match error.kind() {
        StoreErrorKind::BadPage => ApiError::invalid("page", "`page` is not one that this list gave."),
        StoreErrorKind::Throttled | StoreErrorKind::Unavailable | StoreErrorKind::Conflict => {
            tracing::warn!(%error, "the store did not answer");
            ApiError::unavailable()
        }
        StoreErrorKind::Missing | StoreErrorKind::Denied => {
            tracing::error!(%error, "the store cannot be used");
            ApiError::unavailable()
        }
        StoreErrorKind::Corrupt | StoreErrorKind::Newer | StoreErrorKind::Other => {
            tracing::error!(%error, "the store failed");
            ApiError::internal()
        }
    }
}
