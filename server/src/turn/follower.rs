//! Whoever reads a turn's log, live or afterwards.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use app::{
    domain::{Cursor, MessageId, TurnEvent},
    error::ApiError,
    sse::{EventStream, Frame},
};
use futures::{Stream, StreamExt};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    Host, Turns, content, deleted_error,
    follow::{View, catch_up, rewind},
    hub::{Live, Phase},
    metrics::Following,
    mirror::MirrorSeat,
};
use crate::{
    clock::jitter,
    storage::{StoreError, TurnItem, TurnState},
};

/// Silence after which there is a comment: at least one every 15 s is promised, and a slow read may come in between.
const COMMENT: Duration = Duration::from_secs(10);
/// The same while the store is waited for.
const SILENCE: Duration = Duration::from_secs(13);
/// Before a log is read again that did not show what a cursor names.
const AGAIN: Duration = Duration::from_millis(150);

/// Where the next events come from.
enum Source {
    /// Not known yet: look around.
    Look,
    /// The turn runs in this process; or, with a seat, its log is read here.
    Live(Arc<Live>, watch::Receiver<u64>, Option<MirrorSeat>),
    /// The last event is queued.
    Over,
}

/// One reader of one turn.
pub struct Follower {
    turns: Turns,
    turn: TurnItem,
    cursor: Cursor,
    /// Whether it may claim a turn that nobody runs: its owner may, an admin's view may not.
    may_claim: bool,
    host: Host,
    /// What was last said of the store.
    held: bool,
    source: Source,
    queue: VecDeque<Frame>,
    closing: watch::Receiver<bool>,
    /// When something was last said.
    spoke: Instant,
    _counted: Following,
}

impl Turns {
    /// Follows a turn from a cursor to its end. Dropping the stream stops nothing.
    #[must_use]
    pub fn follow(&self, turn: TurnItem, cursor: Cursor, may_claim: bool, host: Host) -> EventStream {
        let start =
            TurnEvent::Start { turn_id: turn.id, message_id: MessageId::from(turn.id), model: turn.model.clone() };
        let follower = Follower {
            turns: self.clone(),
            turn,
            cursor,
            may_claim,
            host,
            held: false,
            source: Source::Look,
            queue: VecDeque::from([Frame::Event { cursor: None, event: start }]),
            closing: self.inner.closing.subscribe(),
            spoke: Instant::now(),
            _counted: Following::new(&self.inner.metrics),
        };
        EventStream::new(never_silent(futures::stream::unfold(follower, |mut follower| async move {
            let frame = follower.next().await?;
            Some((Ok::<_, ApiError>(frame), follower))
        })))
    }
}

/// Puts comments between frames that a slow read of the store keeps apart, without giving that read up.
fn never_silent(
    frames: impl Stream<Item = Result<Frame, ApiError>> + Send + 'static,
) -> impl Stream<Item = Result<Frame, ApiError>> + Send {
    futures::stream::unfold(Box::pin(frames), |mut frames| async move {
        // Dropping `next` keeps the stream's own state, and so the read under way.
        match timeout(SILENCE, frames.next()).await {
            Ok(frame) => Some((frame?, frames)),
            Err(_) => Some((Ok(Frame::Comment), frames)),
        }
    })
}

