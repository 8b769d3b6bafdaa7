//! Who asks, and what is theirs.

pub mod identity;
pub mod ownership;
pub mod secret;
