//! How long, how much and how bad a run is.

use server::clock::random;

/// Of one run; `OUTLAST_CHAOS="turns=1000 seed=7"` changes them by name.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) turns: u64,
    pub(crate) servers: u64,
    /// Words of the longest reply.
    pub(crate) tokens: u64,
    /// Chats at a time.
    pub(crate) at_once: u64,
    /// Per cent of the servers' calls to the store that go wrong.
    pub(crate) store_faults: u64,
    /// Shortest and longest pause between two blows to a process, in milliseconds.
    pub(crate) calm: (u64, u64),
    /// When nothing bad happens any more, a turn that has not ended after so many seconds is stuck.
    pub(crate) patience: u64,
}

impl Options {
    /// A part of `make test`.
    pub(crate) fn short(seed: u64) -> Self {
        Self { seed, turns: 24, tokens: 60, servers: 2, at_once: 16, store_faults: 20, calm: (500, 1800), patience: 60 }
    }

    /// `make chaos`.
    pub(crate) fn full() -> Self {
        Self {
            seed: any_seed(),
            turns: 1000,
            tokens: 120,
            servers: 2,
            at_once: 32,
            store_faults: 30,
            calm: (800, 2600),
            patience: 120,
        }
    }

    /// Changed by the environment.
    pub(crate) fn changed(mut self) -> Self {
        for word in std::env::var("OUTLAST_CHAOS").unwrap_or_default().split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let value = value.parse().unwrap_or_else(|_| panic!("OUTLAST_CHAOS: {word:?} is no name=number"));
            match name {
                "seed" => self.seed = value,
                "turns" => self.turns = value,
                "tokens" => self.tokens = value.max(20),
                "servers" => self.servers = value,
                "at_once" => self.at_once = value,
                "store_faults" => self.store_faults = value,
                "calm_ms" => self.calm = (value / 2, value * 3 / 2),
                "patience" => self.patience = value,
                _ => panic!("OUTLAST_CHAOS knows no {name:?}"),
            }
        }
        assert!(self.turns > 0 && self.servers > 0 && self.at_once > 0 && self.store_faults <= 100, "{self:?}");
        self
    }
}

/// A seed that was not there before, short enough to be typed.
pub(crate) fn any_seed() -> u64 {
    u64::from(u32::from_le_bytes(random()))
}
