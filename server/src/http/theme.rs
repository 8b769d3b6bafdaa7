//! `POST /theme`: light, dark, or as the system has it. A cookie, so that the server renders the right one at once and
//! nothing flashes.

use app::page::Theme;
use axum::{
    extract::{Extension, Request},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};

use super::{errors, forms, identify::Asker, limits};
use crate::auth::identity::{cookies, is_loopback};

/// The cookie's name. Scripts may read it: the page's switch sets it too.
pub const COOKIE: &str = "theme";

/// What the request's cookie says.
#[must_use]
pub fn of(headers: &HeaderMap) -> Theme {
    match cookies(headers, COOKIE).next() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    }
}

/// The handler: the form field `theme`, then back to the page.
pub async fn choose(Extension(asker): Extension<Asker>, req: Request) -> Response {
    let (parts, body) = req.into_parts();
    let body = match limits::read(&parts.headers, body, 4096).await {
        Ok(body) => body,
        Err(error) => return errors::respond(error, &asker.request_id),
    };
    let theme = form_urlencoded::parse(&body).find(|(name, _)| name == "theme").map(|(_, value)| value);
    let (value, life) = match theme.as_deref() {
        Some("light") => ("light", 400 * 86_400),
        Some("dark") => ("dark", 400 * 86_400),
        Some("system") => ("", 0),
        _ => {
            let error = app::error::ApiError::invalid("theme", "`theme` is light, dark or system.");
            return errors::respond(error, &asker.request_id);
        }
    };
    let secure = if is_loopback(&parts.headers) { "" } else { "; Secure" };
    let cookie = format!("{COOKIE}={value}; Max-Age={life}; Path=/; SameSite=Lax{secure}");
    let mut res = forms::see_other(&forms::back(&parts.headers));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        res.headers_mut().append(header::SET_COOKIE, cookie);
    }
    res
}
