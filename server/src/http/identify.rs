//! Who asks: read from the cookie before anything else, and set on whatever the answer is.

use std::net::IpAddr;

use app::domain::UserId;
use axum::{
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::Response,
};

use tokio::time::Instant;

use crate::{
    auth::identity::is_loopback,
    http::{address, deadline, sign_in},
    state::{Answer, RequestContext, RequestId, SharedState},
    turn::Host,
};

/// Who asks, in the request's extensions.
#[derive(Debug, Clone)]
pub struct Asker {
    pub user: UserId,
    /// Met for the first time: nothing can be theirs yet.
    pub new: bool,
    /// By which access code they were let in, if by any.
    pub mark: Option<String>,
    /// Where the request comes from, as far as that can be trusted.
    pub address: Option<IpAddr>,
    pub request_id: RequestId,
    /// By when this request's process may be gone.
    pub host: Host,
}

impl Asker {
    /// For the backend of a request that is no plain form.
    #[must_use]
    pub fn context(&self) -> RequestContext {
        RequestContext {
            user: self.user,
            request_id: self.request_id.clone(),
            form: None,
            host: self.host,
            answer: Answer::default(),
        }
    }
}

/// Put into an answer's extensions by whoever let somebody in: whose cookie is to be set, and with which mark.
#[derive(Debug, Clone)]
pub struct Admit {
    pub user: UserId,
    pub mark: Option<String>,
}

/// The layer.
pub async fn layer(State(state): State<SharedState>, mut req: Request, next: Next) -> Response {
    let known = state.identity.of(req.headers());
    let loopback = is_loopback(req.headers());
    let request_id = req.extensions().get::<RequestId>().cloned().unwrap_or(RequestId("".into()));
    let admitted = !state.door.guarded() || known.mark == state.door.mark();
    if !admitted && req.uri().path() != sign_in::PATH {
        return sign_in::refuse(&req, &request_id);
    }
    let host =
        if state.lambda { deadline::host(req.headers(), state.clock.local(), Instant::now()) } else { Host::default() };
    let address = address::of(state.lambda, req.headers(), req.extensions());
    req.extensions_mut().insert(Asker {
        user: known.user,
        new: known.new,
        mark: known.mark.clone(),
        address,
        request_id,
        host,
    });
    let mut res = next.run(req).await;
    let cookie = match res.extensions_mut().remove::<Admit>() {
        Some(admit) => Some(state.identity.set_cookie(admit.user, admit.mark.as_deref(), loopback)),
        // Who is not let in is nobody yet, and is not made somebody by knocking.
        None if known.issue && admitted => Some(state.identity.set_cookie(known.user, known.mark.as_deref(), loopback)),
        None => None,
    };
    if let Some(cookie) = cookie {
        res.headers_mut().append(header::SET_COOKIE, cookie);
    }
    res
}
