//! `/events`: what the queue delivers, where the platform takes it out of the queue.
//!
//! The Lambda Web Adapter posts every event that is no HTTP request here, and marks it: of a request from outside it
//! overwrites the mark. Anything else is 404, as if there were no such route.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{deadline, errors};
use crate::{
    jobs::Handled,
    queue::Note,
    state::{RequestId, SharedState},
};

/// `null` on an event, the context of a request on a request
/// (<https://github.com/awslabs/aws-lambda-web-adapter>, "Request Context").
const CONTEXT: &str = "x-amzn-request-context";
/// An SQS event holds one message here, of ids; Lambda's own limit is 6 MB.
const LARGEST: usize = 1 << 20;

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    body: String,
    #[serde(rename = "eventSourceARN", default)]
    source: String,
}

fn is_event(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(CONTEXT).into_iter();
    all.next().is_some_and(|v| v.as_bytes() == b"null") && all.next().is_none()
}

/// What makes the adapter report a function error (`AWS_LWA_ERROR_STATUS_CODES`), so that SQS delivers again. No other
/// answer has this status: the adapter would hide the words of a page's or the API's own 503.
fn again() -> StatusCode {
    StatusCode::from_u16(598).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The handler.
pub async fn handler(State(state): State<SharedState>, req: Request) -> Response {
    let id = req.extensions().get::<RequestId>().cloned().unwrap_or(RequestId("".into()));
    let jobs = match &state.jobs {
        Some(jobs) if state.lambda && is_event(req.headers()) => jobs.clone(),
        _ => return errors::respond(app::error::ApiError::not_found(), &id),
    };
    let host = deadline::host(req.headers(), state.clock.local(), Instant::now());
    let body = axum::body::to_bytes(Body::new(req.into_body()), LARGEST).await.unwrap_or_default();
    let Ok(event) = serde_json::from_slice::<Event>(&body) else {
        tracing::error!(request_id = %id, bytes = body.len(), "an event that is not SQS's");
        return StatusCode::BAD_REQUEST.into_response();
    };
    let handle = event.records.iter().map(async |record| match Note::decode(&record.body) {
        Some(note) => jobs.handle(note, host, record.source.ends_with("-dead")).await,
        // Delivered until it is a dead letter, for somebody to look at; a dead letter that cannot be dealt with is gone.
        None => {
            tracing::error!(request_id = %id, "a message that is not one of ours");
            if record.source.ends_with("-dead") { Handled::Done } else { Handled::Again }
        }
    });
    let handled = futures::future::join_all(handle).await;
    if handled.contains(&Handled::Again) {
        return again().into_response();
    }
    StatusCode::OK.into_response()
}
