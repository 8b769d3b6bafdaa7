//! Plain forms: the same endpoints, answered with 303 to the page that shows the result.

use std::sync::{Arc, OnceLock};

use app::{
    domain::{JobId, SessionId},
    error::{ApiError, Code},
    page::Deleted,
};
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{access_log::Failed, origin};
use crate::auth::{
    identity::{cookies, is_loopback},
    ownership::UNDO_MS,
};

/// The cookie that says which session this browser deleted by form just now, `<id>.<base64url title>`: an address
/// alone, which anybody may send to anybody, offers no Undo.
const DELETED: &str = "outlast_deleted";
/// In seconds: as long as Undo works.
const DELETED_LIFE: u64 = UNDO_MS / 1000;

/// Where a person goes after a plain form. The backend sets it; it stays with whoever sets it first.
#[derive(Debug, Clone, Default)]
pub struct FormReply(Arc<OnceLock<Reply>>);

#[derive(Debug)]
struct Reply {
    location: String,
    deleted: Option<Deleted>,
}

impl FormReply {
    /// A path of ours, such as `/c/{id}/live`.
    pub fn set(&self, location: impl Into<String>) {
        let _ = self.0.set(Reply { location: location.into(), deleted: None });
    }

    /// To a new chat, with Undo for the session that was deleted just now.
    pub fn set_deleted(&self, session_id: SessionId, title: String) {
        let location = format!("/?deleted={session_id}");
        let _ = self.0.set(Reply { location, deleted: Some(Deleted { session_id, title }) });
    }

    /// What was set, if it is a path.
    #[must_use]
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(|reply| reply.location.as_str()).filter(|to| is_path(to))
    }
}

/// A path on this site, and nothing that a browser would read as another host.
pub(super) fn is_path(to: &str) -> bool {
    to.starts_with('/') && !to[1..].starts_with(['/', '\\']) && to.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether the client would rather have HTML than what the endpoint gives: a browser that submits a form names
/// `text/html`; scripts name JSON, events or nothing.
#[must_use]
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let (mut html, mut data) = (0.0_f32, 0.0_f32);
    let lines = headers.get_all(header::ACCEPT).into_iter().filter_map(|v| v.to_str().ok());
    for range in lines.flat_map(|line| line.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let q = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
        let q: f32 = q.map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        match kind.as_str() {
            "text/html" | "application/xhtml+xml" => html = q.max(html),
            "application/json" | "text/event-stream" => data = q.max(data),
            _ => {}
        }
    }
    html > data
}

/// The page that the form was on, by `Referer`: of this site only, its path only, and only a page that exists.
#[must_use]
pub fn back(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let path = || {
        let referer = text(header::REFERER)?;
        let host = text(header::HOST)?;
        let uri = referer.parse::<Uri>().ok().filter(|_| origin::names_host(referer, host))?;
        if matches!(uri.path(), "/jobs" | "/jobs/new") {
            return Some(uri.path().to_owned());
        }
        if let Some(job) = uri.path().strip_prefix("/jobs/") {
            return Some(format!("/jobs/{}", job.parse::<JobId>().ok()?));
        }
        if uri.path() == "/admin" || uri.path().starts_with("/admin/") {
            return Some(uri.path().to_owned()).filter(|path| is_path(path));
        }
        let id: SessionId = uri.path().strip_prefix("/c/")?.trim_end_matches("/live").parse().ok()?;
        Some(format!("/c/{id}"))
    };
    path().unwrap_or_else(|| "/".to_owned())
}

/// The 303 of a form that worked.
#[must_use]
pub fn done(reply: &FormReply, headers: &HeaderMap) -> Response {
    let to = reply.get().map_or_else(|| back(headers), ToOwned::to_owned);
    let mut res = see_other(&to);
    if let Some(Deleted { session_id, title }) = reply.0.get().and_then(|reply| reply.deleted.as_ref()) {
        let (secure, title) = (if is_loopback(headers) { "" } else { "; Secure" }, URL_SAFE_NO_PAD.encode(title));
        let cookie =
            format!("{DELETED}={session_id}.{title}; Max-Age={DELETED_LIFE}; Path=/; HttpOnly; SameSite=Lax{secure}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            res.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    res
}

/// What this browser deleted by form just now, if it is the session named.
#[must_use]
pub fn deleted(headers: &HeaderMap, session_id: SessionId) -> Option<Deleted> {
    let (_, title) = cookies(headers, DELETED)
        .filter_map(|value| value.split_once('.'))
        .find(|(id, _)| id.parse() == Ok(session_id))?;
    let title = String::from_utf8(URL_SAFE_NO_PAD.decode(title).ok()?).ok()?;
    Some(Deleted { session_id, title })
}

/// The 303 of a form that did not work: to the page it was on, with the error's code, and when to come again where
/// that is soon.
#[must_use]
pub fn failed(error: &ApiError, headers: &HeaderMap) -> Response {
    let wait = error.retry_after.filter(|_| error.code == Code::RateLimited);
    let wait = wait.map_or_else(String::new, |seconds| format!("&wait={seconds}"));
    let mut res = see_other(&format!("{}?error={}{wait}", back(headers), error.code.as_str()));
    res.extensions_mut().insert(Failed(error.code));
    res
}

/// 303, with a body (see `headers::never_empty`).
#[must_use]
pub fn see_other(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)], "See the address in the header Location.\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &str) -> bool {
        prefers_html(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(value).unwrap())]))
    }

    #[test]
    fn browsers_forms_prefer_html_and_scripts_do_not() {
        for yes in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "text/html",
            "application/json;q=0.5, text/html;q=0.6",
            "TEXT/HTML; q=1",
        ] {
            assert!(accept(yes), "{yes}");
        }
        for no in ["*/*", "", "application/json", "text/event-stream", "text/html, application/json", "text/html;q=0"] {
            assert!(!accept(no), "{no}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn a_reply_leads_nowhere_else() {
        let get = |to: &str| {
            let reply = FormReply::default();
            reply.set(to);
            reply.get().map(ToOwned::to_owned)
        };
        assert_eq!(get("/c/x/live").as_deref(), Some("/c/x/live"));
        for bad in ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nb"] {
            assert_eq!(get(bad), None, "{bad}");
        }
    }
}
