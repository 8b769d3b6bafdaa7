//! What the person sees and the API behind it, for browser and server.
#![recursion_limit = "256"]

pub mod api;
pub mod backend;
pub mod domain;
pub mod error;
pub mod markdown;
pub mod page;
pub mod sse;
