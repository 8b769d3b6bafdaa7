//! Token buckets, each with a key: so many at once, and then one every so often. They are this process's own; several
//! servers together let through so many times as much.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Past so many keys those that are full again are forgotten.
const KEYS: usize = 10_000;

/// How fast something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Until there is one more.
    pub every: Duration,
}

impl Rate {
    /// So many a minute, and as many at once.
    #[must_use]
    pub fn a_minute(n: u32) -> Self {
        Self { burst: n.max(1), every: Duration::from_secs(60) / n.max(1) }
    }

    fn whole(self) -> Duration {
        self.every * self.burst
    }
}

/// The buckets of one rate.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    // Of each key: when its bucket is full again.
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::default() }
    }

    /// Takes one, if there is one.
    ///
    /// # Errors
    /// How long it is until there will be.
    pub fn take(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let mut all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = all.get(key).copied().unwrap_or(now).max(now) + self.rate.every;
        let ahead = full_at.duration_since(now);
        if ahead > self.rate.whole() {
            return Err(ahead - self.rate.whole());
        }
        all.insert(key.clone(), full_at);
        if all.len() > KEYS {
            all.retain(|_, full_at| *full_at > now);
        }
        Ok(())
    }

    /// Gives one back: what it was taken for did no harm.
    pub fn give_back(&self, key: &K) {
        let mut all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = all.get_mut(key) {
            *full_at = full_at.checked_sub(self.rate.every).unwrap_or(*full_at);
        }
    }
}

/// Whole seconds, rounded up, for `Retry-After`.
#[must_use]
pub fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_every_so_often() {
        let buckets = Buckets::new(Rate { burst: 3, every: Duration::from_secs(10) });
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        for _ in 0..3 {
            assert_eq!(buckets.take(&"a", start), Ok(()));
        }
        assert_eq!(buckets.take(&"a", start), Err(Duration::from_secs(10)));
        assert_eq!(buckets.take(&"b", start), Ok(()), "another's");
        assert_eq!(buckets.take(&"a", at(4)), Err(Duration::from_secs(6)));
        assert_eq!(buckets.take(&"a", at(10)), Ok(()));
        assert!(buckets.take(&"a", at(10)).is_err());
        buckets.give_back(&"a");
        assert_eq!(buckets.take(&"a", at(10)), Ok(()));
        for _ in 0..3 {
            assert_eq!(buckets.take(&"a", at(100)), Ok(()));
        }
        assert!(buckets.take(&"a", at(100)).is_err(), "no more than a burst is saved up");
    }

    #[test]
    fn those_that_are_full_are_forgotten() {
        let buckets = Buckets::new(Rate::a_minute(60));
        let start = Instant::now();
        for i in 0..=KEYS {
            buckets.take(&i, start).unwrap();
        }
        buckets.take(&usize::MAX, start + Duration::from_secs(2)).unwrap();
        assert!(buckets.full_at.lock().unwrap().len() <= 2);
        assert_eq!((seconds(Duration::from_millis(1)), seconds(Duration::from_millis(1001))), (1, 2));
    }
}
