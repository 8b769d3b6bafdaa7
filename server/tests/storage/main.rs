//! The table, against Amazon's DynamoDB Local and against the embedded engine: the same tests on both.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/dynamodb.rs"]
mod dynamodb;
mod fixtures;

/// Makes of each function a test on each engine, with a table of its own.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod dynamodb_local {
            $(#[tokio::test] async fn $name() { super::$name(&crate::fixtures::Table::local(stringify!($name)).await).await }
            )*
        }
        mod embedded {
            $(#[tokio::test] async fn $name() { super::$name(&crate::fixtures::Table::embedded().await).await }
            )*
        }
    };
}

mod cost;
mod engine;
mod log;
mod lost;
mod messages;
mod open;
mod purge;
mod send;
mod sessions;
mod table;
