//! What one process has of one budget: a ledger, without I/O or clock.
//!
//! A process spends only what it took before. It takes more by writing how much that will be in all, and then reading
//! what the others take: if all of it fits the cap, it is its own; if not, it writes less again. Of those whose taking
//! was valid, the one who wrote last has read what all others wrote, so what is validly taken never passes the cap.
//! Two who take the last of it at the same time may both be refused, but never both get it.
//!
//! What is taken and not yet promised to a turn is for the turns to come. It lapses after a while: a process that is
//! frozen or gone keeps nobody else from it.

use std::time::Duration;

use app::domain::Timestamp;

use crate::storage::{Others, Share};

/// What is taken and not promised to a turn lapses after so long.
const LEND: Duration = Duration::from_secs(120);
/// So much earlier its owner uses it no more: clocks differ, and a write takes its time.
const MARGIN: Duration = Duration::from_secs(10);
/// Running turns make it last longer from so long before it lapses.
const RENEW: Duration = Duration::from_secs(60);
/// Nobody takes more than one part in so many of a cap for turns to come.
const PART: u64 = 50;
/// All together take no more than one part in so many of what is left for that.
const IDLE: u64 = 4;

fn later(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(at.millis() + by.as_millis() as u64)
}

/// What more is taken than is needed just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    Nothing,
    /// For turns to come.
    Turns,
    /// For a turn that runs and needs more and more.
    Running,
}

#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub cap: u64,
    /// Everybody's: what ended stays in this process's item. A user's totals hold their turns that are done.
    keeps: bool,
    /// What turns that are over have cost; of a user's, those that the totals do not hold yet.
    ended: u64,
    /// What running turns have cost and what is promised to them.
    running: u64,
    /// Taken, as far as it is known to be valid; and how it stands in the table.
    top: u64,
    firm: u64,
    until: Timestamp,
    /// What the others take, and what of it is firm, when it was last read; and how many they are.
    others: u64,
    others_firm: u64,
    count: u64,
    read_at: Option<Timestamp>,
    /// What went to the totals, ever, and when what is on its way to the table was planned.
    moved: u64,
    moved_before: u64,
}

impl Pool {
    pub(super) fn new(cap: u64, keeps: bool) -> Self {
        Self {
            cap,
            keeps,
            ended: 0,
            running: 0,
            top: 0,
            firm: 0,
            until: Timestamp::default(),
            others: 0,
            others_firm: 0,
            count: 0,
            read_at: None,
            moved: 0,
            moved_before: 0,
        }
    }

    /// Spent here, or promised.
    fn ledger(&self) -> u64 {
        self.ended + self.running
    }

    /// What this process may come to.
    fn valid(&self, now: Timestamp) -> u64 {
        if later(now, MARGIN) < self.until { self.top } else { self.firm.min(self.top) }
    }

    /// What can be promised at once.
    pub(super) fn room(&self, now: Timestamp) -> u64 {
        self.valid(now).saturating_sub(self.ledger())
    }

    /// What is left for this process, by what was last read.
    pub(super) fn left(&self) -> u64 {
        self.cap.saturating_sub(self.others).saturating_sub(self.ledger())
    }

    /// What nobody has spent or promised to a turn, by what was last read.
    pub(super) fn unspent(&self) -> u64 {
        self.cap.saturating_sub(self.others_firm).saturating_sub(self.ledger())
    }

    /// Whether the others were read within `age`.
    pub(super) fn is_fresh(&self, now: Timestamp, age: Duration) -> bool {
        self.read_at.is_some_and(|at| now.since(at) < age.as_millis() as u64)
    }

    /// Whether it was ever read.
    pub(super) fn is_known(&self) -> bool {
        self.read_at.is_some()
    }

    /// Nothing runs and nothing is on its way to the totals.
    pub(super) fn is_idle(&self) -> bool {
        self.ledger() == 0
    }

    /// Whether running turns need what is taken to last longer.
    pub(super) fn wants_renewal(&self, now: Timestamp) -> bool {
        self.running > 0 && later(now, RENEW) >= self.until
    }

    /// What running turns have cost or are promised changes.
    pub(super) fn rerun(&mut self, before: u64, after: u64) {
        self.running = (self.running + after).saturating_sub(before);
    }

    /// A turn ended that had cost so much.
    pub(super) fn end(&mut self, cost: u64) {
        self.ended += cost;
    }

