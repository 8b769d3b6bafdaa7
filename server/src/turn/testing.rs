//! Segments for tests.

use app::domain::{Outcome, Piece, PieceKind, Timestamp, Timing, Usage};

use crate::storage::{By, End, Kind, Segment, segment::VERSION};

pub(crate) fn segment(kind: Kind, claim: u32, at: u32, added: &str) -> Segment {
    Segment {
        kind,
        claim,
        by: By::Web,
        boot: "boot".into(),
        nonce: "nonce".into(),
        at,
        pieces: if added.is_empty() { vec![] } else { vec![Piece { kind: PieceKind::Text, text: added.into() }] },
        time: Timestamp::from_millis(1),
        v: VERSION,
        seam: None,
        usage: None,
        end: None,
        chars: None,
        misfit: false,
    }
}

pub(crate) fn claim(number: u32, at: u32) -> Segment {
    segment(Kind::Claim, number, at, "")
}
pub(crate) fn text(claim: u32, at: u32, added: &str) -> Segment {
    segment(Kind::Text, claim, at, added)
}
pub(crate) fn beat(claim: u32, at: u32) -> Segment {
    segment(Kind::Beat, claim, at, "")
}
pub(crate) fn stop(claim: u32) -> Segment {
    segment(Kind::Stop, claim, 0, "")
}
pub(crate) fn release(claim: u32, at: u32) -> Segment {
    segment(Kind::Release, claim, at, "")
}
pub(crate) fn end(claim: u32, at: u32, added: &str) -> Segment {
    let end = End {
        outcome: Outcome::Complete,
        stop_reason: None,
        error: None,
        usage: Usage::default(),
        timing: Timing::default(),
        total: at + added.len() as u32,
        left_out: 0,
    };
    Segment { end: Some(end), ..segment(Kind::End, claim, at, added) }
}
