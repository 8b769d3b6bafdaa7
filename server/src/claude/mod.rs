//! Claude: one client for the Messages API, and a simulator that speaks it.
//!
//! There is no trait in front: a base URL points at Anthropic, at anything that speaks the same protocol, or at
//! the simulator. Replies are decoded in layers, each in a file of its own and tested alone: bytes → [`lines`] →
//! [`frames`] (SSE) → [`wire`] (typed events) → [`decode`] (deltas and usage).

pub mod client;
pub mod decode;
pub mod fault;
pub mod frames;
pub mod lines;
pub mod models;
pub mod request;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod stream;
pub mod tokens;
pub mod wire;

pub use client::{Claude, Config};
pub use decode::Delta;
pub use fault::{Fault, FaultKind};
pub use models::{Lifecycle, Model, Models, built_in};
pub use request::{Request, Role, Thinking, Turn};
pub use stream::Reply;
