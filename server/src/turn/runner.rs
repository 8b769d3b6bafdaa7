//! Whoever generates a turn right now: reads from Claude, shows it to followers here, and writes the log.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use app::domain::{Outcome, PieceKind, Timestamp, Timing, TurnError, Usage};
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Prompt, Start, Turns,
    budget::{self, Purse, Reach},
    compact,
    content::Content,
    hub::{Live, Phase},
    log::Log,
    seam::{self, Seam, Settled},
    thought::Thought,
    upstream::{Step, Upstream},
    writer::{Resolved, Writer},
};
use crate::{
    claude::{Delta, Fault, FaultKind, Request, Turn as Said, tokens::Letters},
    clock::jitter,
    prices,
    queue::Note,
    schema::Misfit,
    storage::{Append, End, Kind, Segment, StoreError, StoreErrorKind},
};

/// Past so many unwritten bytes nothing more is read from Claude until the store has caught up.
const UNWRITTEN: u32 = 256 * 1024;
/// The queue is waited for so long when a turn is handed over.
const HAND_ON: Duration = Duration::from_secs(2);
/// What stands for a turn that is handed over comes after so long: by then the release is written, and whoever gets it
/// need not wait for the lease.
const SETTLES: Duration = Duration::from_secs(1);
/// A put that is not acknowledged for so long is said to wait for the store.
const HELD: Duration = Duration::from_secs(2);
/// Claims in a row whose content the next one drops.
pub(super) const FRUITLESS: u32 = 3;
/// The same where hand-overs count too: a runner whose life is too short for a first token is not tried for ever.
pub(super) const BARREN: u32 = 20;
/// So often a reply that does not fit its schema is asked for again.
const MISFITS: u32 = 2;
/// A reply is promised so many tokens ahead of what it has.
pub(super) const AHEAD: u64 = 128;
/// Claims in all, planned ones not counted.
pub(super) const CLAIMS: u32 = 50;

type Io = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What came of the one store call in flight.
enum Answer {
    Put(Result<Append, StoreError>),
    Looked(Result<Option<Box<Segment>>, StoreError>),
}

/// Why the runner stops writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// `end` stands in the log.
    Ended,
    /// `release` stands in the log.
    Released,
    /// Somebody else holds the turn, or this process slept too long.
    Fenced,
}

struct Run<'a> {
    turns: &'a Turns,
    live: &'a Arc<Live>,
    writer: Writer,
    log: Log,
    prompt: Prompt,
    upstream: Upstream,
    /// The text so far is being joined with what comes.
    seam: Option<Seam>,
    /// It carries on what stood there: its thinking is dropped.
    carries_on: bool,
    /// Something came from Claude since the last claim.
    heard: bool,
    /// By when to hand over.
    until: Option<Instant>,
    /// Of runners and attempts before this one.
    before: Usage,
    /// Of this one.
    usage: Usage,
    /// Claude said how much it was in the end.
    told: bool,
    /// What Claude is about to be asked, once it is promised what that costs.
    request: Option<Request>,
    /// What it reads for that, as long as it says nothing itself; and what it has written since, dropped or not.
    asked: Usage,
    written: Letters,
    purse: Option<Purse>,
    /// What the turn may cost by now; and since when it costs that.
    allowed: u64,
    unpaid: Option<Instant>,
    io: Option<Io>,
    /// When something was last acknowledged.
    written_at: Instant,
    /// Since when the put in flight is.
    put_at: Instant,
    /// When this process was last seen to be awake: monotonic and wall clock.
    ticked: (Instant, Timestamp),
    /// When the first content came, if no runner before wrote any.
    first_at: Option<Timestamp>,
    thought: Thought,
    /// What the turn shall end with, once it is known.
    ending: Option<(Outcome, Option<String>, Option<TurnError>)>,
    /// A whole reply that is being held against its schema, and why it stopped.
    checking: Checking,
    /// What came that did not fit its schema, and what was wrong with it: all of that is asked for again.
    misfits: Vec<Said>,
    /// The next claim over itself is because of the last of them.
    misfit: bool,
    /// Upstream broke past the first content: claim again over itself.
    restart: bool,
    /// The last claim over itself was refused, and what stands at its key was looked at since.
    refused: bool,
    stop: bool,
    releasing: bool,
    /// Nothing is read from Claude just now.
    paused: bool,
}

