//! The turns that run in this process, for those who follow them here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use app::domain::{TurnEvent, TurnId};
use tokio::sync::{Notify, watch};

use super::content::Content;
use crate::storage::{Base, TurnItem};

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
}

/// One turn that runs here.
#[derive(Debug)]
pub struct Live {
    pub turn: TurnItem,
    state: Mutex<LiveState>,
    changed: watch::Sender<u64>,
    /// Somebody in this process appended a `stop`: look at the next key now.
    pub nudge: Notify,
}

impl Live {
    fn new(turn: TurnItem, bases: Vec<Base>, content: Content) -> Self {
        let state = Mutex::new(LiveState { bases, content, phase: Phase::Running });
        Self { turn, state, changed: watch::channel(0).0, nudge: Notify::new() }
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
#[derive(Debug, Default)]
pub struct Hub {
    turns: Mutex<HashMap<TurnId, Arc<Live>>>,
}

impl Hub {
    fn map(&self) -> MutexGuard<'_, HashMap<TurnId, Arc<Live>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn, if it runs here.
    #[must_use]
    pub fn get(&self, turn: TurnId) -> Option<Arc<Live>> {
        self.map().get(&turn).cloned()
    }

    /// Enters a turn that begins to run here; whoever ran it here before is gone.
    pub fn enter(&self, turn: TurnItem, bases: Vec<Base>, content: Content) -> Arc<Live> {
        let live = Arc::new(Live::new(turn, bases, content));
        let before = self.map().insert(live.turn.id, Arc::clone(&live));
        if let Some(before) = before {
            before.update(|s| s.phase = Phase::Gone);
        }
        live
    }

    /// Takes a turn out, if it is still this run of it.
    pub fn leave(&self, live: &Arc<Live>) {
        let mut map = self.map();
        if map.get(&live.turn.id).is_some_and(|l| Arc::ptr_eq(l, live)) {
            map.remove(&live.turn.id);
        }
    }

    /// How many run here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map().len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
