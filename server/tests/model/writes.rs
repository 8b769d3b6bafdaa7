//! How a runner writes what Claude says, and claims over itself: as `turn/runner.rs` does it.

use std::rc::Rc;

use app::domain::Outcome;
use server::{
    storage::{Kind, Segment},
    turn::writer::{Resolved, Writer},
};

use crate::{claims::bases, runner::*, world::*};

pub fn runs(w: &World, r: usize, run: &Running, config: &Config, out: Out) {
    let whole = run.length() >= config.length as usize;
    if !(whole || run.stop || run.releasing || run.again) {
        let mut on = run.clone();
        let claim = run.writer.claim();
        let index: usize = run.content.after(0).filter(|s| s.0 == claim).map(|s| s.2.chars().count()).sum();
        push(Rc::make_mut(&mut on.content), claim, letter(claim, r, index as u32));
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
        let _ = Rc::make_mut(&mut on.log).apply(seq, stands);
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
    if Rc::make_mut(&mut on.log).apply(seq, stands).is_err() {
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
        if Rc::make_mut(&mut on.log).apply(seq, claim).is_err() {
            return gone(&next, r, config);
        }
        let (next_seq, total) = (on.log.next(), on.log.content().len());
        on.writer = author(r, run.puts, |a| Writer::new(a, number, next_seq, total)).0;
        on.content = Rc::new(on.log.content().clone());
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