/// Runs a turn to its end, a hand-over, or until somebody else holds it.
pub(super) async fn run(turns: &Turns, live: &Arc<Live>, start: Start) -> Done {
    let Start { turn, log, prompt, before, by, host, purse } = start;
    let claim = log.bases().len() as u32 - 1;
    let writer = Writer::new(turns.author(by), claim, log.next(), log.content().len());
    let longest = turns.inner.config.run.map(|run| Instant::now() + run);
    let mut run = Run {
        turns,
        live,
        writer,
        stop: log.stop(),
        first_at: log.first_content(),
        thought: Thought::default(),
        log,
        upstream: Upstream::idle(&turns.inner.claude),
        seam: None,
        carries_on: false,
        heard: false,
        until: host.until.into_iter().chain(longest).min(),
        prompt,
        before,
        usage: Usage::default(),
        told: false,
        request: None,
        asked: Usage::default(),
        written: Letters::default(),
        purse,
        allowed: 0,
        unpaid: None,
        io: None,
        written_at: Instant::now(),
        put_at: Instant::now(),
        ticked: (Instant::now(), turns.inner.clock.local()),
        ending: None,
        checking: None,
        misfits: Vec::new(),
        misfit: false,
        restart: false,
        refused: false,
        releasing: false,
        paused: false,
    };
    run.copy();
    run.ask(false);
    let done = run.write().await;
    // The connection closes now, whatever the store still has to do.
    run.upstream.cancel();
    let (cost, purse) = (run.cost(run.used()), run.purse.take());
    match done {
        Done::Ended => {
            turns.inner.metrics.spent(cost);
            let log = std::mem::take(&mut run.log);
            let Some(mut purse) = purse else {
                compact::until_done(turns, live, &log).await;
                return done;
            };
            purse.over(cost).await;
            compact::until_done(turns, live, &log).await;
            purse.settled();
        }
        Done::Released => {
            purse.inspect(|p| p.note(cost));
            live.update(|s| s.phase = Phase::Released);
        }
        Done::Fenced => {
            purse.inspect(|p| p.note(cost));
            tracing::warn!(turn = %turn.id, claim, "replaced by another runner");
            turns.inner.metrics.fenced();
            live.update(|s| s.phase = Phase::Gone);
        }
    }
    done
}

