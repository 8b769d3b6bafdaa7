//! What must hold: in every state, over every step, and once everybody who is left has done what he can.

use std::rc::Rc;

use crate::{
    follower::Over,
    runner::{Runner, Running},
    steps,
    table::{Table, Turn},
    world::*,
};

pub type Found = Option<String>;

/// Over a step: what stands in the log stays, and so does a message.
pub fn step(from: &World, to: &World) -> Found {
    if let Some(fault) = to.fault {
        return Some(fault.to_owned());
    }
    if from.table.turn == Turn::Gone && to.table.turn != Turn::Gone {
        return Some("a turn that was purged is back".to_owned());
    }
    if Rc::ptr_eq(&from.table, &to.table) || to.table.turn == Turn::Gone {
        return None;
    }
    let (a, b) = (&from.table, &to.table);
    if b.log.len() < a.log.len() || a.log.iter().zip(&b.log).any(|(x, y)| !Rc::ptr_eq(x, y) && x != y) {
        return Some("a segment that stood in the log was changed".to_owned());
    }
    if a.message.is_some() && a.message != b.message {
        return Some("a stored message was changed".to_owned());
    }
    if a.turn == Turn::Done && b.turn == Turn::Open {
        return Some("a turn that was done is open".to_owned());
    }
    None
}

/// In a state. What it shares with `from`, where that held, need not be looked at again.
pub fn state(w: &World, from: Option<&World>, config: &Config) -> Found {
    let same_table = from.is_some_and(|from| Rc::ptr_eq(&from.table, &w.table));
    let found = if same_table { None } else { of_table(&w.table) };
    if found.is_some() {
        return found;
    }
    for r in 0..RUNNERS {
        let same = same_table && from.is_some_and(|from| Rc::ptr_eq(&from.runners[r], &w.runners[r]));
        if let Runner::Running(run) = &*w.runners[r]
            && !same
            && let Some(why) = of_runner(run, &w.table)
        {
            return Some(why);
        }
    }
    for f in 0..config.followers {
        let same = same_table && from.is_some_and(|from| Rc::ptr_eq(&from.followers[f], &w.followers[f]));
        let follower = &*w.followers[f];
        if same {
            continue;
        }
        if let Some(why) = mixed(&follower.shown, &w.table) {
            return Some(format!("a follower's text {why}: {}", spell(&follower.shown)));
        }
        if let Some(why) = told(&follower.shown, follower.over, &w.table) {
            return Some(why);
        }
    }
    None
}

fn of_table(table: &Table) -> Found {
    let stored = text(table.fold.content());
    if let Some(fault) = table.fault {
        return Some(format!("the log cannot be read: {fault}"));
    }
    if table.turn == Turn::Open && table.claims as usize != table.fold.bases().len() {
        return Some("the turn counts other claims than its log".to_owned());
    }
    if let Some(why) = mixed(&stored, table) {
        return Some(format!("the log's text {why}: {}", spell(&stored)));
    }
    if table.message.as_deref().is_some_and(|m| m != stored) {
        return Some("the message is not what the log adds up to".to_owned());
    }
    if table.turn == Turn::Done && table.active && !table.was_deleted {
        return Some("a turn is done, and its session is still taken".to_owned());
    }
    None
}

/// What a runner was told is logged stands there, as far as later claims keep it.
fn of_runner(run: &Running, table: &Table) -> Found {
    if table.turn == Turn::Gone {
        return None;
    }
    let later = table.fold.bases().iter().skip(run.writer.claim() as usize + 1).map(|b| b.at);
    let kept = later.chain([run.writer.logged()]).min().unwrap_or(0) as usize;
    let (stored, wrote) = (text(table.fold.content()), text(&run.content));
    let differs = stored.as_bytes().get(..kept) != wrote.as_bytes().get(..kept);
    differs.then(|| format!("acknowledged text is lost: {} of {}", spell(&wrote), spell(&stored)))
}

