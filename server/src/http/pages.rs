//! The pages: all that a page shows is read first, side by side; then it is rendered in one go.

use std::{str::FromStr, sync::Arc};

use app::{
    backend::SharedBackend,
    domain::{JobId, JobView, MessageId, SessionId, SessionList, SessionPage},
    error::{ApiError, Code},
    page::{Fixed, Fresh, PageData, PageKind},
};
use axum::{
    body::Body,
    extract::{Extension, Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use futures::future;
use leptos::{context::provide_context, nonce::Nonce};

use super::{errors, forms, headers::CspNonce, identify::Asker, theme};
use crate::{auth::identity::cookies, state::SharedState};

/// A request for a page: who asks for it, and what its address and cookies say.
pub(super) struct PageRequest {
    pub(super) state: SharedState,
    pub(super) asker: Asker,
    pub(super) nonce: CspNonce,
    headers: HeaderMap,
    query: Query,
}

/// What an address may add to a page's path.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    error: Option<Code>,
    wait: u32,
    via: Option<String>,
    page: Option<String>,
    deleted: Option<SessionId>,
    /// A variant whose text begins a new chat.
    job: Option<JobId>,
    variant: Option<u32>,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut all = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match &*name {
                "error" => all.error = serde_json::from_value(value.as_ref().into()).ok(),
                "wait" => all.wait = value.parse().unwrap_or_default(),
                "via" => all.via = Some(value.into_owned()),
                "page" => all.page = Some(value.into_owned()),
                "deleted" => all.deleted = value.parse().ok(),
                "job" => all.job = value.parse().ok(),
                "v" => all.variant = value.parse().ok(),
                _ => {}
            }
        }
        all
    }
}

/// `/`: a new chat.
pub async fn new(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(nonce): Extension<CspNonce>,
    req: Request,
) -> Response {
    let page = PageRequest::new(state, asker, nonce, &req);
    match page.draft().await {
        Ok(draft) => page.answer(PageKind::New, None, &Fixed { draft, ..Fixed::default() }).await,
        Err(error) => page.refuse(error).await,
    }
}

/// `/c/{id}`: a chat.
pub async fn chat(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(nonce): Extension<CspNonce>,
    Path(id): Path<String>,
    req: Request,
) -> Response {
    let page = PageRequest::new(state, asker, nonce, &req);
    match page.session(&id).await {
        Ok(session) => page.answer(PageKind::Chat, Some(session), &Fixed::default()).await,
        Err(error) => page.refuse(error).await,
    }
}

/// Whatever else there is not: as JSON under `/api`, elsewhere as the page that says so.
pub async fn fallback(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(nonce): Extension<CspNonce>,
    req: Request,
) -> Response {
    let path = req.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return errors::respond(ApiError::new(Code::NotFound, "There is no such endpoint."), &asker.request_id);
    }
    PageRequest::new(state, asker, nonce, &req).answer(PageKind::NotFound, None, &Fixed::default()).await
}

impl PageRequest {
    pub(super) fn new(state: SharedState, asker: Asker, nonce: CspNonce, req: &Request) -> Self {
        let query = Query::parse(req.uri().query().unwrap_or_default());
        Self { state, asker, nonce, headers: req.headers().clone(), query }
    }

    pub(super) fn backend(&self) -> SharedBackend {
        (self.state.backend)(self.asker.context())
    }

    /// The session that the path names. A malformed id is one that does not exist, and so is a new user's.
    pub(super) async fn session(&self, id: &str) -> Result<SessionPage, ApiError> {
        let via = self.query.via.as_deref().map(MessageId::from_str).transpose();
        let (Ok(id), Ok(via), false) = (id.parse(), via, self.asker.new) else { return Err(ApiError::not_found()) };
        self.backend().get_session(id, self.query.page.clone(), via).await
    }

    /// The newest branch of the session that the path names, whatever the address adds to it.
    pub(super) async fn newest(&self, id: &str) -> Result<SessionPage, ApiError> {
        let (Ok(id), false) = (id.parse(), self.asker.new) else { return Err(ApiError::not_found()) };
        self.backend().get_session(id, None, None).await
    }

    /// What a new chat begins with: nothing, or the text of a variant.
    async fn draft(&self) -> Result<String, ApiError> {
        let (Some(id), Some(index)) = (self.query.job, self.query.variant) else { return Ok(String::new()) };
        let view = self.job(id).await?;
        let variant = view.job.variants.into_iter().find(|v| v.index == index);
        variant.and_then(|v| v.text).ok_or_else(ApiError::not_found)
    }

