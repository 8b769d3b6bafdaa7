//! Followers: a client as the browser is one, and its stream's other end as `turn/follower.rs` drives `catch_up`.

use std::{
    hash::{Hash, Hasher},
    rc::Rc,
};

use app::domain::{Cursor, TurnEvent};
use server::{
    storage::Base,
    turn::{
        content::{Content, from_message},
        follow::{View, catch_up, rewind},
        log::Log,
    },
};

use crate::{
    runner::Runner,
    table::{Compacted, Turn},
    world::*,
};

/// What a client was told at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Over {
    #[default]
    No,
    Ended,
    /// `end` with the error `deleted`.
    Deleted,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    #[default]
    Look,
    Live(usize),
    Log(Rc<Log>),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Follower {
    /// What the page shows.
    pub shown: String,
    /// The last event's id.
    pub cursor: Cursor,
    pub over: Over,
    /// The process that it is connected to.
    pub process: Option<u8>,
    /// The stream's own position.
    pub at: Cursor,
    pub source: Source,
}

impl Hash for Follower {
    fn hash<H: Hasher>(&self, h: &mut H) {
        (&self.shown, self.cursor, self.over, self.process, self.at).hash(h);
        match &self.source {
            Source::Look => 0.hash(h),
            Source::Live(r) => (1, r).hash(h),
            Source::Log(log) => hash_log(log, h),
        }
    }
}

type Out<'a> = &'a mut Vec<(Step, World)>;
type Events = Vec<(Cursor, TurnEvent)>;

impl Follower {
    fn take(&mut self, events: &[(Cursor, TurnEvent)], config: &Config) {
        for (cursor, event) in events {
            match event {
                TurnEvent::Text { text } | TurnEvent::Thinking { text } => self.shown.push_str(text),
                // Offsets that are no character's start would be a fault; the checks find what comes of them.
                TurnEvent::Rewind { to } if !config.is(Broken::NoRewind) => {
                    let mut bytes = std::mem::take(&mut self.shown).into_bytes();
                    bytes.truncate(to.offset as usize);
                    self.shown = String::from_utf8_lossy(&bytes).into_owned();
                }
                _ => {}
            }
            self.cursor = *cursor;
        }
    }
    /// The connection closes; the client keeps what it has.
    pub fn close(&mut self) {
        (self.process, self.source, self.at) = (None, Source::Look, Cursor::default());
    }
    fn finish(&mut self, over: Over) {
        self.close();
        self.over = over;
    }
}

/// All that follower `f` and its stream may do next.
pub fn steps(w: &World, f: usize, config: &Config, out: Out) {
    let follower = &*w.followers[f];
    if f >= config.followers || follower.over != Over::No {
        return;
    }
    let Some(process) = follower.process else {
        let last = config.runners.iter().copied().max().unwrap_or(0);
        let fresh = PROCESSES as u8 - 1;
        for p in (0..=last).chain((w.runners[FRESH].at_work()).then_some(fresh)) {
            let mut next = w.clone();
            let mut at = follower.cursor;
            if config.is(Broken::CursorWithoutClaim) {
                at.claim = w.table.fold.bases().len().saturating_sub(1) as u32;
            }
            let it = next.follower(f);
            (it.process, it.source, it.at) = (Some(p), Source::Look, at);
            out.push((Step::Connects(f, p), next));
        }
        return;
    };
    if w.misc.budget.cut > 0 {
        let mut next = w.clone();
        next.budget().cut -= 1;
        next.follower(f).close();
        out.push((Step::IsCut(f), next));
    }
    match &follower.source {
        Source::Look => look(w, f, process, config, out),
        Source::Live(r) => live(w, f, *r, config, out),
        Source::Log(log) => from_log(w, f, process, log, config, out),
    }
}

fn look(w: &World, f: usize, process: u8, config: &Config, out: Out) {
    let mut next = w.clone();
    let hub = w.misc.hub[process as usize];
    if hub != NOBODY {
        next.follower(f).source = Source::Live(hub as usize);
    } else {
        match w.table.turn {
            Turn::Open => next.follower(f).source = Source::Log(Rc::clone(&w.table.fold)),
            Turn::Done => return stored(w, f, config, out),
            Turn::Gone => next.follower(f).finish(Over::Deleted),
        }
    }
    out.push((Step::LooksAround(f), next));
}

/// From the message and its bases.
fn stored(w: &World, f: usize, config: &Config, out: Out) {
    let Some(message) = &w.table.message else {
        return takes(w, f, w.followers[f].at, &Events::new(), config, out, |next| {
            next.follower(f).finish(Over::Deleted);
        });
    };
    let bases: Vec<u32> = w.table.bases.iter().map(|b| b.at).collect();
    let piece = app::domain::Piece { kind: app::domain::PieceKind::Text, text: message.to_string() };
    let content = from_message(&[piece], &bases);
    let (mut at, mut events) = (w.followers[f].at, Events::new());
    if caught_up(&mut at, &w.table.bases, &content, true, config, &mut events).is_none() {
        rewind(&mut at, 0, &mut events);
        at = Cursor::default();
        caught_up(&mut at, &w.table.bases, &content, true, config, &mut events);
    }
    takes(w, f, at, &events, config, out, |next| next.follower(f).finish(Over::Ended));
}

