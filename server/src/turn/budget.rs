//! The day's budget: what was spent, here and elsewhere, and whether there is any left.
//!
//! A process keeps its own sum and writes it to the table; what others spent it reads from there. Far from the cap that
//! is now and then; near it, at every flush of a running turn, so that the cap is passed by no more than the turns
//! that run then write in one flush. Nothing waits for it before the first token.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use app::{
    domain::{Timestamp, TurnError, TurnId, UserId},
    error::{ApiError, Code},
};
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};

use crate::{
    clock::Clock,
    config::Caps,
    storage::{DayTotals, Store, StoreError, keys},
};

/// How old what others spent may be, far from the cap.
const AGE: Duration = Duration::from_secs(2);
/// How old what a user spent elsewhere may be.
const USER_AGE: Duration = Duration::from_secs(5);
/// How far ahead it is looked whether the cap will be met.
const AHEAD: Duration = Duration::from_secs(8);
/// For so long it is reckoned that others go on spending as they did, if nothing is heard of them.
const UNREAD: Duration = Duration::from_millis(500);
/// Far from the cap, so large a part of it may be spent here before the others are told.
const PART: u64 = 200;
/// How long the end of a turn waits for the others to be told.
const PATIENCE: Duration = Duration::from_secs(1);
/// Past so many users those not seen for a while are forgotten.
const USERS: usize = 10_000;

/// The budget of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Clock,
    caps: Caps,
    /// Names this process among those that spend.
    process: String,
    state: Mutex<State>,
    /// One exchange with the table at a time.
    exchange: AsyncMutex<()>,
    /// One is under way, or about to be, for those that need not wait for it.
    asked: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    day: String,
    /// What the other processes spent, when it was last read.
    others: u64,
    /// What turns that ended here cost, and how many they were.
    ended: u64,
    ended_turns: u64,
    /// What the table says of this process.
    told: u64,
    running: HashMap<TurnId, Running>,
    users: HashMap<UserId, Known>,
    read_at: Option<Instant>,
    /// Spent by all together at the last reading, and how fast that grew, in millionths a second.
    last: u64,
    speed: Option<u64>,
    /// The same of what the others spent.
    others_speed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    user: UserId,
    cost: u64,
    /// What of it was counted on an earlier day.
    before: u64,
}

impl Running {
    fn today(&self) -> u64 {
        self.cost.saturating_sub(self.before)
    }
}

/// What is known of a user's day: their turns that are done.
#[derive(Debug, Clone, Copy)]
struct Known {
    at: Instant,
    turns: u64,
    micros: u64,
}

impl State {
    fn mine(&self) -> u64 {
        self.ended + self.running.values().map(Running::today).sum::<u64>()
    }

    fn all(&self) -> u64 {
        self.others + self.mine()
    }

    /// What all together have spent by now, about: others go on between two readings.
    fn by_now(&self) -> u64 {
        let since = self.read_at.map_or(0, |at| at.elapsed().min(UNREAD).as_millis() as u64);
        self.all().saturating_add(self.others_speed.saturating_mul(since) / 1000)
    }

    fn of(&self, user: UserId) -> u64 {
        let done = self.users.get(&user).map_or(0, |known| known.micros);
        done + self.running.values().filter(|r| r.user == user).map(Running::today).sum::<u64>()
    }

    /// Whether what is known of a user's day was read too long ago.
    fn is_old(&self, user: UserId) -> bool {
        self.users.get(&user).is_none_or(|known| known.at.elapsed() >= USER_AGE)
    }

    /// Whether the others have to be told while turns run: near the cap, or of much. What is left is told at a turn's
    /// end.
    fn has_to_tell(&self, cap: u64) -> bool {
        self.near(cap) || self.mine().saturating_sub(self.told) > cap / PART
    }

    /// Whether the cap may be met before one looks again.
    fn near(&self, cap: u64) -> bool {
        match self.speed {
            Some(speed) => self.all().saturating_add(speed.saturating_mul(AHEAD.as_secs())) >= cap,
            // Not known yet.
            None => true,
        }
    }
}

impl Budget {
    /// None where nothing is capped.
    #[must_use]
    pub fn new(store: Store, clock: Clock, caps: Caps) -> Option<Self> {
        (caps != Caps::default()).then(|| {
            let process = format!("{:032x}", crate::clock::random_u128());
            let (state, exchange, asked) = (Mutex::default(), AsyncMutex::default(), AtomicBool::new(false));
            Self(Arc::new(Inner { store, clock, caps, process, state, exchange, asked }))
        })
    }

