//! What has happened to turns in this process, counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::storage::SeamClass;

/// Counters since they were last taken.
#[derive(Debug, Default)]
pub struct Metrics {
    claims: AtomicU64,
    takeovers: AtomicU64,
    rewinds: AtomicU64,
    fenced: AtomicU64,
    exact: AtomicU64,
    fuzzy: AtomicU64,
    overlap: AtomicU64,
    none: AtomicU64,
    restart: AtomicU64,
    appends: AtomicU64,
    append_faults: AtomicU64,
    append_us: AtomicU64,
    append_us_max: AtomicU64,
    spent: AtomicU64,
    followers: AtomicU64,
}

/// What goes on at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Streams that follow a turn here.
    pub followers: u64,
    /// Turns that run here.
    pub running: u64,
}

/// While it lives, a stream follows a turn.
#[derive(Debug)]
pub(super) struct Following(Arc<Metrics>);

impl Following {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.followers.fetch_add(1, Relaxed);
        Self(Arc::clone(metrics))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Relaxed);
    }
}

/// What was counted in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Claims that this process won.
    pub claims: u64,
    /// Those of them that took a turn over from another runner.
    pub takeovers: u64,
    /// Text taken back from followers.
    pub rewinds: u64,
    /// Runners that found themselves replaced.
    pub fenced: u64,
    /// Seams by class.
    pub exact: u64,
    pub fuzzy: u64,
    pub overlap: u64,
    pub none: u64,
    pub restart: u64,
    /// Segments acknowledged.
    pub appends: u64,
    /// Attempts that were not.
    pub append_faults: u64,
    /// Microseconds over all acknowledged appends, and of the slowest.
    pub append_us: u64,
    pub append_us_max: u64,
    /// Millionths of a dollar that turns cost which ended here, all their runners together.
    pub spent: u64,
}

impl Metrics {
    pub(super) fn claimed(&self, takeover: bool) {
        self.claims.fetch_add(1, Relaxed);
        self.takeovers.fetch_add(u64::from(takeover), Relaxed);
    }

    pub(super) fn rewound(&self) {
        self.rewinds.fetch_add(1, Relaxed);
    }

    pub(super) fn fenced(&self) {
        self.fenced.fetch_add(1, Relaxed);
    }

    pub(super) fn joined(&self, class: SeamClass) {
        let counter = match class {
            SeamClass::Exact => &self.exact,
            SeamClass::Fuzzy => &self.fuzzy,
            SeamClass::Overlap => &self.overlap,
            SeamClass::None => &self.none,
            SeamClass::Restart => &self.restart,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn appended(&self, took: Duration) {
        let us = took.as_micros() as u64;
        self.appends.fetch_add(1, Relaxed);
        self.append_us.fetch_add(us, Relaxed);
        self.append_us_max.fetch_max(us, Relaxed);
    }

    pub(super) fn append_failed(&self) {
        self.append_faults.fetch_add(1, Relaxed);
    }

    pub(super) fn spent(&self, micros: u64) {
        self.spent.fetch_add(micros, Relaxed);
    }

    /// Whether any turn ended here since the counters were last taken, and cost something.
    pub fn has_spent(&self) -> bool {
        self.spent.load(Relaxed) > 0
    }

    pub(super) fn followers(&self) -> u64 {
        self.followers.load(Relaxed)
    }

    /// Takes what was counted since it was last taken.
    pub fn take(&self) -> Counted {
        let take = |counter: &AtomicU64| counter.swap(0, Relaxed);
        Counted {
            claims: take(&self.claims),
            takeovers: take(&self.takeovers),
            rewinds: take(&self.rewinds),
            fenced: take(&self.fenced),
            exact: take(&self.exact),
            fuzzy: take(&self.fuzzy),
            overlap: take(&self.overlap),
            none: take(&self.none),
            restart: take(&self.restart),
            appends: take(&self.appends),
            append_faults: take(&self.append_faults),
            append_us: take(&self.append_us),
            append_us_max: take(&self.append_us_max),
            spent: take(&self.spent),
        }
    }
}
