//! What the person sees and the API behind it, for browser and server.
#![recursion_limit = "256"]

pub mod api;
pub mod backend;
pub mod browser;
pub mod components;
pub mod domain;
pub mod error;
#[cfg(feature = "ssr")]
pub mod jobs;
pub mod markdown;
pub mod page;
pub mod pages;
pub mod shell;
pub mod sse;
