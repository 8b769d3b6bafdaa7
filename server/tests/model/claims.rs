//! How a turn is claimed, and ended where that is all there is to do: as `turn/sweeper.rs` does it.

use std::rc::Rc;

use app::domain::Outcome;
use server::{
    storage::{Kind, Segment},
    turn::{content::Content, log::Log, writer::Writer},
};

use crate::{runner::*, table::Turn, world::*};

/// Claims in a row without content; as in `turn/runner.rs`.
const FRUITLESS: u32 = 3;

/// What a claim of this log may truncate to: all that is logged, or up to so many characters less.
pub fn bases(log: &Log, drops: u8) -> impl Iterator<Item = (u8, u32)> {
    let text = text(log.content());
    let mut ends: Vec<u32> = text.char_indices().map(|(at, _)| at as u32).collect();
    ends.push(log.content().len());
    ends.into_iter().rev().take(drops as usize + 1).enumerate().map(|(n, at)| (n as u8, at))
}

pub fn reads_to_claim(w: &World, r: usize, puts: u8, config: &Config, out: Out) {
    // Runners of one configuration come in order; it saves states that differ only in names.
    let turn = r == FRESH || (r < config.runners.len() && (r == 0 || w.runners[r - 1].rank() > 0 || puts > 0));
    let ended = w.table.fold.end().is_some() && !config.is(Broken::ClaimAfterEnd);
    if !turn || w.table.turn != Turn::Open || ended {
        return;
    }
    let log = &w.table.fold;
    let ends =
        if log.stop() { Some(Outcome::Stopped) } else { (log.fruitless() >= FRUITLESS).then_some(Outcome::Failed) };
    let drops = if ends.is_some() || r == FRESH { 0 } else { config.drops };
    for (n, at) in bases(log, drops) {
        let ((segment, content), puts) = author(r, puts, |author| {
            (author.segment(Kind::Claim, log.bases().len() as u32, at, now()), log.content().clone())
        });
        let mut next = w.clone();
        let early = config.is(Broken::EarlyText) && ends.is_none();
        let content = if early { content } else { Content::default() };
        if early {
            next.misc().hub[config.process(r) as usize] = r as u8;
        }
        let claiming = Claiming { log: log.clone(), segment, ends, unsure: false, puts, content };
        next.put_runner(r, Runner::Claiming(claiming));
        out.push((Step::ReadsToClaim(r, n), next));
    }
}

pub fn claims(w: &World, r: usize, c: &Claiming, config: &Config, out: Out) {
    let (seq, number) = (c.log.next(), c.log.bases().len() as u32);
    if config.is(Broken::EarlyText) && c.ends.is_none() && text(&c.content).chars().count() < config.length as usize {
        let mut early = c.clone();
        let index =
            early.content.after(c.segment.at).filter(|s| s.0 == number).map(|s| s.2.chars().count()).sum::<usize>();
        push(&mut early.content, number, letter(number, r, index as u32));
        let mut next = w.clone();
        next.put_runner(r, Runner::Claiming(early));
        out.push((Step::Token(r), next));
    }
    if c.unsure {
        // As `sweeper::claim` does it: read the key; nothing there, the same again.
        let there = w.table.at(seq).filter(|_| w.table.turn != Turn::Gone);
        let next = match there {
            Some(s) if s.nonce == c.segment.nonce || config.is(Broken::NoNonce) => won(w, r, c, config),
            Some(_) => lost(w, r, c, config),
            None => {
                let mut next = w.clone();
                next.put_runner(r, Runner::Claiming(Claiming { unsure: false, ..c.clone() }));
                next
            }
        };
        out.push((Step::LooksForClaim(r), next));
        return;
    }
    for fate in fates(w) {
        let mut next = w.clone();
        take(&mut next, fate);
        if fate == Fate::Late {
            next.post(Sent { seq, segment: c.segment.clone(), claims: Some(number) });
        } else {
            let stands = next.table().claim(seq, &c.segment, number, config);
            if fate == Fate::Answered {
                next = if stands { won(&next, r, c, config) } else { lost(&next, r, c, config) };
            }
        }
        if fate != Fate::Answered {
            next.put_runner(r, Runner::Claiming(Claiming { unsure: true, ..c.clone() }));
        }
        out.push((Step::Claim(r, fate), next));
    }
}

/// It may read again, and try once more.
fn lost(w: &World, r: usize, c: &Claiming, config: &Config) -> World {
    let mut next = w.clone();
    leave(&mut next, r, config);
    next.put_runner(r, Runner::Idle { puts: c.puts });
    next
}

/// The claim stands, as far as this runner knows.
fn won(w: &World, r: usize, c: &Claiming, config: &Config) -> World {
    let mut next = w.clone();
    acknowledged(&mut next, c.log.next(), &c.segment);
    let mut log = c.log.clone();
    if Rc::make_mut(&mut log).apply(c.log.next(), &c.segment).is_err() {
        return gone(&next, r, config);
    }
    let (number, total) = (log.bases().len() as u32 - 1, log.content().len());
    if let Some(outcome) = c.ends {
        let (segment, _) = author(r, c.puts, |a| Segment {
            end: Some(end(outcome, total)),
            ..a.segment(Kind::End, number, total, now())
        });
        next.put_runner(r, Runner::Ending { log, segment });
        return next;
    }
    let ((writer, content), puts) = author(r, c.puts, |author| {
        let early = config.is(Broken::EarlyText);
        let content = if early { c.content.clone() } else { log.content().clone() };
        (Writer::new(author, number, log.next(), total), Rc::new(content))
    });
    next.misc().hub[config.process(r) as usize] = r as u8;
    let stop = log.stop();
    let running =
        Running { writer, log, content, claiming: None, unsure: false, stop, releasing: false, again: false, puts };
    next.put_runner(r, Runner::Running(running));
    next
}

/// As `Turns::end_claimed`: the very segment again, behind every stop that it meets.
pub fn ends(w: &World, r: usize, log: &Rc<Log>, segment: &Segment, config: &Config, out: Out) {
    let seq = log.next();
    for fate in fates(w) {
        let mut next = w.clone();
        take(&mut next, fate);
        if fate == Fate::Late {
            next.post(Sent { seq, segment: segment.clone(), claims: None });
        } else {
            let met = next.table().append(seq, segment, config.is(Broken::BlindPut));
            if fate == Fate::Answered {
                let mut log = log.clone();
                match met {
                    Some(met) if met.nonce != segment.nonce => {
                        let on = Rc::make_mut(&mut log).apply(seq, &met).is_ok() && met.kind == Kind::Stop;
                        let segment = segment.clone();
                        next.put_runner(r, if on { Runner::Ending { log, segment } } else { Runner::Gone });
                    }
                    _ => {
                        acknowledged(&mut next, seq, segment);
                        let ended = Rc::make_mut(&mut log).apply(seq, segment).is_ok();
                        next.put_runner(r, if ended { Runner::Ended { log, finishing: false } } else { Runner::Gone });
                    }
                }
            }
        }
        out.push((Step::Put(r, fate), next));
    }
}
