//! A simulator of the Messages API, on the wire.
//!
//! It stands in for Anthropic where there is no key, and in every test. It speaks the protocol as faithfully as the
//! official SDKs can tell, refusals included, and does what a script in the request says ([`script`]): how long and
//! how fast the reply is, what breaks where, how it carries on a reply that was cut off ([`seam`]).
//!
//! A request's way: [`http`] → [`prompt`] (read and refuse) → [`script`] → [`plan`] (what to say) →
//! [`reply`] (when to say it) → [`events`] (how it looks). [`calls`] remembers what was asked.

pub mod calls;
pub mod events;
pub mod http;
pub mod models;
pub mod plan;
pub mod prompt;
pub mod refusal;
pub mod reply;
pub mod script;
pub mod seam;
pub mod structured;
pub mod text;
pub mod words;

use std::{future::Future, io};

use axum::{Router, serve::ListenerExt};
use tokio::net::TcpListener;

/// The simulator as a router, with a memory of its own.
pub fn router() -> Router {
    http::router()
}

/// Serves the simulator until `shutdown` resolves.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    // Tokens are far smaller than a segment: they must not wait for one to fill.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    tokio::select! {
        result = axum::serve(listener, router()) => result,
        () = shutdown => Ok(()),
    }
}
