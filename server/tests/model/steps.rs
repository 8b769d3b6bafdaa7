//! All that may happen next: everybody's steps, and the faults that may strike.

use std::rc::Rc;

use app::domain::Outcome;
use server::storage::Kind;

use crate::{
    follower,
    runner::{self, Runner},
    table::{Compacted, Turn},
    world::*,
};

type Out<'a> = &'a mut Vec<(Step, World)>;

/// Everybody who acts by himself. Faults and wishes come on top.
pub const ACTORS: usize = RUNNERS + FOLLOWERS + 3;

/// Every step from here.
pub fn all(w: &World, config: &Config, out: Out) {
    for actor in 0..ACTORS {
        if actor != FRESH {
            of(w, actor, config, out);
        }
    }
    wishes(w, out);
    kills(w, config, out);
}

/// The steps of one actor: a runner, a follower, whoever stops, whoever compacts, or the net.
pub fn of(w: &World, actor: usize, config: &Config, out: Out) {
    match actor {
        r if r < RUNNERS => runner::steps(w, r, config, out),
        f if f < RUNNERS + FOLLOWERS => follower::steps(w, f - RUNNERS, config, out),
        n if n == RUNNERS + FOLLOWERS => stops(w, config, out),
        n if n == RUNNERS + FOLLOWERS + 1 => sweeps(w, config, out),
        _ => arrives(w, config, out),
    }
}

/// What people may want.
fn wishes(w: &World, out: Out) {
    let budget = w.misc.budget;
    let table = &w.table;
    if budget.stop > 0 && *w.stopper == Stopper::Idle && table.turn == Turn::Open && !table.deleted {
        let mut next = reads_to_stop(w);
        next.budget().stop -= 1;
        out.push((Step::ReadsToStop, next));
    }
    if budget.delete > 0 && !table.deleted && table.turn != Turn::Gone {
        let mut next = w.clone();
        next.budget().delete -= 1;
        (next.table().deleted, next.table().was_deleted) = (true, true);
        out.push((Step::Deletes, next));
    }
    if budget.restore > 0 && table.deleted && table.turn != Turn::Gone {
        let mut next = w.clone();
        next.budget().restore -= 1;
        next.table().deleted = false;
        next.misc().rescue = true;
        out.push((Step::Restores, next));
    }
    if budget.purge > 0 && table.deleted && table.turn != Turn::Gone {
        let mut next = w.clone();
        next.budget().purge -= 1;
        next.table().purge();
        next.misc().finishing = false;
        out.push((Step::Purges, next));
    }
}

fn kills(w: &World, config: &Config, out: Out) {
    if w.misc.budget.kill == 0 {
        return;
    }
    for p in 0..PROCESSES as u8 - 1 {
        let mut next = killed(w, p, config);
        if !Rc::ptr_eq(&next.misc, &w.misc) {
            next.budget().kill -= 1;
            out.push((Step::Killed(p), next));
        }
    }
}

/// A process dies, with its runners and the connections to it; another takes its place.
pub fn killed(w: &World, p: u8, config: &Config) -> World {
    let mut next = w.clone();
    for r in 0..RUNNERS {
        if config.process(r) == p && next.runners[r].at_work() {
            next.put_runner(r, Runner::Gone);
            next.misc().hub[p as usize] = NOBODY;
        }
    }
    for f in 0..FOLLOWERS {
        if next.followers[f].process == Some(p) {
            next.follower(f).close();
        }
    }
    next
}

/// Whoever deletes a chat stops its turn, and so may the person.
fn reads_to_stop(w: &World) -> World {
    let mut next = w.clone();
    let log = Rc::clone(&w.table.fold);
    if log.stop() || log.end().is_some() {
        next.stopper = Rc::new(Stopper::Done);
        return next;
    }
    let claim = log.bases().len().saturating_sub(1) as u32;
    let (segment, _) = author(RUNNERS, 0, |author| author.segment(Kind::Stop, claim, log.content().len(), now()));
    next.stopper = Rc::new(Stopper::Putting { log, segment });
    next
}

/// As `Turns::append_stop`. That it ends the turn itself if no runner answers is what any runner does that comes.
fn stops(w: &World, config: &Config, out: Out) {
    let (log, segment) = match &*w.stopper {
        Stopper::Putting { log, segment } => (log, segment),
        Stopper::Idle if w.table.deleted && w.table.turn == Turn::Open => {
            out.push((Step::ReadsToStop, reads_to_stop(w)));
            return;
        }
        _ => return,
    };
    let seq = log.next();
    let mut sent = segment.clone();
    if config.is(Broken::StopEnds) {
        (sent.kind, sent.end) = (Kind::End, Some(end(Outcome::Stopped, log.content().len())));
    }
    let budget = w.misc.budget;
    let mut next = w.clone();
    let stands = next.table().append(seq, &sent, config.is(Broken::BlindPut));
    if budget.lost > 0 {
        let mut lost = next.clone();
        lost.budget().lost -= 1;
        out.push((Step::PutsStop(Fate::AnswerLost), lost));
    }
    if budget.late > 0 {
        let mut late = w.clone();
        late.budget().late -= 1;
        late.post(Sent { seq, segment: sent.clone(), claims: None });
        out.push((Step::PutsStop(Fate::Late), late));
    }
    let mut log = log.clone();
    let stands = stands.filter(|s| s.nonce != sent.nonce);
    let on = Rc::make_mut(&mut log).apply(seq, stands.as_deref().unwrap_or(&sent)).is_ok()
        && !log.stop()
        && log.end().is_none();
    let stopper = if on { Stopper::Putting { log, segment: segment.clone() } } else { Stopper::Done };
    next.stopper = Rc::new(stopper);
    out.push((Step::PutsStop(Fate::Answered), next));
}

/// Whoever comes by compacts what has ended; whoever restores looks after a reply that was left out.
fn sweeps(w: &World, config: &Config, out: Out) {
    let log = &w.table.fold;
    if w.misc.rescue {
        let mut next = w.clone();
        next.misc().rescue = false;
        if next.table.turn == Turn::Done && log.end().is_some() {
            next.table().compact(log, config);
        }
        out.push((Step::Rescues, next));
    }
    if w.table.turn != Turn::Open || log.end().is_none() {
        return;
    }
    let mut next = w.clone();
    if w.misc.finishing {
        next.misc().finishing = false;
        next.table().finish_deleted(log, config);
        out.push((Step::FinishesDeleted, next));
    } else {
        next.misc().finishing = next.table().compact(log, config) == Compacted::Finish;
        out.push((Step::Sweeps, next));
    }
}

fn arrives(w: &World, config: &Config, out: Out) {
    for n in 0..w.net.len() {
        let mut next = w.clone();
        let sent = Rc::make_mut(&mut next.net).remove(n);
        match sent.claims {
            Some(read) => {
                next.table().claim(sent.seq, &sent.segment, read, config);
            }
            None => {
                next.table().append(sent.seq, &sent.segment, config.is(Broken::BlindPut));
            }
        }
        out.push((Step::Arrives(n), next));
    }
}
