//! Chance that can be repeated: every decision of a run follows from its seed.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for one part of the run, so that no part's number of throws changes another's.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.throw())
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `from..=to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.throw() % (to - from + 1)
    }

    /// A place in a list of `len`, which is not empty.
    pub(crate) fn below(&mut self, len: usize) -> usize {
        (self.throw() % len as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.throw() % 100 < percent
    }

    /// One of those whose weights these are.
    pub(crate) fn weighted<T: Copy>(&mut self, weights: &[(u64, T)]) -> T {
        let mut left = self.throw() % weights.iter().map(|(w, _)| w).sum::<u64>();
        for (weight, what) in weights {
            if left < *weight {
                return *what;
            }
            left -= weight;
        }
        weights[0].1
    }
}
