//! A turn that runs elsewhere, or nowhere, read from its log once for all who follow it here.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{
    Host, Turns,
    content::Content,
    hub::{Live, Phase},
    log::Log,
    sweeper::Tended,
    watch::{Lease, Watch},
};
use crate::storage::{By, StoreError, TurnItem};

/// First and longest pause between two reads: while it is written to, and after a while of silence.
const POLL: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(500));
/// A log that this server cannot read is looked at again so seldom.
const UNREADABLE: Duration = Duration::from_secs(10);

/// What is read, and by whom.
#[derive(Debug)]
pub(super) struct Mirror {
    live: Arc<Live>,
    readers: AtomicUsize,
    /// Those of them who may claim the turn.
    claimers: AtomicUsize,
    host: Mutex<Host>,
    /// The last reader has left.
    left: Notify,
}

impl Mirror {
    pub(super) fn new(turn: TurnItem) -> Self {
        Self {
            live: Arc::new(Live::new(turn, Vec::new(), Content::default())),
            readers: AtomicUsize::new(0),
            claimers: AtomicUsize::new(0),
            host: Mutex::default(),
            left: Notify::new(),
        }
    }

    pub(super) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub(super) fn is_read(&self) -> bool {
        self.readers.load(Ordering::Acquire) > 0
    }

    fn may_claim(&self) -> bool {
        self.claimers.load(Ordering::Acquire) > 0
    }

    /// Whoever came last makes it run, should it have to be claimed.
    fn host(&self) -> Host {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader's place at a mirror.
#[derive(Debug)]
pub(super) struct MirrorSeat {
    mirror: Arc<Mirror>,
    claims: bool,
}

impl MirrorSeat {
    pub(super) fn new(mirror: Arc<Mirror>, claims: bool, host: Host) -> Self {
        mirror.readers.fetch_add(1, Ordering::AcqRel);
        if claims {
            mirror.claimers.fetch_add(1, Ordering::AcqRel);
            *mirror.host.lock().unwrap_or_else(PoisonError::into_inner) = host;
        }
        Self { mirror, claims }
    }

    pub(super) fn live(&self) -> &Arc<Live> {
        &self.mirror.live
    }
}

impl Drop for MirrorSeat {
    fn drop(&mut self) {
        if self.claims {
            self.mirror.claimers.fetch_sub(1, Ordering::AcqRel);
        }
        if self.mirror.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.mirror.left.notify_one();
        }
    }
}

/// What a look at the log came to.
enum Looked {
    /// Nothing new.
    Still,
    /// It was written to.
    Moved,
    /// Whoever follows has to look anew: it ended, runs here, or is gone.
    Over,
}

impl Turns {
    /// Joins those who read a turn's log here.
    pub(super) fn join(&self, turn: &TurnItem, claims: bool, host: Host) -> MirrorSeat {
        let (seat, made) = self.inner.hub.mirror(turn, claims, host);
        if made {
            let (turns, mirror) = (self.clone(), Arc::clone(&seat.mirror));
            tokio::spawn(async move { turns.mirror(&mirror).await });
        }
        seat
    }

    async fn mirror(&self, mirror: &Arc<Mirror>) {
        let _closed = Closed { turns: self, mirror };
        let mut reading = Reading { turns: self, mirror, log: Log::default(), watch: None, first: true };
        let mut closing = self.inner.closing.subscribe();
        let mut pause = POLL.0;
        loop {
            match reading.look().await {
                Ok(Looked::Moved) => pause = POLL.0,
                Ok(Looked::Still) => pause = (pause * 3 / 2).min(POLL.1),
                Ok(Looked::Over) => break,
                Err(error) if self.leaves_alone(mirror.live.turn.id, &error) => pause = UNREADABLE,
                Err(error) => {
                    tracing::warn!(turn = %mirror.live.turn.id, %error, "a log could not be read just now");
                    pause = POLL.1;
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = mirror.left.notified() => if self.inner.hub.close_unread(mirror) { return },
                _ = closing.changed() => break,
            }
            if matches!(mirror.live.state().phase, Phase::Gone) {
                break;
            }
        }
    }
}

/// Takes the mirror out however its task ends; whoever still follows looks anew.
struct Closed<'a> {
    turns: &'a Turns,
    mirror: &'a Arc<Mirror>,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.turns.inner.hub.close_mirror(self.mirror);
        self.mirror.live.update(|s| {
            if s.phase == Phase::Running {
                s.phase = Phase::Gone;
            }
        });
    }
}

struct Reading<'a> {
    turns: &'a Turns,
    mirror: &'a Arc<Mirror>,
    log: Log,
    watch: Option<(Watch, Instant)>,
    first: bool,
}

impl Reading<'_> {
    async fn look(&mut self) -> Result<Looked, StoreError> {
        let (inner, live) = (&self.turns.inner, &self.mirror.live);
        let turn = &live.turn;
        if inner.hub.get(turn.id).is_some() {
            return Ok(Looked::Over);
        }
        let segments = inner.store.read_log(turn.id, self.log.next(), self.first).await?;
        for (seq, segment) in &segments {
            let fault = |fault| StoreError::corrupt(format!("the log of {}: {fault}", turn.id));
            self.log.apply(*seq, segment).map_err(fault)?;
            live.update(|s| s.apply(segment, self.log.bases()));
        }
        if std::mem::take(&mut self.first) {
            // Whoever follows waits for this, even if there is nothing yet.
            live.update(|_| ());
        }
        if self.log.end().is_some() {
            if let Some(end) = self.turns.compact(turn, &self.log).await? {
                live.update(|s| s.phase = Phase::Ended(end));
            }
            return Ok(Looked::Over);
        }
        if self.log.released() && !segments.is_empty() && self.log.next() > segments.len() as u64 {
            // Who followed while it was appended is told so, and comes again.
            live.update(|s| s.phase = Phase::Released);
            return Ok(Looked::Over);
        }
        if self.tend().await? {
            return Ok(Looked::Over);
        }
        Ok(if segments.is_empty() { Looked::Still } else { Looked::Moved })
    }

    /// Takes the turn if nobody runs it; true if whoever follows has to look anew.
    async fn tend(&mut self) -> Result<bool, StoreError> {
        let (inner, turn) = (&self.turns.inner, &self.mirror.live.turn);
        let (lease, now) = (Lease::new(inner.config.lease), Instant::now());
        let log = &self.log;
        let (watch, read) = self.watch.get_or_insert_with(|| (self.turns.watch(turn, log, now, lease), now));
        watch.see(log, now, lease);
        let free = self.turns.is_free(turn.id, log);
        if self.mirror.may_claim() && !self.turns.waits(turn, log) && (free || watch.is_over(log, now)) {
            let tended = self.turns.tend(turn, By::Web, self.mirror.host(), Some(watch)).await?;
            return Ok(matches!(tended, Tended::Started | Tended::Done));
        }
        // A turn that stands still may have been purged.
        if read.elapsed() > lease.term * 2 {
            *read = Instant::now();
            return Ok(inner.store.turn(turn.id).await?.is_none());
        }
        Ok(false)
    }
}
