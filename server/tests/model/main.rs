//! A model of the turn log over the very code: `Log`, `Writer`, `Content` and `catch_up` as they are, in a small world
//! whose table, net and processes do whatever they may at any moment. There is no time in it, so a claim may come
//! whenever it likes: every lease, clock, pause and zombie is one of its ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]
#![allow(clippy::large_enum_variant, reason = "each of them stands behind an `Rc`")]

mod checks;
mod claims;
mod explore;
mod follower;
mod pools;
mod runner;
mod sizes;
mod steps;
mod table;
mod world;
mod writes;

use std::{collections::HashMap, sync::Mutex, time::Instant};

use explore::{Report, explore, walk};
use world::{Config, Step};

/// Explores them all, on two threads, and prints what each came to.
fn explore_all(sizes: &[Config], limit: usize, nth: usize) -> Vec<Report> {
    let (next, reports) = (Mutex::new(sizes.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(config) = next.lock().unwrap().next() else { break };
                    let report = explore(config, limit, nth);
                    println!("{report}");
                    reports.lock().unwrap().push(report);
                }
            });
        }
    });
    reports.into_inner().unwrap()
}

#[test]
fn small_sizes_hold_in_every_state() {
    let reports = explore_all(sizes::SMALL, usize::MAX, 16);
    let mut kinds: HashMap<_, Step> = HashMap::new();
    for report in &reports {
        assert!(report.found.is_none() && report.whole, "{report}");
        kinds.extend(report.kinds.iter());
    }
    // What never happens proves nothing.
    assert_eq!(kinds.len(), world::KINDS, "steps that were taken: {:?}", kinds.values());
    assert!(reports.iter().map(|r| r.told).sum::<usize>() > 1000);
}

#[test]
fn a_rule_that_is_left_out_is_noticed() {
    for (config, expected, ends) in sizes::broken() {
        let report = explore(&config, 300_000, ends);
        println!("{:?}: {report}", config.broken);
        let found = report.found.as_ref().map(|found| found.0.as_str()).unwrap_or_default();
        assert!(found.contains(expected), "{:?}: {report}", config.broken);
        // It is the rule that matters: with it, the same states and some more hold.
        let kept = explore(&Config { broken: None, ..config }, report.states * 2, ends);
        assert!(kept.found.is_none(), "{kept}");
    }
}

#[test]
fn random_walks_through_larger_sizes_hold() {
    for (seed, config) in sizes::LARGER.iter().enumerate() {
        let report = walk(config, 1500, 77 + seed as u64);
        println!("{report}");
        assert!(report.found.is_none() && report.told > 0, "{report}");
    }
}

#[test]
#[ignore = "about a minute, in release: make model"]
fn millions() {
    let started = Instant::now();
    let reports = explore_all(sizes::LARGE, 3_000_000, 16);
    let time = started.elapsed();
    let states: usize = reports.iter().map(|r| r.states).sum();
    for (seed, config) in sizes::LARGER.iter().enumerate() {
        let report = walk(config, 20_000, 770 + seed as u64);
        println!("{report}");
        assert!(report.found.is_none(), "{report}");
    }
    let rate = states as f64 / time.as_secs_f64();
    println!("{states} states in {:.1} s, so two million in {:.1} s", time.as_secs_f64(), 2e6 / rate);
    assert!(reports.iter().all(|r| r.found.is_none()) && states >= 2_000_000);
}
