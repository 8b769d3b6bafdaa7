//! All routes and layers, in one place.
//!
//! A request goes through, from outside in:
//! 1. `access_log`: its id, and its line; outermost, so that nothing goes unlogged.
//! 2. `headers`: its nonce, and what every answer carries, errors included.
//! 3. `catch_panic`: a 500 instead of a broken connection.
//! 4. `front`: where a proxy stands in front, what comes by another way ends here.
//! 5. `origin`: another site's POST ends here, before anything is read or anybody known.
//! 6. then `/healthz` and the site's files, which know no user;
//! 7. or `identify`, which lets nobody past but to `/sign-in` where a code is asked for, and behind it pages and API.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::{any, get, post},
};

use crate::{
    http::{
        access_log, admin, admin_jobs, api, assets, errors, events, front, headers, health, identify, jobs, live,
        origin, pages, sign_in, theme,
    },
    state::{RequestId, SharedState},
};

/// Routes, and the list of their paths, from one table: who goes through the list misses none.
macro_rules! routes {
    ($(#[$doc:meta])* $list:ident, $routes:ident: $($path:literal => $route:expr,)*) => {
        $(#[$doc])*
        pub const $list: &[&str] = &[$($path),*];

        fn $routes() -> Router<SharedState> {
            Router::new()$(.route($path, $route))*
        }
    };
}

routes! {
    /// The paths that know who asks, but for the API's, which are `app::api::ENDPOINTS`.
    PAGES, page_routes:
    "/" => get(pages::new),
    "/c/{id}" => get(pages::chat),
    "/c/{id}/live" => get(live::handler),
    "/jobs" => get(jobs::list).post(jobs::submit).fallback(get_or_post),
    "/jobs/new" => get(jobs::new).post(jobs::draft).fallback(get_or_post),
    "/jobs/{id}" => get(jobs::job),
    "/jobs/{id}/zip" => get(jobs::zip),
    "/jobs/{id}/{index}/text" => get(jobs::text),
    "/jobs/{id}/{index}/preview" => get(jobs::preview),
    "/sign-in" => get(sign_in::show).post(sign_in::enter).fallback(get_or_post),
    "/theme" => post(theme::choose).fallback(only_post),
}

routes! {
    /// The paths that are for admins only.
    ADMIN, admin_routes:
    "/admin" => get(admin::list),
    "/admin/sessions/{id}" => get(admin::session),
    "/admin/jobs" => get(admin_jobs::list),
    "/admin/jobs/{id}" => get(admin_jobs::job),
    "/admin/audit" => get(admin::audit),
    "/admin/sign-out" => post(admin::sign_out).fallback(only_post),
    "/admin/sign-out-everywhere" => post(admin::sign_out_everywhere).fallback(only_post),
    "/admin/{*rest}" => get(admin::missing),
}

/// The whole service.
pub fn router(state: SharedState) -> Router {
    // Once a process; a second router finds it done.
    let _ = any_spawner::Executor::init_tokio();
    let known = page_routes()
        .merge(admin_routes().layer(from_fn_with_state(state.clone(), admin::guard)))
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
        .layer(from_fn_with_state(state.clone(), front::layer))
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

async fn get_or_post(req: Request) -> Response {
    refuse(&req, "GET, POST")
}

fn refuse(req: &Request, allowed: &'static str) -> Response {
    let id = req.extensions().get::<RequestId>().cloned().unwrap_or(RequestId("".into()));
    errors::method_not_allowed(&id, allowed)
}
