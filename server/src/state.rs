//! What every request is given.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use app::{backend::SharedBackend, domain::UserId, shell::Assets};

use crate::{
    admin::Admin,
    auth::{door::Door, identity::Identity},
    clock::Clock,
    config::{Limits, Secret},
    http::{forms::FormReply, pace::Paces},
    jobs::Jobs,
    turn::Host,
};

/// Joins an answer to its log line: a ULID, in the header `x-request-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who asks, and how: all that a backend knows of the request it serves.
#[derive(Debug, Clone)]
pub struct RequestContext {
    pub user: UserId,
    pub request_id: RequestId,
    /// Set for plain forms: the backend says where the person goes next, and needs to give no stream.
    pub form: Option<FormReply>,
    /// By when this request's process may be gone; a runner hands over before.
    pub host: Host,
    pub answer: Answer,
}

/// What the backend wants said beside an answer's body. It stays with whoever says it first.
#[derive(Debug, Clone, Default)]
pub struct Answer(Arc<OnceLock<Aside>>);

/// Said beside the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aside {
    /// 202: it was taken, and how far it is can be asked there.
    Accepted(String),
    /// It is worth asking again after so long.
    RetryAfter(Duration),
}

impl Answer {
    /// It was taken; `location` says how far it is.
    pub fn accepted(&self, location: String) {
        let _ = self.0.set(Aside::Accepted(location));
    }

    /// It is worth asking again after so long.
    pub fn retry_after(&self, pause: Duration) {
        let _ = self.0.set(Aside::RetryAfter(pause));
    }

    /// What was said.
    #[must_use]
    pub fn get(&self) -> Option<&Aside> {
        self.0.get()
    }
}

/// Makes the backend of one request.
pub type BackendFactory = Arc<dyn Fn(RequestContext) -> SharedBackend + Send + Sync>;

/// What is done at the end of a request.
pub type AfterRequest = Arc<dyn Fn() + Send + Sync>;

/// The router's state.
pub struct AppState {
    pub identity: Identity,
    /// Who is let in.
    pub door: Door,
    /// How fast turns may be sent.
    pub pace: Paces,
    /// What admins see; none where there are no admins.
    pub admin: Option<Admin>,
    /// A turn's log that stands still so long is abandoned. Milliseconds.
    pub lease_ms: u64,
    pub clock: Clock,
    pub limits: Limits,
    pub assets: Arc<Assets>,
    /// The folder of the built site.
    pub site: PathBuf,
    pub backend: BackendFactory,
    /// Takes what the queue delivers, on Lambda.
    pub jobs: Option<Jobs>,
    /// What a proxy in front proves itself by, where only through it the server is to be reached.
    pub front: Option<Secret>,
    /// On Lambda: the platform says when it ends an invocation.
    pub lambda: bool,
    /// Replies are made up: the page says so.
    pub simulator: bool,
    /// Called at the end of each request, where nothing runs between them.
    pub after_request: Option<AfterRequest>,
}

/// As the handlers take it.
pub type SharedState = Arc<AppState>;
