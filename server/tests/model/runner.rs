//! Runners: they drive `Writer`, `Log` and `Content` as the server's do. What they have, and what they share.

use std::{
    hash::{Hash, Hasher},
    rc::Rc,
};

use app::domain::Outcome;
use server::{
    storage::Segment,
    turn::{content::Content, log::Log, writer::Writer},
};

use crate::{
    claims::{claims, ends, reads_to_claim},
    table::{Compacted, Turn},
    world::*,
    writes::runs,
};

/// Where a runner is. What belongs to nobody any more is forgotten, so that equal states are equal.
#[derive(Debug, Clone)]
pub enum Runner {
    Idle {
        puts: u8,
    },
    Claiming(Claiming),
    Running(Running),
    /// It claimed only to end: a stop stands in the log, or a limit is spent.
    Ending {
        log: Rc<Log>,
        segment: Segment,
    },
    /// Its `end` stands; the message is not stored yet. `finishing`: the session was found deleted.
    Ended {
        log: Rc<Log>,
        finishing: bool,
    },
    /// Its followers here see the end.
    Stored {
        log: Rc<Log>,
    },
    /// Its followers here see the rest, and that it handed over.
    Released {
        log: Rc<Log>,
    },
    Gone,
}

#[derive(Debug, Clone)]
pub struct Claiming {
    pub log: Rc<Log>,
    pub segment: Segment,
    pub ends: Option<Outcome>,
    /// Its answer was lost.
    pub unsure: bool,
    pub puts: u8,
    /// Only where text is shown too early.
    pub content: Content,
}

#[derive(Debug, Clone)]
pub struct Running {
    pub writer: Writer,
    pub log: Rc<Log>,
    pub content: Rc<Content>,
    /// The claim over itself in flight.
    pub claiming: Option<Segment>,
    pub unsure: bool,
    pub stop: bool,
    pub releasing: bool,
    /// Upstream broke: claim again.
    pub again: bool,
    pub puts: u8,
}

impl Runner {
    /// How far it is.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Idle { .. } => 0,
            Self::Claiming(_) => 1,
            Self::Running(_) => 2,
            Self::Ending { .. } => 3,
            Self::Ended { .. } => 4,
            Self::Stored { .. } => 5,
            Self::Released { .. } => 6,
            Self::Gone => 7,
        }
    }
    /// Whether it would still do something.
    pub fn at_work(&self) -> bool {
        matches!(self, Self::Claiming(_) | Self::Running(_) | Self::Ending { .. } | Self::Ended { .. })
    }
}

type Flags = (bool, bool, bool, bool, u8);

impl Running {
    fn flags(&self) -> Flags {
        (self.unsure, self.stop, self.releasing, self.again, self.puts)
    }
    pub fn length(&self) -> usize {
        self.content.after(0).map(|s| s.2.chars().count()).sum()
    }
}

impl PartialEq for Runner {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Idle { puts: a }, Self::Idle { puts: b }) => a == b,
            (Self::Claiming(a), Self::Claiming(b)) => {
                (a.ends, a.unsure, a.puts) == (b.ends, b.unsure, b.puts)
                    && a.segment == b.segment
                    && a.content == b.content
                    && a.log == b.log
            }
            (Self::Running(a), Self::Running(b)) => {
                let writer = |w: &Writer| (w.claim(), w.next(), w.logged());
                a.flags() == b.flags()
                    && writer(&a.writer) == writer(&b.writer)
                    && a.writer.pending() == b.writer.pending()
                    && a.claiming == b.claiming
                    && a.content == b.content
                    && a.log == b.log
            }
            (Self::Ending { log: a, segment: s }, Self::Ending { log: b, segment: t }) => s == t && a == b,
            (Self::Ended { log: a, finishing: s }, Self::Ended { log: b, finishing: t }) => s == t && a == b,
            (Self::Stored { log: a }, Self::Stored { log: b })
            | (Self::Released { log: a }, Self::Released { log: b }) => a == b,
            (Self::Gone, Self::Gone) => true,
            _ => false,
        }
    }
}
impl Eq for Runner {}

