//! Walks the model: every state once, breadth first, so that what is found has the shortest way to it.

use std::{
    collections::{HashMap, HashSet},
    mem::Discriminant,
    time::{Duration, Instant},
};

use crate::{checks, checks::Rest, follower::Over, pools::*, steps, world::*};

/// What became of an exploration.
pub struct Report {
    pub name: &'static str,
    pub states: usize,
    pub steps: usize,
    pub depth: usize,
    /// Every state that can be reached was.
    pub whole: bool,
    /// From how many states it was tried whether they come to a good end.
    pub ends: usize,
    pub time: Duration,
    /// One step of each kind that was taken.
    pub kinds: HashMap<Discriminant<Step>, Step>,
    /// In so many states every follower had been told the end, of a reply that took several claims.
    pub told: usize,
    /// What must not be, and the steps that lead there.
    pub found: Option<(String, Vec<Step>)>,
}

impl Report {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            states: 0,
            steps: 0,
            depth: 0,
            whole: false,
            ends: 0,
            time: Duration::ZERO,
            kinds: HashMap::new(),
            told: 0,
            found: None,
        }
    }

    fn took(&mut self, step: Step) {
        self.steps += 1;
        self.kinds.entry(std::mem::discriminant(&step)).or_insert(step);
    }

    fn met(&mut self, w: &World, config: &Config) {
        let followers = &w.followers[..config.followers];
        let told = !followers.is_empty() && followers.iter().all(|f| f.over == Over::Ended && !f.shown.is_empty());
        self.told += usize::from(told && w.table.bases.len() > 1);
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:<58} {:>9} states {:>9} steps, depth {:>3} {:<5} {:>7} ends {:>5.1} s  {}",
            self.name,
            self.states,
            self.steps,
            self.depth,
            if self.whole { "(all)" } else { "" },
            self.ends,
            self.time.as_secs_f64(),
            self.found.as_ref().map_or("holds", |found| &found.0),
        )?;
        let trace = self.found.iter().flat_map(|f| &f.1).enumerate();
        trace.into_iter().try_for_each(|(n, step)| write!(f, "\n  {:>2} {step:?}", n + 1))
    }
}

/// Walks every state that can be reached, or the first `limit`; from every `nth` of them (0: from none) it must come to
/// a good end.
pub fn explore(config: &Config, limit: usize, nth: usize) -> Report {
    let started = Instant::now();
    let mut pools = Pools::new();
    let mut met = Met::default();
    let mut good: HashSet<(Rest, Key), Spread> = HashSet::default();
    let first = pools.key(&World::new(config), None);
    met.add(first, 0);
    let mut report = Report::new(config.name);
    let (mut at, mut level_end) = (0, 1);
    let mut out = Vec::new();
    'walk: while at < met.keys.len() && met.keys.len() < limit {
        if at == level_end {
            report.depth += 1;
            level_end = met.keys.len();
        }
        let key = met.keys[at];
        let w = pools.world(&key);
        if nth > 0 && at.is_multiple_of(nth) {
            for rest in [Rest::GoOn, Rest::AllDie] {
                report.ends += 1;
                let end = checks::comes_to_an_end(&w, rest, config, |w| !good.insert((rest, pools.key(w, None))));
                if let Some((why, rest)) = end {
                    let mut way = trace(&pools, &met, at, config);
                    way.extend(rest);
                    report.found = Some((why, way));
                    break 'walk;
                }
            }
        }
        out.clear();
        steps::all(&w, config, &mut out);
        for (step, next) in out.drain(..) {
            report.took(step);
            let next_key = pools.key(&next, Some((&w, &key)));
            let why = checks::step(&w, &next);
            let new = met.add(next_key, at as u32);
            if new {
                report.met(&next, config);
            }
            if let Some(why) = why.or_else(|| new.then(|| checks::state(&next, Some(&w), config)).flatten()) {
                let mut way = trace(&pools, &met, at, config);
                way.push(step);
                report.found = Some((why, way));
                break 'walk;
            }
        }
        at += 1;
    }
    report.states = met.keys.len();
    report.whole = report.found.is_none() && at == met.keys.len();
    report.time = started.elapsed();
    report
}

/// The steps that led to a state.
fn trace(pools: &Pools, met: &Met, to: usize, config: &Config) -> Vec<Step> {
    let mut way = Vec::new();
    let mut at = to;
    while at != 0 {
        let from = met.from[at] as usize;
        let (w, goal) = (pools.world(&met.keys[from]), pools.world(&met.keys[at]));
        let mut out = Vec::new();
        steps::all(&w, config, &mut out);
        way.extend(out.iter().find(|(_, next)| same(next, &goal)).map(|(step, _)| *step));
        at = from;
    }
    way.reverse();
    way
}

fn same(a: &World, b: &World) -> bool {
    a.table == b.table
        && a.net == b.net
        && a.misc == b.misc
        && a.stopper == b.stopper
        && a.runners == b.runners
        && a.followers == b.followers
}

/// Random walks through sizes that are too large to be walked whole.
pub fn walk(config: &Config, walks: usize, seed: u64) -> Report {
    let started = Instant::now();
    let mut random = seed;
    let mut draw = |n: usize| {
        // xorshift: the same seed, the same walks.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    let mut report = Report::new(config.name);
    let mut out = Vec::new();
    for _ in 0..walks {
        let mut w = World::new(config);
        let mut way = Vec::new();
        for _ in 0..draw(150) {
            out.clear();
            steps::all(&w, config, &mut out);
            if out.is_empty() {
                break;
            }
            let (step, next) = out.swap_remove(draw(out.len()));
            way.push(step);
            report.took(step);
            report.met(&next, config);
            if let Some(why) = checks::step(&w, &next).or_else(|| checks::state(&next, Some(&w), config)) {
                report.found = Some((why, way.clone()));
                break;
            }
            w = next;
        }
        report.depth = report.depth.max(way.len());
        for rest in [Rest::GoOn, Rest::AllDie] {
            if report.found.is_none() {
                report.ends += 1;
                let end = checks::comes_to_an_end(&w, rest, config, |_| false);
                report.found = end.map(|(why, rest)| (why, [&way[..], &rest].concat()));
            }
        }
        if report.found.is_some() {
            break;
        }
    }
    report.time = started.elapsed();
    report
}
