//! The fold of a turn's log: a pure state machine, without I/O or clock. `docs/log.md` has the rules.

use std::fmt;

use app::domain::{Timestamp, Usage};

use super::content::Content;
use crate::{
    claude::tokens::Letters,
    storage::{Base, End, Kind, Segment, segment::VERSION},
};

/// Why a segment cannot follow what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFault {
    /// Its number is not the next one.
    Gap,
    /// Something stands behind `end`.
    AfterEnd,
    /// It begins elsewhere than the content ends, or truncates to more than there is.
    Offset,
    /// It names another claim than the newest.
    Claim,
    /// A newer format than this server knows; leave the turn alone.
    Newer,
}

impl fmt::Display for LogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gap => "the log has a gap",
            Self::AfterEnd => "something stands behind the log's end",
            Self::Offset => "a segment begins where the content does not end",
            Self::Claim => "a segment names another claim than the newest",
            Self::Newer => "the log was written by a newer version",
        })
    }
}

impl std::error::Error for LogFault {}

/// What the newest segment (but `stop`, which is no sign of life) says of the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    pub kind: Kind,
    pub time: Timestamp,
    /// The process that wrote it.
    pub boot: String,
}

/// A turn's log, read up to some segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    next: u64,
    content: Content,
    bases: Vec<Base>,
    end: Option<End>,
    stop: bool,
    tail: Option<Tail>,
    first_claim: Option<Timestamp>,
    first_content: Option<Timestamp>,
    fruitless: u32,
    unplanned: u32,
    /// Claims in a row that brought nothing, hand-overs counted too.
    barren: u32,
    misfits: u32,
    signs: u64,
    known: Usage,
    unknown: u32,
    written: Letters,
}

impl Log {
    /// Takes the next segment.
    ///
    /// # Errors
    /// [`LogFault`] if it cannot follow what is there; the log is unchanged then.
    pub fn apply(&mut self, seq: u64, segment: &Segment) -> Result<(), LogFault> {
        if seq != self.next {
            return Err(LogFault::Gap);
        }
        if self.end.is_some() {
            return Err(LogFault::AfterEnd);
        }
        if segment.v > VERSION {
            return Err(LogFault::Newer);
        }
        match segment.kind {
            Kind::Claim => self.apply_claim(segment)?,
            Kind::Stop => self.stop = true,
            Kind::Text | Kind::Beat | Kind::Release | Kind::End => self.apply_runner(segment)?,
        }
        if segment.kind != Kind::Stop {
            self.signs += 1;
            self.tail = Some(Tail { kind: segment.kind, time: segment.time, boot: segment.boot.clone() });
        }
        self.next += 1;
        Ok(())
    }

    fn apply_claim(&mut self, segment: &Segment) -> Result<(), LogFault> {
        if segment.claim as usize != self.bases.len() {
            return Err(LogFault::Claim);
        }
        if segment.at > self.content.len() || self.content.floor(segment.at) != segment.at {
            return Err(LogFault::Offset);
        }
        let planned = self.released();
        // The previous claim was fruitless if this one keeps nothing that it wrote; but for one whose reply was whole
        // and did not fit: those have a limit of their own.
        if segment.misfit {
            self.misfits += 1;
        } else {
            self.fruitless = self.fruitless_after(segment.at);
        }
        self.barren = self.barren_after(segment.at);
        self.unplanned += u32::from(!planned);
        self.unknown += 1;
        self.first_claim.get_or_insert(segment.time);
        self.content.truncate(segment.at);
        self.bases.push(Base { at: segment.at, planned, seam: None });
        Ok(())
    }

    fn apply_runner(&mut self, segment: &Segment) -> Result<(), LogFault> {
        if segment.claim as usize + 1 != self.bases.len() {
            return Err(LogFault::Claim);
        }
        if segment.at != self.content.len() {
            return Err(LogFault::Offset);
        }
        if let Some(end) = &segment.end {
            let added: usize = segment.pieces.iter().map(|p| p.text.len()).sum();
            if end.total as usize != segment.at as usize + added {
                return Err(LogFault::Offset);
            }
        }
        for piece in &segment.pieces {
            self.written.add(&piece.text);
            self.content.push(segment.claim, piece.kind, &piece.text);
        }
        if let (Some(class), Some(base)) = (segment.seam, self.bases.last_mut()) {
            base.seam = Some(class);
        }
        if !segment.pieces.is_empty() {
            self.first_content.get_or_insert(segment.time);
        }
        self.end.clone_from(&segment.end);
        if let Some(known) = segment.usage {
            (self.known, self.unknown, self.written) = (known, 0, Letters::default());
        }
        Ok(())
    }

