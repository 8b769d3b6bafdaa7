//! Logs that other versions wrote: an earlier format is followed and finished, a later one left alone.
//!
//! The fixtures are items as they stand in the table. They are golden: a change of the format adds some and changes
//! none. A process of its own, because it reads the process's log.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/dynamodb.rs"]
mod dynamodb;
#[path = "../common/lines.rs"]
mod lines;
#[path = "../common/raw.rs"]
mod raw;
#[path = "../rig/mod.rs"]
mod rig;

/// The same test on the embedded engine and on DynamoDB Local.
macro_rules! on_both {
    ($name:ident) => {
        mod $name {
            #[tokio::test]
            async fn embedded() {
                super::$name(crate::rig::Rig::start().await).await;
            }
            #[tokio::test]
            async fn dynamodb_local() {
                super::$name(crate::rig::Rig::dynamodb_local().await).await;
            }
        }
    };
}

mod earlier;
mod fixture;
mod later;
