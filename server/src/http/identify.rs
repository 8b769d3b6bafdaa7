//! Who asks: read from the cookie before anything else, and set on whatever the answer is.

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
    http::deadline,
    state::{Answer, RequestContext, RequestId, SharedState},
    turn::Host,
};

/// Who asks, in the request's extensions.
#[derive(Debug, Clone)]
pub struct Asker {
    pub user: UserId,
    /// Met for the first time: nothing can be theirs yet.
    pub new: bool,
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

/// The layer.
pub async fn layer(State(state): State<SharedState>, mut req: Request, next: Next) -> Response {
    let known = state.identity.of(req.headers());
    let loopback = is_loopback(req.headers());
    let request_id = req.extensions().get::<RequestId>().cloned().unwrap_or(RequestId("".into()));
    let host =
        if state.lambda { deadline::host(req.headers(), state.clock.local(), Instant::now()) } else { Host::default() };
    req.extensions_mut().insert(Asker { user: known.user, new: known.new, request_id, host });
    let mut res = next.run(req).await;
    if known.issue {
        res.headers_mut().append(header::SET_COOKIE, state.identity.set_cookie(known.user, loopback));
    }
    res
}
