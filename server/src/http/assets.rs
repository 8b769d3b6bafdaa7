//! The site's files: those with a hash in their path for ever, the rest for a while.

use std::{fs, io, path::Path};

use app::shell::Assets;
use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use tower_http::services::{ServeDir, ServeFile};

use crate::state::{RequestId, SharedState};

use super::errors;

/// Lists which hashed file is what: one `<key> <path>` a line, with the keys `js`, `wasm`, `boot`, `css` and
/// `desk`.
const MANIFEST: &str = "assets.txt";

/// Reads the manifest.
///
/// # Errors
/// If it is not there, or names no file for one of the keys.
pub fn load(site: &Path) -> io::Result<Assets> {
    let text = fs::read_to_string(site.join(MANIFEST))?;
    let find = |key: &str| {
        let path = text.lines().find_map(|line| line.split_once(' ').filter(|(k, _)| *k == key));
        path.map(|(_, path)| format!("/{}", path.trim()))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{MANIFEST} has no line for `{key}`")))
    };
    Ok(Assets { js: find("js")?, wasm: find("wasm")?, boot: find("boot")?, css: find("css")?, desk: find("desk")? })
}

/// `/pkg/…`, and each file that stands in the site's own folder. These are listed once, at the start: no request can
/// name another.
pub fn routes(site: &Path) -> Router<SharedState> {
    let pkg =
        ServeDir::new(site.join("pkg")).append_index_html_on_directories(false).precompressed_br().precompressed_gzip();
    let mut public = Router::new();
    for name in fs::read_dir(site).into_iter().flatten().filter_map(|entry| file_name(entry.ok()?)) {
        let file = ServeFile::new(site.join(&name)).precompressed_br().precompressed_gzip();
        public = public.route_service(&format!("/{name}"), file);
    }
    Router::new()
        .nest_service("/pkg", pkg)
        .layer(middleware::from_fn(immutable))
        .merge(public.layer(middleware::from_fn(for_a_while)))
}

/// The name of a file that is meant to be seen.
fn file_name(entry: fs::DirEntry) -> Option<String> {
    let name = entry.file_name().into_string().ok()?;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    // Without a dot it could be one of our own paths.
    let hidden = name.starts_with('.')
        || !name.contains('.')
        || name == MANIFEST
        || name.ends_with(".br")
        || name.ends_with(".gz");
    (plain && !hidden && entry.file_type().ok()?.is_file()).then_some(name)
}

async fn immutable(req: Request, next: Next) -> Response {
    cached(req, next, "public, max-age=31536000, immutable").await
}

async fn for_a_while(req: Request, next: Next) -> Response {
    cached(req, next, "public, max-age=3600").await
}

/// Caching is for what is there: a miss must not be remembered, since a deploy may be half done.
async fn cached(req: Request, next: Next, policy: &'static str) -> Response {
    let id = req.extensions().get::<RequestId>().cloned().unwrap_or(RequestId("".into()));
    if !matches!(*req.method(), Method::GET | Method::HEAD) {
        return errors::method_not_allowed(&id, "GET");
    }
    let mut res = next.run(req).await;
    if res.status().is_success() || res.status() == StatusCode::NOT_MODIFIED {
        res.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
        // Which of the forms was sent depends on it, whether or not one was.
        res.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    res
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_them_all() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
        let lines = "js pkg/h/outlast.js\nwasm pkg/h/outlast.wasm\nboot pkg/h/boot.js\ncss pkg/h/outlast.css\ndesk pkg/h/desk.css\n";
        fs::write(dir.path().join(MANIFEST), lines).unwrap();
        assert_eq!(load(dir.path()).unwrap().css, "/pkg/h/outlast.css");
        fs::write(dir.path().join(MANIFEST), "js pkg/h/outlast.js\n").unwrap();
        assert!(load(dir.path()).unwrap_err().to_string().contains("`wasm`"));
    }
}
