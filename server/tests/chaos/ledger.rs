//! What happened in a run, and what was wrong.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Mutex,
    time::{Duration, Instant},
};

/// In what way a reply was not what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Something of the reply is missing, or it failed without a reason.
    Lost,
    /// Something stands there twice.
    Repeated,
    /// Text of two calls, or of nobody, where one has to be.
    Mixed,
    /// It does not end, or its session is not freed.
    Stuck,
    /// A reader was shown something else than what is stored.
    Shown,
    /// A rule of the log or the table is broken.
    Rule,
    /// More calls upstream than the faults explain.
    Calls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

impl Wrong {
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// A blow to a process that ran turns.
#[derive(Debug, Clone)]
pub(crate) struct Blow {
    pub(crate) name: &'static str,
    pub(crate) at: Instant,
    /// Places in the run's list of turns, and the claim that each had then.
    pub(crate) victims: Vec<(usize, u32)>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    wrongs: Mutex<Vec<Wrong>>,
    blows: Mutex<Vec<Blow>>,
}

impl Ledger {
    pub(crate) fn count(&self, name: &'static str) {
        self.add(name, 1);
    }

    pub(crate) fn add(&self, name: &'static str, n: u64) {
        *self.counts.lock().unwrap().entry(name).or_default() += n;
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap().clone()
    }

    pub(crate) fn wrong(&self, wrong: Wrong) {
        eprintln!("chaos: WRONG {wrong}");
        self.wrongs.lock().unwrap().push(wrong);
    }

    pub(crate) fn wrongs(&self) -> Vec<Wrong> {
        self.wrongs.lock().unwrap().clone()
    }

    pub(crate) fn blow(&self, blow: Blow) {
        self.count(blow.name);
        self.blows.lock().unwrap().push(blow);
    }

    pub(crate) fn blows(&self) -> Vec<Blow> {
        self.blows.lock().unwrap().clone()
    }
}

/// `p50, p95, max` of some times.
pub(crate) fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let Some(max) = times.last() else { return "none".to_owned() };
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64();
    format!("p50 {:.2} s, p95 {:.2} s, max {:.2} s (of {})", at(50), at(95), max.as_secs_f64(), times.len())
}