    /// A job as its pages show it. Nothing can be a new user's.
    pub(super) async fn job(&self, id: JobId) -> Result<JobView, ApiError> {
        if self.asker.new { Err(ApiError::not_found()) } else { self.backend().view_job(id).await }
    }

    /// The page of a session that cannot be shown.
    pub(super) async fn refuse(&self, error: ApiError) -> Response {
        match error.code {
            Code::NotFound => self.answer(PageKind::NotFound, None, &Fixed::default()).await,
            _ => errors::page(&error, &self.asker.request_id, &self.state.assets),
        }
    }

    pub(super) async fn answer(&self, kind: PageKind, page: Option<SessionPage>, fixed: &Fixed) -> Response {
        let (data, failed) = self.data(kind, page).await;
        let status = match (kind, failed) {
            (PageKind::NotFound, _) => StatusCode::NOT_FOUND,
            (_, Some(code)) => StatusCode::from_u16(code.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            (_, None) => StatusCode::OK,
        };
        match self.render(data, fixed).await {
            Ok(html) => (status, Html(html)).into_response(),
            Err(error) => errors::page(&error, &self.asker.request_id, &self.state.assets),
        }
    }

    /// All that the page shows. What the page can do without, it does without: the code says what was missing.
    pub(super) async fn data(&self, kind: PageKind, page: Option<SessionPage>) -> (PageData, Option<Code>) {
        let backend = self.backend();
        let list = async {
            // Nothing can be theirs yet, so nothing is asked.
            if self.asker.new { Ok(SessionList::default()) } else { backend.list_sessions(None).await }
        };
        let (models, sessions, left) = future::join3(backend.models(), list, backend.replies_left()).await;
        let failed = models.as_ref().err().or(sessions.as_ref().err()).map(|error| error.code);
        let data = PageData {
            kind,
            page,
            sessions: sessions.unwrap_or_default(),
            models: models.unwrap_or_default(),
            simulator: self.state.simulator,
            theme: theme::of(&self.headers),
            tz: self.tz(),
            now: self.state.clock.now(),
            fresh: Fresh { session_id: self.state.clock.session_id(), turn_id: self.state.clock.turn_id() },
            error: self.query.error.or(failed),
            wait: self.query.wait,
            deleted: self.query.deleted.and_then(|id| forms::deleted(&self.headers, id)),
            via: self.query.via.is_some(),
            left: left.ok().flatten(),
        };
        (data, failed)
    }

    /// Minutes east of UTC where the person is.
    pub(super) fn tz(&self) -> i32 {
        zone(&self.headers)
    }

    /// What a plain form that led here ran into.
    pub(super) fn error(&self) -> Option<Code> {
        self.query.error
    }

    /// `?wait=`, in seconds.
    pub(super) const fn wait(&self) -> u32 {
        self.query.wait
    }

    /// Which page of a list.
    pub(super) fn page(&self) -> Option<&str> {
        self.query.page.as_deref()
    }

    /// The document.
    pub(super) async fn render(&self, data: PageData, fixed: &Fixed) -> Result<String, ApiError> {
        let fixed = fixed.clone();
        let (data, assets, nonce) = (Arc::new(data), self.state.assets.clone(), self.nonce.0.clone());
        let render = leptos_axum::render_app_async_with_context(
            move || provide_context(Nonce::from_value(nonce.clone())),
            move || app::shell::shell(data.clone(), &fixed, assets.clone()),
        );
        let body = render(Request::new(Body::empty())).await.into_body();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| ApiError::internal())?;
        String::from_utf8(bytes.into()).map_err(|_| ApiError::internal())
    }
}

/// Minutes east of UTC, as the browser said.
fn zone(headers: &HeaderMap) -> i32 {
    let minutes = cookies(headers, "tz").find_map(|tz| tz.parse().ok());
    minutes.filter(|m| (-14 * 60..=14 * 60).contains(m)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    #[test]
    fn an_address_is_read_leniently() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let all = Query::parse(&format!("error=turn_active&via=a%20b&page=x&deleted={id}&else=1"));
        assert_eq!(all.error, Some(Code::TurnActive));
        assert_eq!((all.via.as_deref(), all.page.as_deref()), (Some("a b"), Some("x")));
        assert_eq!(all.deleted, id.parse().ok());
        assert_eq!(Query::parse("via=&deleted=x"), Query::default());
        // A code of a newer server, or of nobody's.
        assert_eq!(Query::parse("error=%3Cscript%3E").error, Some(Code::Internal));
    }

    #[test]
    fn a_zone_is_one_that_exists() {
        let tz = |v: &'static str| zone(&HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(v))]));
        assert_eq!([tz("tz=120"), tz("tz=-570"), tz("tz=841"), tz("tz=x"), tz("")], [120, -570, 0, 0, 0]);
    }
}
