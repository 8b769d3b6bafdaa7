//! The turns that run in this process, for those who follow them here.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use app::domain::{TurnEvent, TurnId, UserId};
use tokio::sync::{Notify, watch};

use super::{
    Host,
    content::Content,
    mirror::{Mirror, MirrorSeat},
};
use crate::storage::{Base, Kind, Segment, TurnItem};

/// How far a running turn is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    Running,
    /// Its message is stored; this is the last event.
    Ended(TurnEvent),
    /// The runner handed over.
    Released,
    /// The runner was replaced, or is gone: the log knows.
    Gone,
}

/// What a runner has: the log's content and what is not written yet.
#[derive(Debug)]
pub struct LiveState {
    pub bases: Vec<Base>,
    pub content: Content,
    pub phase: Phase,
    /// The store does not answer: what is shown is not written yet.
    pub held: bool,
}

impl LiveState {
    /// Takes in what a log has gained.
    pub(super) fn apply(&mut self, segment: &Segment, bases: &[Base]) {
        match segment.kind {
            Kind::Claim => {
                self.content.truncate(segment.at);
                self.bases = bases.to_vec();
            }
            Kind::Stop => {}
            Kind::Text | Kind::Beat | Kind::Release | Kind::End => {
                for piece in &segment.pieces {
                    self.content.push(segment.claim, piece.kind, &piece.text);
                }
            }
        }
    }
}

/// One turn that runs here.
#[derive(Debug)]
pub struct Live {
    pub turn: TurnItem,
    state: Mutex<LiveState>,
    changed: watch::Sender<u64>,
    /// Somebody in this process appended a `stop`: look at the next key now.
    pub nudge: Notify,
    /// Somebody in this process wants it to end, whether or not the store could be told.
    stopping: AtomicBool,
    /// A message stands for it in a queue, since its runner is about to hand over.
    handed_on: AtomicBool,
}

impl Live {
    pub(super) fn new(turn: TurnItem, bases: Vec<Base>, content: Content) -> Self {
        let state = Mutex::new(LiveState { bases, content, phase: Phase::Running, held: false });
        Self {
            turn,
            state,
            changed: watch::channel(0).0,
            nudge: Notify::new(),
            stopping: AtomicBool::new(false),
            handed_on: AtomicBool::new(false),
        }
    }

    /// Tells its runner to read no more from Claude and to end, as soon as the store can be told.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.nudge.notify_one();
    }

    /// Whether somebody here wants it to end.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Notes that a message stands for it.
    pub fn hand_on(&self) {
        self.handed_on.store(true, Ordering::Relaxed);
    }

    /// Whether a message stands for it.
    #[must_use]
    pub fn handed_on(&self) -> bool {
        self.handed_on.load(Ordering::Relaxed)
    }

    /// The state, to look at. Never held over an await.
    pub fn state(&self) -> MutexGuard<'_, LiveState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the followers.
    pub fn update<T>(&self, change: impl FnOnce(&mut LiveState) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.send_modify(|n| *n += 1);
        result
    }

    /// Resolves at each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// All of them.
#[derive(Debug, Default, Clone)]
pub struct Hub {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    running: HashMap<TurnId, Arc<Live>>,
    /// About to run here, or to be claimed; how many times.
    busy: HashMap<TurnId, u32>,
    /// Read here for those who follow them, while they run elsewhere or nowhere.
    mirrors: HashMap<TurnId, Arc<Mirror>>,
    /// Sent just now, by whom; how many times.
    places: HashMap<TurnId, (UserId, u32)>,
}

/// While this is held a turn counts among those that run for its user.
#[derive(Debug)]
pub struct Place {
    hub: Hub,
    turn: TurnId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.hub.lock();
        if let Some((_, count)) = inner.places.get_mut(&self.turn) {
            *count -= 1;
            if *count == 0 {
                inner.places.remove(&self.turn);
            }
        }
    }
}

/// While this is held a turn counts as one that runs here.
#[derive(Debug)]
pub struct Busy {
    hub: Hub,
    turn: TurnId,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut inner = self.hub.lock();
        if let Some(count) = inner.busy.get_mut(&self.turn) {
            *count -= 1;
            if *count == 0 {
                inner.busy.remove(&self.turn);
            }
        }
    }
}