impl Run<'_> {
    /// A reply that continues another begins with its text; whoever holds the claim first writes what is missing.
    fn copy(&mut self) {
        let there = self.log.content().len() as usize;
        if let Some(missing) = self.prompt.begins_with.get(there..).filter(|m| !m.is_empty()) {
            let claim = self.writer.claim();
            self.live.update(|s| s.content.push(claim, PieceKind::Text, missing));
        }
    }

    /// Asks Claude: for the reply, or for the rest of what there is of it.
    fn ask(&mut self, second: bool) {
        let kept = self.live.state().content.text();
        let kept = kept.trim_end();
        let mut request = self.prompt.request.clone();
        request.messages.extend(self.misfits.iter().cloned());
        self.carries_on = !kept.is_empty();
        self.seam = None;
        self.told = false;
        (self.asked, self.written) = (Usage::default(), Letters::default());
        self.upstream.cancel();
        if self.carries_on {
            // Four letters a token, about.
            let spent = kept.len().saturating_sub(self.prompt.begins_with.len()) as u64 / 4;
            request.max_tokens = request.max_tokens.saturating_sub(spent);
            if request.max_tokens == 0 {
                return self.finish(Some("max_tokens".to_owned()));
            }
            request.thinking = self.prompt.no_thinking;
            request = seam::request(&request, kept);
            self.seam = Some(Seam::new(kept, second));
        }
        self.request = Some(request);
        self.go();
    }

    /// Asks Claude what it is to be asked, once the budget has what it will cost.
    fn go(&mut self) {
        let Some(request) = self.request.take() else { return };
        let usage = request.usage();
        if !self.may_ask(usage) {
            self.request = Some(request).filter(|_| self.ending.is_none());
            return;
        }
        self.asked = usage;
        self.upstream = Upstream::new(&self.turns.inner.claude, request);
    }

    /// The reply is whole.
    fn finish(&mut self, stop_reason: Option<String>) {
        self.ending = Some((Outcome::Complete, stop_reason, None));
        self.upstream.cancel();
    }

    async fn write(&mut self) -> Done {
        let mut tick = interval(self.turns.inner.config.flush);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.awake();
        let mut closing = self.turns.inner.closing.subscribe();
        if *closing.borrow_and_update() {
            self.releasing = true;
        }
        loop {
            let read = self.reads();
            if read && self.paused {
                self.upstream.resumed();
            }
            self.paused = !read;
            tokio::select! {
                outcome = async { match &mut self.io { Some(io) => io.await, None => std::future::pending().await } } => {
                    self.io = None;
                    if let Some(done) = self.settle(outcome).await { return done; }
                }
                step = self.upstream.next(), if read => self.step(step),
                checked = check(&mut self.checking) => self.checked(checked),
                _ = tick.tick() => {
                    if self.slept() {
                        return Done::Fenced;
                    }
                    self.on_tick();
                    tick.reset_after(self.turns.inner.config.pace(self.turns.inner.hub.len()));
                }
                () = answered(self.purse.as_ref()) => self.pay(),
                () = self.live.nudge.notified() => if self.live.stopping() { self.stop = true } else { self.look() },
                () = sleep_until(self.until), if !self.releasing => self.releasing = true,
                _ = closing.changed(), if !self.releasing => self.releasing = true,
            }
            // What is to end or to be handed over is not claimed again.
            self.restart &= !self.stop && !self.releasing && self.ending.is_none();
            if self.restart && self.io.is_none() {
                match self.claim_again().await {
                    Some(done) => return done,
                    None => continue,
                }
            }
            self.hurry();
        }
    }

    /// It is certain just now that the turn is this runner's.
    fn awake(&mut self) {
        self.ticked = (Instant::now(), self.turns.inner.clock.local());
    }

    /// Whether this process was frozen for so long, by wall or monotonic clock, that others may have taken the turn.
    fn slept(&mut self) -> bool {
        let (tick, wall) = self.ticked;
        self.awake();
        let frozen = self.turns.inner.config.lease / 2;
        self.ticked.0.duration_since(tick) > frozen || self.ticked.1.since(wall) > frozen.as_millis() as u64
    }

    /// Whether to go on reading from Claude.
    fn reads(&self) -> bool {
        !self.stop
            && !self.releasing
            && !self.upstream.is_over()
            && self.live.state().content.len() - self.writer.logged() < UNWRITTEN
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Delta(Delta::Text(text)) => self.text(&text),
            Step::Delta(Delta::Thinking(text)) if self.carries_on => {
                self.heard = true;
                self.written.add(&text);
            }
            Step::Delta(Delta::Thinking(text)) => {
                self.written.add(&text);
                self.content(PieceKind::Thinking, &text);
            }
            Step::Delta(Delta::Started { usage, .. }) => self.usage = usage,
            Step::Delta(Delta::Usage(usage)) => (self.usage, self.told) = (usage, true),
            Step::Delta(Delta::Ping) => {}
            Step::Delta(Delta::Stopped { stop_reason }) => self.stopped(stop_reason),
            Step::Over => {}
            Step::Retry(fault) => {
                tracing::warn!(turn = %self.live.turn.id, %fault, "Claude did not answer; another attempt follows");
                self.attempted(&fault);
            }
            Step::Failed(fault) => self.failed(&fault),
        }
        self.pay_ahead();
    }

    /// An attempt failed, and the same is asked again.
    fn attempted(&mut self, fault: &Fault) {
        if is_free(fault, self.usage) {
            return;
        }
        self.before = add(self.before, self.used());
        (self.usage, self.written) = (Usage::default(), Letters::default());
    }

    fn text(&mut self, text: &str) {
        self.heard = true;
        self.written.add(text);
        match self.seam.as_mut().map(|seam| seam.push(text)) {
            None => self.content(PieceKind::Text, text),
            Some(settled) => {
                self.settle_seam(settled);
            }
        }
    }

    /// True if the text goes on, false if it is asked for once more.
    fn settle_seam(&mut self, settled: Settled) -> bool {
        match settled {
            Settled::Hold => true,
            Settled::Again => {
                tracing::info!(turn = %self.live.turn.id, "not carried on where it broke off; asked once more");
                self.before = add(self.before, self.used());
                self.usage = Usage::default();
                self.ask(true);
                false
            }
            Settled::Join(text, class) => {
                self.seam = None;
                if let Some(class) = class {
                    self.turns.inner.metrics.joined(class);
                    self.writer.joined(class);
                    tracing::info!(turn = %self.live.turn.id, claim = self.writer.claim(), seam = ?class, "carried on");
                }
                self.content(PieceKind::Text, &text);
                true
            }
        }
    }

    fn content(&mut self, kind: PieceKind, text: &str) {
        self.heard = true;
        if text.is_empty() {
            return;
        }
        let (claim, now, thought) = (self.writer.claim(), self.turns.inner.clock.now(), &mut self.thought);
        self.live.update(|s| {
            thought.saw(kind, s.content.is_empty(), now);
            s.content.push(claim, kind, text);
        });
        self.first_at.get_or_insert(now);
    }

    /// The reply was held against its schema. One that does not fit is asked for again, with the fault named, or given
    /// up.
    fn checked(&mut self, checked: Result<Result<(), Misfit>, JoinError>) {
        let Some((_, stop_reason)) = self.checking.take() else { return };
        if self.ending.is_some() {
            return;
        }
        let misfit = match checked {
            Ok(Ok(())) => return self.finish(stop_reason),
            Ok(Err(misfit)) => misfit,
            Err(error) => {
                tracing::error!(turn = %self.live.turn.id, %error, "a result could not be held against its schema");
                let fault = "it could not be checked".to_owned();
                Misfit { told: fault.clone(), fault }
            }
        };
        tracing::info!(turn = %self.live.turn.id, "a result does not fit its schema");
        let short = match stop_reason.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => " It was cut off at its longest.",
            Some("refusal") => " Claude declined to answer.",
            _ => "",
        };
        if self.log.misfits() < MISFITS && self.log.unplanned() < CLAIMS {
            let text = self.live.state().content.text();
            let said = if text.trim().is_empty() { "{}".to_owned() } else { text };
            let ask = format!(
                "That does not fit the JSON Schema that I gave you: {}.{short} Please answer once more, with JSON that \
                 fits it and nothing else.",
                misfit.fault
            );
            self.misfits.extend([Said::assistant(said.trim_end()), Said::user(ask)]);
            (self.restart, self.misfit) = (true, true);
        } else {
            let message = format!("The result does not fit the schema: {}.{short}", misfit.told);
            let error = TurnError { code: "schema_mismatch".to_owned(), message, retryable: true };
            self.ending = Some((Outcome::Failed, None, Some(error)));
            self.upstream.cancel();
        }
    }

    /// Claude ended the reply.
    fn stopped(&mut self, stop_reason: Option<String>) {
        let refused = stop_reason.as_deref() == Some("refusal");
        if !refused && let Some(mut seam) = self.seam.take() {
            let settled = seam.finish();
            if !self.settle_seam(settled) {
                return;
            }
        }
        // A pause is no end: the API wants to be asked to go on.
        if stop_reason.as_deref() == Some("pause_turn") && self.may_claim_again() {
            self.restart = true;
            return;
        }
        // Whatever it stopped for: what is to be read by a program fits, or has failed.
        match &self.prompt.shape {
            Some(shape) => self.checking = Some((shape.checked(self.live.state().content.text()), stop_reason)),
            None => self.finish(stop_reason),
        }
    }

    /// Where this runner's next claim begins.
    fn resume_at(&self, content: &Content) -> u32 {
        if self.prompt.shape.is_some() { 0 } else { content.resume_at() }
    }

    fn may_claim_again(&self) -> bool {
        let at = self.resume_at(&self.live.state().content);
        self.log.fruitless_after(at) < FRUITLESS && self.log.unplanned() < CLAIMS
    }

    fn failed(&mut self, fault: &Fault) {
        tracing::warn!(turn = %self.live.turn.id, %fault, "the reply broke off");
        if is_free(fault, self.usage) {
            self.asked = Usage::default();
        }
        // What was held back is dropped: the next claim asks for it again.
        self.seam = None;
        if self.heard && self.may_claim_again() && fault.kind.retryable_before_first_byte() {
            self.restart = true;
            return;
        }
        let error = TurnError {
            code: fault.kind.code().to_owned(),
            message: fault.kind.message().to_owned(),
            retryable: fault.kind.retryable_by_person(),
        };
        self.ending = Some((Outcome::Failed, None, Some(error)));
    }

    /// What Claude was paid for since it was asked last. Until it says how much it has read and written, by the
    /// length of that: of a reply that is cut short it never does.
    fn used(&self) -> Usage {
        let mut used = self.usage;
        if self.told {
            return used;
        }
        if read(used) == 0 && read(self.asked) > 0 {
            used = Usage { output_tokens: used.output_tokens, ..self.asked };
        }
        let output_tokens = self.written.tokens();
        if output_tokens > used.output_tokens {
            used = Usage { output_tokens, estimated: true, ..used };
        }
        used
    }

    /// What the turn costs with all before, in millionths of a dollar, if Claude used so much since it was asked.
    fn cost(&self, used: Usage) -> u64 {
        prices::micros(&self.live.turn.model, &add(self.before, used))
    }

    /// Whether the budget has what it will cost to ask Claude.
    fn may_ask(&mut self, prompt: Usage) -> bool {
        let Some(purse) = &self.purse else { return true };
        let want = Usage { output_tokens: AHEAD, ..prompt };
        let (reach, allowed) = purse.reach(self.cost(Usage::default()), self.cost(want), u64::MAX);
        self.allowed = allowed;
        if reach == Reach::Refused {
            self.spent();
        }
        reach == Reach::Covered
    }

    /// Tells the budget what this turn has cost, sees to it that it may go on, and ends it if it may not.
    fn pay(&mut self) {
        if self.ending.is_some() || self.releasing || self.stop {
            return;
        }
        if self.request.is_some() {
            return self.go();
        }
        let Some(purse) = &self.purse else { return };
        let used = self.used();
        let cost = self.cost(used);
        let ahead = |n| self.cost(Usage { output_tokens: used.output_tokens + n, ..used });
        let want = if self.upstream.is_over() { cost } else { ahead(AHEAD) };
        let (reach, allowed) = purse.reach(cost, want, ahead(AHEAD / 8).saturating_sub(cost));
        self.allowed = allowed;
        if self.told || cost < allowed {
            self.unpaid = None;
            return;
        }
        // Claude goes on writing while the table is asked: no longer than a flush.
        let since = *self.unpaid.get_or_insert_with(Instant::now);
        if reach == Reach::Refused || since.elapsed() > self.turns.inner.config.flush {
            self.spent();
        }
    }

    /// The same between two flushes, once half of what it was promised ahead is used.
    fn pay_ahead(&mut self) {
        if self.purse.is_some() && !self.told && !self.upstream.is_over() {
            let used = self.used();
            let soon = Usage { output_tokens: used.output_tokens + AHEAD / 2, ..used };
            if self.cost(soon) >= self.allowed {
                self.pay();
            }
        }
    }

    /// The budget has no more for this turn.
    fn spent(&mut self) {
        self.upstream.cancel();
        self.ending = Some((Outcome::Stopped, None, Some(budget::error())));
    }

    /// What cannot wait for the next tick.
    fn hurry(&mut self) {
        if self.stop {
            self.upstream.cancel();
            // A reply that was whole already is complete.
            self.ending.get_or_insert((Outcome::Stopped, None, None));
        }
        if self.ending.is_some() {
            self.put(Kind::End);
        } else if self.releasing && self.checking.is_none() {
            self.upstream.cancel();
            self.put(Kind::Release);
        }
    }

    fn on_tick(&mut self) {
        self.pay();
        let age = self.log.began().map_or(0, |began| self.turns.inner.clock.now().since(began));
        if self.ending.is_none() && age > self.turns.inner.config.longest.as_millis() as u64 {
            self.upstream.cancel();
            let message = "The reply took longer than this server allows.".to_owned();
            self.ending = Some((
                Outcome::Failed,
                None,
                Some(TurnError { code: "too_long".to_owned(), message, retryable: true }),
            ));
        }
        let held = self.writer.pending().is_some() && self.put_at.elapsed() > HELD;
        if held && !self.live.state().held {
            self.live.update(|s| s.held = true);
        }
        if self.live.state().content.len() > self.writer.logged() {
            self.put(Kind::Text);
        } else if self.written_at.elapsed() >= self.turns.inner.config.lease / 4 {
            self.put(Kind::Beat);
        } else {
            // Silent: a stop would not be met otherwise.
            self.look();
        }
    }

    fn put(&mut self, kind: Kind) {
        if self.io.is_some() || self.writer.pending().is_some() {
            return;
        }
        let end = (kind == Kind::End).then(|| self.end());
        self.writer.used(add(self.before, self.used()));
        let now = self.turns.inner.clock.now();
        let put = self.writer.put(kind, &self.live.state().content, end, now);
        if let Some((seq, segment)) = put {
            self.put_at = Instant::now();
            self.send(seq, segment, Duration::ZERO);
        }
    }

    fn send(&mut self, seq: u64, segment: Segment, wait: Duration) {
        let (store, turn, ttl) = (self.turns.inner.store.clone(), self.live.turn.id, self.live.turn.ttl);
        let queue = self.turns.inner.queue.clone();
        let hand_on = segment.kind == Kind::Release && queue.is_durable() && !self.live.handed_on();
        let live = Arc::clone(self.live);
        self.io = Some(Box::pin(async move {
            if hand_on {
                // First who comes after, then the release.
                let sent = tokio::time::timeout(HAND_ON, queue.send(&[Note::Turn(turn)], SETTLES)).await;
                match sent {
                    Ok(Ok(())) => live.hand_on(),
                    Ok(Err(error)) => tracing::warn!(%turn, %error, "no message stands for a turn that is handed over"),
                    Err(_) => tracing::warn!(%turn, "the queue did not answer when a turn was handed over"),
                }
            }
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            Answer::Put(store.append(turn, seq, &segment, ttl).await)
        }));
    }

    fn look(&mut self) {
        if self.io.is_some() || self.writer.pending().is_some() || self.stop {
            return;
        }
        let (store, turn, seq) = (self.turns.inner.store.clone(), self.live.turn.id, self.writer.next());
        self.io =
            Some(Box::pin(async move { Answer::Looked(store.segment_at(turn, seq).await.map(|s| s.map(Box::new))) }));
    }

    /// Takes in what the store said.
    async fn settle(&mut self, outcome: Answer) -> Option<Done> {
        let (seq, resolved, segment) = match outcome {
            Answer::Looked(Ok(None)) => return None,
            Answer::Looked(Ok(Some(met))) => (self.writer.next(), self.writer.looked(&met), *met),
            // What stands at the key is no segment of this version, so it is not the runner's own: replaced.
            Answer::Put(Err(error)) | Answer::Looked(Err(error))
                if matches!(error.kind(), StoreErrorKind::Newer | StoreErrorKind::Corrupt) =>
            {
                tracing::error!(turn = %self.live.turn.id, %error, "another version holds the turn");
                return Some(Done::Fenced);
            }
            Answer::Looked(Err(error)) => {
                tracing::warn!(turn = %self.live.turn.id, %error, "the log could not be looked at");
                return None;
            }
            Answer::Put(Err(error)) => {
                // Whatever the reason: byte for byte again, until its key is resolved.
                tracing::warn!(turn = %self.live.turn.id, %error, "a segment was not acknowledged");
                self.turns.inner.metrics.append_failed();
                let (seq, segment) = self.writer.pending().map(|(n, s)| (n, s.clone()))?;
                self.send(seq, segment, Duration::from_millis(100 + jitter(400)));
                return None;
            }
            Answer::Put(Ok(append)) => {
                let (seq, pending) = self.writer.pending().map(|(n, s)| (n, s.clone()))?;
                let met = match append {
                    Append::Written => None,
                    Append::Met(met) => Some(*met),
                };
                let resolved = self.writer.resolve(met.as_ref());
                self.turns.inner.metrics.appended(self.put_at.elapsed());
                (seq, resolved, if matches!(resolved, Resolved::Written(_)) { pending } else { met.unwrap_or(pending) })
            }
        };
        if matches!(resolved, Resolved::Fenced) {
            return Some(Done::Fenced);
        }
        if let Err(fault) = self.log.apply(seq, &segment) {
            tracing::error!(turn = %self.live.turn.id, %fault, "the log is not what its runner wrote");
            return Some(Done::Fenced);
        }
        self.written_at = Instant::now();
        if self.live.state().held {
            self.live.update(|s| s.held = false);
        }
        match resolved {
            Resolved::Stop => self.stop = true,
            Resolved::Written(Kind::End) => return Some(Done::Ended),
            Resolved::Written(Kind::Release) => return Some(Done::Released),
            Resolved::Written(_) | Resolved::Fenced => {}
        }
        None
    }

    fn end(&self) -> End {
        let (outcome, stop_reason, error) = self.ending.clone().unwrap_or((Outcome::Stopped, None, None));
        let now = self.turns.inner.clock.now();
        let began = self.log.began().unwrap_or(now);
        let timing = Timing {
            first_ms: self.first_at.map(|t| t.since(began)),
            thinking_ms: self.thought.ms(now),
            total_ms: now.since(began),
        };
        End {
            outcome,
            stop_reason,
            error,
            usage: add(self.before, self.used()),
            timing,
            total: 0,
            left_out: self.prompt.left_out,
        }
    }

    /// Claims the turn over itself, so that carrying on after a fault upstream is the same as after a take-over. The
    /// store may take its time: without its answer nothing is given up, only replaced is replaced.
    async fn claim_again(&mut self) -> Option<Done> {
        let unwritten = self.live.state().content.len() > self.writer.logged();
        if unwritten {
            // First what was shown: it is kept.
            self.put(Kind::Text);
            return None;
        }
        self.restart = false;
        let claim = self.log.bases().len() as u32;
        let author = self.writer.author().clone();
        let at = self.resume_at(self.log.content());
        let (chars, misfit) = (Some(self.log.content().chars(at)), self.misfit);
        let now = self.turns.inner.clock.now();
        let segment = Segment { chars, misfit, ..author.segment(Kind::Claim, claim, at, now) };
        let seq = self.log.next();
        match super::sweeper::claim(self.turns, &self.live.turn, seq, &segment, claim).await {
            Ok(true) => {}
            // A stop got in between, or another runner.
            Ok(false) => {
                let refused = std::mem::replace(&mut self.refused, true);
                tokio::time::sleep(Duration::from_millis(100)).await;
                if refused {
                    // Nothing stands at the key that would say why: the turn is done or gone.
                    return Some(Done::Fenced);
                }
                self.look();
                self.restart = true;
                return None;
            }
            Err(error) => {
                tracing::warn!(turn = %self.live.turn.id, %error, "a claim was not acknowledged");
                return Some(Done::Fenced);
            }
        }
        self.awake();
        (self.refused, self.misfit) = (false, false);
        if let Err(fault) = self.log.apply(seq, &segment) {
            tracing::error!(turn = %self.live.turn.id, %fault, "a claim that cannot follow");
            return Some(Done::Fenced);
        }
        self.before = add(self.before, self.used());
        self.usage = Usage::default();
        self.writer = Writer::new(author, claim, self.log.next(), self.log.content().len());
        let (bases, content) = (self.log.bases().to_vec(), self.log.content().clone());
        self.live.update(|s| (s.bases, s.content) = (bases, content));
        self.written_at = Instant::now();
        self.heard = false;
        self.ask(false);
        None
    }
}

