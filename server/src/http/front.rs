//! Where a proxy stands in front, such as CloudFront: only what it passes on is answered.
//!
//! The address behind it stays reachable, and it must not be the way round the proxy. What the proxy alone knows of a
//! request, its host and its address, is believed once the secret has matched.

use std::net::IpAddr;

use app::error::ApiError;
use axum::{
    extract::{Request, State},
    http::{HeaderName, header},
    middleware::Next,
    response::Response,
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::errors;
use crate::{config::Secret, state::SharedState};

/// Carries the secret.
pub const SECRET: HeaderName = HeaderName::from_static("x-outlast-origin");
/// The host that the browser asked for, which a proxy may not be able to pass on as such.
pub const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The browser's network address.
pub const VIEWER: HeaderName = HeaderName::from_static("x-outlast-viewer");

/// The other end of the proxy's connection, in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer(pub IpAddr);

/// The layer. What says whether the process lives, and what only the platform itself can send, go by.
pub async fn layer(State(state): State<SharedState>, mut req: Request, next: Next) -> Response {
    let Some(secret) = &state.front else { return next.run(req).await };
    if matches!(req.uri().path(), "/healthz" | "/events") {
        return next.run(req).await;
    }
    let said = req.headers_mut().remove(SECRET);
    if !said.is_some_and(|said| same(secret, said.as_bytes())) {
        return errors::of(&req, ApiError::not_found());
    }
    let headers = req.headers_mut();
    if let Some(host) = headers.remove(HOST) {
        headers.insert(header::HOST, host);
    }
    let viewer = headers.remove(VIEWER);
    if let Some(ip) = viewer.and_then(|v| v.to_str().ok()?.parse().ok()) {
        req.extensions_mut().insert(Viewer(ip));
    }
    next.run(req).await
}

/// Takes the same time wherever the two differ.
fn same(secret: &Secret, said: &[u8]) -> bool {
    let mac = |text: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
        mac.update(text);
        Some(mac)
    };
    let Some(expected) = mac(secret.expose().as_bytes()).map(|m| m.finalize().into_bytes()) else { return false };
    mac(said).is_some_and(|m| m.verify_slice(&expected).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_is_the_secret() {
        let secret = Secret::new("a secret that is long enough, 32");
        assert!(same(&secret, b"a secret that is long enough, 32"));
        for other in [&b""[..], b"a secret that is long enough, 3", b"a secret that is long enough, 322"] {
            assert!(!same(&secret, other));
        }
    }
}
