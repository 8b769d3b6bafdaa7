//! Runners: they drive `Writer`, `Log` and `Content` as `turn/runner.rs` and `turn/sweeper.rs` do.

use std::{
    hash::{Hash, Hasher},
    rc::Rc,
};

use app::domain::Outcome;
use server::{
    storage::{Kind, Segment},
    turn::{
        content::Content,
        log::Log,
        writer::{Resolved, Writer},
    },
};

use crate::{
    table::{Compacted, Turn},
    world::*,
};

/// Claims in a row without content; as in `turn/runner.rs`.
const FRUITLESS: u32 = 3;

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
        log: Log,
        segment: Segment,
    },
    /// Its `end` stands; the message is not stored yet. `finishing`: the session was found deleted.
    Ended {
        log: Log,
        finishing: bool,
    },
    /// Its followers here see the end.
    Stored {
        log: Log,
    },
    /// Its followers here see the rest, and that it handed over.
    Released {
        log: Log,
    },
    Gone,
}

#[derive(Debug, Clone)]
pub struct Claiming {
    pub log: Log,
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
    pub log: Log,
    pub content: Content,
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
    fn rank(&self) -> u8 {
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
    fn length(&self) -> usize {
        text(&self.content).chars().count()
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

type Out<'a> = &'a mut Vec<(Step, World)>;

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
fn shown_by(w: &World, r: usize, config: &Config) -> bool {
    w.misc.hub[config.process(r) as usize] == r as u8
}

fn leave(w: &mut World, r: usize, config: &Config) {
    let place = &mut w.misc().hub[config.process(r) as usize];
    if *place == r as u8 {
        *place = NOBODY;
    }
}

fn gone(w: &World, r: usize, config: &Config) -> World {
    let mut next = w.clone();
    leave(&mut next, r, config);
    next.put_runner(r, Runner::Gone);
    next
}

/// What a claim of this log may truncate to: all that is logged, or up to so many characters less.
fn bases(log: &Log, drops: u8) -> impl Iterator<Item = (u8, u32)> {
    let text = text(log.content());
    let mut ends: Vec<u32> = text.char_indices().map(|(at, _)| at as u32).collect();
    ends.push(log.content().len());
    ends.into_iter().rev().take(drops as usize + 1).enumerate().map(|(n, at)| (n as u8, at))
}

fn reads_to_claim(w: &World, r: usize, puts: u8, config: &Config, out: Out) {
    // Runners of one configuration come in order; it saves states that differ only in names.
    let turn = r == FRESH || (r < config.runners.len() && (r == 0 || w.runners[r - 1].rank() > 0 || puts > 0));
    let ended = w.table.fold.end().is_some() && !config.is(Broken::ClaimAfterEnd);
    if !turn || w.table.turn != Turn::Open || ended {
        return;
    }
    let log = &*w.table.fold;
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

fn claims(w: &World, r: usize, c: &Claiming, config: &Config, out: Out) {
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
    if log.apply(log.next(), &c.segment).is_err() {
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
        (Writer::new(author, number, log.next(), total), content)
    });
    next.misc().hub[config.process(r) as usize] = r as u8;
    let stop = log.stop();
    let running =
        Running { writer, log, content, claiming: None, unsure: false, stop, releasing: false, again: false, puts };
    next.put_runner(r, Runner::Running(running));
    next
}

/// Somebody was told that this stands at `seq`.
fn acknowledged(w: &mut World, seq: u64, segment: &Segment) {
    if w.table.turn != Turn::Gone && w.table.at(seq).is_none_or(|there| **there != *segment) {
        w.fault = Some("an acknowledged segment is not in the log");
    }
}

/// What may become of a write now.
fn fates(w: &World) -> impl Iterator<Item = Fate> {
    let budget = w.misc.budget;
    let all = [(Fate::Answered, true), (Fate::AnswerLost, budget.lost > 0), (Fate::Late, budget.late > 0)];
    all.into_iter().filter(|f| f.1).map(|f| f.0)
}

fn take(w: &mut World, fate: Fate) {
    match fate {
        Fate::Answered => {}
        Fate::AnswerLost => w.budget().lost -= 1,
        Fate::Late => w.budget().late -= 1,
    }
}

fn runs(w: &World, r: usize, run: &Running, config: &Config, out: Out) {
    let whole = run.length() >= config.length as usize;
    if !(whole || run.stop || run.releasing || run.again) {
        let mut on = run.clone();
        let claim = run.writer.claim();
        let index: usize = run.content.after(0).filter(|s| s.0 == claim).map(|s| s.2.chars().count()).sum();
        push(&mut on.content, claim, letter(claim, r, index as u32));
        out.push((Step::Token(r), running(w, r, on)));
        if w.misc.budget.release > 0 {
            let mut next = running(w, r, Running { releasing: true, ..run.clone() });
            next.budget().release -= 1;
            out.push((Step::Releases(r), next));
        }
        let began = run.log.bases().last().map_or(0, |b| b.at);
        if w.misc.budget.again > 0 && run.content.len() > began {
            let mut next = running(w, r, Running { again: true, ..run.clone() });
            next.budget().again -= 1;
            out.push((Step::Breaks(r), next));
        }
    }
    if let Some(claim) = &run.claiming {
        claims_again(w, r, run, claim, config, out);
    } else if let Some((seq, pending)) = run.writer.pending() {
        puts(w, r, run, seq, pending, config, out);
    } else {
        sends(w, r, run, whole, config, out);
        looks(w, r, run, config, out);
    }
}

fn running(w: &World, r: usize, run: Running) -> World {
    let mut next = w.clone();
    next.put_runner(r, Runner::Running(run));
    next
}

/// The next put, as `Run::hurry` and `Run::on_tick` choose it.
fn sends(w: &World, r: usize, run: &Running, whole: bool, config: &Config, out: Out) {
    let unwritten = run.content.len() > run.writer.logged();
    let outcome = if run.stop { Outcome::Stopped } else { Outcome::Complete };
    let kind = if run.stop || whole {
        Kind::End
    } else if run.releasing {
        Kind::Release
    } else if run.again {
        for (n, at) in bases(&run.log, config.drops) {
            let (claim, puts) =
                author(r, run.puts, |a| a.segment(Kind::Claim, run.log.bases().len() as u32, at, now()));
            out.push((Step::ClaimsAgain(r, n), running(w, r, Running { claiming: Some(claim), puts, ..run.clone() })));
        }
        if !unwritten {
            return;
        }
        Kind::Text
    } else if unwritten {
        Kind::Text
    } else if w.misc.budget.beat > 0 {
        Kind::Beat
    } else {
        return;
    };
    let mut on = run.clone();
    let end = (kind == Kind::End).then(|| end(outcome, 0));
    let (_, puts) = author(r, run.puts, |_| on.writer.put(kind, &run.content, end, now()));
    let mut next = running(w, r, Running { puts, ..on });
    if kind == Kind::Beat {
        next.budget().beat -= 1;
    }
    out.push((Step::Sends(r, kind), next));
}

fn looks(w: &World, r: usize, run: &Running, config: &Config, out: Out) {
    let Some(met) = w.table.at(run.writer.next()) else { return };
    if run.stop {
        // `Run::look` does not look twice; the next put meets what stands there.
        return;
    }
    let (seq, mut on) = (run.writer.next(), run.clone());
    let resolved = on.writer.looked(met);
    out.push((Step::LooksAtNextKey(r), settled(w, r, on, seq, resolved, met, config)));
}

fn puts(w: &World, r: usize, run: &Running, seq: u64, pending: &Segment, config: &Config, out: Out) {
    if run.unsure && config.is(Broken::Rebuilt) {
        // The same put, as it were, but of what is there by now.
        let (writer, _) = author(r, run.puts - 1, |author| {
            let mut writer = Writer::new(author, run.writer.claim(), seq, run.writer.logged());
            writer.put(pending.kind, &run.content, pending.end.clone(), now());
            writer
        });
        out.push((Step::Rebuilds(r), running(w, r, Running { writer, unsure: false, ..run.clone() })));
        return;
    }
    for fate in fates(w) {
        let mut next = w.clone();
        take(&mut next, fate);
        if fate == Fate::Late {
            next.post(Sent { seq, segment: pending.clone(), claims: None });
        } else {
            let met = next.table().append(seq, pending, config.is(Broken::BlindPut));
            if fate == Fate::Answered {
                out.push((Step::Put(r, fate), answered(&next, r, run, seq, pending, met, config)));
                continue;
            }
        }
        // In the code it waits a little and sends the same again; unanswered or not yet sent is the same state.
        if config.is(Broken::Rebuilt) {
            next.put_runner(r, Runner::Running(Running { unsure: true, ..run.clone() }));
        }
        out.push((Step::Put(r, fate), next));
    }
}

fn answered(
    w: &World,
    r: usize,
    run: &Running,
    seq: u64,
    pending: &Segment,
    met: Option<Rc<Segment>>,
    config: &Config,
) -> World {
    let mut on = run.clone();
    let met = met.filter(|met| !(config.is(Broken::NoNonce) && met.kind != Kind::Stop));
    let resolved = on.writer.resolve(met.as_deref());
    let stands = if matches!(resolved, Resolved::Written(_)) { pending } else { met.as_deref().unwrap_or(pending) };
    if config.is(Broken::NoFence) && resolved == Resolved::Fenced && stands.kind != Kind::End {
        // As after a stop: note it, and take the next key.
        on.writer = author(r, run.puts, |a| Writer::new(a, run.writer.claim(), seq + 1, run.writer.logged())).0;
        let _ = on.log.apply(seq, stands);
        return running(w, r, on);
    }
    settled(w, r, on, seq, resolved, stands, config)
}

/// As `Run::settle`, once it is known what stands at `seq`.
fn settled(
    w: &World,
    r: usize,
    mut on: Running,
    seq: u64,
    resolved: Resolved,
    stands: &Segment,
    config: &Config,
) -> World {
    if resolved == Resolved::Fenced {
        return gone(w, r, config);
    }
    let mut next = w.clone();
    if matches!(resolved, Resolved::Written(_)) {
        acknowledged(&mut next, seq, stands);
    }
    if on.log.apply(seq, stands).is_err() {
        return gone(&next, r, config);
    }
    match resolved {
        Resolved::Stop => on.stop = true,
        Resolved::Written(Kind::End) => {
            next.put_runner(r, Runner::Ended { log: on.log, finishing: false });
            return next;
        }
        Resolved::Written(Kind::Release) => {
            let shown = shown_by(&next, r, config);
            leave(&mut next, r, config);
            next.put_runner(r, if shown { Runner::Released { log: on.log } } else { Runner::Gone });
            return next;
        }
        Resolved::Written(_) | Resolved::Fenced => {}
    }
    on.unsure = false;
    on.again &= !on.stop;
    next.put_runner(r, Runner::Running(on));
    next
}

/// As `Run::claim_again`, with the claim in flight.
fn claims_again(w: &World, r: usize, run: &Running, claim: &Segment, config: &Config, out: Out) {
    let (seq, number) = (run.log.next(), claim.claim);
    let won = |w: &World| {
        let mut next = w.clone();
        acknowledged(&mut next, seq, claim);
        let mut on = Running { claiming: None, unsure: false, again: false, ..run.clone() };
        if on.log.apply(seq, claim).is_err() {
            return gone(&next, r, config);
        }
        let (next_seq, total) = (on.log.next(), on.log.content().len());
        on.writer = author(r, run.puts, |a| Writer::new(a, number, next_seq, total)).0;
        on.content = on.log.content().clone();
        next.put_runner(r, Runner::Running(on));
        next
    };
    // A stop got in between, or another runner: it looks, and after a stop it ends. Nothing there: the turn is gone.
    let lost = |w: &World| match w.table.at(seq) {
        Some(met) => {
            let mut on = Running { claiming: None, unsure: false, ..run.clone() };
            let resolved = on.writer.looked(met);
            settled(w, r, on, seq, resolved, met, config)
        }
        None => gone(w, r, config),
    };
    if run.unsure {
        let next = match w.table.at(seq) {
            Some(s) if s.nonce == claim.nonce || config.is(Broken::NoNonce) => won(w),
            Some(_) => lost(w),
            None => running(w, r, Running { unsure: false, ..run.clone() }),
        };
        out.push((Step::LooksForClaim(r), next));
        return;
    }
    for fate in fates(w) {
        let mut next = w.clone();
        take(&mut next, fate);
        if fate == Fate::Late {
            next.post(Sent { seq, segment: claim.clone(), claims: Some(number) });
        } else {
            let stands = next.table().claim(seq, claim, number, config);
            if fate == Fate::Answered {
                out.push((Step::Claim(r, fate), if stands { won(&next) } else { lost(&next) }));
                continue;
            }
        }
        out.push((Step::Claim(r, fate), running(&next, r, Running { unsure: true, ..run.clone() })));
    }
}

/// As `Turns::end_claimed`: the very segment again, behind every stop that it meets.
fn ends(w: &World, r: usize, log: &Log, segment: &Segment, config: &Config, out: Out) {
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
                        let on = log.apply(seq, &met).is_ok() && met.kind == Kind::Stop;
                        let segment = segment.clone();
                        next.put_runner(r, if on { Runner::Ending { log, segment } } else { Runner::Gone });
                    }
                    _ => {
                        acknowledged(&mut next, seq, segment);
                        let ended = log.apply(seq, segment).is_ok();
                        next.put_runner(r, if ended { Runner::Ended { log, finishing: false } } else { Runner::Gone });
                    }
                }
            }
        }
        out.push((Step::Put(r, fate), next));
    }
}