    /// The state, of today.
    fn state(&self) -> MutexGuard<'_, State> {
        let day = keys::day(self.0.clock.now());
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.day != day {
            // What runs goes on, and counts anew.
            let mut running = std::mem::take(&mut state.running);
            running.values_mut().for_each(|r| r.before = r.cost);
            *state = State { day, running, ..State::default() };
        }
        state
    }

    fn is_spent(&self, state: &State, user: UserId) -> bool {
        self.0.caps.all.is_some_and(|cap| state.by_now() >= cap)
            || self.0.caps.user.is_some_and(|cap| state.of(user) >= cap)
    }

    /// A running turn's runner says what it has cost so far, at every flush. True if the budget is spent, and the turn
    /// is to end.
    #[must_use]
    pub fn note(&self, turn: TurnId, user: UserId, cost: u64) -> bool {
        let (spent, exchange, learn) = {
            let mut state = self.state();
            let entry = state.running.entry(turn).or_insert(Running { user, cost, before: 0 });
            entry.cost = entry.cost.max(cost);
            let learn = self.0.caps.user.is_some() && state.is_old(user);
            if learn {
                // So that the next one does not ask as well.
                let now = Instant::now();
                state.users.entry(user).or_insert(Known { at: now, turns: 0, micros: 0 }).at = now;
            }
            (self.is_spent(&state, user), self.wants_exchange(&state), learn)
        };
        if learn {
            let budget = self.clone();
            tokio::spawn(async move { budget.read(user).await });
        }
        if exchange && !self.0.asked.swap(true, Ordering::Relaxed) {
            let budget = self.clone();
            tokio::spawn(async move {
                budget.exchange(0).await;
                budget.0.asked.store(false, Ordering::Relaxed);
            });
        }
        spent
    }

    fn wants_exchange(&self, state: &State) -> bool {
        let Some(cap) = self.0.caps.all else { return false };
        let old = state.read_at.is_none_or(|at| at.elapsed() >= AGE);
        old || state.has_to_tell(cap)
    }

    /// A turn that ran here is over. `cost` is what it all cost.
    pub async fn over(&self, turn: TurnId, user: UserId, cost: u64) {
        let mine = {
            let mut state = self.state();
            let before = state.running.remove(&turn).map_or(0, |r| r.before);
            let cost = cost.saturating_sub(before);
            state.ended += cost;
            state.ended_turns += 1;
            if let Some(known) = state.users.get_mut(&user) {
                known.turns += 1;
                known.micros += cost;
            }
            state.mine()
        };
        if self.0.caps.all.is_none() {
            return;
        }
        // The process may be frozen or gone right after a turn, so it is waited for; but not given up after that.
        let budget = self.clone();
        let telling = tokio::spawn(async move { budget.exchange(mine).await });
        if timeout(PATIENCE, telling).await.is_err() {
            tracing::warn!("what was spent could not be noted yet");
        }
    }

    /// A turn does not run here any more; whoever carries it on counts what it cost here.
    pub fn left(&self, turn: TurnId) {
        self.state().running.remove(&turn);
    }

    /// Tells the table what was spent here, where that has to be or is less than `told`, and reads what was spent
    /// elsewhere. Of many who wait for it one does it for all.
    async fn exchange(&self, told: u64) {
        let asked_at = Instant::now();
        let _one = self.0.exchange.lock().await;
        {
            let state = self.state();
            if state.told >= told && state.read_at.is_some_and(|at| at >= asked_at) {
                return;
            }
        }
        if let Err(error) = self.try_exchange(told).await {
            tracing::warn!(%error, "what was spent could not be exchanged");
        }
    }

    async fn try_exchange(&self, told: u64) -> Result<(), StoreError> {
        let (day, mine, tell) = {
            let state = self.state();
            let tell = told > state.told || self.0.caps.all.is_some_and(|cap| state.has_to_tell(cap));
            (state.day.clone(), state.mine(), tell && state.mine() > state.told)
        };
        if tell {
            self.0.store.note_spent(&day, &self.0.process, mine).await?;
        }
        let others = self.0.store.spent(&day, &self.0.process).await?;
        let mut state = self.state();
        if state.day == day {
            if tell {
                state.told = state.told.max(mine);
            }
            let before = std::mem::replace(&mut state.others, others);
            let (now, all) = (Instant::now(), state.all());
            if let Some(at) = state.read_at {
                let ms = (now.duration_since(at).as_millis() as u64).max(1);
                // The faster of the last two, so that one quiet moment does not lull it.
                let speed = all.saturating_sub(state.last).saturating_mul(1000) / ms;
                state.speed = Some(speed.max(state.speed.unwrap_or(0) / 2));
                // The mean of the last two, since what is told of comes in steps.
                let speed = others.saturating_sub(before).saturating_mul(1000) / ms;
                state.others_speed = u64::midpoint(speed, state.others_speed);
            }
            (state.read_at, state.last) = (Some(now), all);
        }
        Ok(())
    }

    /// Before a turn starts: by what is known here. A process that knows nothing yet asks first, once.
    ///
    /// # Errors
    /// `budget_spent`.
    pub async fn admit(&self, user: UserId) -> Result<(), ApiError> {
        if self.0.caps.all.is_some() && self.state().read_at.is_none() {
            self.exchange(0).await;
        }
        let state = self.state();
        if self.is_spent(&state, user) { Err(refusal(self.0.clock.now())) } else { Ok(()) }
    }

    /// Learns what a user has spent, if that was long ago. To be done beside something else, not before it.
    pub async fn learn(&self, user: UserId) {
        if self.0.caps.user.is_some() && self.state().is_old(user) {
            self.read(user).await;
        }
    }

    async fn read(&self, user: UserId) {
        let day = self.state().day.clone();
        match self.0.store.day_totals(user, &day).await {
            Ok(DayTotals { turns, micros, .. }) => {
                let mut state = self.state();
                if state.day == day {
                    let now = Instant::now();
                    if state.users.len() >= USERS {
                        state.users.retain(|_, known| now.duration_since(known.at) < USER_AGE);
                    }
                    state.users.insert(user, Known { at: now, turns, micros });
                }
            }
            Err(error) => tracing::warn!(%error, "what a user has spent could not be read"),
        }
    }

    /// About how many replies are left for a user today, once a tenth or less of a budget is; by what their replies
    /// cost so far, or else everybody's here.
    pub async fn replies_left(&self, user: UserId) -> Option<u32> {
        self.learn(user).await;
        let left = self.low(user)?;
        if self.state().is_old(user) {
            self.read(user).await;
        }
        let state = self.state();
        let known = state.users.get(&user).map_or((0, 0), |known| (known.micros, known.turns));
        let each = [known, (state.ended, state.ended_turns)].into_iter().find_map(|(cost, n)| cost.checked_div(n));
        let each = each.filter(|each| *each > 0)?;
        Some(u32::try_from(left / each).unwrap_or(u32::MAX))
    }

    /// What is left of the budget that is nearest to its end, if that is a tenth or less.
    fn low(&self, user: UserId) -> Option<u64> {
        let state = self.state();
        let low = |cap: Option<u64>, spent: u64| {
            let left = cap?.saturating_sub(spent);
            (left <= cap? / 10).then_some(left)
        };
        [low(self.0.caps.all, state.all()), low(self.0.caps.user, state.of(user))].into_iter().flatten().min()
    }
}

