//! Whoever generates a turn right now: reads from Claude, shows it to followers here, and writes the log.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use app::domain::{Outcome, PieceKind, Timestamp, Timing, TurnError, Usage};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Start, Turns, compact,
    hub::{Live, Phase},
    log::Log,
    upstream::{Step, Upstream},
    writer::{Resolved, Writer},
};
use crate::{
    claude::{Delta, Fault, Request},
    clock::jitter,
    storage::{Append, End, Kind, Segment, StoreError, StoreErrorKind},
};

/// Past so many unwritten bytes nothing more is read from Claude until the store has caught up.
const UNWRITTEN: u32 = 256 * 1024;
/// Claims in a row whose content the next one drops.
pub(super) const FRUITLESS: u32 = 3;
/// Claims in all, planned ones not counted.
pub(super) const CLAIMS: u32 = 50;

type Io = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What came of the one store call in flight.
enum Answer {
    Put(Result<Append, StoreError>),
    Looked(Result<Option<Box<Segment>>, StoreError>),
}

/// Why the runner stops writing.
enum Done {
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
    request: Request,
    upstream: Upstream,
    left_out: u32,
    /// Of runners and attempts before this one.
    before: Usage,
    /// Of this one.
    usage: Usage,
    io: Option<Io>,
    /// When something was last acknowledged.
    written_at: Instant,
    /// When the first content came, if no runner before wrote any.
    first_at: Option<Timestamp>,
    /// What the turn shall end with, once it is known.
    ending: Option<(Outcome, Option<String>, Option<TurnError>)>,
    /// Upstream broke past the first content: claim again over itself.
    restart: bool,
    stop: bool,
    releasing: bool,
}

/// Runs a turn to its end, a hand-over, or until somebody else holds it.
pub(super) async fn run(turns: &Turns, live: &Arc<Live>, start: Start) {
    let Start { turn, log, prompt, before, by } = start;
    let claim = log.bases().len() as u32 - 1;
    let writer = Writer::new(turns.author(by), claim, log.next(), log.content().len());
    let mut run = Run {
        turns,
        live,
        writer,
        stop: log.stop(),
        first_at: log.first_content(),
        log,
        upstream: Upstream::new(&turns.inner.claude, prompt.request.clone()),
        request: prompt.request,
        left_out: prompt.left_out,
        before,
        usage: Usage::default(),
        io: None,
        written_at: Instant::now(),
        ending: None,
        restart: false,
        releasing: false,
    };
    let done = run.write().await;
    // The connection closes now, whatever the store still has to do.
    run.upstream.cancel();
    match done {
        Done::Ended => {
            let log = std::mem::take(&mut run.log);
            compact::until_done(turns, live, &log).await;
        }
        Done::Released => live.update(|s| s.phase = Phase::Released),
        Done::Fenced => {
            tracing::warn!(turn = %turn.id, claim, "replaced by another runner");
            live.update(|s| s.phase = Phase::Gone);
        }
    }
}

