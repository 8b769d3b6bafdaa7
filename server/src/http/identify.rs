//! Who asks: read from the cookie before anything else, and set on whatever the answer is.

use app::domain::UserId;
use axum::{
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::Response,
};

use crate::{
    auth::identity::is_loopback,
    state::{RequestContext, RequestId, SharedState},
};

/// Who asks, in the request's extensions.
#[derive(Debug, Clone)]
pub struct Asker {
    pub user: UserId,
    /// Met for the first time: nothing can be theirs yet.
    pub new: bool,
    pub request_id: RequestId,
}

impl Asker {
    /// For the backend of a request that is no plain form.
    #[must_use]
    pub fn context(&self) -> RequestContext {
        RequestContext { user: self.user, request_id: self.request_id.clone(), form: None }
    }
}

/// The layer.
pub async fn layer(State(state): State<SharedState>, mut req: Request, next: Next) -> Response {
    let known = state.identity.of(req.headers());
    let loopback = is_loopback(req.headers());
    let request_id = req.extensions().get::<RequestId>().cloned().unwrap_or(RequestId("".into()));
    req.extensions_mut().insert(Asker { user: known.user, new: known.new, request_id });
    let mut res = next.run(req).await;
    if known.issue {
        res.headers_mut().append(header::SET_COOKIE, state.identity.set_cookie(known.user, loopback));
    }
    res
}
