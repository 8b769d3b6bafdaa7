//! One line a request, and one more at the end of a stream.

use std::time::Instant;

use app::{api::ENDPOINTS, error::Code};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use futures::StreamExt;
use ulid::Ulid;

use super::{address, deadline};
use crate::{
    clock,
    state::{AfterRequest, RequestId, SharedState},
};

/// The header that carries the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Put into an answer's extensions: the code of the error that it carries, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Failed(pub Code);

/// Put into an answer's extensions where its body goes on after the headers.
#[derive(Debug, Clone, Copy)]
pub struct Streams;

/// The outermost layer: gives the request its id and writes its line.
pub async fn layer(State(state): State<SharedState>, mut req: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = Ulid::from_parts(state.clock.now().millis(), clock::random_u128()).to_string();
    let id = RequestId(id.into());
    let (method, route) = (method(req.method()), route(req.uri().path()));
    req.extensions_mut().insert(id.clone());
    let platform = if state.lambda { Platform::of(req.headers()) } else { Platform::default() };
    let Platform { invocation, client, trace } = &platform;

    let mut res = next.run(req).await;
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        res.headers_mut().insert(REQUEST_ID, value);
    }
    let (status, ms) = (res.status().as_u16(), millis(started));
    let code = res.extensions().get::<Failed>().map(|f| f.0.as_str());
    match status {
        500.. => {
            tracing::error!(request_id = %id, invocation, client, trace, method, route, status, code, ms, "request");
        }
        _ if route == "/healthz" => {}
        _ => tracing::info!(request_id = %id, invocation, client, trace, method, route, status, code, ms, "request"),
    }
    let after = After(state.after_request.clone());
    if !is_stream(&res) {
        return res;
    }
    let mut end = StreamEnd { id, route, started, bytes: 0, complete: false, _after: after };
    res.map(|body| {
        let mut chunks = body.into_data_stream();
        Body::from_stream(futures::stream::poll_fn(move |cx| {
            // The whole of it moves in here, so that it goes when the body goes.
            let end = &mut end;
            let chunk = chunks.poll_next_unpin(cx);
            match &chunk {
                std::task::Poll::Ready(Some(Ok(bytes))) => end.bytes += bytes.len() as u64,
                std::task::Poll::Ready(None) => end.complete = true,
                _ => {}
            }
            chunk
        }))
    })
}

/// What Lambda says of an invocation, in headers that no client can set there: it joins our line to the platform's.
#[derive(Debug, Default)]
struct Platform {
    /// The platform's id of it, which its own log lines carry.
    invocation: Option<String>,
    /// The network that asked.
    client: Option<String>,
    /// As X-Ray has it, so that a trace goes on here.
    trace: Option<String>,
}

impl Platform {
    fn of(headers: &HeaderMap) -> Self {
        let word = |text: &str| text.len() <= 200 && text.bytes().all(|b| b.is_ascii_graphic());
        let trace = headers.get("x-amzn-trace-id").and_then(|v| v.to_str().ok()).filter(|t| word(t));
        Self {
            invocation: deadline::invocation(headers).filter(|id| word(id)),
            client: address::of(true, headers, &Extensions::new()).map(|ip| ip.to_string()),
            trace: trace.map(str::to_owned),
        }
    }
}

fn is_stream(res: &Response) -> bool {
    let sse = |v: &HeaderValue| v.as_bytes().starts_with(b"text/event-stream");
    res.extensions().get::<Streams>().is_some() || res.headers().get(header::CONTENT_TYPE).is_some_and(sse)
}

/// Goes with the request, however it ends.
struct After(Option<AfterRequest>);

impl Drop for After {
    fn drop(&mut self) {
        if let Some(after) = &self.0 {
            after();
        }
    }
}

/// Writes its line when the body goes away, be it at its end or because the client left.
struct StreamEnd {
    id: RequestId,
    route: &'static str,
    started: Instant,
    bytes: u64,
    complete: bool,
    _after: After,
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        let Self { id, route, started, bytes, complete, .. } = self;
        tracing::info!(request_id = %id, route, bytes, complete, ms = millis(*started), "stream ended");
    }
}

/// Tenths are enough.
fn millis(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 10_000.0).round() / 10.0
}

/// A method is any word that a client likes; only the known ones are logged.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// The route's template: what a client put into a path is not logged, but for the names that are ours.
fn route(path: &str) -> &'static str {
    if let Some((_, endpoint)) = ENDPOINTS.iter().find(|(_, endpoint)| *endpoint == path) {
        return endpoint;
    }
    match path {
        "/" => "/",
        "/healthz" => "/healthz",
        "/theme" => "/theme",
        "/sign-in" => "/sign-in",
        "/admin" => "/admin",
        "/events" => "/events",
        "/jobs" => "/jobs",
        "/jobs/new" => "/jobs/new",
        _ if path.starts_with("/jobs/") => match path.matches('/').count() {
            2 => "/jobs/{id}",
            _ => "/jobs/{id}/*",
        },
        _ if path.starts_with("/admin/sessions/") => "/admin/sessions/{id}",
        _ if path.starts_with("/admin/") => "/admin/*",
        _ if path.starts_with("/api/") => "/api/*",
        _ if path.starts_with("/pkg/") => "/pkg/*",
        _ => match path.strip_prefix("/c/").map(|rest| rest.split_once('/')) {
            Some(None) => "/c/{id}",
            Some(Some((_, "live"))) => "/c/{id}/live",
            _ => "*",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lambda_says_is_logged_and_nothing_else() {
        let of = |pairs: &[(&'static str, &str)]| {
            Platform::of(&pairs.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect())
        };
        let told = of(&[
            ("x-amzn-lambda-context", r#"{"request_id":"r-1","deadline":5}"#),
            ("x-amzn-request-context", r#"{"http":{"sourceIp":"192.0.2.1"}}"#),
            ("x-amzn-trace-id", "Root=1-2;Parent=3"),
        ]);
        let told = [told.invocation, told.client, told.trace];
        assert_eq!(told, ["r-1", "192.0.2.1", "Root=1-2;Parent=3"].map(|t| Some(t.to_owned())));
        let odd = of(&[("x-amzn-lambda-context", r#"{"request_id":"a b"}"#), ("x-amzn-trace-id", "a b")]);
        assert!(odd.invocation.is_none() && odd.client.is_none() && odd.trace.is_none());
    }

    #[test]
    fn a_path_is_logged_as_its_template() {
        for (path, template) in [
            ("/", "/"),
            ("/c/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/c/{id}"),
            ("/c/secret/live", "/c/{id}/live"),
            ("/c/secret/x", "*"),
            ("/api/chat/send", "/api/chat/send"),
            ("/api/secret", "/api/*"),
            ("/pkg/secret", "/pkg/*"),
            ("/secret", "*"),
            ("/jobs/new", "/jobs/new"),
            ("/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/jobs/{id}"),
            ("/jobs/secret/zip", "/jobs/{id}/*"),
        ] {
            assert_eq!(route(path), template);
        }
        assert_eq!(method(&Method::from_bytes(b"SECRET").unwrap()), "other");
    }
}
