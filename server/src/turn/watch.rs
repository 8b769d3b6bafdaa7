//! How long a log has to stand still before its runner is taken to be gone: pure.

use std::time::Duration;

use app::domain::Timestamp;
use tokio::time::Instant;

use super::log::Log;

/// Slack for clocks, when the stamp of a log's tail is trusted.
const SLACK: Duration = Duration::from_secs(2);
/// Most jitter, in milliseconds.
pub(super) const JITTER: u64 = 500;

/// What somebody has seen of a turn's log, and since when it has not moved.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    signs: u64,
    since: Instant,
    patience: Duration,
}

/// How long a silence is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) term: Duration,
    /// Keeps several who wait from coming at once.
    pub(super) jitter: Duration,
}

impl Lease {
    /// With jitter of at most half a second.
    pub(super) fn new(term: Duration) -> Self {
        let most = JITTER.min(term.as_millis() as u64 / 4);
        Self { term, jitter: Duration::from_millis(crate::clock::jitter(most)) }
    }

    /// Without jitter, for who is told of a turn one at a time: a queue's message.
    pub(super) const fn plain(term: Duration) -> Self {
        Self { term, jitter: Duration::ZERO }
    }

    /// The lease doubles with each claim that brought nothing.
    fn of(self, log: &Log) -> Duration {
        self.term * (1 << log.fruitless().min(3))
    }
}

impl Watch {
    /// Who has just come trusts the stamp of the tail: older than the lease and some slack, the turn is abandoned;
    /// else it waits out the rest. `born` counts where nothing was written yet; `stamp` and `now` are the same moment
    /// by the wall's and the monotonic clock.
    pub(super) fn new(log: &Log, born: Timestamp, stamp: Timestamp, now: Instant, lease: Lease) -> Self {
        let term = lease.of(log);
        let age = Duration::from_millis(stamp.since(log.tail().map_or(born, |t| t.time)));
        let patience = (term + SLACK).saturating_sub(age).min(term) + lease.jitter;
        Self { signs: log.signs(), since: now, patience }
    }

    /// Looks at the log again. After the first look only the standstill that was watched counts.
    pub(super) fn see(&mut self, log: &Log, now: Instant, lease: Lease) {
        if log.signs() != self.signs {
            *self = Self { signs: log.signs(), since: now, patience: lease.of(log) + lease.jitter };
        }
    }

    /// How long it is until the turn counts as abandoned, if nothing moves.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.patience.saturating_sub(now.saturating_duration_since(self.since))
    }

    /// Whether the turn counts as abandoned, if its log still shows no more than what was watched.
    pub(super) fn is_over(&self, log: &Log, now: Instant) -> bool {
        log.signs() == self.signs && self.left(now).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    const LEASE: Lease = Lease::plain(Duration::from_secs(10));

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn who_has_just_come_trusts_the_stamp_and_then_only_what_it_watched() {
        let seconds = Duration::from_secs;
        let mut log = Log::default();
        log.apply(0, &claim(0, 0)).unwrap();
        // The tail is of the first millisecond.
        let start = Instant::now();
        let watch = |stamp| Watch::new(&log, at(0), at(stamp), start, LEASE);
        assert!(watch(12_001).is_over(&log, start));
        assert_eq!(watch(9_001).left(start), seconds(3));
        assert_eq!(watch(1).left(start), LEASE.term, "never longer than the lease");
        // A clock that is ahead claims too soon, which is safe; one that is behind waits for the lease.
        assert!(watch(600_000).is_over(&log, start));

        let mut watch = watch(1);
        let before = log.clone();
        log.apply(1, &text(0, 0, "a")).unwrap();
        assert!(!watch.is_over(&before, start + seconds(9)));
        watch.see(&log, start + seconds(9), LEASE);
        assert!(!watch.is_over(&log, start + seconds(18)));
        // A stop is no sign of life.
        log.apply(2, &stop(0)).unwrap();
        watch.see(&log, start + seconds(18), LEASE);
        assert!(watch.is_over(&log, start + seconds(19)));
        // What the log has gained meanwhile is a sign of life, whatever the time.
        log.apply(3, &text(0, 1, "b")).unwrap();
        assert!(!watch.is_over(&log, start + seconds(19)));
    }

    #[test]
    fn the_lease_doubles_with_each_claim_that_brought_nothing() {
        let mut log = Log::default();
        for n in 0..3 {
            log.apply(u64::from(n), &claim(n, 0)).unwrap();
        }
        let now = Instant::now();
        assert_eq!(Watch::new(&log, at(0), at(1), now, LEASE).left(now), LEASE.term * 4);
    }
}
