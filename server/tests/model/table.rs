//! The table: what the store's conditions allow, as `storage/log.rs` and `storage/compact.rs` ask for them.

use std::{
    hash::{Hash, Hasher},
    rc::Rc,
};

use server::{
    storage::{Base, Segment},
    turn::log::{Log, LogFault},
};

use crate::world::{Broken, Config, text, who};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Turn {
    #[default]
    Open,
    Done,
    /// Purged with its session.
    Gone,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub log: Vec<Rc<Segment>>,
    pub claims: u32,
    pub turn: Turn,
    /// The session's active turn is this one.
    pub active: bool,
    pub deleted: bool,
    /// It was deleted at some time.
    pub was_deleted: bool,
    /// The stored message, with the claims' beginnings that the turn notes.
    pub message: Option<Rc<str>>,
    pub bases: Vec<Base>,
    /// The fold of the log, and why it cannot be folded.
    pub fold: Rc<Log>,
    pub fault: Option<LogFault>,
}

impl Default for Table {
    /// A chat whose page is to claim the turn: sent by a plain form. A sender that claims is the first runner.
    fn default() -> Self {
        Self {
            log: Vec::new(),
            claims: 0,
            turn: Turn::Open,
            active: true,
            deleted: false,
            was_deleted: false,
            message: None,
            bases: Vec::new(),
            fold: Rc::default(),
            fault: None,
        }
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        // The rest follows from the log.
        let small = |t: &Self| (t.claims, t.turn, t.active, t.deleted, t.was_deleted, t.fault);
        small(self) == small(other)
            && self.message == other.message
            && self.bases == other.bases
            && self.log == other.log
    }
}
impl Eq for Table {}

impl Hash for Table {
    fn hash<H: Hasher>(&self, h: &mut H) {
        (self.claims, self.turn, self.active, self.deleted, &self.message).hash(h);
        for segment in &self.log {
            segment.nonce.hash(h);
        }
        self.fold.content().len().hash(h);
    }
}

/// What a compaction found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compacted {
    Done,
    /// The session is deleted: the turn is yet to be set done, in a transaction of its own.
    Finish,
    Deleted,
}

impl Table {
    /// What stands at a key.
    pub fn at(&self, seq: u64) -> Option<&Rc<Segment>> {
        self.log.get(seq as usize)
    }

    /// A put on the condition that nothing stands there; gives what does.
    pub fn append(&mut self, seq: u64, segment: &Segment, blind: bool) -> Option<Rc<Segment>> {
        if self.turn == Turn::Gone {
            // A stray item behind a purged log, where nobody looks and which expires.
            return None;
        }
        if !blind && let Some(there) = self.at(seq) {
            return Some(Rc::clone(there));
        }
        let new = Rc::new(segment.clone());
        if seq as usize > self.log.len() {
            self.fault = Some(LogFault::Gap);
            return None;
        }
        if seq as usize == self.log.len() {
            self.log.push(new);
            if self.fault.is_none() {
                self.fault = Rc::make_mut(&mut self.fold).apply(seq, segment).err();
            }
            return None;
        }
        // Only where a rule is left out.
        self.log[seq as usize] = new;
        let mut fold = Log::default();
        self.fault = self.log.iter().enumerate().find_map(|(n, s)| fold.apply(n as u64, s).err());
        self.fold = Rc::new(fold);
        None
    }

    /// The transaction that claims.
    pub fn claim(&mut self, seq: u64, segment: &Segment, claims_read: u32, config: &Config) -> bool {
        let blind = config.is(Broken::BlindClaim);
        if config.is(Broken::UncountedClaim) {
            if self.turn == Turn::Gone {
                // An update without a condition makes what it does not find.
                self.turn = Turn::Open;
            }
        } else if self.turn != Turn::Open || self.claims != claims_read {
            return false;
        }
        if !blind && self.at(seq).is_some() {
            return false;
        }
        self.claims = claims_read + 1;
        self.append(seq, segment, blind);
        true
    }

    /// The transaction that compacts, from a log that ended.
    pub fn compact(&mut self, log: &Log, config: &Config) -> Compacted {
        match self.turn {
            Turn::Gone => return Compacted::Deleted,
            Turn::Done => {
                if self.active && !self.deleted {
                    // It was done while its session was deleted; the restored one gets its reply.
                    self.message = Some(text(log.content()).into());
                    self.active = false;
                }
                return Compacted::Done;
            }
            Turn::Open => {}
        }
        if self.deleted {
            return Compacted::Finish;
        }
        self.turn = Turn::Done;
        self.bases = log.bases().to_vec();
        self.message = Some(text(log.content()).into());
        self.active &= config.is(Broken::ActiveStays);
        Compacted::Done
    }

    /// The second transaction, after the first found the session deleted. False: it is not deleted any more.
    pub fn finish_deleted(&mut self, log: &Log, config: &Config) -> bool {
        if self.turn != Turn::Open {
            return true;
        }
        if !self.deleted && !config.is(Broken::FinishUnchecked) {
            return false;
        }
        self.turn = Turn::Done;
        self.bases = log.bases().to_vec();
        true
    }

    pub fn purge(&mut self) {
        self.log.clear();
        self.bases.clear();
        self.fold = Rc::default();
        self.message = None;
        self.turn = Turn::Gone;
    }

    /// Who made claim number `claim`.
    pub fn claimant(&self, claim: u32) -> Option<u8> {
        let claims = self.log.iter().filter(|s| s.kind == server::storage::Kind::Claim);
        claims.clone().nth(claim as usize).map(|s| who(s))
    }
}
