//! The routes.

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, Uri, header};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::{
    calls::{Calls, End},
    events::{self, Names, Used},
    models,
    plan::{self, Plan},
    prompt::{Prompt, Purpose, Version},
    refusal::Refusal,
    reply::Speech,
    script::Break,
};

/// Longest body, in bytes, as the API has it.
const LONGEST_BODY: usize = 32 * 1024 * 1024;

type Answer = Result<Response, Refusal>;

pub(super) fn router() -> Router {
    let calls = Calls::default();
    Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .route("/v1/models", get(list_models))
        .route("/v1/models/{id}", get(one_model))
        .route("/sim/calls", get(last_calls))
        .fallback(async || finish(Err(Refusal::new(404, "Not found"))))
        .method_not_allowed_fallback(async || finish(Err(Refusal::new(405, "Method Not Allowed"))))
        .with_state(calls)
}

/// Gives every answer its request id.
fn finish(answer: Answer) -> Response {
    let id = format!("req_sim{:032x}", crate::clock::random_u128());
    let mut response = answer.unwrap_or_else(|refusal| refusal.response(&id));
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert("request-id", id);
    }
    headers.insert("anthropic-organization-id", HeaderValue::from_static("00000000-0000-4000-8000-000000000000"));
    response
}

/// Refuses who has no key, or speaks no version. Of two keys `x-api-key` counts, as at the API.
fn check(headers: &HeaderMap) -> Result<Version, Refusal> {
    let key = headers.get("x-api-key").map(HeaderValue::as_bytes);
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match key.or(bearer) {
        None | Some(b"") => return Err(Refusal::new(401, "x-api-key header is required")),
        Some(b"invalid") => return Err(Refusal::new(401, "invalid x-api-key")),
        Some(_) => {}
    }
    match headers.get("anthropic-version").map(HeaderValue::as_bytes) {
        None | Some(b"") => Err(Refusal::invalid("anthropic-version: header is required")),
        Some(b"2023-06-01") => Ok(Version::Of2023),
        Some(b"2026-10-21") => Ok(Version::Of2026),
        Some(_) => Err(Refusal::invalid("anthropic-version: is not a valid version")),
    }
}

async fn read(request: Request, purpose: Purpose) -> Result<Prompt, Refusal> {
    let version = check(request.headers())?;
    let script = request.headers().get("x-sim").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = to_bytes(request.into_body(), LONGEST_BODY).await;
    let body = body.map_err(|_| Refusal::new(413, "Request exceeds the maximum size"))?;
    Prompt::read(&body, script.as_deref(), version, purpose)
}

async fn count_tokens(request: Request) -> Response {
    finish(
        read(request, Purpose::Count)
            .await
            .map(|prompt| Json(json!({"input_tokens": prompt.tokens()})).into_response()),
    )
}

async fn list_models(headers: HeaderMap, uri: Uri) -> Response {
    let page = check(&headers).and_then(|_| models::list(uri.query().unwrap_or("")));
    finish(page.map(|page| Json(page).into_response()))
}

async fn one_model(headers: HeaderMap, Path(id): Path<String>) -> Response {
    finish(check(&headers).and_then(|_| models::one(&id)).map(|model| Json(model).into_response()))
}

async fn last_calls(State(calls): State<Calls>) -> Response {
    Json(calls.last()).into_response()
}

async fn messages(State(calls): State<Calls>, request: Request) -> Response {
    finish(reply(&calls, request).await)
}

async fn reply(calls: &Calls, request: Request) -> Answer {
    let since = Instant::now();
    let prompt = read(request, Purpose::Reply).await?;
    let (mut running, before) = calls.begin(plan::conversation(&prompt), &prompt);
    let script = prompt.script.clone();
    let breaks = script.times.is_none_or(|times| before < times);
    if let Some(status) = script.status.filter(|_| breaks) {
        running.end(End::Refused);
        return Err(Refusal::scripted(status, script.retry_after));
    }
    let plan = Plan::new(&prompt, running.number, before);
    running.carries_on(plan.carries_on);
    let used = calls.cost(&prompt);
    running.reads(used);
    let speech = Speech {
        names: Names {
            message: format!("msg_sim{:032x}", crate::clock::random_u128()),
            model: prompt.model.id.clone(),
        },
        used,
        fault: script.fault.filter(|_| breaks),
        plan,
        script,
        running,
        since,
    };
    if prompt.stream {
        let kind = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
        Ok((kind, Body::from_stream(speech.stream())).into_response())
    } else {
        whole(speech).await
    }
}

/// The reply in one piece, when it is done.
async fn whole(mut speech: Speech) -> Answer {
    let tokens = speech.plan.tokens();
    let breaks = speech.fault.filter(|&(_, at)| at <= tokens);
    let sent = breaks.map_or(tokens, |(_, at)| at);
    if let Some((name, _)) = speech.script.hold.as_ref().filter(|&&(_, at)| at < sent) {
        speech.running.release(name).await;
    }
    sleep_until(speech.due(sent)).await;
    speech.running.tokens = sent;
    speech.running.end(if breaks.is_some() { End::Fault } else { End::Complete });
    let used = Used { output: tokens.max(1), thinking: speech.plan.thinking.len(), ..speech.used };
    let content = events::content(speech.plan.thinking.as_str(), speech.plan.text.as_str());
    let message = events::message(&speech.names, &content, Some(&speech.plan.stop_reason), used);
    match breaks {
        None => Ok(Json(message).into_response()),
        Some((Break::Error, _)) => Err(Refusal::scripted(500, None)),
        Some((Break::Overloaded, _)) => Err(Refusal::scripted(529, None)),
        Some((Break::Stall | Break::Pings, _)) => std::future::pending().await,
        // Of a whole message nothing is left to go on with.
        Some((Break::Pause, _)) => Ok(Json(message).into_response()),
        Some((kind @ (Break::Reset | Break::Truncate | Break::Garbage), _)) => {
            let text = message.to_string();
            let half = text.as_bytes().get(..text.len() / 2).unwrap_or_default().to_vec();
            let first = if kind == Break::Garbage { b"\x00\xff<<<<".to_vec() } else { half };
            let error = (kind == Break::Reset).then(|| Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
            let body = futures::stream::iter(std::iter::once(Ok(first)).chain(error));
            Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response())
        }
    }
}
