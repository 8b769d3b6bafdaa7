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


fn cfg(name: &'static str, runners: &'static [u8], followers: usize, length: u8, drops: u8, budget: Budget) -> Config {
    Config { name, runners, followers, length, drops, stale: true, budget, broken: None }
}

#[test]
fn sizes() {
    let b = Budget::default();
    let all = [
        cfg("2r kill lost", &[0, 1], 1, 2, 0, Budget { kill: 1, lost: 1, ..b }),
        cfg("2r late", &[0, 1], 1, 2, 0, Budget { late: 1, ..b }),
        cfg("2r late lost kill", &[0, 1], 1, 2, 0, Budget { late: 1, lost: 1, kill: 1, ..b }),
        cfg("2r drops cut", &[0, 1], 1, 2, 1, Budget { cut: 1, ..b }),
        cfg("2r again cut", &[0, 1], 1, 2, 1, Budget { cut: 1, again: 1, ..b }),
        cfg("2r stop", &[0, 1], 1, 2, 0, Budget { stop: 1, ..b }),
        cfg("2r stop late release", &[0, 1], 1, 2, 0, Budget { stop: 1, late: 1, release: 1, ..b }),
        cfg("2r delete restore", &[0, 1], 1, 2, 0, Budget { delete: 1, restore: 1, ..b }),
        cfg("2r delete purge late", &[0, 1], 1, 2, 0, Budget { delete: 1, purge: 1, late: 1, ..b }),
        cfg("3r cut", &[0, 1, 0], 1, 2, 0, Budget { cut: 1, ..b }),
        cfg("3r drops cut", &[0, 1, 0], 1, 2, 1, Budget { cut: 1, ..b }),
        cfg("2r 2f cut", &[0, 1], 2, 2, 0, Budget { cut: 1, ..b }),
        cfg("3r none 0f late lost", &[0, 1, 2], 0, 2, 1, Budget { late: 2, lost: 1, stop: 1, ..b }),
        cfg("2r none 0f all", &[0, 1], 0, 3, 1, Budget { late: 1, lost: 1, stop: 1, release: 1, kill: 1, again: 1, beat: 1, delete: 1, restore: 1, ..b }),
    ];
    let limit = std::env::var("LIMIT").map_or(300_000, |n| n.parse().unwrap());
    for c in all {
        println!("{}", explore(&c, limit, 16));
    }
    let everything = Budget { late: 3, lost: 3, stop: 1, release: 2, kill: 2, again: 2, beat: 2, delete: 1, restore: 1, purge: 1, cut: 4 };
    println!("{}", walk(&cfg("walk", &[0, 1, 0, 2], 2, 6, 2, everything), 500, std::env::var("SEED").map_or(77, |n| n.parse().unwrap())));
}

#[test]
fn muts() {
    let b = Budget::default();
    use Broken::*;
    let two: &[u8] = &[0, 1];
    for (broken, budget, runners, drops) in [
        (NoNonce, Budget { lost: 1, ..b }, two, 0),
        (Rebuilt, Budget { late: 1, ..b }, two, 0),
        (BlindPut, b, two, 0),
        (BlindClaim, b, two, 0),
        (UncountedClaim, Budget { late: 1, delete: 1, purge: 1, ..b }, two, 0),
        (ClaimAfterEnd, b, two, 0),
        (NoFence, b, two, 0),
        (EarlyText, b, two, 0),
        (EarlyEnd, b, two, 0),
        (CursorWithoutClaim, Budget { cut: 1, ..b }, two, 0),
        (NextClaimOnly, Budget { cut: 1, ..b }, &[0, 1, 1], 1),
        (NoRewind, Budget { cut: 1, ..b }, two, 0),
        (ActiveStays, b, two, 0),
        (StopEnds, Budget { stop: 1, ..b }, two, 0),
        (FinishUnchecked, Budget { delete: 1, restore: 1, ..b }, two, 0),
    ] {
        let config = Config { broken: Some(broken), ..cfg("", runners, 1, 2, drops, budget) };
        println!("{broken:?} {}", explore(&config, 600_000, 9999999));
    }
}