    /// A turn's cost stands in its user's totals from now on: no more in what this process takes.
    pub(super) fn settle(&mut self, cost: u64) {
        let cost = cost.min(self.ended);
        self.ended -= cost;
        self.moved += cost;
        self.top = self.top.saturating_sub(cost);
        self.firm = self.firm.saturating_sub(cost);
        self.others = self.others.saturating_add(cost);
        self.others_firm = self.others_firm.saturating_add(cost);
    }

    /// What is to be written so that `need` more can be promised, and where there is plenty some for what is to come.
    /// What it lowers is not used from here on.
    pub(super) fn plan(&mut self, now: Timestamp, need: u64, ahead: Ahead, seq: u64) -> Share {
        let spare = match ahead {
            Ahead::Nothing => 0,
            Ahead::Turns => self.spare(),
            Ahead::Running => self.part(),
        };
        self.write(now, self.ledger().saturating_add(need.max(spare)), later(now, LEND), seq)
    }

    /// What is to be written once a turn is over: that much of what is taken stays for turns to come.
    pub(super) fn keep(&mut self, now: Timestamp, seq: u64) -> Share {
        let share = self.plan(now, 0, Ahead::Turns, seq);
        Share { top: share.top.min(self.valid(now)).max(share.firm), ..share }
    }

    /// What is to be written after a refusal: what is validly taken, and no longer than it was.
    pub(super) fn back(&mut self, now: Timestamp, seq: u64) -> Share {
        self.write(now, self.valid(now).max(self.ledger()), self.until, seq)
    }

    /// What is to be written when nothing more will run here.
    pub(super) fn close(&mut self, now: Timestamp, seq: u64) -> Share {
        self.write(now, self.ledger(), now, seq)
    }

    fn write(&mut self, now: Timestamp, top: u64, until: Timestamp, seq: u64) -> Share {
        let firm = if self.keeps { self.ledger() } else { 0 };
        let valid = self.valid(now);
        if valid < self.top {
            // It has lapsed: others may have taken it.
            (self.top, self.until) = (valid, Timestamp::default());
        }
        self.top = self.top.min(top.max(firm));
        self.firm = self.firm.min(firm);
        self.moved_before = self.moved;
        Share { seq, firm, top, until }
    }

    /// It stands in the table since before `now`, and takes nothing that was not taken before.
    pub(super) fn lowered(&mut self, share: Share, now: Timestamp) {
        self.firm = self.stands(share.firm);
        if now < self.until {
            // What is taken was so all the time.
            self.until = share.until;
        }
    }

    /// It stands in the table, and the others were read after that. True if what it takes is valid.
    pub(super) fn raised(&mut self, share: Share, others: &Others, now: Timestamp) -> bool {
        let top = self.stands(share.top);
        let valid = others.taken(now).saturating_add(share.top) <= self.cap;
        self.lowered(share, now);
        if valid {
            (self.top, self.until) = (top, share.until);
        }
        self.read(others, now);
        valid
    }

    /// The others are about to be read, and nothing is being written.
    pub(super) fn looks(&mut self) {
        self.moved_before = self.moved;
    }

    /// Whether there is little room for turns to come, by what there might be.
    pub(super) fn is_short(&self, now: Timestamp) -> bool {
        self.room(now) < self.spare() / 2
    }

    /// What may be taken for turns to come.
    fn spare(&self) -> u64 {
        self.part().min(self.cap / PART)
    }

    /// This process's part of what is left.
    fn part(&self) -> u64 {
        self.left() / (IDLE * (self.count + 1))
    }

    /// The others were read.
    pub(super) fn read(&mut self, others: &Others, now: Timestamp) {
        // What has gone to the totals meanwhile may not have been read there.
        let moved = self.moved - self.moved_before;
        (self.others, self.others_firm) = (others.taken(now) + moved, others.firm() + moved);
        self.count = others.shares.iter().filter(|s| s.taken(now) > s.firm).count() as u64;
        self.read_at = Some(now);
    }

    /// What was written, less what has gone to the totals since.
    fn stands(&self, written: u64) -> u64 {
        written.saturating_sub(self.moved - self.moved_before)
    }
}

#[cfg(test)]
impl Pool {
    /// How long it may go without being written, in milliseconds: for good if all that it needs is firm.
    fn lasts(&self) -> Option<u64> {
        (self.ledger() > self.firm).then(|| self.until.millis().saturating_sub(MARGIN.as_millis() as u64 + 1))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
