//! Chaos: real servers as processes, on DynamoDB Local and the simulator, and everything that can happen to them.
//!
//! Servers are killed, ended, frozen past the lease; connections are cut; calls to the store are throttled, refused,
//! delayed, their answers lost; clocks are ten minutes apart; readers come, go and return. In the end every turn has
//! to have ended, every reply to be a clean splice of the calls that made it, and every reader to have what is stored.
//!
//! A short form is a part of `make test`; `make chaos` runs the long one. Options: [`options`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod blows;
mod checks;
#[cfg(test)]
mod checks_tests;
mod client;
mod dice;
#[path = "../common/dynamodb.rs"]
mod dynamodb;
mod ledger;
mod options;
mod people;
mod plan;
mod process;
mod reader;
mod relay;
mod report;
mod run;
mod servers;
mod store_proxy;
mod table;
mod world;

use options::{Options, any_seed};

/// Two short runs: one that is always the same, one that never is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_repeated_mixed_or_stuck() {
    for seed in [1, any_seed()] {
        run::run(Options::short(seed).changed()).await;
    }
}

/// `make chaos`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes about 15 minutes: `make chaos`"]
async fn a_thousand_turns() {
    run::run(Options::full().changed()).await;
}