impl Follower {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.queue.pop_front() {
                self.spoke = Instant::now();
                return Some(frame);
            }
            if matches!(self.source, Source::Over) {
                return None;
            }
            if let Err(error) = self.step().await {
                tracing::warn!(turn = %self.turn.id, %error, "a turn could not be followed just now");
                self.source = Source::Look;
                sleep(Duration::from_millis(200 + jitter(300))).await;
            }
            if self.queue.is_empty() && (self.closing() || self.long_enough()) && !self.has_runner() {
                // The stream closes without `end`; whoever reads it follows again, elsewhere or after the restart.
                return None;
            }
            if self.queue.is_empty() && self.spoke.elapsed() >= COMMENT {
                self.queue.push_back(Frame::Comment);
            }
        }
    }

    /// The process is to end.
    fn closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// A runner here has something to say still, were it only that it has handed over.
    fn has_runner(&self) -> bool {
        matches!(self.source, Source::Live(_, _, None)) || self.turns.inner.hub.get(self.turn.id).is_some()
    }

    /// It has read somebody else's turn for as long as its host likes.
    fn long_enough(&self) -> bool {
        !matches!(self.source, Source::Over) && self.host.follow.is_some_and(|until| Instant::now() >= until)
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.source, Source::Look) {
            Source::Look => self.look().await,
            Source::Live(live, changed, seat) => {
                self.follow_live(live, changed, seat).await;
                Ok(())
            }
            Source::Over => {
                self.source = Source::Over;
                Ok(())
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        if let Some(live) = self.turns.inner.hub.get(self.turn.id) {
            let changed = live.watch();
            self.source = Source::Live(live, changed, None);
            return Ok(());
        }
        if self.turn.state == TurnState::Open {
            // It may have ended since.
            match self.turns.inner.store.turn(self.turn.id).await? {
                Some(turn) => self.turn = turn,
                None => {
                    self.over_deleted();
                    return Ok(());
                }
            }
        }
        if self.turn.state == TurnState::Done {
            return self.stored().await;
        }
        let seat = self.turns.join(&self.turn, self.may_claim, self.host);
        let live = Arc::clone(seat.live());
        let mut changed = live.watch();
        // Until the log was read once there is nothing to say.
        if live.state().bases.is_empty() {
            tokio::select! {
                _ = timeout(COMMENT.saturating_sub(self.spoke.elapsed()), changed.changed()) => {}
                _ = self.closing.changed() => {}
            }
        }
        self.source = Source::Live(live, changed, Some(seat));
        Ok(())
    }

    async fn follow_live(&mut self, live: Arc<Live>, mut changed: watch::Receiver<u64>, seat: Option<MirrorSeat>) {
        changed.borrow_and_update();
        let (known, phase) = {
            let state = live.state();
            let over = matches!(state.phase, Phase::Ended(_));
            let mut out = Vec::new();
            let view = View { bases: &state.bases, content: &state.content, over };
            // Text that a replaced runner never wrote is not shown any more.
            let gone = matches!(state.phase, Phase::Gone);
            let known = gone || catch_up(&mut self.cursor, view, &mut out).is_ok();
            self.say(out);
            if state.held != self.held && !gone {
                self.held = state.held;
                self.queue.push_back(Frame::Event { cursor: None, event: TurnEvent::Store { waiting: state.held } });
            }
            (known, state.phase.clone())
        };
        match phase {
            _ if !known => self.unknown_claim().await,
            Phase::Running => {
                if self.queue.is_empty() {
                    let wait = COMMENT.saturating_sub(self.spoke.elapsed());
                    tokio::select! {
                        _ = timeout(wait, changed.changed()) => {}
                        _ = self.closing.changed() => {}
                    }
                }
                self.source = Source::Live(live, changed, seat);
            }
            Phase::Ended(end) => self.over(end),
            Phase::Released => self.over(TurnEvent::Release {}),
            Phase::Gone => {
                self.source = Source::Look;
                // The runner leaves the hub right after it said so.
                tokio::task::yield_now().await;
            }
        }
    }

    fn say(&mut self, events: Vec<(Cursor, TurnEvent)>) {
        for (cursor, event) in events {
            if matches!(event, TurnEvent::Rewind { .. }) {
                self.turns.inner.metrics.rewound();
            }
            self.queue.push_back(Frame::Event { cursor: Some(cursor), event });
        }
    }

    /// From the message and its bases.
    async fn stored(&mut self) -> Result<(), StoreError> {
        let turn = &self.turn;
        let Some(message) = self.turns.inner.store.message(turn.session, MessageId::from(turn.id), turn.depth).await?
        else {
            self.over_deleted();
            return Ok(());
        };
        let bases: Vec<u32> = turn.bases.iter().map(|b| b.at).collect();
        let content = content::from_message(&message.content, &bases);
        let mut out = Vec::new();
        let view = View { bases: &turn.bases, content: &content, over: true };
        if catch_up(&mut self.cursor, view, &mut out).is_err() {
            self.cursor = Cursor::default();
            rewind(&mut self.cursor, 0, &mut out);
            let _ = catch_up(&mut self.cursor, view, &mut out);
        }
        let end = TurnEvent::End {
            outcome: turn.outcome.unwrap_or(app::domain::Outcome::Complete),
            stop_reason: turn.stop_reason.clone(),
            usage: turn.usage,
            error: turn.error.clone(),
            timing: turn.timing,
        };
        self.say(out);
        self.over(end);
        Ok(())
    }

    /// The cursor names a claim that was not to be seen: read again strongly; unknown even then, begin anew.
    async fn unknown_claim(&mut self) {
        let known = match self.turns.read(self.turn.id).await {
            Ok(log) => log.bases().len() as u32 > self.cursor.claim,
            Err(_) => true,
        };
        if known {
            // A runner here that was replaced and does not know it yet shows less than the log.
            sleep(AGAIN).await;
        } else {
            let mut out = Vec::new();
            self.cursor = Cursor::default();
            rewind(&mut self.cursor, 0, &mut out);
            self.say(out);
        }
        self.source = Source::Look;
    }

    fn over_deleted(&mut self) {
        self.over(TurnEvent::End {
            outcome: app::domain::Outcome::Stopped,
            stop_reason: None,
            usage: self.turn.usage,
            error: Some(deleted_error()),
            timing: None,
        });
    }

    fn over(&mut self, event: TurnEvent) {
        self.queue.push_back(Frame::Event { cursor: None, event });
        self.source = Source::Over;
    }
}
