//! The turn log: who runs a turn, what is written, and what followers are told.

pub mod content;
pub mod follow;
pub mod log;
#[cfg(test)]
mod testing;
