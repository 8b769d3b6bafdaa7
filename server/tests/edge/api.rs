use app::{
    api::ENDPOINTS,
    error::{ApiError, Code},
};

use super::support::*;

/// An error must be this, in status, shape and headers.
async fn expect(res: reqwest::Response, status: u16, code: &str) -> serde_json::Value {
    assert_eq!(res.status(), status, "{code}");
    assert_eq!(header(&res, "content-type"), "application/json");
    assert!(!res.headers().contains_key("serverfnerror"));
    let id = header(&res, "x-request-id").to_owned();
    let length: usize = header(&res, "content-length").parse().unwrap();
    let body = res.bytes().await.unwrap();
    assert_eq!(body.len(), length);
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((json["code"].as_str(), json["request_id"].as_str()), (Some(code), Some(id.as_str())));
    assert!(json["message"].as_str().is_some_and(|m| !m.is_empty()) && json["retryable"].is_boolean());
    json
}

#[tokio::test]
async fn every_endpoint_is_registered_with_its_method_and_no_other() {
    let registered: std::collections::BTreeSet<_> =
        server_fn::axum::server_fn_paths().map(|(path, method)| (method.to_string(), path.to_owned())).collect();
    let listed = ENDPOINTS.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(registered, listed);
    let server = Server::start().await;
    for (method, path) in ENDPOINTS {
        for other in ["GET", "POST", "PUT", "DELETE", "HEAD"].into_iter().filter(|m| m != method) {
            let other = reqwest::Method::from_bytes(other.as_bytes()).unwrap();
            let res = server.client.request(other.clone(), format!("{}{path}", server.base)).send().await.unwrap();
            assert_eq!(header(&res, "allow"), *method, "{other} {path}");
            if other == "HEAD" {
                assert_eq!(res.status(), 405);
            } else {
                expect(res, 405, "method_not_allowed").await;
            }
        }
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn each_call_reaches_the_backend_and_answers_json() {
    let server = Server::start().await;
    let cookie = server.cookie(user(1));
    server.own(user(1), session_id(1), "Mine", None);
    let (s, t) = (session_id(1), turn_id(1));
    let id = format!("session_id={s}");
    for (request, asked) in [
        (server.get("/api/models"), "models".to_owned()),
        (server.post("/api/sessions/create", ""), "create".to_owned()),
        (server.get("/api/sessions/list?page=p"), "list Some(\"p\")".to_owned()),
        (server.get(&format!("/api/sessions/get?{id}")), format!("get {s} None None")),
        (server.post("/api/sessions/rename", &format!("{id}&title=a+b%26")), format!("rename {s} a b&")),
        (server.post("/api/sessions/delete", &id), format!("delete {s}")),
        (server.post("/api/sessions/restore", &id), format!("restore {s}")),
        (server.post("/api/chat/stop", &format!("turn_id={t}")), format!("stop {t}")),
    ] {
        let res = request.header("cookie", &cookie).send().await.unwrap();
        assert_eq!((res.status().as_u16(), header(&res, "content-type")), (200, "application/json"), "{asked}");
        assert!(json(res).await.is_object());
        assert_eq!(server.asked(), [asked]);
    }
    assert!(server.users().iter().all(|u| *u == user(1)));
}

#[tokio::test]
async fn each_error_has_its_status_and_says_when_to_come_again() {
    let server = Server::start().await;
    for (error, status) in [
        (ApiError::new(Code::Malformed, "m"), 400),
        (ApiError::new(Code::Unauthorized, "m"), 401),
        (ApiError::new(Code::Forbidden, "m"), 403),
        (ApiError::not_found(), 404),
        (ApiError::turn_active(turn_id(7)), 409),
        (ApiError::too_large("text", "m"), 413),
        (ApiError::invalid("text", "m"), 422),
        (ApiError::new(Code::RateLimited, "m"), 429),
        (ApiError { retry_after: Some(7), ..ApiError::new(Code::BudgetSpent, "m") }, 429),
        (ApiError::internal(), 500),
        (ApiError::new(Code::UpstreamUnavailable, "m"), 502),
        (ApiError::unavailable(), 503),
    ] {
        server.fails(error.clone());
        let res = server.get("/api/models").send().await.unwrap();
        let after = header(&res, "retry-after").to_owned();
        let json = expect(res, status, error.code.as_str()).await;
        assert_eq!(json["retryable"], error.retryable);
        assert_eq!(json["field"].as_str(), error.field.as_deref());
        assert_eq!(json["turn_id"].as_str().map(ToOwned::to_owned), error.turn_id.map(|t| t.to_string()));
        assert_eq!(after, json["retry_after"].as_u64().map(|s| s.to_string()).unwrap_or_default());
        assert!(status != 429 || !after.is_empty());
        if let Some(seconds) = error.retry_after {
            assert_eq!(after, seconds.to_string());
        }
        // A stream that cannot begin is refused in the same way.
        let follow = server.get(&format!("/api/chat/follow?turn_id={}", turn_id(7))).send().await.unwrap();
        expect(follow, status, error.code.as_str()).await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_400_and_what_is_not_well_formed_422() {
    let server = Server::start().await;
    for (request, status, code, field) in [
        (server.post("/api/chat/send", ""), 400, "malformed", None),
        (server.post("/api/chat/send", "{\"text\":\"x\"}"), 400, "malformed", None),
        (server.post("/api/sessions/rename", &format!("session_id={}", session_id(1))), 400, "malformed", None),
        (server.post("/api/chat/stop", "turn_id=%FF"), 422, "invalid", Some("turn_id")),
        (server.get("/api/sessions/get"), 400, "malformed", None),
        (server.get("/api/sessions/get?session_id=x"), 422, "invalid", Some("session_id")),
        (server.get(&format!("/api/chat/follow?turn_id={}&cursor=-1", turn_id(1))), 422, "invalid", Some("cursor")),
    ] {
        let json = expect(request.send().await.unwrap(), status, code).await;
        assert_eq!(json["field"].as_str(), field);
    }
    let raw = server.client.post(format!("{}/api/chat/stop", server.base)).body(vec![0xff, 0xfe]).send();
    expect(raw.await.unwrap(), 400, "malformed").await;
}

#[tokio::test]
async fn unknown_paths_under_api_are_404_in_json() {
    let server = Server::start().await;
    for path in ["/api", "/api/", "/api/nothing", "/api/chat/send/", "/api/chat//send", "/api/%63hat/send"] {
        expect(server.get(path).send().await.unwrap(), 404, "not_found").await;
        let html = server.get(path).header("accept", "text/html").send().await.unwrap();
        expect(html, 404, "not_found").await;
        expect(server.post(path, "x=y").send().await.unwrap(), 404, "not_found").await;
    }
}

#[tokio::test]
async fn other_sites_cannot_post() {
    let server = Server::start().await;
    let post = || server.post("/api/sessions/create", "");
    for refused in [
        post().header("origin", "https://evil.example"),
        post().header("origin", "null"),
        post().header("sec-fetch-site", "cross-site"),
        post().header("sec-fetch-site", "same-site"),
        server.form("/api/sessions/create", "", "https://evil.example/").header("sec-fetch-site", "cross-site"),
        server.post("/theme", "theme=dark").header("origin", "https://evil.example"),
    ] {
        let res = refused.send().await.unwrap();
        assert!(!res.headers().contains_key("set-cookie"));
        expect(res, 403, "forbidden").await;
    }
    assert!(server.asked().is_empty());
    for taken in [post(), post().header("origin", &server.base).header("sec-fetch-site", "same-origin")] {
        assert_eq!(taken.send().await.unwrap().status(), 200);
    }
    let read = server.get("/api/models").header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(read.status(), 200);
}

#[tokio::test]
async fn events_go_out_one_by_one_as_they_come() {
    let server = Server::start().await;
    let stream = server.stream();
    let form = format!("session_id={}&turn_id={}&text=hi&new=true", session_id(1), turn_id(1));
    let mut res = soon(server.post("/api/chat/send", &form).send()).await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "content-type")), (200, "text/event-stream"));
    assert_eq!(header(&res, "x-accel-buffering"), "no");
    for n in 1..=5 {
        stream.send(text(n, &format!("token-{n}"))).unwrap();
        let got = read_until(&mut res, "\n\n").await;
        assert_eq!(got, format!("event: text\nid: {n}\ndata: {{\"text\":\"token-{n}\"}}\n\n"));
    }
    drop(stream);
    assert_eq!(soon(res.chunk()).await.unwrap(), None);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_stream() {
    let server = Server::start().await;
    let stream = server.stream();
    let res = server.get(&format!("/api/chat/follow?turn_id={}", turn_id(1))).send().await.unwrap();
    drop(res);
    soon(stream.closed()).await;
}

#[tokio::test]
async fn last_event_id_wins_over_the_cursor() {
    let server = Server::start().await;
    let path = format!("/api/chat/follow?turn_id={}&cursor=1", turn_id(1));
    server.get(&path).send().await.unwrap();
    server.get(&path).header("last-event-id", "7").send().await.unwrap();
    assert_eq!(server.asked(), [format!("follow {} 1", turn_id(1)), format!("follow {} 7", turn_id(1))]);
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_goes_on() {
    let server = Server::start().await;
    let form = format!("session_id={}&turn_id={}&text=panic", session_id(1), turn_id(1));
    let res = server.post("/api/chat/send", &form).send().await.unwrap();
    expect(res, 500, "internal").await;
    assert_eq!(server.get("/api/models").send().await.unwrap().status(), 200);
}