fn caught_up(
    at: &mut Cursor,
    bases: &[Base],
    content: &Content,
    over: bool,
    config: &Config,
    out: &mut Events,
) -> Option<()> {
    if config.is(Broken::NextClaimOnly) {
        let mut bases = bases.to_vec();
        bases.iter_mut().skip(at.claim as usize + 2).for_each(|b| b.at = u32::MAX);
        return catch_up(at, View { bases: &bases, content, over }, out).ok();
    }
    catch_up(at, View { bases, content, over }, out).ok()
}

/// The cursor names a claim that is not to be seen: as `Follower::unknown_claim`.
fn unknown(w: &World, f: usize, config: &Config) -> World {
    let mut next = w.clone();
    let known = w.table.fold.bases().len() as u32 > w.followers[f].at.claim;
    let follower = next.follower(f);
    if !known {
        let mut events = Events::new();
        rewind(&mut follower.at, 0, &mut events);
        follower.at = Cursor::default();
        follower.take(&events, config);
    }
    follower.source = Source::Look;
    next
}

fn live(w: &World, f: usize, r: usize, config: &Config, out: Out) {
    let here = w.misc.hub[config.process(r) as usize] == r as u8;
    let early;
    let (bases, content, over) = match &*w.runners[r] {
        Runner::Running(run) if here => (run.log.bases(), &*run.content, Over::No),
        Runner::Ended { log, .. } if here => (log.bases(), log.content(), Over::No),
        Runner::Claiming(c) if here => {
            early = [c.log.bases(), &[Base { at: c.segment.at, planned: false, seam: None }]].concat();
            (&early[..], &c.content, Over::No)
        }
        Runner::Stored { log } => (log.bases(), log.content(), Over::Ended),
        Runner::Released { log } => (log.bases(), log.content(), Over::No),
        // Replaced or gone: its text is not shown any more.
        _ => {
            let mut next = w.clone();
            next.follower(f).source = Source::Look;
            out.push((Step::LooksAround(f), next));
            return;
        }
    };
    let mut events = Events::new();
    let mut at = w.followers[f].at;
    if caught_up(&mut at, bases, content, over == Over::Ended, config, &mut events).is_none() {
        out.push((Step::Takes(f), unknown(w, f, config)));
        return;
    }
    let released = matches!(&*w.runners[r], Runner::Released { .. });
    takes(w, f, at, &events, config, out, |next| {
        if over == Over::Ended {
            let deleted = next.table.message.is_none();
            next.follower(f).finish(if deleted { Over::Deleted } else { Over::Ended });
        } else if released {
            next.follower(f).close();
        }
    });
}

/// The events reach the client, or only the first of them before the connection is cut.
fn takes(w: &World, f: usize, at: Cursor, events: &Events, config: &Config, out: Out, then: impl FnOnce(&mut World)) {
    for some in (0..events.len()).skip(1).filter(|_| w.misc.budget.cut > 0) {
        let mut next = w.clone();
        next.budget().cut -= 1;
        let follower = next.follower(f);
        follower.take(&events[..some], config);
        follower.close();
        out.push((Step::TakesSomeAndIsCut(f, some), next));
    }
    let mut next = w.clone();
    let follower = next.follower(f);
    follower.take(events, config);
    follower.at = at;
    then(&mut next);
    if next.followers[f] != w.followers[f] {
        out.push((Step::Takes(f), next));
    }
}

fn from_log(w: &World, f: usize, process: u8, log: &Rc<Log>, config: &Config, out: Out) {
    let mut events = Events::new();
    let mut at = w.followers[f].at;
    if caught_up(&mut at, log.bases(), log.content(), log.end().is_some(), config, &mut events).is_none() {
        out.push((Step::Takes(f), unknown(w, f, config)));
        return;
    }
    if log.end().is_some() {
        takes(w, f, at, &events, config, out, |next| {
            if !config.is(Broken::EarlyEnd) && next.table().compact(log, config) == Compacted::Finish {
                next.table().finish_deleted(log, config);
            }
            let deleted = next.table.message.is_none() && next.table.was_deleted;
            next.follower(f).finish(if deleted { Over::Deleted } else { Over::Ended });
        });
        return;
    }
    if !events.is_empty() {
        takes(w, f, at, &events, config, out, |_| {});
        return;
    }
    if w.misc.hub[process as usize] != NOBODY || w.table.turn != Turn::Open {
        // It tends to a turn that stands still, and looks again.
        let mut next = w.clone();
        next.follower(f).source = Source::Look;
        out.push((Step::LooksAround(f), next));
    }
    let from = log.next() as usize;
    for to in from + 1..=w.table.log.len() {
        if to < w.table.log.len() && !config.stale {
            continue;
        }
        let mut log = log.clone();
        for (seq, segment) in w.table.log.iter().enumerate().take(to).skip(from) {
            if Rc::make_mut(&mut log).apply(seq as u64, segment).is_err() {
                break;
            }
        }
        let mut next = w.clone();
        next.follower(f).source = Source::Log(log);
        out.push((Step::Polls(f, to), next));
    }
}
