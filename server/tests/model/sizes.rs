//! What is explored: how many take part, and how often each fault may strike.

use crate::world::{Broken, Broken::*, Budget, Config};

const NONE: Budget = Budget {
    lost: 0,
    late: 0,
    kill: 0,
    cut: 0,
    release: 0,
    stop: 0,
    again: 0,
    beat: 0,
    delete: 0,
    restore: 0,
    purge: 0,
};

const fn size(
    name: &'static str,
    runners: &'static [u8],
    followers: usize,
    length: u8,
    drops: u8,
    budget: Budget,
) -> Config {
    Config { name, runners, followers, length, drops, stale: true, budget, broken: None }
}

/// Every state of these in a plain `cargo test`.
pub const SMALL: &[Config] = &[
    size("2 runners, 1 follower: an answer lost, a kill", &[0, 1], 1, 2, 0, Budget { kill: 1, lost: 1, ..NONE }),
    size("2 runners, 1 follower: a put is late", &[0, 1], 1, 2, 0, Budget { late: 1, ..NONE }),
    size("2 runners, 1 follower: claims that drop, a cut", &[0, 1], 1, 2, 1, Budget { cut: 1, ..NONE }),
    size("2 runners, 1 follower: a stop, a cut", &[0, 1], 1, 1, 0, Budget { stop: 1, cut: 1, ..NONE }),
    size("2 runners, 2 followers: a cut", &[0, 1], 2, 1, 0, Budget { cut: 1, ..NONE }),
    size("2 runners: late, lost", &[0, 1], 0, 2, 1, Budget { late: 1, lost: 1, ..NONE }),
    size("2 runners, 1 follower: release, beat", &[0, 1], 1, 1, 0, Budget { release: 1, beat: 1, cut: 1, ..NONE }),
    size("1 runner, 1 follower: upstream breaks, a stop", &[0], 1, 2, 1, Budget { again: 2, stop: 1, ..NONE }),
    size("2 runners, 1 follower: delete, restore", &[0, 1], 1, 1, 0, Budget { delete: 1, restore: 1, ..NONE }),
    size("2 runners: delete, purge, late", &[0, 1], 0, 1, 0, Budget { delete: 1, purge: 1, late: 1, ..NONE }),
];

/// Every state of these, or the first three million, in `make model`.
pub const LARGE: &[Config] = &[
    size("3 runners, 2 in one process, 1 follower: a cut", &[0, 1, 0], 1, 2, 0, Budget { cut: 1, ..NONE }),
    size("2 runners: late, lost, kill, stop", &[0, 1], 0, 2, 1, Budget { late: 1, lost: 1, stop: 1, kill: 1, ..NONE }),
    size("2 runners, 1 follower: delete, restore", &[0, 1], 1, 2, 0, Budget { delete: 1, restore: 1, ..NONE }),
    size(
        "2 runners, 1 follower: delete, purge, late",
        &[0, 1],
        1,
        1,
        0,
        Budget { delete: 1, purge: 1, late: 1, ..NONE },
    ),
    size("2 runners, 1 follower: upstream breaks, drops", &[0, 1], 1, 2, 1, Budget { again: 1, ..NONE }),
    size("3 runners, 1 follower: claims that drop", &[0, 1, 1], 1, 2, 1, NONE),
    size("3 runners: an answer lost", &[0, 1, 2], 0, 2, 1, Budget { lost: 1, ..NONE }),
    size("2 runners: a stop, a late put", &[0, 1], 0, 2, 1, Budget { late: 1, stop: 1, ..NONE }),
];

const ALL: Budget = Budget {
    lost: 3,
    late: 3,
    kill: 2,
    cut: 4,
    release: 2,
    stop: 1,
    again: 2,
    beat: 2,
    delete: 0,
    restore: 0,
    purge: 0,
};

/// For random walks: too large for all of their states.
pub const LARGER: &[Config] = &[
    size("random: 4 runners, 2 followers, all faults", &[0, 1, 0, 2], 2, 6, 2, ALL),
    size("random: the same, deleted and restored", &[0, 1, 2, 1], 2, 5, 1, Budget { delete: 1, restore: 1, ..ALL }),
    size("random: the same, purged", &[0, 1, 0, 1], 2, 4, 1, Budget { delete: 2, restore: 1, purge: 1, ..ALL }),
    size("random: few faults", &[0, 1, 2, 0], 2, 7, 2, Budget { lost: 1, late: 1, kill: 1, cut: 2, again: 1, ..NONE }),
];

/// A rule left out, what is to be found then, and whether it takes looking at how things end.
pub type Left = (Config, &'static str, usize);

fn left(
    broken: Broken,
    budget: Budget,
    runners: &'static [u8],
    drops: u8,
    expected: &'static str,
    ends: usize,
) -> Left {
    let config = size("a rule left out", runners, 1, 2, drops, budget);
    (Config { broken: Some(broken), ..config }, expected, ends)
}

/// The rules, left out one by one.
pub fn broken() -> [Left; 15] {
    const TWO: &[u8] = &[0, 1];
    [
        left(NoNonce, Budget { lost: 1, ..NONE }, TWO, 0, "acknowledged segment is not in the log", 0),
        left(Rebuilt, Budget { late: 1, ..NONE }, TWO, 0, "acknowledged segment is not in the log", 0),
        left(BlindPut, NONE, TWO, 0, "a segment that stood in the log was changed", 0),
        left(BlindClaim, NONE, TWO, 0, "a segment that stood in the log was changed", 0),
        left(
            UncountedClaim,
            Budget { late: 1, delete: 1, purge: 1, ..NONE },
            TWO,
            0,
            "a turn that was purged is back",
            0,
        ),
        left(ClaimAfterEnd, NONE, TWO, 0, "something stands behind the log's end", 0),
        left(NoFence, NONE, TWO, 0, "names another claim than the newest", 0),
        left(EarlyText, NONE, TWO, 0, "text of a runner that does not hold the claim", 0),
        left(EarlyEnd, NONE, TWO, 0, "`end` is shown, and no message is stored", 0),
        left(CursorWithoutClaim, Budget { cut: 1, ..NONE }, TWO, 0, "a follower's text", 0),
        left(NextClaimOnly, Budget { cut: 1, ..NONE }, &[0, 1, 1], 1, "a follower shows", 1),
        left(NoRewind, Budget { cut: 1, ..NONE }, TWO, 0, "a follower shows", 0),
        left(ActiveStays, NONE, TWO, 0, "its session is still taken", 0),
        left(StopEnds, Budget { stop: 1, ..NONE }, TWO, 0, "names another claim than the newest", 0),
        left(FinishUnchecked, Budget { delete: 1, restore: 1, ..NONE }, TWO, 0, "the session stays taken", 1),
    ]
}
