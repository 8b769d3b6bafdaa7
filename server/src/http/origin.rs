//! What another site's page sends is refused, whatever cookie it brings.
//!
//! Browsers say where a request comes from in `Origin` and `Sec-Fetch-Site`, and no page can change either. Who sends
//! neither is no browser, and has nobody's cookie but its own.

use app::error::{ApiError, Code};
use axum::{
    extract::Request,
    http::{HeaderMap, Method, Uri, header},
    middleware::Next,
    response::Response,
};

use super::errors;

/// The layer.
pub async fn layer(req: Request, next: Next) -> Response {
    let safe = matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || same_origin(req.headers()) {
        return next.run(req).await;
    }
    errors::of(&req, ApiError::new(Code::Forbidden, "This was sent by another site's page, and is not accepted."))
}

fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    // `same-site` is another origin still: another port of this machine, or a neighbouring subdomain.
    let site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = text(header::HOST.as_str()).unwrap_or_default();
    site && text(header::ORIGIN.as_str()).is_none_or(|origin| names_host(origin, host))
}

/// Whether an `http` or `https` origin (or the start of an address) is at `host`.
pub(super) fn names_host(origin: &str, host: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let default = match uri.scheme_str() {
        Some("http") => ":80",
        Some("https") => ":443",
        _ => return false,
    };
    // Either may write the scheme's own port or leave it out.
    let bare = |authority: &str| authority.strip_suffix(default).unwrap_or(authority).to_ascii_lowercase();
    !host.is_empty() && uri.authority().is_some_and(|a| bare(a.as_str()) == bare(host))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn accepted(pairs: &[(&str, &str)]) -> bool {
        let host = [("host", "outlast.example:3000")];
        same_origin(&HeaderMap::from_iter(host.iter().chain(pairs).map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        })))
    }

    #[test]
    fn only_this_origin_and_no_browser_at_all_are_taken() {
        for yes in [
            &[][..],
            &[("origin", "http://outlast.example:3000")],
            &[("origin", "https://OUTLAST.example:3000")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://outlast.example:3000"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(accepted(yes), "{yes:?}");
        }
        for no in [
            &[("origin", "null")][..],
            &[("origin", "")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://outlast.example")],
            &[("origin", "http://outlast.example:3001")],
            &[("origin", "http://outlast.example:3000.evil.example")],
            &[("origin", "http://x@outlast.example:3000")],
            &[("origin", "file://outlast.example:3000")],
            &[("origin", "outlast.example:3000")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "")],
            &[("origin", "http://outlast.example:3000"), ("sec-fetch-site", "cross-site")],
            &[("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(!accepted(no), "{no:?}");
        }
    }

    #[test]
    fn the_schemes_own_port_may_be_left_out() {
        assert!(names_host("https://a.example", "a.example:443") && names_host("http://a.example:80", "a.example"));
        assert!(!names_host("https://a.example", "a.example:80") && !names_host("http://a.example", ""));
    }
}
