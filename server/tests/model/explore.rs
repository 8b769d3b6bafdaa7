//! Walks the model: every state once, breadth first, so that what is found has the shortest way to it.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hash, Hasher},
    mem::Discriminant,
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{checks, checks::Rest, follower::Over, steps, world::*};

/// A fast hash; the sets compare for equality, so it only has to spread.
#[derive(Default)]
pub struct Fast(u64);

impl Fast {
    fn add(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Fast {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut n = [0; 8];
            n[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(n));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.add(n.into());
    }
    fn write_u32(&mut self, n: u32) {
        self.add(n.into());
    }
    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }
    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }
}

type Spread = BuildHasherDefault<Fast>;

/// Parts of states, each kept once: a state is the numbers of its parts.
struct Pool<T> {
    numbers: HashMap<Rc<T>, u32, Spread>,
    parts: Vec<Rc<T>>,
}

impl<T: Hash + Eq> Pool<T> {
    fn new() -> Self {
        Self { numbers: HashMap::default(), parts: Vec::new() }
    }
    fn number(&mut self, part: &Rc<T>) -> u32 {
        if let Some(number) = self.numbers.get(part) {
            return *number;
        }
        let number = self.parts.len() as u32;
        self.numbers.insert(Rc::clone(part), number);
        self.parts.push(Rc::clone(part));
        number
    }
    fn part(&self, number: u32) -> Rc<T> {
        Rc::clone(&self.parts[number as usize])
    }
}

type Key = [u32; 4 + RUNNERS + FOLLOWERS];

struct Pools {
    tables: Pool<crate::table::Table>,
    nets: Pool<Vec<Sent>>,
    miscs: Pool<Misc>,
    stoppers: Pool<Stopper>,
    runners: Pool<crate::runner::Runner>,
    followers: Pool<crate::follower::Follower>,
}

impl Pools {
    /// The state's key. What it shares with `near` need not be looked up.
    fn key(&mut self, w: &World, near: Option<(&World, &Key)>) -> Key {
        fn one<T: Hash + Eq>(pool: &mut Pool<T>, part: &Rc<T>, near: Option<(&Rc<T>, u32)>) -> u32 {
            match near {
                Some((same, number)) if Rc::ptr_eq(same, part) => number,
                _ => pool.number(part),
            }
        }
        let mut key = [0; 4 + RUNNERS + FOLLOWERS];
        key[0] = one(&mut self.tables, &w.table, near.map(|(n, k)| (&n.table, k[0])));
        key[1] = one(&mut self.nets, &w.net, near.map(|(n, k)| (&n.net, k[1])));
        key[2] = one(&mut self.miscs, &w.misc, near.map(|(n, k)| (&n.misc, k[2])));
        key[3] = one(&mut self.stoppers, &w.stopper, near.map(|(n, k)| (&n.stopper, k[3])));
        for r in 0..RUNNERS {
            key[4 + r] = one(&mut self.runners, &w.runners[r], near.map(|(n, k)| (&n.runners[r], k[4 + r])));
        }
        for f in 0..FOLLOWERS {
            let at = 4 + RUNNERS + f;
            key[at] = one(&mut self.followers, &w.followers[f], near.map(|(n, k)| (&n.followers[f], k[at])));
        }
        key
    }

    fn world(&self, key: &Key) -> World {
        World {
            table: self.tables.part(key[0]),
            net: self.nets.part(key[1]),
            misc: self.miscs.part(key[2]),
            stopper: self.stoppers.part(key[3]),
            runners: std::array::from_fn(|r| self.runners.part(key[4 + r])),
            followers: std::array::from_fn(|f| self.followers.part(key[4 + RUNNERS + f])),
            fault: None,
        }
    }
}

/// All states that were met, in the order in which they were, each with the one it came from.
#[derive(Default)]
struct Met {
    keys: Vec<Key>,
    from: Vec<u32>,
    /// Open addressing over `keys`; 0 is free.
    slots: Vec<u32>,
}

impl Met {
    /// False if it was met before.
    fn add(&mut self, key: Key, from: u32) -> bool {
        if self.keys.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mut at = self.slot(&key);
        loop {
            match self.slots[at] {
                0 => break,
                n if self.keys[n as usize - 1] == key => return false,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
        self.keys.push(key);
        self.from.push(from);
        self.slots[at] = self.keys.len() as u32;
        true
    }
    fn slot(&self, key: &Key) -> usize {
        let mut hash = Fast::default();
        key.iter().for_each(|n| hash.add((*n).into()));
        hash.finish() as usize & (self.slots.len() - 1)
    }
    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(1 << 16)];
        for n in 0..self.keys.len() {
            let mut at = self.slot(&self.keys[n]);
            while self.slots[at] != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = n as u32 + 1;
        }
    }
}

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
    let mut pools = Pools {
        tables: Pool::new(),
        nets: Pool::new(),
        miscs: Pool::new(),
        stoppers: Pool::new(),
        runners: Pool::new(),
        followers: Pool::new(),
    };
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
            if let Some(why) = why.or_else(|| new.then(|| checks::state(&next, config)).flatten()) {
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
            if let Some(why) = checks::step(&w, &next).or_else(|| checks::state(&next, config)) {
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
