//! All routes and layers, in one place.
//!
//! A request goes through, from outside in:
//! 1. `access_log`: its id, and its line; outermost, so that nothing goes unlogged.
//! 2. `headers`: its nonce, and what every answer carries, errors included.
//! 3. `catch_panic`: a 500 instead of a broken connection.
//! 4. `origin`: another site's POST ends here, before anything is read or anybody known.
//! 5. then `/healthz` and the site's files, which know no user;
//! 6. or `identify`, and behind it pages and API.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::{any, get, post},
};

use crate::{
    http::{access_log, api, assets, errors, events, headers, health, identify, jobs, live, origin, pages, theme},
    state::{RequestId, SharedState},
};

/// The whole service.
pub fn router(state: SharedState) -> Router {
    // Once a process; a second router finds it done.
    let _ = any_spawner::Executor::init_tokio();
    let known = Router::new()
        .route("/", get(pages::new))
        .route("/c/{id}", get(pages::chat))
        .route("/c/{id}/live", get(live::handler))
        .route("/jobs", get(jobs::list).post(jobs::submit))
        .route("/jobs/new", get(jobs::new).post(jobs::draft))
        .route("/jobs/{id}", get(jobs::job))
        .route("/jobs/{id}/zip", get(jobs::zip))
        .route("/jobs/{id}/{index}/text", get(jobs::text))
        .route("/jobs/{id}/{index}/preview", get(jobs::preview))
        .route("/theme", post(theme::choose).fallback(only_post))
        .route("/api/{*path}", any(api::handler))
        .fallback(pages::fallback)
        .method_not_allowed_fallback(only_get)
        .layer(from_fn_with_state(state.clone(), identify::layer));
    Router::new()
        .route("/healthz", get(health::handler).fallback(only_get))
        .route("/events", any(events::handler))
        .merge(assets::routes(&state.site))
        .merge(known)
        // Bodies are read, and bounded, by `limits::read` alone.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(origin::layer))
        .layer(from_fn(errors::catch_panic))
        .layer(from_fn(headers::layer))
        .layer(from_fn_with_state(state.clone(), access_log::layer))
        .with_state(state)
}

async fn only_get(req: Request) -> Response {
    refuse(&req, "GET")
}

async fn only_post(req: Request) -> Response {
    refuse(&req, "POST")
}

fn refuse(req: &Request, allowed: &'static str) -> Response {
    let id = req.extensions().get::<RequestId>().cloned().unwrap_or(RequestId("".into()));
    errors::method_not_allowed(&id, allowed)
}
