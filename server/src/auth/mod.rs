//! Who asks, who is let in, and what is theirs.

pub mod buckets;
pub mod door;
pub mod identity;
pub mod ownership;
pub mod password;
pub mod secret;
