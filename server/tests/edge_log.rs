//! What the log says and what it never says. A process of its own: as long as only some threads have a subscriber,
//! `tracing` may take a line that another thread reaches first for one that nobody wants.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what helps a test may fail it")]

#[path = "common/lines.rs"]
mod lines;
#[expect(dead_code, reason = "the other test binary uses all of it")]
#[path = "edge/support.rs"]
mod support;

use std::sync::atomic::Ordering;

use app::error::ApiError;
use server::{config::LogFormat, telemetry};

use lines::Lines;
use support::*;

/// What was logged since it was last asked.
fn said(lines: &Lines) -> String {
    String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap()
}

/// Everything that a person, a model or a browser may say, once each.
async fn all_that_can_be_said(server: &Server) {
    let (s, t) = (session_id(1), turn_id(1));
    server.own(user(1), s, "canary-title", Some(t));
    let cookie = format!("{}; other=canary-cookie", server.cookie(user(1)));
    for _ in 0..2 {
        server.stream().send(text(6, "canary-reply\n\n")).unwrap();
    }
    let send = format!("session_id={s}&turn_id={t}&text=canary-prompt");
    let form = format!("session_id={s}&title=canary-title");
    for request in [
        server.post("/api/chat/send", &send),
        server.get(&format!("/c/{s}/live")),
        server.form("/api/sessions/rename", &form, &format!("{}/c/{s}?via=canary-via", server.base)),
        server.post("/api/chat/send", &send.replace("canary-prompt", "panic")),
        server.post("/api/chat/stop", "turn_id=canary-id"),
        server.post("/api/canary-path", "text=canary-prompt").header("authorization", "canary-key"),
        server.get("/?error=canary-error&via=canary-via"),
        server.get("/c/canary-path?page=canary-page"),
        server.get("/canary-path").header("x-api-key", "canary-key"),
        server.get("/pkg/canary-path"),
        server.post("/theme", "theme=canary-theme").header("origin", "https://canary-origin.example"),
        server.client.request(reqwest::Method::from_bytes(b"CANARY").unwrap(), format!("{}/", server.base)),
    ] {
        let res = request.header("cookie", &cookie).header("user-agent", "canary-agent").send().await.unwrap();
        soon(res.bytes()).await.unwrap();
    }
    server.fails(ApiError::invalid("text", "canary-message"));
    server.post("/api/chat/send", &send).header("cookie", cookie).send().await.unwrap();
}

async fn nothing_that_anybody_says_is_in_the_log() {
    for format in [LogFormat::Json, LogFormat::Text] {
        let lines = Lines::default();
        let _guard = tracing::subscriber::set_default(telemetry::subscriber(format, lines.clone()));
        let server = Server::start().await;
        all_that_can_be_said(&server).await;
        let log = said(&lines);
        assert!(log.lines().count() >= 14, "{log}");
        assert!(!log.to_lowercase().contains("canary"), "{log}");
        let signature = server.cookie(user(1)).rsplit_once('.').unwrap().1.to_owned();
        assert!(!log.contains(&signature), "{log}");
    }
}

async fn each_request_is_one_line_and_a_stream_one_more() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(telemetry::subscriber(LogFormat::Json, lines.clone()));
    let server = Server::start().await;
    let log =
        || said(&lines).lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>();

    let res = server.get("/c/x").send().await.unwrap();
    let id = header(&res, "x-request-id").to_owned();
    let all = log();
    assert_eq!((all.len(), server.requests.load(Ordering::SeqCst)), (1, 1));
    let line = &all[0];
    assert_eq!((line["request_id"].as_str(), line["message"].as_str()), (Some(id.as_str()), Some("request")));
    assert_eq!((line["method"].as_str(), line["route"].as_str()), (Some("GET"), Some("/c/{id}")));
    assert_eq!((line["status"].as_u64(), line["level"].as_str()), (Some(404), Some("INFO")));
    assert!(line["ms"].as_f64().is_some_and(|ms| ms >= 0.0) && line["timestamp"].is_string());

    server.fails(ApiError::internal());
    server.post("/api/chat/stop", &format!("turn_id={}", turn_id(1))).send().await.unwrap();
    let all = log();
    assert_eq!((all[0]["code"].as_str(), all[0]["level"].as_str()), (Some("internal"), Some("ERROR")));
    server.script.lock().unwrap().fails = None;

    let stream = server.stream();
    let mut res = server.get(&format!("/api/chat/follow?turn_id={}", turn_id(1))).send().await.unwrap();
    assert_eq!(log().len(), 1, "before the stream has said anything");
    let ended = server.requests.load(Ordering::SeqCst);
    stream.send(text(2, "hi")).unwrap();
    let sent = read_until(&mut res, "\n\n").await.len() as u64;
    drop(stream);
    soon(res.bytes()).await.unwrap();
    let all = log();
    assert_eq!((all[0]["message"].as_str(), all[0]["bytes"].as_u64()), (Some("stream ended"), Some(sent)));
    assert_eq!(server.requests.load(Ordering::SeqCst), ended + 1, "a stream's request ends with the stream");
    assert_eq!((all[0]["complete"].as_bool(), all[0]["route"].as_str()), (Some(true), Some("/api/chat/follow")));

    server.get("/healthz").send().await.unwrap();
    assert!(log().is_empty(), "a probe a second is no news");
}

/// One after the other: the subscriber is this thread's.
#[tokio::test]
async fn the_log_says_what_it_should_and_nothing_that_anybody_says() {
    each_request_is_one_line_and_a_stream_one_more().await;
    nothing_that_anybody_says_is_in_the_log().await;
}
