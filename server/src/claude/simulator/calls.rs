//! What the simulator remembers: how often what was asked, what is in the cache, and the last calls.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::{sync::Notify, time::Instant};

use super::{events::Used, prompt::Prompt};
use crate::clock::Clock;

/// How long a cached prefix lives after its last use.
const CACHE: Duration = Duration::from_secs(300);
/// Calls that are remembered one by one.
const LAST: usize = 500;
/// Conversations and prefixes that are remembered; past it all are forgotten.
const MOST: usize = 100_000;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Running,
    Complete,
    /// As its script wanted.
    Fault,
    Refused,
    /// The client went away before the end.
    Left,
}

/// One call, as `GET /sim/calls` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    pub call: u64,
    /// When it came.
    pub at: String,
    pub script: String,
    pub model: String,
    pub stream: bool,
    /// It carried on a partial reply.
    pub carries_on: bool,
    /// Tokens of its prompt: read anew, written to the cache, read from it.
    pub prompt: [u64; 3],
    /// Tokens sent so far.
    pub tokens: usize,
    pub end: End,
}

/// The memory of one simulator.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    memory: Arc<Mutex<Memory>>,
    /// A name was released.
    let_go: Arc<Notify>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Memory {
    count: u64,
    conversations: HashMap<u64, u64>,
    cache: HashMap<u64, Instant>,
    last: VecDeque<Call>,
    released: HashSet<String>,
}

impl Calls {
    /// Counts a call. Gives its number, from 1, and how often its conversation called before.
    pub fn begin(&self, conversation: u64, prompt: &Prompt) -> (Running, u64) {
        let mut memory = self.memory();
        memory.count += 1;
        let number = memory.count;
        if memory.conversations.len() > MOST {
            memory.conversations.clear();
        }
        let before = memory.conversations.entry(conversation).or_default();
        let count = *before;
        *before += 1;
        if let Some(name) = &prompt.script.release {
            memory.released.insert(name.clone());
            self.let_go.notify_waiters();
        }
        if memory.last.len() == LAST {
            memory.last.pop_front();
        }
        memory.last.push_back(Call {
            call: number,
            at: self.clock.now().to_string(),
            script: prompt.script.source.clone(),
            model: prompt.model.id.clone(),
            stream: prompt.stream,
            carries_on: false,
            prompt: [0; 3],
            tokens: 0,
            end: End::Running,
        });
        drop(memory);
        (Running { calls: self.clone(), number, tokens: 0, end: End::Left }, count)
    }

    /// What the prompt costs, reading from the cache and writing to it as the API would, had it no shortest length.
    #[must_use]
    pub fn cost(&self, prompt: &Prompt) -> Used {
        let prefixes = prompt.prefixes();
        let Some(&(whole, tokens)) = prefixes.last() else { return Used::default() };
        if !prompt.cached {
            return Used { input: tokens, ..Used::default() };
        }
        let mut memory = self.memory();
        let now = Instant::now();
        if memory.cache.len() > MOST {
            memory.cache.clear();
        }
        let live = |id: &u64| memory.cache.get(id).is_some_and(|until| *until > now);
        let hit = prefixes.iter().rev().find(|(id, _)| live(id)).copied();
        for (id, _) in hit.into_iter().chain([(whole, tokens)]) {
            memory.cache.insert(id, now + CACHE);
        }
        // What stands behind the last mark is never cached: a few tokens.
        let input = tokens.min(3);
        let read = hit.map_or(0, |(_, read)| read).min(tokens - input);
        Used { input, cache_read: read, cache_created: tokens - input - read, ..Used::default() }
    }

    /// The last calls, oldest first.
    #[must_use]
    pub fn last(&self) -> Vec<Call> {
        self.memory().last.iter().cloned().collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Call)) {
        // The newest are the likeliest.
        if let Some(call) = self.memory().last.iter_mut().rev().find(|call| call.call == number) {
            change(call);
        }
    }
}

/// A call under way. Dropped before it was said how it ended, its client has left.
#[derive(Debug)]
pub struct Running {
    calls: Calls,
    pub number: u64,
    /// Tokens sent so far.
    pub tokens: usize,
    end: End,
}

impl Running {
    /// Says whether it carries on a partial reply.
    pub fn carries_on(&self, carries_on: bool) {
        self.calls.change(self.number, |call| call.carries_on = carries_on);
    }

    /// Says what its prompt costs.
    pub fn reads(&self, used: Used) {
        let prompt = [used.input, used.cache_created, used.cache_read];
        self.calls.change(self.number, |call| call.prompt = prompt);
    }

    /// Whether what is held under this name may go on.
    #[must_use]
    pub fn released(&self, name: &str) -> bool {
        self.calls.memory().released.contains(name)
    }

    /// Waits until what is held under this name may go on.
    pub async fn release(&self, name: &str) {
        let mut let_go = std::pin::pin!(self.calls.let_go.notified());
        while !self.released(name) {
            // Hears of what comes between the look and the wait.
            let_go.as_mut().enable();
            if !self.released(name) {
                let_go.as_mut().await;
            }
            let_go.set(self.calls.let_go.notified());
        }
    }

    /// Says how it ended.
    pub fn end(&mut self, end: End) {
        self.end = end;
        self.calls.change(self.number, |call| (call.tokens, call.end) = (self.tokens, end));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(self.end);
    }
}