impl Run<'_> {
    async fn write(&mut self) -> Done {
        let mut tick = interval(self.turns.inner.config.flush);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last_tick, mut last_wall) = (Instant::now(), self.turns.inner.clock.now());
        let mut closing = self.turns.inner.closing.subscribe();
        if *closing.borrow_and_update() {
            self.releasing = true;
        }
        loop {
            let read = self.reads();
            tokio::select! {
                outcome = async { match &mut self.io { Some(io) => io.await, None => std::future::pending().await } } => {
                    self.io = None;
                    if let Some(done) = self.settle(outcome).await { return done; }
                }
                step = self.upstream.next(), if read => self.step(step),
                _ = tick.tick() => {
                    let (now, wall) = (Instant::now(), self.turns.inner.clock.now());
                    let frozen = self.turns.inner.config.lease / 2;
                    if now.duration_since(last_tick) > frozen || wall.since(last_wall) > frozen.as_millis() as u64 {
                        return Done::Fenced;
                    }
                    (last_tick, last_wall) = (now, wall);
                    self.on_tick();
                }
                () = self.live.nudge.notified() => self.look(),
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

    /// Whether to go on reading from Claude.
    fn reads(&self) -> bool {
        !self.stop
            && !self.releasing
            && !self.upstream.is_over()
            && self.live.state().content.len() - self.writer.logged() < UNWRITTEN
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Delta(Delta::Text(text)) => self.content(PieceKind::Text, &text),
            Step::Delta(Delta::Thinking(text)) => self.content(PieceKind::Thinking, &text),
            Step::Delta(Delta::Started { usage, .. } | Delta::Usage(usage)) => self.usage = usage,
            Step::Delta(Delta::Ping) => {}
            Step::Delta(Delta::Stopped { stop_reason }) => {
                self.ending = Some((Outcome::Complete, stop_reason, None));
                self.upstream.cancel();
            }
            Step::Over => {}
            Step::Retry(fault) => {
                tracing::warn!(turn = %self.live.turn.id, %fault, "Claude did not answer; another attempt follows");
            }
            Step::Failed(fault) => self.failed(&fault),
        }
    }

    fn content(&mut self, kind: PieceKind, text: &str) {
        let claim = self.writer.claim();
        self.live.update(|s| s.content.push(claim, kind, text));
        self.first_at.get_or_insert_with(|| self.turns.inner.clock.now());
    }

    fn failed(&mut self, fault: &Fault) {
        tracing::warn!(turn = %self.live.turn.id, %fault, "the reply broke off");
        let began = self.log.bases().last().map_or(0, |b| b.at);
        let wrote = self.live.state().content.len() > began;
        let may_restart = self.log.fruitless() + 1 < FRUITLESS && self.log.unplanned() < CLAIMS;
        if wrote && may_restart && fault.kind.retryable_before_first_byte() {
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

    /// What cannot wait for the next tick.
    fn hurry(&mut self) {
        if self.stop {
            self.upstream.cancel();
            // A reply that was whole already is complete.
            self.ending.get_or_insert((Outcome::Stopped, None, None));
        }
        if self.ending.is_some() {
            self.put(Kind::End);
        } else if self.releasing {
            self.upstream.cancel();
            self.put(Kind::Release);
        }
    }

    fn on_tick(&mut self) {
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
        let now = self.turns.inner.clock.now();
        let put = self.writer.put(kind, &self.live.state().content, end, now);
        if let Some((seq, segment)) = put {
            self.send(seq, segment, Duration::ZERO);
        }
    }

    fn send(&mut self, seq: u64, segment: Segment, wait: Duration) {
        let (store, turn, ttl) = (self.turns.inner.store.clone(), self.live.turn.id, self.live.turn.ttl);
        self.io = Some(Box::pin(async move {
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
        let timing = Timing { first_ms: self.first_at.map(|t| t.since(began)), total_ms: now.since(began) };
        End {
            outcome,
            stop_reason,
            error,
            usage: add(self.before, self.usage),
            timing,
            total: 0,
            left_out: self.left_out,
        }
    }

    /// Claims the turn over itself, from its beginning: until runners can carry on, a broken reply begins anew.
    async fn claim_again(&mut self) -> Option<Done> {
        self.restart = false;
        let claim = self.log.bases().len() as u32;
        let author = self.writer.author().clone();
        let segment = author.segment(Kind::Claim, claim, 0, self.turns.inner.clock.now());
        let seq = self.log.next();
        match super::sweeper::claim(self.turns, &self.live.turn, seq, &segment, claim).await {
            Ok(true) => {}
            // A stop got in between, or another runner.
            Ok(false) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.look();
                self.restart = true;
                return None;
            }
            Err(error) => {
                tracing::warn!(turn = %self.live.turn.id, %error, "a claim was not acknowledged");
                return Some(Done::Fenced);
            }
        }
        if let Err(fault) = self.log.apply(seq, &segment) {
            tracing::error!(turn = %self.live.turn.id, %fault, "a claim that cannot follow");
            return Some(Done::Fenced);
        }
        self.before = add(self.before, self.usage);
        self.usage = Usage::default();
        self.writer = Writer::new(author, claim, self.log.next(), self.log.content().len());
        let (bases, content) = (self.log.bases().to_vec(), self.log.content().clone());
        self.live.update(|s| (s.bases, s.content) = (bases, content));
        self.written_at = Instant::now();
        self.upstream = Upstream::new(&self.turns.inner.claude, self.request.clone());
        None
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
