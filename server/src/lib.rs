//! Outlast's server: one library; the binary only parses and dispatches.

pub mod auth;
pub mod backend;
pub mod chat;
pub mod claude;
pub mod clock;
pub mod compose;
pub mod config;
pub mod http;
pub mod jobs;
pub mod queue;
pub mod router;
pub mod schema;
pub mod serve;
pub mod state;
pub mod storage;
pub mod telemetry;
pub mod turn;