impl Hash for Runner {
    fn hash<H: Hasher>(&self, h: &mut H) {
        self.rank().hash(h);
        match self {
            Self::Idle { puts } => puts.hash(h),
            Self::Claiming(c) => {
                (&c.segment.nonce, c.segment.at, c.unsure).hash(h);
                hash_log(&c.log, h);
            }
            Self::Running(r) => {
                (r.flags(), r.writer.next(), r.writer.logged(), r.claiming.is_some()).hash(h);
                r.writer.pending().map(|(seq, s)| (seq, &s.nonce, s.pieces.is_empty())).hash(h);
                hash_content(&r.content, h);
                hash_log(&r.log, h);
            }
            Self::Ending { log, segment } => {
                (&segment.nonce, segment.at).hash(h);
                hash_log(log, h);
            }
            Self::Ended { log, .. } | Self::Stored { log } | Self::Released { log } => hash_log(log, h),
            Self::Gone => {}
        }
    }
}

pub type Out<'a> = &'a mut Vec<(Step, World)>;

/// All that runner `r` may do next.
pub fn steps(w: &World, r: usize, config: &Config, out: Out) {
    match &*w.runners[r] {
        Runner::Idle { puts } => reads_to_claim(w, r, *puts, config, out),
        Runner::Claiming(c) => claims(w, r, c, config, out),
        Runner::Running(run) => runs(w, r, run, config, out),
        Runner::Ending { log, segment } => ends(w, r, log, segment, config, out),
        Runner::Ended { log, finishing } => {
            let mut next = w.clone();
            let stored = if *finishing {
                if next.table().finish_deleted(log, config) { Compacted::Deleted } else { Compacted::Done }
            } else {
                next.table().compact(log, config)
            };
            if *finishing && stored == Compacted::Done {
                // It is not deleted any more: from the start.
                next.put_runner(r, Runner::Ended { log: log.clone(), finishing: false });
            } else if stored == Compacted::Finish {
                next.put_runner(r, Runner::Ended { log: log.clone(), finishing: true });
            } else {
                leave(&mut next, r, config);
                let shown = shown_by(w, r, config);
                next.put_runner(r, if shown { Runner::Stored { log: log.clone() } } else { Runner::Gone });
            }
            out.push((Step::Compacts(r), next));
        }
        Runner::Stored { .. } | Runner::Released { .. } | Runner::Gone => {}
    }
}

/// Whether followers in its process look at it.
pub fn shown_by(w: &World, r: usize, config: &Config) -> bool {
    w.misc.hub[config.process(r) as usize] == r as u8
}

pub fn leave(w: &mut World, r: usize, config: &Config) {
    let place = &mut w.misc().hub[config.process(r) as usize];
    if *place == r as u8 {
        *place = NOBODY;
    }
}

pub fn gone(w: &World, r: usize, config: &Config) -> World {
    let mut next = w.clone();
    leave(&mut next, r, config);
    next.put_runner(r, Runner::Gone);
    next
}

/// Somebody was told that this stands at `seq`.
pub fn acknowledged(w: &mut World, seq: u64, segment: &Segment) {
    if w.table.turn != Turn::Gone && w.table.at(seq).is_none_or(|there| **there != *segment) {
        w.fault = Some("an acknowledged segment is not in the log");
    }
}

/// What may become of a write now.
pub fn fates(w: &World) -> impl Iterator<Item = Fate> {
    let budget = w.misc.budget;
    let all = [(Fate::Answered, true), (Fate::AnswerLost, budget.lost > 0), (Fate::Late, budget.late > 0)];
    all.into_iter().filter(|f| f.1).map(|f| f.0)
}

pub fn take(w: &mut World, fate: Fate) {
    match fate {
        Fate::Answered => {}
        Fate::AnswerLost => w.budget().lost -= 1,
        Fate::Late => w.budget().late -= 1,
    }
}