fn told(shown: &str, over: Over, table: &Table) -> Found {
    match (over, &table.message) {
        (Over::No, _) => None,
        _ if table.turn == Turn::Gone => None,
        (Over::Deleted, _) => (!table.was_deleted).then(|| "`end` says deleted, and nothing was deleted".to_owned()),
        (Over::Ended, None) => Some("`end` is shown, and no message is stored".to_owned()),
        (Over::Ended, Some(message)) => (shown != &**message)
            .then(|| format!("a follower shows `{}`, and stored is `{}`", spell(shown), spell(message))),
    }
}

/// Text is clean if each stretch is one claim's, whole from its beginning, in the order of the claims.
fn mixed(text: &str, table: &Table) -> Option<&'static str> {
    let mut last: Option<(u32, u8, u32)> = None;
    for c in text.chars() {
        if c == char::REPLACEMENT_CHARACTER {
            return Some("is cut inside a character");
        }
        let (claim, runner, index) = read_letter(c);
        match last {
            Some((before, who, at)) if before == claim => {
                if who != runner {
                    return Some("mixes two runners in one claim");
                }
                if index != at + 1 {
                    return Some("repeats or leaves out a stretch");
                }
            }
            Some((before, ..)) if before > claim => return Some("has an older claim's text behind a newer one's"),
            _ => {
                if index != 0 {
                    return Some("lacks the beginning of a claim's text");
                }
                if table.turn != Turn::Gone && table.claimant(claim) != Some(runner) {
                    return Some("has text of a runner that does not hold the claim");
                }
            }
        }
        last = Some((claim, runner, index));
    }
    None
}

/// How things go on from a state that nothing disturbs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rest {
    /// Everybody who is alive goes on, each in his turn.
    GoOn,
    /// All processes die first, and what is on its way arrives last.
    AllDie,
}

/// Past so many rounds nobody makes headway.
const ROUNDS: usize = 200;

/// Whether it comes to a good end without further faults: the turn done, the session free, every follower told, and
/// each shows what is stored; if not, why, and by which steps. `known` is asked of every state on the way whether it is
/// known to come to one.
pub fn comes_to_an_end(
    from: &World,
    rest: Rest,
    config: &Config,
    mut known: impl FnMut(&World) -> bool,
) -> Option<(String, Vec<Step>)> {
    let mut w = from.clone();
    let mut way = Vec::new();
    *w.budget() = Budget::default();
    if rest == Rest::AllDie {
        for p in 0..PROCESSES as u8 - 1 {
            w = steps::killed(&w, p, config);
            way.push(Step::Killed(p));
        }
    }
    let mut out = Vec::new();
    for round in 0..ROUNDS {
        if known(&w) {
            return None;
        }
        let mut moved = false;
        for actor in 0..steps::ACTORS {
            let quiet = rest == Rest::AllDie && moved;
            if skips(&w, actor, quiet) {
                continue;
            }
            out.clear();
            steps::of(&w, actor, config, &mut out);
            if out.is_empty() {
                continue;
            }
            // Which of several ways it goes differs from round to round.
            let (taken, next) = out.swap_remove(round % out.len());
            way.push(taken);
            if let Some(why) = step(&w, &next).or_else(|| state(&next, Some(&w), config)) {
                return Some((why, way));
            }
            moved = true;
            w = next;
        }
        if !moved {
            return ended(&w, config).map(|why| (why.to_owned(), way));
        }
    }
    Some(("it never comes to an end".to_owned(), way))
}

/// An idle runner claims only when nobody else is at work, and what is on its way may come last.
fn skips(w: &World, actor: usize, quiet: bool) -> bool {
    match actor {
        FRESH if matches!(&*w.runners[FRESH], Runner::Idle { .. }) => w.runners.iter().any(|r| r.at_work()),
        r if r < RUNNERS => matches!(&*w.runners[r], Runner::Idle { .. }),
        n => n == steps::ACTORS - 1 && quiet,
    }
}

fn ended(w: &World, config: &Config) -> Option<&'static str> {
    let table = &*w.table;
    if table.turn == Turn::Open {
        return Some("the turn stays open");
    }
    if table.turn == Turn::Done && !table.deleted {
        if table.active {
            return Some("the session stays taken");
        }
        if table.message.is_none() {
            return Some("the message is never stored");
        }
    }
    let waiting = w.followers.iter().take(config.followers).any(|f| f.over == Over::No);
    waiting.then_some("a follower waits for ever")
}
