//! How much a request may bring, and how long it may take to bring it.

use std::time::Duration;

use app::error::{ApiError, Code};
use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

/// Between two pieces of a body.
const IDLE: Duration = Duration::from_secs(20);
/// For the whole of it: 3 MiB at 256 kbit/s.
const WHOLE: Duration = Duration::from_secs(100);
/// So many times the limit is read and thrown away, so that a client that writes first and reads then gets its 413
/// instead of a broken connection.
const DRAIN: usize = 4;

/// The whole body.
///
/// # Errors
/// 413 past `max` bytes, whether the length was announced or not; 400 if it breaks off or is too slow.
pub async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let waits = headers.contains_key(header::EXPECT);
    if announced.is_some_and(|n| n > max) && (waits || announced.is_some_and(|n| n > max.saturating_mul(DRAIN))) {
        return Err(too_large(max));
    }
    tokio::time::timeout(WHOLE, collect(body, max, announced.unwrap_or(0).min(max)))
        .await
        .unwrap_or_else(|_| Err(slow()))
}

async fn collect(body: Body, max: usize, expected: usize) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let (mut kept, mut seen) = (BytesMut::with_capacity(expected), 0usize);
    loop {
        let Ok(chunk) = tokio::time::timeout(IDLE, chunks.next()).await else { return Err(slow()) };
        match chunk {
            None if seen > max => return Err(too_large(max)),
            None => return Ok(kept.freeze()),
            Some(Err(_)) => return Err(ApiError::new(Code::Malformed, "The request broke off.")),
            Some(Ok(bytes)) => {
                seen = seen.saturating_add(bytes.len());
                if seen > max.saturating_mul(DRAIN) {
                    return Err(too_large(max));
                }
                if seen <= max {
                    kept.extend_from_slice(&bytes);
                }
            }
        }
    }
}

fn too_large(max: usize) -> ApiError {
    ApiError::too_large("body", format!("The request is larger than {max} bytes, which is the most that is accepted."))
}

fn slow() -> ApiError {
    ApiError::new(Code::Malformed, "The request did not arrive in time.")
}