    /// Folds segments that were read in one go, on top of what is there.
    ///
    /// # Errors
    /// [`LogFault`] at the first that cannot follow; those before it are applied.
    pub fn extend<'a>(&mut self, segments: impl IntoIterator<Item = &'a (u64, Segment)>) -> Result<(), LogFault> {
        segments.into_iter().try_for_each(|(seq, segment)| self.apply(*seq, segment))
    }

    /// The number of the next segment.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }
    /// Where each claim began.
    #[must_use]
    pub fn bases(&self) -> &[Base] {
        &self.bases
    }
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }
    /// A person wants it to end.
    #[must_use]
    pub fn stop(&self) -> bool {
        self.stop
    }
    #[must_use]
    pub fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }
    /// Segments but `stop`: more of them is a sign of life.
    #[must_use]
    pub fn signs(&self) -> u64 {
        self.signs
    }
    /// Nobody has claimed it yet.
    #[must_use]
    pub fn unclaimed(&self) -> bool {
        self.bases.is_empty()
    }
    /// The last segment but `stop` is a `release`.
    #[must_use]
    pub fn released(&self) -> bool {
        self.tail.as_ref().is_some_and(|t| t.kind == Kind::Release)
    }
    /// When the first claim was made.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        self.first_claim
    }
    /// When the first content was written.
    #[must_use]
    pub fn first_content(&self) -> Option<Timestamp> {
        self.first_content
    }
    /// Claims in a row that brought nothing the next one kept.
    #[must_use]
    pub fn fruitless(&self) -> u32 {
        self.fruitless
    }
    /// What [`Log::fruitless`] would be after a claim at `at`.
    #[must_use]
    pub fn fruitless_after(&self, at: u32) -> u32 {
        match self.bases.last() {
            Some(last) if at > last.at => 0,
            Some(_) => self.fruitless + u32::from(!self.released()),
            None => 0,
        }
    }
    /// As [`Log::fruitless_after`], with those that were handed over counted like any other.
    #[must_use]
    pub fn barren_after(&self, at: u32) -> u32 {
        match self.bases.last() {
            Some(last) if at > last.at => 0,
            Some(_) => self.barren + 1,
            None => 0,
        }
    }
    /// Claims that a runner made over itself because the reply did not fit its schema.
    #[must_use]
    pub fn misfits(&self) -> u32 {
        self.misfits
    }
    /// What was used up to the last `release` that says so.
    #[must_use]
    pub fn known(&self) -> Usage {
        self.known
    }
    /// Claims since then: nobody knows what their runners used; and what they wrote, dropped or not.
    #[must_use]
    pub fn unknown(&self) -> (u32, Letters) {
        (self.unknown, self.written)
    }
    /// Claims in all, those right behind a `release` not counted.
    #[must_use]
    pub fn unplanned(&self) -> u32 {
        self.unplanned
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    #[test]
    fn content_is_the_fold_of_the_log() {
        let mut log = Log::default();
        let all = [claim(0, 0), text(0, 0, "abc"), beat(0, 3), claim(1, 2), text(1, 2, "XY"), stop(1), end(1, 4, "Z")];
        for (seq, s) in all.iter().enumerate() {
            log.apply(seq as u64, s).unwrap();
        }
        assert_eq!(log.content().all()[0].text, "abXYZ");
        assert_eq!(
            log.bases(),
            [Base { at: 0, planned: false, seam: None }, Base { at: 2, planned: false, seam: None }]
        );
        assert!(log.stop() && log.end().is_some());
        assert_eq!(log.apply(7, &beat(1, 5)), Err(LogFault::AfterEnd));
    }

    #[test]
    fn hand_overs_that_bring_nothing_are_counted_apart() {
        let mut log = Log::default();
        let release = |claim, at| segment(Kind::Release, claim, at, "");
        let all = [claim(0, 0), release(0, 0), claim(1, 0), release(1, 0), claim(2, 0), text(2, 0, "a"), release(2, 1)];
        for (seq, s) in all.iter().enumerate() {
            log.apply(seq as u64, s).unwrap();
        }
        assert_eq!((log.fruitless(), log.barren_after(0), log.barren_after(1)), (0, 3, 0));
    }

    #[test]
    fn what_cannot_follow_is_refused_and_changes_nothing() {
        let mut log = Log::default();
        log.apply(0, &claim(0, 0)).unwrap();
        log.apply(1, &text(0, 0, "é")).unwrap();
        let before = log.clone();
        for (seq, segment, fault) in [
            (3, beat(0, 2), LogFault::Gap),
            (2, text(0, 1, "x"), LogFault::Offset),
            (2, text(1, 2, "x"), LogFault::Claim),
            (2, claim(2, 0), LogFault::Claim),
            (2, claim(1, 1), LogFault::Offset),
            (2, claim(1, 3), LogFault::Offset),
            (2, Segment { v: VERSION + 1, ..beat(0, 2) }, LogFault::Newer),
        ] {
            assert_eq!(log.apply(seq, &segment), Err(fault));
            assert_eq!(log, before);
        }
    }

    #[test]
    fn misfits_are_counted_apart_from_faults() {
        let misfit = |n| Segment { misfit: true, ..claim(n, 0) };
        let mut log = Log::default();
        for (seq, s) in [claim(0, 0), text(0, 0, "a"), misfit(1), claim(2, 0), misfit(3)].iter().enumerate() {
            log.apply(seq as u64, s).unwrap();
        }
        assert_eq!((log.misfits(), log.fruitless(), log.unplanned()), (2, 1, 4));
        assert_eq!(log.fruitless_after(0), 2);
    }

    #[test]
    fn fruitless_claims_are_those_whose_content_the_next_one_drops() {
        let mut log = Log::default();
        for (seq, s) in [claim(0, 0), text(0, 0, "ab"), claim(1, 0), text(1, 0, "c"), claim(2, 1)].iter().enumerate() {
            log.apply(seq as u64, s).unwrap();
        }
        assert_eq!((log.fruitless(), log.unplanned()), (0, 3));
        for (seq, s) in [claim(3, 1), claim(4, 1), release(4, 1), claim(5, 1)].iter().enumerate() {
            log.apply(5 + seq as u64, s).unwrap();
        }
        assert_eq!((log.fruitless(), log.unplanned()), (2, 5));
        assert!(log.bases()[5].planned);
    }
}
