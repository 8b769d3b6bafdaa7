//! `/admin…`: for admins only. Who is none gets 403, whether or not what they asked for exists.

use app::{
    backend::SharedBackend,
    domain::{Outcome, SessionId, TurnId, UserId},
    error::{ApiError, Code},
    pages::admin::{self as pages, AuditPage, Frame, Line, ListPage, Row, SessionView, TurnLog},
};
use axum::{
    extract::{Extension, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

use super::{access_log::Failed, errors, forms, identify::Asker, theme};
use crate::{
    admin::{Admin, Filter, Place, Signed, sessions::Wanted, timeline},
    auth::identity::{cookies, is_loopback},
    prices,
    state::{RequestContext, SharedState},
    storage::{TurnItem, TurnState},
};

/// The cookie of an admin who is signed in. Not the identity cookie: it ends sooner, and no page of the chat gets it.
const COOKIE: &str = "outlast_admin";

/// The admin of this request, and who of them asks.
#[derive(Clone)]
pub(crate) struct Here {
    pub(super) admin: Admin,
    pub(super) who: Signed,
}

fn set_cookie(value: &str, life: u64, headers: &HeaderMap) -> Option<HeaderValue> {
    let secure = if is_loopback(headers) { "" } else { "; Secure" };
    let cookie = format!("{COOKIE}={value}; Max-Age={life}; Path=/admin; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&cookie).ok()
}

/// The cookie of an admin who has just signed in.
pub(super) fn signed_in(token: &str, headers: &HeaderMap) -> Option<HeaderValue> {
    set_cookie(token, 12 * 3600, headers)
}

/// How many cookies of the name are looked at.
const COOKIES: usize = 4;

/// Whom the admin cookies name: the first that does, since another site beside this one may have set more of the name.
async fn signed(admin: &Admin, mark: &str, asker: &Asker, headers: &HeaderMap) -> Result<Option<Signed>, ApiError> {
    for token in cookies(headers, COOKIE).take(COOKIES) {
        if let Some(who) = admin.of(token, mark, asker.address).await? {
            return Ok(Some(who));
        }
    }
    Ok(None)
}

/// Lets admins past, and nobody else.
pub(crate) async fn guard(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    mut req: Request,
    next: Next,
) -> Response {
    let who = match (&state.admin, state.door.admin_mark()) {
        (Some(admin), Some(mark)) => signed(admin, &mark, &asker, req.headers()).await,
        _ => Ok(None),
    };
    match (who, &state.admin) {
        (Ok(Some(who)), Some(admin)) => {
            req.extensions_mut().insert(Here { admin: admin.clone(), who });
            next.run(req).await
        }
        (Err(error), _) => errors::page(&error, &asker.request_id, &state.assets),
        _ => {
            let to: String =
                form_urlencoded::byte_serialize(req.uri().path_and_query().map_or("/admin", |p| p.as_str()).as_bytes())
                    .collect();
            let sign_in = format!("/sign-in?next={to}");
            let link = if state.door.has_admin() { (sign_in.as_str(), "Sign in") } else { ("/", "Go to the chat") };
            let words = "These pages are for those who look after this Outlast.";
            let page = refusal(&state, req.headers(), "Not for everybody", words, link);
            answer(page, StatusCode::FORBIDDEN, Some(Code::Forbidden))
        }
    }
}

pub(super) fn answer(html: String, status: StatusCode, code: Option<Code>) -> Response {
    let mut res = (status, Html(html)).into_response();
    if let Some(code) = code {
        res.extensions_mut().insert(Failed(code));
    }
    res
}

pub(super) fn frame<'a>(state: &'a SharedState, headers: &HeaderMap) -> Frame<'a> {
    Frame {
        theme: theme::of(headers),
        css: [&state.assets.css, &state.assets.desk],
        foot: env!("CARGO_PKG_VERSION"),
        now: state.clock.now(),
    }
}

fn refusal(state: &SharedState, headers: &HeaderMap, heading: &str, words: &str, link: (&str, &str)) -> String {
    pages::refusal(&frame(state, headers), heading, words, link)
}

pub(super) fn not_found(state: &SharedState, headers: &HeaderMap, words: &str) -> Response {
    let page = refusal(state, headers, "Nothing here", words, ("/admin", "All sessions"));
    answer(page, StatusCode::NOT_FOUND, Some(Code::NotFound))
}

pub(super) fn failed(state: &SharedState, asker: &Asker, error: &ApiError) -> Response {
    errors::page(error, &asker.request_id, &state.assets)
}

/// What there is not under `/admin`.
pub(crate) async fn missing(State(state): State<SharedState>, req: Request) -> Response {
    not_found(&state, req.headers(), "There is no such page.")
}

/// The query's fields, each once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(req: &Request) -> Self {
        let query = req.uri().query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }
}