type Checking = Option<(JoinHandle<Result<(), Misfit>>, Option<String>)>;

async fn check(checking: &mut Checking) -> Result<Result<(), Misfit>, JoinError> {
    match checking {
        Some((check, _)) => check.await,
        None => std::future::pending().await,
    }
}

/// Whether an attempt that failed cost nothing: Claude was not reached, or refused before it said anything.
fn is_free(fault: &Fault, usage: Usage) -> bool {
    let refused = fault.status.is_some_and(|status| status >= 400) || fault.kind == FaultKind::Unreachable;
    refused && read(usage) == 0
}

/// Tokens of a prompt.
fn read(usage: Usage) -> u64 {
    usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
}

async fn answered(purse: Option<&Purse>) {
    match purse {
        Some(purse) => purse.answered().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// The sum of what two runners used.
pub(super) fn add(a: Usage, b: Usage) -> Usage {
    Usage {
        input_tokens: a.input_tokens + b.input_tokens,
        output_tokens: a.output_tokens + b.output_tokens,
        cache_creation_input_tokens: a.cache_creation_input_tokens + b.cache_creation_input_tokens,
        cache_read_input_tokens: a.cache_read_input_tokens + b.cache_read_input_tokens,
        estimated: a.estimated || b.estimated,
    }
}
