//! What is printed in the end.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

use app::domain::{Outcome, Timestamp};
use server::storage::{Kind as SegmentKind, MessageItem, Segment};

use crate::{
    checks::Fold,
    ledger::{Blow, Kind, spread},
    world::{Turn, World},
};

/// Sums over all turns.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    complete: u64,
    stopped: u64,
    failed: u64,
    /// Purged, or never taken by any server.
    pub(crate) absent: u64,
    claims: u64,
    /// Claims behind a `release`.
    planned: u64,
    /// Take-overs of what had been begun: in its text, and in its thinking, which begins anew.
    kept: u64,
    anew: u64,
    /// How the texts were joined.
    seams: BTreeMap<String, u64>,
    most_claims: u64,
    calls: u64,
    readers: u64,
    /// Segments whose time is not between their turn's sending and the end of the run.
    mistimed: u64,
    /// For how long logs stood still before somebody took them over.
    stood_still: Vec<Duration>,
}

impl Verdict {
    pub(crate) fn take(
        &mut self,
        turn: &Turn,
        log: &[(u64, Segment)],
        fold: &Fold,
        message: Option<&MessageItem>,
        calls: usize,
        now: Timestamp,
    ) {
        match fold.end.as_ref().map(|end| end.outcome) {
            Some(Outcome::Complete) => self.complete += 1,
            Some(Outcome::Stopped) => self.stopped += 1,
            Some(Outcome::Failed) => self.failed += 1,
            None => {}
        }
        self.claims += fold.bases.len() as u64;
        self.most_claims = self.most_claims.max(fold.bases.len() as u64);
        self.calls += calls as u64;
        self.readers += turn.readers.lock().unwrap().len() as u64;
        let (mut logged, mut last) = (0, None);
        for (_, segment) in log {
            let added: usize = segment.pieces.iter().map(|p| p.text.len()).sum();
            if segment.kind == SegmentKind::Claim && segment.claim > 0 && logged > 0 {
                *(if segment.at > 0 { &mut self.kept } else { &mut self.anew }) += 1;
            }
            if segment.kind != SegmentKind::Stop {
                logged = segment.at as usize + added;
            }
            // Clocks are corrected by whole seconds, and answers may take some.
            let early = turn.id.timestamp().since(segment.time) > 5_000;
            self.mistimed += u64::from(early || segment.time.since(now) > 5_000);
            if segment.kind == SegmentKind::Claim
                && segment.claim > 0
                && last.is_some_and(|l: &Segment| l.kind != SegmentKind::Release)
            {
                self.stood_still.extend(last.map(|l| Duration::from_millis(segment.time.since(l.time))));
            }
            last = Some(segment);
        }
        for class in message.iter().flat_map(|m| &m.bases).filter_map(|base| base.seam) {
            *self.seams.entry(format!("{class:?}").to_lowercase()).or_default() += 1;
        }
        self.planned += message.map_or(0, |m| m.bases.iter().filter(|b| b.planned).count()) as u64;
    }
}

/// The summary of a run.
pub(crate) fn text(world: &World, verdict: &Verdict, took: Duration) -> String {
    let mut out = String::new();
    let turns = world.turns.lock().unwrap().clone();
    let v = verdict;
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "  {name:<44} {value}");
    };
    line("turns", turns.len().to_string());
    line("  complete, stopped, given up, absent", format!("{}, {}, {}, {}", v.complete, v.stopped, v.failed, v.absent));
    line("readers that saw the end", v.readers.to_string());
    line("claims (behind a release), most of one turn", format!("{} ({}), {}", v.claims, v.planned, v.most_claims));
    line("take-overs in the text, in thinking", format!("{}, {}", v.kept, v.anew));
    let seams: Vec<_> = v.seams.iter().map(|(class, count)| format!("{class} {count}")).collect();
    line("logs that stood still before a take-over", spread(v.stood_still.clone()));
    line("seams by class", seams.join(", "));
    line("calls upstream", v.calls.to_string());
    line("segments with a time that cannot be", v.mistimed.to_string());
    let counts = world.ledger.counts();
    let (store, others): (Vec<_>, Vec<_>) = counts.iter().partition(|(name, _)| name.starts_with("store: "));
    for (name, count) in others {
        line(name, count.to_string());
    }
    let all: u64 = store.iter().map(|(_, n)| **n).sum();
    let fine = counts.get("store: fine").copied().unwrap_or_default();
    line("store calls that went wrong", format!("{} of {all} ({} %)", all - fine, (all - fine) * 100 / all.max(1)));
    for (name, count) in store.iter().filter(|(name, _)| **name != "store: fine") {
        line(&format!("  {}", name.trim_start_matches("store: ")), count.to_string());
    }
    let blows = world.ledger.blows();
    for name in ["kills", "kills before a token", "SIGTERMs"] {
        let (all, alone) = recoveries(&turns, &blows, name);
        line(&format!("{name}: to the next token shown"), spread(all));
        line("  where nothing else happened meanwhile", spread(alone));
    }
    let mut wrongs: BTreeMap<Kind, u64> = BTreeMap::new();
    for wrong in world.ledger.wrongs() {
        *wrongs.entry(wrong.kind).or_default() += 1;
    }
    let count = |kind| wrongs.get(&kind).copied().unwrap_or_default();
    line(
        "lost, repeated, mixed, stuck",
        format!("{}, {}, {}, {}", count(Kind::Lost), count(Kind::Repeated), count(Kind::Mixed), count(Kind::Stuck)),
    );
    line(
        "shown otherwise, rules broken, calls unexplained",
        format!("{}, {}, {}", count(Kind::Shown), count(Kind::Rule), count(Kind::Calls)),
    );
    format!("chaos, seed {}: {:.0} s\n{out}", world.options.seed, took.as_secs_f64())
}

/// From each blow to the first text that a victim's readers were shown of a later claim: all, and those with no
/// other blow in between. What upstream takes to its first token is not counted.
fn recoveries(turns: &[std::sync::Arc<Turn>], blows: &[Blow], name: &str) -> (Vec<Duration>, Vec<Duration>) {
    let (mut all, mut alone) = (Vec::new(), Vec::new());
    for blow in blows.iter().filter(|b| b.name == name) {
        for (index, claim) in &blow.victims {
            let Some(turn) = turns.iter().find(|t| t.plan.index == *index) else { continue };
            let firsts = turn.firsts.lock().unwrap();
            let Some(next): Option<Instant> =
                firsts.range(claim + 1..).map(|(_, at)| *at).filter(|at| *at > blow.at).min()
            else {
                continue;
            };
            let took = (next - blow.at).saturating_sub(Duration::from_millis(turn.plan.ttft));
            all.push(took);
            if !blows.iter().any(|b| b.at > blow.at && b.at < next) {
                alone.push(took);
            }
        }
    }
    (all, alone)
}
