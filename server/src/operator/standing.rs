//! How an open turn stands, by its log.

use app::domain::Timestamp;

use super::span;
use crate::{
    storage::{Kind, TurnItem},
    turn::log::Log,
};

/// Who works on an open turn, as far as its log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its log moves, or did so within the lease.
    Runs,
    /// Nobody: why, in words.
    Abandoned(String),
    /// Its text is whole, but not stored as a message yet.
    Ended,
}

/// `alone`: no server has the store, so nobody can be running anything. `lease` in milliseconds.
pub(super) fn standing(turn: &TurnItem, log: &Log, now: Timestamp, lease: u64, alone: bool) -> Standing {
    if log.end().is_some() {
        return Standing::Ended;
    }
    let since = log.tail().map_or(turn.created_at, |tail| tail.time);
    let age = now.since(since);
    let why = match log.tail().map(|tail| tail.kind) {
        Some(Kind::Release) => format!("released {} ago", span(age)),
        None if age > lease || alone => format!("never claimed in {}", span(age)),
        Some(_) if age > lease || alone => format!("silent for {}", span(age)),
        _ => return Standing::Runs,
    };
    Standing::Abandoned(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        storage::{By, Segment, TurnState},
        turn::writer::Author,
    };

    #[test]
    fn a_turn_stands_as_its_log_says() {
        let clock = Clock::default();
        let at = Timestamp::from_millis;
        let turn = TurnItem {
            id: clock.turn_id(),
            owner: clock.user_id(),
            session: clock.session_id(),
            parent: clock.message_id(),
            depth: 1,
            model: String::new(),
            state: TurnState::Open,
            claims: 0,
            continues: None,
            variant: None,
            created_at: at(1_000),
            bases: Vec::new(),
            usage: Default::default(),
            outcome: None,
            stop_reason: None,
            error: None,
            timing: None,
            total: 0,
            v: 1,
            ttl: 0,
        };
        let author = Author { by: By::Web, boot: "b".into(), nonce: crate::turn::writer::random_nonce };
        let log = |kinds: &[Kind]| {
            let mut log = Log::default();
            for (seq, kind) in kinds.iter().enumerate() {
                let segment: Segment = author.segment(*kind, 0, 0, at(2_000));
                log.apply(seq as u64, &segment).unwrap();
            }
            log
        };
        let of = |kinds: &[Kind], now, alone| standing(&turn, &log(kinds), at(now), 10_000, alone);
        let abandoned = |why: &str| Standing::Abandoned(why.to_owned());
        assert_eq!(of(&[Kind::Claim, Kind::Beat], 12_000, false), Standing::Runs);
        assert_eq!(of(&[Kind::Claim, Kind::Beat], 12_001, false), abandoned("silent for 10 s"));
        assert_eq!(of(&[Kind::Claim, Kind::Beat], 3_000, true), abandoned("silent for 1 s"));
        // A stop is no sign of life.
        assert_eq!(of(&[Kind::Claim, Kind::Release, Kind::Stop], 3_000, false), abandoned("released 1 s ago"));
        assert_eq!(of(&[], 11_000, false), Standing::Runs);
        assert_eq!(of(&[], 11_001, false), abandoned("never claimed in 10 s"));
    }
}
