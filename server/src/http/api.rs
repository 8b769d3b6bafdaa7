//! `/api/…`: the server functions, with the statuses, forms and limits that they do not know of.

use app::{
    api::ENDPOINTS,
    backend::SharedBackend,
    error::{ApiError, Code},
};
use axum::{
    body::Body,
    extract::{Extension, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use leptos::context::provide_context;

use super::{
    errors,
    forms::{self, FormReply},
    identify::Asker,
    limits,
};
use crate::state::{Answer, Aside, RequestContext, SharedState};

/// How server_fn marks an answer that is an error; it sends every one of them with status 500.
const ERROR: &str = "serverfnerror";
/// An error's JSON is far smaller.
const MAX_ERROR: usize = 64 << 10;

/// The handler of everything under `/api`.
pub async fn handler(State(state): State<SharedState>, Extension(asker): Extension<Asker>, req: Request) -> Response {
    let id = &asker.request_id;
    let Some((method, req_path)) = ENDPOINTS.iter().find(|(_, path)| *path == req.uri().path()) else {
        return errors::respond(ApiError::new(Code::NotFound, "There is no such endpoint."), id);
    };
    if req.method().as_str() != *method {
        return errors::method_not_allowed(id, method);
    }

    let plain = (req.method() == Method::POST && forms::prefers_html(req.headers())).then(FormReply::default);
    let (mut parts, body) = req.into_parts();
    let headers = parts.headers.clone();
    let fail = |error: ApiError| match plain {
        Some(_) => forms::failed(&error, &headers),
        None => errors::respond(error, id),
    };

    if let Err(error) = state.pace.take(req_path, asker.user, asker.address) {
        return fail(error);
    }
    // Read here and not by the server function: it would take an overflow for a malformed form.
    let body = match limits::read(&parts.headers, body, state.limits.max_body_bytes).await {
        Ok(body) => body,
        Err(error) => return fail(error),
    };
    // With `text/html` in it, leptos_axum would answer with a redirect of its own.
    parts.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let context = RequestContext { form: plain.clone(), ..asker.context() };
    let answer = context.answer.clone();
    let backend = (state.backend)(context);
    let res = leptos_axum::handle_server_fns_with_context(
        move || provide_context::<SharedBackend>(backend.clone()),
        Request::from_parts(parts, Body::from(body)),
    )
    .await
    .into_response();

    if res.headers().contains_key(ERROR) {
        let bytes = axum::body::to_bytes(res.into_body(), MAX_ERROR).await.unwrap_or_default();
        return fail(serde_json::from_slice(&bytes).unwrap_or_else(|_| ApiError::internal()));
    }
    match plain {
        Some(reply) => forms::done(&reply, &headers),
        None => aside(res, &answer),
    }
}

/// The answer with what the backend wants said beside its body.
fn aside(mut res: Response, answer: &Answer) -> Response {
    let (name, value) = match answer.get() {
        None => return res,
        Some(Aside::Accepted(location)) => {
            *res.status_mut() = StatusCode::ACCEPTED;
            (header::LOCATION, location.clone())
        }
        Some(Aside::RetryAfter(pause)) => (header::RETRY_AFTER, pause.as_secs().max(1).to_string()),
    };
    if let Ok(value) = HeaderValue::from_str(&value) {
        res.headers_mut().insert(name, value);
    }
    res
}
