//! Errors as they leave: one shape, from one place.

use std::panic::AssertUnwindSafe;

use app::{
    error::{ApiError, Code},
    shell::Assets,
};
use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use futures::FutureExt;

use crate::{http::access_log::Failed, state::RequestId};

/// The JSON answer of an error.
#[must_use]
pub fn respond(mut error: ApiError, id: &RequestId) -> Response {
    error.request_id = Some(id.to_string());
    if error.code.status() == 429 {
        // The contract promises when to come again.
        error.retry_after.get_or_insert(60);
    }
    let body = serde_json::to_vec(&error).unwrap_or_default();
    let res = ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    dress(res, &error)
}

/// An error as a page, for the case that the page itself cannot be made. Says what a person can do.
#[must_use]
pub fn page(error: &ApiError, id: &RequestId, assets: &Assets) -> Response {
    let (message, css) = (escape(&error.message), escape(&assets.css));
    dress(
        Html(format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Outlast</title>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <link rel=\"stylesheet\" href=\"{css}\"></head><body><main><h1>This page cannot be shown just now</h1>\
             <p>{message}</p><p><a href=\"\">Try again</a> or <a href=\"/\">start a new chat</a>.</p>\
             <p><small>Request {id}</small></p></main></body></html>\n"
        ))
        .into_response(),
        error,
    )
}

fn dress(mut res: Response, error: &ApiError) -> Response {
    *res.status_mut() = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = error.retry_after {
        res.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    res.extensions_mut().insert(Failed(error.code));
    res
}

/// For text and attributes of the few pages that are made without Leptos.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An error out of a layer or a handler, with the request's id.
#[must_use]
pub fn of(req: &Request, error: ApiError) -> Response {
    respond(error, &id(req))
}

fn id(req: &Request) -> RequestId {
    req.extensions().get::<RequestId>().cloned().unwrap_or(RequestId("".into()))
}

/// The 405 of a path that exists, with the methods it takes.
#[must_use]
pub fn method_not_allowed(id: &RequestId, allowed: &'static str) -> Response {
    let message = format!("This address takes {allowed} only.");
    let mut res = respond(ApiError::new(Code::MethodNotAllowed, message), id);
    res.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    res
}

/// The layer that turns a panic below it into a 500. Where it happened is in the log (see `telemetry`).
pub async fn catch_panic(req: Request, next: Next) -> Response {
    let id = id(&req);
    AssertUnwindSafe(next.run(req)).catch_unwind().await.unwrap_or_else(|_| respond(ApiError::internal(), &id))
}
