//! A model of the turn log over the very code: `Log`, `Writer`, `Content` and `catch_up` as they are, in a small world
//! whose table, net and processes do whatever they may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod checks;
mod explore;
mod follower;
mod runner;
mod steps;
mod table;
mod world;

use explore::{explore, walk};
use world::{Broken, Budget, Config};

const PLAIN: Config = Config {
    name: "plain",
    runners: &[0, 1],
    followers: 1,
    length: 2,
    drops: 0,
    stale: false,
    budget: Budget { lost: 0, late: 0, kill: 0, cut: 0, release: 0, stop: 0, again: 0, beat: 0, delete: 0, restore: 0, purge: 0 },
    broken: None,
};

#[test]
fn first() {
    let report = explore(&PLAIN, 1_000_000, 1);
    println!("{report}");
    assert!(report.found.is_none());
    let c = Config { name: "faults", budget: Budget { lost: 1, late: 1, kill: 1, cut: 1, stop: 1, release: 1, ..Budget::default() }, ..PLAIN };
    let report = explore(&c, 200_000, 4);
    println!("{report}");
    assert!(report.found.is_none());
    let report = walk(&c, 100, 7);
    println!("{report}");
    let _ = Broken::NoNonce;
    assert!(report.found.is_none());
}
