//! The headers that every answer carries, and the nonce of the page's scripts and styles.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{auth::identity::is_loopback, clock, http::access_log::Streams};

/// The request's nonce, in its extensions: new for every request.
#[derive(Debug, Clone)]
pub struct CspNonce(pub Arc<str>);

/// What every answer says.
const ALWAYS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// What an answer says that is no page: nothing in it is ever to run, load or be framed.
const INERT: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The policy of an answer that has one of its own, in its extensions.
#[derive(Debug, Clone, Copy)]
pub struct Policy(pub &'static str);

/// A page's policy. `frame-src` is for the previews of variants; nothing else of ours lets itself be framed. `img-src https:` is for a picture that the person asked for with a click: the Markdown renderer
/// itself never makes one.
fn page_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         connect-src 'self'; frame-src 'self'; img-src 'self' data: https:; font-src 'self'; manifest-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )
}

/// The layer.
pub async fn layer(mut req: Request, next: Next) -> Response {
    let nonce: Arc<str> = STANDARD.encode(clock::random::<16>()).into();
    req.extensions_mut().insert(CspNonce(nonce.clone()));
    let (loopback, head) = (is_loopback(req.headers()), req.method() == Method::HEAD);

    let mut res = next.run(req).await;
    let streams = res.extensions().get::<Streams>().is_some();
    let html = content_type(res.headers()).starts_with("text/html");
    let events = content_type(res.headers()).starts_with("text/event-stream");
    let own = res.extensions().get::<Policy>().copied();
    let headers = res.headers_mut();
    let policy = if let Some(Policy(own)) = own {
        Some(HeaderValue::from_static(own))
    } else if html {
        HeaderValue::from_str(&page_policy(&nonce)).ok()
    } else {
        None
    };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.unwrap_or(HeaderValue::from_static(INERT)));
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !loopback {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if events || streams {
        // nginx and its kin hold a stream back otherwise.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    }
    if head { res } else { never_empty(res) }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// The Lambda Web Adapter was reported never to end a streamed answer without a body (its issue 499), so where one may
/// be there, one is.
fn never_empty(mut res: Response) -> Response {
    let bodiless = res.status().is_informational()
        || matches!(res.status(), StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless || res.body().size_hint().exact() != Some(0) {
        return res;
    }
    let words = format!("{}\n", res.status().canonical_reason().unwrap_or("Done"));
    res.headers_mut().remove(header::CONTENT_LENGTH);
    res.headers_mut().entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
    res.map(|_| Body::from(words))
}
