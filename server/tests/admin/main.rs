//! The admin pages, and who sees what of whose, over a real socket.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[allow(dead_code, reason = "a part of it is used")]
#[path = "../common/dynamodb.rs"]
mod dynamodb;
#[path = "../rig/mod.rs"]
mod rig;

mod matrix;
mod pages;
mod support;