/// Seconds until the next day begins, UTC.
fn until_midnight(now: Timestamp) -> u64 {
    86_400 - now.seconds() % 86_400
}

fn refusal(now: Timestamp) -> ApiError {
    let seconds = until_midnight(now);
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    let wait = if hours > 0 { format!("{hours} h {minutes} min") } else { format!("{} min", minutes.max(1)) };
    let message = format!("Today’s budget is spent. It begins anew at 00:00 UTC, in {wait}.");
    ApiError { retry_after: Some(seconds), ..ApiError::new(Code::BudgetSpent, message) }
}

/// The error of a turn that the budget ended.
pub(super) fn error() -> TurnError {
    let message = "Today’s budget is spent. It begins anew at 00:00 UTC.".to_owned();
    TurnError { code: Code::BudgetSpent.as_str().to_owned(), message, retryable: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_from_the_cap_a_running_turn_tells_nothing_until_it_is_much() {
        let cap = 1_000_000;
        let mut state = State { ended: 1_000, told: 1_000, speed: Some(100), ..State::default() };
        assert!(!state.has_to_tell(cap));
        state.ended += cap / PART;
        assert!(!state.has_to_tell(cap));
        state.ended += 1;
        assert!(state.has_to_tell(cap), "much");
        state.told = state.ended;
        assert!(!state.has_to_tell(cap));
        // What all spend would meet it within eight seconds.
        state.speed = Some(125_000);
        assert!(state.has_to_tell(cap), "near");
        state.speed = None;
        assert!(state.has_to_tell(cap), "nobody knows");
    }

    #[test]
    fn it_says_when_to_come_again() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let error = refusal(at("2026-11-25T18:48:00Z"));
        assert_eq!((error.code, error.retry_after), (Code::BudgetSpent, Some(5 * 3600 + 12 * 60)));
        assert!(error.message.contains("in 5 h 12 min"), "{}", error.message);
        assert!(refusal(at("2026-11-25T23:59:59Z")).message.contains("in 1 min"));
        assert_eq!(until_midnight(at("2026-11-25T00:00:00Z")), 86_400);
    }
}
