//! The edge: everything between a socket and the backend. `router` puts it together.

pub mod access_log;
pub mod address;
pub mod admin;
pub(crate) mod admin_jobs;
pub mod api;
pub mod assets;
pub mod connection;
pub mod deadline;
pub mod errors;
pub mod events;
pub mod forms;
pub mod front;
pub mod headers;
pub mod health;
pub mod identify;
pub mod jobs;
pub mod limits;
pub mod live;
pub mod origin;
pub mod pace;
pub mod pages;
pub mod sign_in;
pub mod theme;
pub mod zip;
