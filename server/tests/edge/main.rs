//! The edge over real sockets, with a made-up backend behind it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what helps a test may fail it")]

#[allow(dead_code, reason = "a part of it is used")]
#[path = "../common/dynamodb.rs"]
mod dynamodb;
#[path = "../rig/mod.rs"]
mod rig;

mod api;
mod bodies;
mod connections;
mod cookies;
mod events;
mod files;
mod forms;
mod headers;
mod jobs;
mod live;
mod pace;
mod pages;
mod sign_in;
mod support;