pub(super) fn is_day(text: &str) -> bool {
    text.len() == 10 && format!("{text}T00:00:00Z").parse::<app::domain::Timestamp>().is_ok()
}

/// What is wanted, by the address; or what of it makes no sense.
fn filter(query: &Query) -> Result<Filter, &'static str> {
    let some = |name: &str| Some(query.get(name)).filter(|v| !v.is_empty());
    let user = some("user").map(str::parse::<UserId>).transpose();
    let outcome = some("outcome").map(|word| match word {
        "running" => Ok(Wanted::Running),
        "complete" => Ok(Wanted::Ended(Outcome::Complete)),
        "stopped" => Ok(Wanted::Ended(Outcome::Stopped)),
        "failed" => Ok(Wanted::Ended(Outcome::Failed)),
        _ => Err("There is no such outcome."),
    });
    if some("day").is_some_and(|day| !is_day(day)) {
        return Err("A day is written as 2026-11-24.");
    }
    Ok(Filter {
        words: some("q").map(str::to_owned),
        user: user.map_err(|_| "A user’s name has 26 letters and digits, as the list’s links have it.")?,
        day: some("day").map(str::to_owned),
        model: some("model").map(str::to_owned),
        outcome: outcome.transpose()?,
    })
}

/// What a list was narrowed to, for the audit list: what was looked for in titles is the admin's own word.
fn narrowed(query: &Query) -> Option<String> {
    let parts: Vec<String> = ["q", "day", "model", "outcome"]
        .iter()
        .map(|name| (name, query.get(name)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", value.chars().take(100).collect::<String>()))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// `/admin`: sessions of all users.
pub(crate) async fn list(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(here): Extension<Here>,
    req: Request,
) -> Response {
    let query = Query::of(&req);
    let owned = |name: &str| query.get(name).to_owned();
    let backend: SharedBackend = (state.backend)(asker.context());
    let mut page = ListPage {
        words: owned("q"),
        user: owned("user"),
        day: owned("day"),
        model: owned("model"),
        outcome: owned("outcome"),
        later: !query.get("from").is_empty(),
        ..ListPage::default()
    };
    let mut status = StatusCode::OK;
    match filter(&query) {
        Err(fault) => (page.fault, status) = (Some(fault), StatusCode::UNPROCESSABLE_ENTITY),
        Ok(filter) => {
            let user = filter.user.map(|user| user.to_string());
            if let Err(error) = here.admin.note(&here.who, "list", narrowed(&query), user).await {
                return failed(&state, &asker, &error);
            }
            let from = Place::parse(query.get("from"));
            let (found, models) = futures::join!(here.admin.sessions(&filter, from), backend.models());
            let found = match found {
                Ok(found) => found,
                Err(error) => return failed(&state, &asker, &error),
            };
            page.models = models.unwrap_or_default().models.into_iter().map(|m| m.id).collect();
            page.next = found.next.map(|place| place.token());
            let row = |s: crate::storage::SessionEntry| Row {
                id: s.id,
                title: s.title,
                user: s.owner,
                at: s.updated_at,
                model: s.model,
                running: s.active.is_some(),
                outcome: s.outcome,
            };
            page.rows = found.rows.into_iter().map(row).collect();
        }
    }
    answer(pages::list(&frame(&state, req.headers()), &page), status, None)
}

/// `/admin/audit`.
pub(crate) async fn audit(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(here): Extension<Here>,
    req: Request,
) -> Response {
    let query = Query::of(&req);
    let from = Some(query.get("from")).filter(|v| !v.is_empty());
    let (entries, next) = match here.admin.audit(from).await {
        Ok(found) => found,
        Err(error) if error.code == Code::Invalid => return not_found(&state, req.headers(), "There is no such page."),
        Err(error) => return failed(&state, &asker, &error),
    };
    let line = |e: crate::storage::AuditEntry| Line {
        at: e.at,
        admin: e.admin,
        action: e.action,
        object: e.object,
        user: e.user,
        address: e.address,
    };
    let page = AuditPage { lines: entries.into_iter().map(line).collect(), next };
    answer(pages::audit(&frame(&state, req.headers()), &page), StatusCode::OK, None)
}

/// `/admin/sessions/{id}`.
pub(crate) async fn session(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(here): Extension<Here>,
    Path(id): Path<String>,
    req: Request,
) -> Response {
    let query = Query::of(&req);
    match view(&state, &asker, &here, &id, &query).await {
        Ok(view) => answer(pages::session(&frame(&state, req.headers()), &view), StatusCode::OK, None),
        Err(error) if error.code == Code::NotFound || error.code == Code::Invalid => {
            not_found(&state, req.headers(), &error.message)
        }
        Err(error) => failed(&state, &asker, &error),
    }
}

/// Reads a session as its owner would see it, and the log of one of its turns. Nothing is claimed and nothing followed.
async fn view(
    state: &SharedState,
    asker: &Asker,
    here: &Here,
    id: &str,
    query: &Query,
) -> Result<SessionView, ApiError> {
    let gone = |words: &str| ApiError::new(Code::NotFound, words);
    let no_such = || gone("There is no such session. It may have been deleted, or have expired.");
    let id: SessionId = id.parse().map_err(|_| gone("That is no session’s name: those have 26 letters and digits."))?;
    let store = here.admin.store();
    let down = |error| {
        tracing::warn!(%error, "an admin could not be shown a session");
        ApiError::unavailable()
    };
    let found = store.session(id).await.map_err(down)?.ok_or_else(no_such)?;
    if found.deleted_at.is_some() {
        return Err(gone("Its user has deleted this session."));
    }
    let user = found.owner;
    let noted_at = here.admin.note(&here.who, "read", Some(id.to_string()), Some(user.to_string())).await?;
    let from = Some(query.get("page")).filter(|p| !p.is_empty()).map(str::to_owned);
    let backend = (state.backend)(RequestContext { user, ..asker.context() });
    let page = backend.get_session(id, from.clone(), None).await?;

    let newest = page.messages.iter().rev().find_map(|m| m.turn_id);
    let asked = Some(query.get("turn")).filter(|t| !t.is_empty()).map(str::parse::<TurnId>);
    let asked = asked.transpose().map_err(|_| gone("That is no turn’s name."))?;
    let chosen = asked.or(page.active_turn.filter(|_| from.is_none())).or(newest);
    let turn = match chosen {
        Some(turn) => store.turn(turn).await.map_err(down)?.filter(|t| t.session == id),
        None => None,
    };
    if asked.is_some() && turn.is_none() {
        return Err(gone("There is no such turn in this session."));
    }
    let (mut log, mut running) = (None, None);
    if let Some(turn) = turn {
        let told = timeline::timeline(&turn, &store.see_log(turn.id).await.map_err(down)?, state.lease_ms);
        let number = page.messages.iter().filter_map(|m| m.turn_id).position(|t| t == turn.id);
        let number = number.unwrap_or_else(|| page.messages.iter().filter(|m| m.turn_id.is_some()).count()) + 1;
        if page.active_turn == Some(turn.id) {
            running = Some((turn.id, told.text.clone()));
        }
        log = Some(turn_log(&turn, number, told));
    }
    // Of one that runs and was not chosen: that it does.
    if running.is_none() && from.is_none() {
        running = page.active_turn.map(|turn| (turn, "…".to_owned()));
    }
    Ok(SessionView { page, running, log, noted_at, from })
}

fn turn_log(turn: &TurnItem, number: usize, told: timeline::Timeline) -> TurnLog {
    let done = turn.state == TurnState::Done;
    TurnLog {
        turn: turn.id,
        number,
        user: turn.owner,
        model: turn.model.clone(),
        sent_at: turn.created_at,
        first_ms: turn.timing.and_then(|t| t.first_ms),
        total_ms: turn.timing.map(|t| t.total_ms),
        runners: turn.claims as usize,
        cost: done.then(|| prices::dollars(prices::micros(&turn.model, &turn.usage))),
        entries: told.entries,
        curve: told.curve,
        gaps: told.gaps,
    }
}

/// The form that signs this admin out.
pub(crate) async fn sign_out(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(here): Extension<Here>,
    req: Request,
) -> Response {
    leave(&state, &asker, req.headers(), here.admin.sign_out(&here.who).await)
}

/// The form that signs all admins out.
pub(crate) async fn sign_out_everywhere(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(here): Extension<Here>,
    req: Request,
) -> Response {
    leave(&state, &asker, req.headers(), here.admin.sign_out_everywhere(&here.who).await)
}

fn leave(state: &SharedState, asker: &Asker, headers: &HeaderMap, done: Result<(), ApiError>) -> Response {
    if let Err(error) = done {
        return failed(state, asker, &error);
    }
    let mut res = forms::see_other("/sign-in");
    if let Some(cookie) = set_cookie("", 0, headers) {
        res.headers_mut().append(header::SET_COOKIE, cookie);
    }
    res
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Filter, &'static str> {
        filter(&Query(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }

    #[test]
    fn an_address_asks_for_what_there_is_or_is_told_so() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let all = of(&format!("q=a+b&user={id}&day=2026-11-24&model=m&outcome=failed&else=1")).unwrap();
        assert_eq!(all.words.as_deref(), Some("a b"));
        assert_eq!(all.user, id.parse().ok());
        assert_eq!(all.outcome, Some(Wanted::Ended(Outcome::Failed)));
        assert_eq!(of("q=&user=&day=&model=&outcome="), Ok(Filter::default()));
        for bad in ["user=x", "day=yesterday", "day=2026-13-01", "day=2026-11-24T", "outcome=lost"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