impl Hub {
    /// A place for a turn that a user has sent, among `most`.
    ///
    /// # Errors
    /// How many others of theirs run here or have just been sent, if that is so many.
    pub fn place(&self, user: UserId, turn: TurnId, most: u32) -> Result<Place, u32> {
        let mut inner = self.lock();
        let runs = |live: &&Arc<Live>| {
            live.turn.owner == user && live.turn.variant.is_none() && live.state().phase == Phase::Running
        };
        let running = inner.running.values().filter(runs).map(|live| live.turn.id);
        let sent = inner.places.iter().filter(|(_, (owner, _))| *owner == user).map(|(turn, _)| *turn);
        let others: HashSet<TurnId> = running.chain(sent).filter(|other| *other != turn).collect();
        if others.len() as u32 >= most {
            return Err(others.len() as u32);
        }
        inner.places.entry(turn).or_insert((user, 0)).1 += 1;
        drop(inner);
        Ok(Place { hub: self.clone(), turn })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn, if it runs here.
    #[must_use]
    pub fn get(&self, turn: TurnId) -> Option<Arc<Live>> {
        self.lock().running.get(&turn).cloned()
    }

    /// Whether it runs here or is about to.
    #[must_use]
    pub fn is_here(&self, turn: TurnId) -> bool {
        let inner = self.lock();
        inner.running.contains_key(&turn) || inner.busy.contains_key(&turn)
    }

    /// Marks a turn as about to run here.
    #[must_use]
    pub fn busy(&self, turn: TurnId) -> Busy {
        *self.lock().busy.entry(turn).or_insert(0) += 1;
        Busy { hub: self.clone(), turn }
    }

    /// As [`Hub::busy`], unless it runs here or is about to.
    #[must_use]
    pub fn reserve(&self, turn: TurnId) -> Option<Busy> {
        let mut inner = self.lock();
        if inner.running.contains_key(&turn) || inner.busy.contains_key(&turn) {
            return None;
        }
        inner.busy.insert(turn, 1);
        drop(inner);
        Some(Busy { hub: self.clone(), turn })
    }

    /// Enters a turn that begins to run here; whoever ran it here before is gone, and nobody reads it elsewhere.
    pub fn enter(&self, turn: TurnItem, bases: Vec<Base>, content: Content) -> Arc<Live> {
        let live = Arc::new(Live::new(turn, bases, content));
        let (before, mirror) = {
            let mut inner = self.lock();
            (inner.running.insert(live.turn.id, Arc::clone(&live)), inner.mirrors.remove(&live.turn.id))
        };
        for before in before.into_iter().chain(mirror.map(|m| Arc::clone(m.live()))) {
            before.update(|s| s.phase = Phase::Gone);
        }
        live
    }

    /// Takes a turn out, if it is still this run of it.
    pub fn leave(&self, live: &Arc<Live>) {
        let mut inner = self.lock();
        if inner.running.get(&live.turn.id).is_some_and(|l| Arc::ptr_eq(l, live)) {
            inner.running.remove(&live.turn.id);
        }
    }

    /// The mirror of a turn, made if there is none; true if it was made and has to be started.
    pub(super) fn mirror(&self, turn: &TurnItem, claims: bool, host: Host) -> (MirrorSeat, bool) {
        let mut inner = self.lock();
        let (mirror, made) = match inner.mirrors.get(&turn.id) {
            Some(mirror) => (Arc::clone(mirror), false),
            None => {
                let mirror = Arc::new(Mirror::new(turn.clone()));
                inner.mirrors.insert(turn.id, Arc::clone(&mirror));
                (mirror, true)
            }
        };
        (MirrorSeat::new(mirror, claims, host), made)
    }

    /// Takes a mirror out if nobody reads it any more; then nobody can come to it either.
    pub(super) fn close_unread(&self, mirror: &Arc<Mirror>) -> bool {
        let mut inner = self.lock();
        if mirror.is_read() {
            return false;
        }
        Self::remove(&mut inner, mirror);
        true
    }

    /// Takes a mirror out.
    pub(super) fn close_mirror(&self, mirror: &Arc<Mirror>) {
        Self::remove(&mut self.lock(), mirror);
    }

    fn remove(inner: &mut Inner, mirror: &Arc<Mirror>) {
        let id = mirror.live().turn.id;
        if inner.mirrors.get(&id).is_some_and(|m| Arc::ptr_eq(m, mirror)) {
            inner.mirrors.remove(&id);
        }
    }

    /// How many run here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().running.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing runs here and nothing is about to.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.running.is_empty() && inner.busy.is_empty()
    }
}
