//! `/sign-in`: one field, for the access code or the admin's password. A plain form; it needs no JavaScript.

use app::{
    error::{ApiError, Code},
    pages::door::{self, Trouble},
};
use axum::{
    extract::{Extension, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{
    access_log::Failed,
    errors,
    forms::{self, is_path},
    identify::{Admit, Asker},
    limits, pages, theme,
};
use crate::{
    auth::{
        buckets::seconds,
        door::{Entered, Shut},
    },
    state::{RequestId, SharedState},
};

/// Where one signs in.
pub const PATH: &str = "/sign-in";
/// The form is small.
const MAX_BODY: usize = 8 << 10;

/// Who is not let in: a page leads to the sign-in and back, all else is 401.
#[must_use]
pub fn refuse(req: &Request, id: &RequestId) -> Response {
    let api = req.uri().path().starts_with("/api");
    if api && !forms::prefers_html(req.headers()) {
        return errors::respond(ApiError::new(Code::Unauthorized, "Sign in first: an access code is asked for."), id);
    }
    let back = req.uri().path_and_query().map_or("/", |p| p.as_str());
    if api || back == "/" || !safe(req) {
        return forms::see_other(PATH);
    }
    let next: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
    forms::see_other(&format!("{PATH}?next={next}"))
}

/// What a person can be led back to.
fn safe(req: &Request) -> bool {
    matches!(*req.method(), axum::http::Method::GET | axum::http::Method::HEAD)
}

/// A page of ours to go on to: never another site's, and not the API.
fn next(value: &str) -> Option<&str> {
    (is_path(value) && value.len() < 2048 && !value.starts_with("/api") && !value.starts_with(PATH)).then_some(value)
}

fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

/// The page. Where there is nothing to sign in to there is no such page.
pub async fn show(
    State(state): State<SharedState>,
    asker: Extension<Asker>,
    nonce: Extension<super::headers::CspNonce>,
    req: Request,
) -> Response {
    if !state.door.guarded() && !state.door.has_admin() {
        return pages::fallback(State(state), asker, nonce, req).await;
    }
    let to = field(req.uri().query().unwrap_or_default().as_bytes(), "next");
    page(&state, req.headers(), to.as_deref().and_then(next), None)
}

fn page(
    state: &SharedState,
    headers: &axum::http::HeaderMap,
    next: Option<&str>,
    trouble: Option<Trouble>,
) -> Response {
    Html(door::document(&door::Door {
        code: state.door.guarded(),
        admin: state.door.has_admin(),
        next,
        trouble,
        theme: theme::of(headers),
        css: [&state.assets.css, &state.assets.desk],
    }))
    .into_response()
}

/// The form: the fields `secret` and `next`.
pub async fn enter(State(state): State<SharedState>, Extension(asker): Extension<Asker>, req: Request) -> Response {
    let (parts, body) = req.into_parts();
    let html = forms::prefers_html(&parts.headers);
    let form = match limits::read(&parts.headers, body, MAX_BODY).await {
        Ok(form) => form,
        Err(error) => return errors::respond(error, &asker.request_id),
    };
    let secret = field(&form, "secret").unwrap_or_default();
    let to = field(&form, "next");
    let to = to.as_deref().and_then(next);
    let entered = match state.door.try_secret(secret.trim(), asker.address).await {
        Ok(entered) => entered,
        Err(shut) => {
            let (code, wait) = match shut {
                Shut::Wrong => (Code::Unauthorized, None),
                Shut::Wait(wait) => (Code::RateLimited, Some(seconds(wait))),
            };
            tracing::info!(request_id = %asker.request_id, code = code.as_str(), "a sign-in was refused");
            if !html {
                let words = if wait.is_some() { "Too many tries. Wait, then try again." } else { "That did not open." };
                let error = ApiError { retry_after: wait, ..ApiError::new(code, words) };
                return errors::respond(error, &asker.request_id);
            }
            let trouble = wait.map_or(Trouble::Wrong, Trouble::Wait);
            let mut res = page(&state, &parts.headers, to, Some(trouble));
            *res.status_mut() = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::UNAUTHORIZED);
            if let Some(wait) = wait {
                res.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            }
            res.extensions_mut().insert(Failed(code));
            return res;
        }
    };
    tracing::info!(request_id = %asker.request_id, ?entered, "somebody signed in");
    let mut res = if html {
        forms::see_other(to.unwrap_or(if entered == Entered::Admin { "/admin" } else { "/" }))
    } else {
        ([(header::CONTENT_TYPE, "application/json")], "{}").into_response()
    };
    if let (Entered::Admin, Some(admin), Some(mark)) = (entered, &state.admin, state.door.admin_mark()) {
        let token = match admin.sign_in(&mark, asker.address).await {
            Ok(token) => token,
            Err(error) => return errors::page(&error, &asker.request_id, &state.assets),
        };
        if let Some(cookie) = super::admin::signed_in(&token, &parts.headers) {
            res.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    // A cookie that was never let in may be one that somebody else has too, and gave them: what they write from now on
    // is a new user's. One that was, by this code or an older one, stays who it is.
    let fresh = state.door.guarded() && asker.mark.is_none();
    let user = if fresh { state.clock.user_id() } else { asker.user };
    res.extensions_mut().insert(Admit { user, mark: state.door.mark().or(asker.mark) });
    res
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_led_on_to_pages_of_this_site_only() {
        for good in ["/", "/c/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/admin?day=2026-11-24&q=a%20b", "/jobs"] {
            assert_eq!(next(good), Some(good));
        }
        for bad in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
            "evil.example",
            "/a\r\nset-cookie: x",
            "/api/sessions/create",
            "/sign-in?next=/sign-in",
            "/é",
        ] {
            assert_eq!(next(bad), None, "{bad}");
        }
    }
}
