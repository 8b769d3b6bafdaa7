use app::error::ApiError;

use super::support::*;

/// A page's policy, and its nonce.
fn policy(res: &reqwest::Response) -> (String, String) {
    let csp = header(res, "content-security-policy").to_owned();
    let nonce = csp.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default().to_owned();
    (csp.replace(&format!("nonce-{nonce}"), "nonce"), nonce)
}

#[tokio::test]
async fn a_page_runs_only_what_carries_its_own_nonce() {
    let server = Server::start().await;
    let mut nonces = std::collections::HashSet::new();
    for path in ["/", "/", "/nothing-here", "/c/nonsense"] {
        let res = server.get(path).send().await.unwrap();
        let (csp, nonce) = policy(&res);
        for rule in [
            "default-src 'none'",
            "script-src 'self' 'nonce' 'wasm-unsafe-eval'",
            "style-src 'self' 'nonce'",
            "connect-src 'self'",
            "frame-src 'self'",
            "img-src 'self' data: https:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
        ] {
            assert!(csp.split(';').any(|r| r.trim() == rule), "{rule} is not in {csp}");
        }
        assert!(!csp.contains("unsafe-inline") && !csp.contains("'unsafe-eval'"), "{csp}");
        let html = res.text().await.unwrap();
        assert!(html.contains(&format!("nonce=\"{nonce}\"")), "{path}");
        // Each script that is written into the page carries it.
        for script in html.split("<script").skip(1) {
            let tag = script.split('>').next().unwrap();
            assert!(tag.contains(&format!("nonce=\"{nonce}\"")) || tag.contains("src="), "<script{tag}>");
        }
        assert!(nonce.len() >= 22 && nonces.insert(nonce));
    }
}

#[tokio::test]
async fn every_kind_of_answer_carries_the_headers() {
    let server = Server::start().await;
    let send = format!("session_id={}&turn_id={}&text=hi", session_id(1), turn_id(1));
    let mut ids = std::collections::HashSet::new();
    for (request, cache) in [
        (server.get("/"), "no-store"),
        (server.get("/nothing"), "no-store"),
        (server.get("/healthz"), "no-store"),
        (server.get("/api/models"), "no-store"),
        (server.get("/api/nothing"), "no-store"),
        (server.post("/api/models", ""), "no-store"),
        (server.post("/", ""), "no-store"),
        (server.post("/api/chat/send", &send), "no-store"),
        (server.post("/api/chat/send", &send).header("origin", "null"), "no-store"),
        (server.form("/api/chat/send", &send, ""), "no-store"),
        (server.post("/theme", "theme=dark"), "no-store"),
        (server.get("/favicon.svg"), "public, max-age=3600"),
        (server.get("/pkg/0123abcd/outlast.js"), "public, max-age=31536000, immutable"),
        (server.get("/pkg/nothing"), "no-store"),
    ] {
        let res = request.send().await.unwrap();
        let what = format!("{} {}", res.status(), res.url());
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", cache),
            ("strict-transport-security", ""),
        ] {
            assert_eq!(header(&res, name), value, "{what}");
        }
        assert!(header(&res, "permissions-policy").contains("camera=()"), "{what}");
        let csp = header(&res, "content-security-policy");
        assert!(csp.starts_with("default-src 'none'") && csp.contains("frame-ancestors 'none'"), "{what}");
        assert_eq!(csp.contains("script-src"), header(&res, "content-type").starts_with("text/html"), "{what}");
        assert!(header(&res, "x-request-id").len() == 26, "{what}");
        assert!(ids.insert(header(&res, "x-request-id").to_owned()));
        // (A stream whose turn says nothing is empty: it is chunked, and ends.)
        let empty_stream = header(&res, "content-type") == "text/event-stream";
        assert_eq!(res.bytes().await.unwrap().is_empty(), empty_stream, "{what}");
    }
}

#[tokio::test]
async fn https_is_for_good_but_on_loopback() {
    let server = Server::start().await;
    let res = server.get("/").header("host", "outlast.example").send().await.unwrap();
    assert_eq!(header(&res, "strict-transport-security"), "max-age=31536000");
}

#[tokio::test]
async fn the_page_of_an_error_that_nothing_can_be_shown_for_has_them_too() {
    let server = Server::start().await;
    server.fails(ApiError::unavailable());
    let path = format!("/c/{}", session_id(1));
    let res = server.get(&path).header("cookie", server.cookie(user(1))).send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "retry-after")), (503, "2"));
    assert!(policy(&res).0.contains("script-src"));
    assert!(res.text().await.unwrap().contains("Storage is not answering"));
}

#[tokio::test]
async fn a_forged_host_is_repeated_nowhere() {
    let server = Server::start().await;
    for path in ["/", "/c/x", "/sign-in", "/admin", "/api/models", "/api/x", "/pkg/x", "/no-such"] {
        let res = server.get(path).header("host", "evil.example").header("accept", "text/html").send().await.unwrap();
        assert!(!header(&res, "location").contains("evil"), "{path}");
        assert!(!res.text().await.unwrap().contains("evil.example"), "{path}");
    }
    // A form's way back is a path, even from a page that the forged host would make this site's.
    let form = server.post("/api/sessions/create", "").header("host", "evil.example").header("accept", "text/html");
    let res = form.header("referer", "https://evil.example/c/x").send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "location")), (303, "/"));
}
