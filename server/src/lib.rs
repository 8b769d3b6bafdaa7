//! Outlast's server: one library; the binary only parses and dispatches.

pub mod admin;
pub mod auth;
pub mod backend;
pub mod chat;
pub mod claude;
pub mod clock;
pub mod command;
pub mod compose;
pub mod config;
pub mod http;
pub mod jobs;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod operator;
pub mod prices;
pub mod queue;
pub mod report;
pub mod router;
pub mod schema;
pub mod serve;
pub mod state;
pub mod storage;
pub mod telemetry;
pub mod turn;
