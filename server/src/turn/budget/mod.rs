//! The day's budget: what was spent, here and elsewhere, and whether there is any left.
//!
//! Nothing is spent that was not taken from the budget before ([`pool`]). A turn that is to begin is promised what it
//! is asked and a little of its reply; while it runs it is promised more, a little ahead of what it writes, and it is
//! not read on without. So the cap is passed by no more than what Claude says at once. Far from the cap a process
//! takes more than it needs just now, and notes at a turn's end what that has cost, in one write: then nothing waits
//! before the first token.

mod pool;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use app::{
    components::words,
    domain::{Timestamp, TurnError, Usage, UserId},
    error::{ApiError, Code},
};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    time::timeout,
};

use self::pool::{Ahead, Pool};
use super::runner::AHEAD;
use crate::{
    claude::tokens,
    clock::{Clock, jitter},
    config::Caps,
    prices,
    storage::{Account, Share, Store, StoreError, keys},
};

/// Before somebody is told that the budget is spent, or goes on without being promised anything yet, what others take
/// must have been read within so long.
const FRESH: Duration = Duration::from_secs(10);
/// What was found spent is not looked at again for so long.
const REFUSED: Duration = Duration::from_millis(500);
/// How old what others take may be for a notice.
const NOTICE: Duration = Duration::from_secs(30);
/// How long the end of a turn waits for the table.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often something is asked for before it is refused.
const ASKED: u32 = 4;
/// How long somebody waits who asks once more, at most, in milliseconds; doubled each time.
const RETRY: u64 = 25;
/// Past so many users those of whom nothing runs are forgotten.
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
}

#[derive(Debug, Default)]
struct State {
    day: String,
    all: Option<Seat>,
    users: HashMap<UserId, Seat>,
    purses: HashMap<u64, Entry>,
    /// The newest purse's number, and the newest share's.
    numbers: u64,
    seq: u64,
    /// What turns that ended here cost, and how many they were.
    ended: u64,
    ended_turns: u64,
}

/// A budget, and who talks to the table about it: one at a time.
#[derive(Debug)]
struct Seat {
    pool: Pool,
    one: Arc<AsyncMutex<()>>,
    /// How many turns have ended; and how many of them the table knows of.
    ends: u64,
    noted: u64,
    renewing: bool,
}

impl Seat {
    fn new(cap: u64, account: Account) -> Self {
        let pool = Pool::new(cap, account == Account::All);
        Self { pool, one: Arc::default(), ends: 0, noted: 0, renewing: false }
    }
}

/// What is known of a purse.
#[derive(Debug)]
struct Entry {
    user: UserId,
    cost: u64,
    reserved: u64,
    /// What of its cost is counted already: on an earlier day, or by whoever handed the turn over.
    before: u64,
    /// What it asked for; and the least that helps it, past what is reserved.
    want: u64,
    least: u64,
    asking: bool,
    failed: bool,
    refused_at: Option<Timestamp>,
    wake: Arc<Notify>,
}

impl Entry {
    /// What it asked for and is neither promised nor spent.
    fn lacks(&self) -> u64 {
        self.want.saturating_sub(self.cost.max(self.reserved))
    }

    /// What it takes of an account.
    fn takes(&self, account: Account) -> u64 {
        // A user's totals get all of a turn's cost at once, when it is done.
        let before = if account == Account::All { self.before } else { 0 };
        self.cost.max(self.reserved).saturating_sub(before)
    }
}

/// How a purse stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What was wanted is promised.
    Covered,
    /// It is being asked for.
    Asked,
    /// There is no more.
    Refused,
    /// The table did not answer.
    Failed,
}

/// What a turn may spend. What is promised to it and not spent is free again once it is dropped.
#[derive(Debug)]
pub struct Purse {
    budget: Budget,
    number: u64,
    user: UserId,
    wake: Arc<Notify>,
    /// What it came to, once it is over.
    spent: Option<u64>,
}

impl Purse {
    /// Says what the turn has `cost` so far, and sees to it that it may come to `want`; if there is not that much, to
    /// at least `least` more than was promised. Gives also what it may come to.
    pub(crate) fn reach(&self, cost: u64, want: u64, least: u64) -> (Reach, u64) {
        self.budget.reach(self.number, cost, want, least)
    }

    /// Says what the turn has cost so far.
    pub(crate) fn note(&self, cost: u64) {
        self.budget.state().change(self.number, |entry| entry.cost = cost);
    }

    /// Resolves when there is an answer to what was asked for.
    pub(crate) async fn answered(&self) {
        self.wake.notified().await;
    }

    /// The turn ended, and this is what it all cost.
    pub(crate) async fn over(&mut self, cost: u64) {
        let counted = self.budget.remove(self.number, cost, true);
        self.spent = Some(counted);
        self.budget.note_end().await;
    }

    /// The turn's cost stands in its user's totals.
    pub(crate) fn settled(&mut self) {
        let Some(cost) = self.spent.take() else { return };
        if let Some(seat) = self.budget.state().users.get_mut(&self.user) {
            seat.pool.settle(cost);
        }
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        if self.spent.is_none() {
            self.budget.leave(self.number);
        }
    }
}

impl State {
    fn seat(&mut self, account: Account) -> Option<&mut Seat> {
        match account {
            Account::All => self.all.as_mut(),
            Account::User(user) => self.users.get_mut(&user),
        }
    }

    /// What all those here who have asked for it still lack.
    fn waiting(&self, account: Account) -> u64 {
        let asks = |entry: &&Entry| entry.asking && [Account::All, Account::User(entry.user)].contains(&account);
        self.purses.values().filter(asks).map(Entry::lacks).sum()
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Changes a purse, and what it takes of each account with it.
    fn change(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.purses.get_mut(&number) else { return };
        let accounts = [Account::All, Account::User(entry.user)];
        let before = accounts.map(|a| entry.takes(a));
        change(entry);
        let after = accounts.map(|a| entry.takes(a));
        for ((account, before), after) in accounts.into_iter().zip(before).zip(after) {
            if let Some(seat) = self.seat(account) {
                seat.pool.rerun(before, after);
            }
        }
    }

    /// Promises a purse what it asked for, or of that what there is, if it helps. Of all budgets or of none.
    fn grant(&mut self, number: u64, now: Timestamp) -> bool {
        let Some(entry) = self.purses.get(&number) else { return false };
        let (more, least) = (entry.lacks(), entry.least);
        let accounts = [Account::All, Account::User(entry.user)];
        let mut room = more;
        for account in accounts {
            if let Some(seat) = self.seat(account) {
                room = room.min(seat.pool.room(now));
            }
        }
        if room < more && (room < least || room == 0) {
            return false;
        }
        self.change(number, |entry| entry.reserved = entry.cost.max(entry.reserved) + room);
        true
    }
}

impl Budget {
    /// None where nothing is capped.
    #[must_use]
    pub fn new(store: Store, clock: Clock, caps: Caps) -> Option<Self> {
        (caps != Caps::default()).then(|| {
            let process = format!("{:032x}", crate::clock::random_u128());
            Self(Arc::new(Inner { store, clock, caps, process, state: Mutex::default() }))
        })
    }

    /// The state, of today.
    fn state(&self) -> MutexGuard<'_, State> {
        let day = keys::day(self.0.clock.now());
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.day != day {
            // What runs goes on, and counts anew.
            let mut purses = std::mem::take(&mut state.purses);
            let all = self.0.caps.all.map(|cap| Seat::new(cap, Account::All));
            *state = State { day, all, numbers: state.numbers, seq: state.seq, ..State::default() };
            for entry in purses.values_mut() {
                (entry.before, entry.reserved) = (entry.before.max(entry.cost), entry.cost);
                self.enter(&mut state, entry.user);
                if let Some(seat) = state.users.get_mut(&entry.user) {
                    seat.pool.rerun(0, entry.takes(Account::User(entry.user)));
                }
            }
            state.purses = purses;
        }
        state
    }

    /// Makes a seat for a user.
    fn enter(&self, state: &mut State, user: UserId) {
        let Some(cap) = self.0.caps.user else { return };
        if state.users.len() >= USERS {
            let now = self.0.clock.now();
            state.users.retain(|_, seat| !seat.pool.is_idle() || seat.pool.is_fresh(now, FRESH));
        }
        let account = Account::User(user);
        state.users.entry(user).or_insert_with(|| Seat::new(cap, account));
    }

    /// Those of everybody and of a user that are capped.
    fn accounts(&self, user: UserId) -> impl Iterator<Item = Account> + use<> {
        let all = self.0.caps.all.map(|_| Account::All);
        all.into_iter().chain(self.0.caps.user.map(|_| Account::User(user)))
    }

    /// A purse for a turn, with nothing in it. `counted` of its cost is counted already, by whoever handed it over.
    #[must_use]
    pub(crate) fn purse(&self, user: UserId, counted: u64) -> Purse {
        let wake = Arc::new(Notify::new());
        let mut state = self.state();
        self.enter(&mut state, user);
        state.numbers += 1;
        let number = state.numbers;
        let entry = Entry {
            user,
            cost: 0,
            reserved: 0,
            before: counted,
            want: 0,
            least: 0,
            asking: false,
            failed: false,
            refused_at: None,
            wake: Arc::clone(&wake),
        };
        state.purses.insert(number, entry);
        drop(state);
        Purse { budget: self.clone(), number, user, wake, spent: None }
    }

    fn reach(&self, number: u64, cost: u64, want: u64, least: u64) -> (Reach, u64) {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.change(number, |entry| {
            entry.cost = cost;
            (entry.want, entry.least) = (want, least);
        });
        let Some(entry) = state.purses.get(&number) else { return (Reach::Refused, 0) };
        let (user, asking, reserved) = (entry.user, entry.asking, entry.reserved);
        let fresh = |at: Timestamp| now.since(at) < REFUSED.as_millis() as u64;
        let refused = entry.refused_at.is_some_and(fresh);
        if reserved >= want {
            self.renew(&mut state, user, now);
            return (Reach::Covered, reserved);
        }
        if asking {
            return (Reach::Asked, reserved);
        }
        if !refused && state.grant(number, now) {
            let reserved = state.purses.get(&number).map_or(0, |entry| entry.reserved);
            if reserved >= want {
                return (Reach::Covered, reserved);
            }
        }
        let Some(entry) = state.purses.get_mut(&number) else { return (Reach::Refused, 0) };
        if refused {
            return (Reach::Refused, entry.reserved);
        }
        if std::mem::take(&mut entry.failed) {
            return (Reach::Failed, entry.reserved);
        }
        entry.asking = true;
        let reserved = entry.reserved;
        let budget = self.clone();
        tokio::spawn(async move { budget.ask(number).await });
        (Reach::Asked, reserved)
    }

    /// What running turns have taken is kept from lapsing.
    fn renew(&self, state: &mut State, user: UserId, now: Timestamp) {
        for account in self.accounts(user) {
            let Some(seat) = state.seat(account) else { continue };
            if seat.pool.wants_renewal(now) && !std::mem::replace(&mut seat.renewing, true) {
                let budget = self.clone();
                tokio::spawn(async move {
                    budget.note(account, None).await;
                    if let Some(seat) = budget.state().seat(account) {
                        seat.renewing = false;
                    }
                });
            }
        }
    }

    /// Takes from each budget what a purse asked for, and promises it.
    async fn ask(&self, number: u64) {
        let found = self.try_ask(number).await;
        let now = self.0.clock.now();
        let mut state = self.state();
        let Some(entry) = state.purses.get_mut(&number) else { return };
        entry.asking = false;
        match found {
            Ok(true) => {}
            Ok(false) => entry.refused_at = Some(now),
            Err(error) => {
                tracing::warn!(%error, "the budget could not be asked");
                entry.failed = true;
            }
        }
        entry.wake.notify_one();
    }

    async fn try_ask(&self, number: u64) -> Result<bool, StoreError> {
        // What one has taken another may be promised.
        for _ in 0..ASKED {
            let (user, more, least, patient) = {
                let state = self.state();
                let Some(entry) = state.purses.get(&number) else { return Ok(false) };
                (entry.user, entry.lacks(), entry.least, entry.cost == 0)
            };
            for account in self.accounts(user) {
                if !self.take(account, more, least, patient).await? {
                    return Ok(false);
                }
            }
            if self.state().grant(number, self.0.clock.now()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sees to it that there is room for `need` more in a budget, or, if there is not so much, for `least`. A turn that
    /// is to begin is patient; one that runs is not: Claude goes on writing meanwhile.
    async fn take(&self, account: Account, need: u64, least: u64, patient: bool) -> Result<bool, StoreError> {
        let Some(one) = self.state().seat(account).map(|seat| Arc::clone(&seat.one)) else { return Ok(true) };
        let _one = one.lock().await;
        for attempt in 0..if patient { ASKED } else { 2 } {
            let now = self.0.clock.now();
            let fresh = {
                let mut state = self.state();
                let Some(seat) = state.seat(account) else { return Ok(true) };
                let pool = &seat.pool;
                if pool.room(now) >= need.max(1) {
                    return Ok(true);
                }
                attempt == 0 && (!pool.is_known() || pool.left() >= need || pool.is_fresh(now, REFUSED))
            };
            if attempt > 0 && patient {
                // Others have tried the same just now, or have taken what they may not need.
                tokio::time::sleep(Duration::from_millis(jitter(RETRY << attempt))).await;
            }
            if !fresh {
                // Nothing is written where all is spent.
                self.look(account).await?;
            }
            let (day, ends, share) = {
                let now = self.0.clock.now();
                let mut state = self.state();
                let (day, seq) = (state.day.clone(), state.next_seq());
                let waiting = if attempt == 0 { state.waiting(account) } else { 0 };
                let Some(seat) = state.seat(account) else { return Ok(true) };
                let pool = &mut seat.pool;
                let fits = !pool.is_known() || pool.left() >= need;
                let helps = |there: u64| there >= least.min(need).max(1);
                if !fits && !helps(pool.unspent()) {
                    return Ok(false);
                }
                if !fits && !helps(pool.left()) {
                    if patient { continue } else { return Ok(false) }
                }
                let ahead = match (attempt == 0 && fits, patient) {
                    (false, _) => Ahead::Nothing,
                    (true, true) => Ahead::Turns,
                    (true, false) => Ahead::Running,
                };
                // Of those here who wait for the same one asks for all.
                let some = if fits { need.max(waiting.min(pool.left())) } else { pool.left() };
                (day, seat.ends, pool.plan(now, some, ahead, seq))
            };
            if self.raise(account, &day, ends, share).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes a share, and then reads what the others take: if it does not fit it is taken back.
    async fn raise(&self, account: Account, day: &str, ends: u64, share: Share) -> Result<bool, StoreError> {
        self.0.store.write_share(account, day, &self.0.process, share).await?;
        let others = self.0.store.shares(account, day, &self.0.process).await?;
        let back = {
            let now = self.0.clock.now();
            let mut state = self.state();
            if state.day != day {
                return Ok(false);
            }
            let seq = state.next_seq();
            let Some(seat) = state.seat(account) else { return Ok(true) };
            seat.noted = seat.noted.max(ends);
            if seat.pool.raised(share, &others, now) {
                return Ok(true);
            }
            seat.pool.back(now, seq)
        };
        self.0.store.write_share(account, day, &self.0.process, back).await?;
        Ok(false)
    }

    /// Reads what others take. One at a time.
    async fn look(&self, account: Account) -> Result<(), StoreError> {
        let day = {
            let mut state = self.state();
            let day = state.day.clone();
            let Some(seat) = state.seat(account) else { return Ok(()) };
            seat.pool.looks();
            day
        };
        let others = self.0.store.shares(account, &day, &self.0.process).await?;
        let mut state = self.state();
        if state.day == day
            && let Some(seat) = state.seat(account)
        {
            seat.pool.read(&others, self.0.clock.now());
        }
        Ok(())
    }

    /// Reads what others take, unless that was done within `age`.
    async fn learn(&self, account: Account, age: Duration) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let one = match self.state().seat(account) {
            Some(seat) if !seat.pool.is_fresh(now, age) => Arc::clone(&seat.one),
            _ => return Ok(()),
        };
        let _one = one.lock().await;
        if self.state().seat(account).is_some_and(|seat| !seat.pool.is_fresh(now, age)) {
            self.look(account).await?;
        }
        Ok(())
    }

    /// Before a turn starts: promises it what it will cost at least. Where that is very likely to be had it is asked
    /// for and not waited for: the turn waits for it before it asks Claude.
    ///
    /// # Errors
    /// `budget_spent`; `unavailable` if it cannot be known.
    pub(crate) async fn admit(&self, user: UserId, need: u64) -> Result<Purse, ApiError> {
        let purse = self.purse(user, 0);
        let mut reach = purse.reach(0, need, need).0;
        while reach == Reach::Asked && !self.is_likely(user, need) {
            purse.answered().await;
            reach = purse.reach(0, need, need).0;
        }
        match reach {
            Reach::Covered | Reach::Asked => Ok(purse),
            Reach::Refused => Err(refusal(self.0.clock.now())),
            Reach::Failed => Err(ApiError::unavailable()),
        }
    }

    /// Whether there will be room for so much, by what was read a moment ago. Of a user of whom nothing is known it is
    /// taken for granted.
    fn is_likely(&self, user: UserId, need: u64) -> bool {
        let now = self.0.clock.now();
        let mut state = self.state();
        self.accounts(user).all(|account| {
            let Some(pool) = state.seat(account).map(|seat| &seat.pool) else { return true };
            let known = pool.is_fresh(now, FRESH) && pool.left() >= need.saturating_mul(4).max(pool.cap / 8);
            pool.room(now) >= need || known || (account != Account::All && !pool.is_known())
        })
    }

    /// Makes room for a turn that a user is about to send. To be done beside something else, not before it.
    pub(crate) async fn prepare(&self, user: UserId, need: u64) {
        self.enter(&mut self.state(), user);
        for account in self.accounts(user) {
            if let Err(error) = self.take(account, need, need, true).await {
                tracing::warn!(%error, "the budget could not be asked");
            }
        }
    }

    /// Whether the budget has as much as the least reply of a model costs; nothing is promised.
    ///
    /// # Errors
    /// `budget_spent`; `unavailable` if it cannot be known.
    pub(crate) async fn check(&self, user: UserId, model: &str) -> Result<(), ApiError> {
        let need = at_least(model, "");
        self.enter(&mut self.state(), user);
        for account in self.accounts(user) {
            self.learn(account, FRESH).await.map_err(|error| {
                tracing::warn!(%error, "the budget could not be asked");
                ApiError::unavailable()
            })?;
            let now = self.0.clock.now();
            let spent = self.state().seat(account).is_some_and(|s| s.pool.left().max(s.pool.room(now)) < need);
            if spent {
                return Err(refusal(now));
            }
        }
        Ok(())
    }

    /// Takes a purse away, and counts what it came to. Gives what of that its user's totals will hold.
    fn remove(&self, number: u64, cost: u64, done: bool) -> u64 {
        let mut state = self.state();
        let Some(entry) = state.purses.get(&number) else { return 0 };
        let (user, today) = (entry.user, cost.saturating_sub(entry.before));
        state.change(number, |entry| (entry.cost, entry.reserved) = (0, 0));
        state.purses.remove(&number);
        if let Some(seat) = &mut state.all {
            seat.pool.end(today);
            seat.ends += 1;
        }
        if done {
            if let Some(seat) = state.users.get_mut(&user) {
                seat.pool.end(cost);
            }
            state.ended += today;
            state.ended_turns += 1;
        }
        cost
    }

    /// A turn does not run here any more. What it cost here was spent all the same; its user's totals get it from
    /// whoever carries it on.
    fn leave(&self, number: u64) {
        let cost = self.state().purses.get(&number).map_or(0, |entry| entry.cost);
        self.remove(number, cost, false);
    }

    /// Tells the table what was spent here, and waits for that a little: the process may be frozen or gone right
    /// after a turn.
    async fn note_end(&self) {
        let Some(ends) = self.state().all.as_ref().map(|seat| seat.ends) else { return };
        let budget = self.clone();
        let telling = tokio::spawn(async move { budget.note(Account::All, Some(ends)).await });
        if timeout(PATIENCE, telling).await.is_err() {
            tracing::warn!("what was spent could not be noted yet");
        }
    }

    /// Writes what this process takes, unless the table knows of so many `ends`; where room gets short, or what others
    /// take was read long ago, it takes more and reads.
    async fn note(&self, account: Account, ends: Option<u64>) {
        let noted = async {
            let Some(one) = self.state().seat(account).map(|seat| Arc::clone(&seat.one)) else { return Ok(()) };
            let _one = one.lock().await;
            let now = self.0.clock.now();
            let (day, share, raises, known) = {
                let mut state = self.state();
                let (day, seq) = (state.day.clone(), state.next_seq());
                let Some(seat) = state.seat(account) else { return Ok(()) };
                if ends.is_some_and(|ends| seat.noted >= ends) {
                    return Ok(());
                }
                let raises = seat.pool.is_short(now) || !seat.pool.is_fresh(now, FRESH);
                let pool = &mut seat.pool;
                let share = if raises { pool.plan(now, 0, Ahead::Turns, seq) } else { pool.keep(now, seq) };
                (day, share, raises, seat.ends)
            };
            if raises {
                return self.raise(account, &day, known, share).await.map(|_| ());
            }
            self.0.store.write_share(account, &day, &self.0.process, share).await?;
            let now = self.0.clock.now();
            let mut state = self.state();
            if state.day == day
                && let Some(seat) = state.seat(account)
            {
                seat.noted = seat.noted.max(known);
                seat.pool.lowered(share, now);
            }
            Ok(())
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "what was spent could not be noted");
        }
    }

    /// Gives back what is taken and promised to nobody: nothing more will run here.
    pub(crate) async fn close(&self) {
        let Some(one) = self.state().all.as_ref().map(|seat| Arc::clone(&seat.one)) else { return };
        let _one = one.lock().await;
        let (day, share) = {
            let now = self.0.clock.now();
            let mut state = self.state();
            let (day, seq) = (state.day.clone(), state.next_seq());
            match &mut state.all {
                Some(seat) if seat.pool.room(now) > 0 => (day, seat.pool.close(now, seq)),
                _ => return,
            }
        };
        let writing = self.0.store.write_share(Account::All, &day, &self.0.process, share);
        if !matches!(timeout(PATIENCE, writing).await, Ok(Ok(()))) {
            tracing::warn!("what is left of the budget here could not be given back; it lapses");
        }
    }

    /// About how many replies are left for a user today, once a tenth or less of a budget is; by what their replies
    /// cost so far, or else everybody's here.
    pub async fn replies_left(&self, user: UserId) -> Option<u32> {
        self.enter(&mut self.state(), user);
        for account in self.accounts(user) {
            if let Err(error) = self.learn(account, NOTICE).await {
                tracing::warn!(%error, "the budget could not be asked");
            }
        }
        let left = {
            let mut state = self.state();
            let pools = self.accounts(user).filter_map(|a| state.seat(a).map(|s| (s.pool.unspent(), s.pool.cap)));
            pools.filter(|(left, cap)| *left <= cap / 10).map(|(left, _)| left).min()?
        };
        let day = self.state().day.clone();
        let own = self.0.store.day_totals(user, &day).await.map_or((0, 0), |t| (t.micros, t.turns));
        let state = self.state();
        let each = [own, (state.ended, state.ended_turns)].into_iter().find_map(|(cost, n)| cost.checked_div(n));
        let each = each.filter(|each| *each > 0)?;
        Some(u32::try_from(left / each).unwrap_or(u32::MAX))
    }
}

/// What a reply to `text` will cost at least, before it is known what it follows.
#[must_use]
pub(crate) fn at_least(model: &str, text: &str) -> u64 {
    let (cache_creation_input_tokens, output_tokens) = (tokens::message(text), AHEAD);
    prices::micros(model, &Usage { cache_creation_input_tokens, output_tokens, ..Usage::default() })
}

fn refusal(now: Timestamp) -> ApiError {
    let message = format!("Today’s budget is spent. It {}", words::anew(now));
    ApiError { retry_after: Some(now.until_midnight()), ..ApiError::new(Code::BudgetSpent, message) }
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
    fn it_says_when_to_come_again() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let error = refusal(at("2026-11-25T18:48:00Z"));
        assert_eq!((error.code, error.retry_after), (Code::BudgetSpent, Some(5 * 3600 + 12 * 60)));
        assert!(error.message.contains("in 5 h 12 min"), "{}", error.message);
        assert!(refusal(at("2026-11-25T23:59:59Z")).message.contains("in 1 min"));
        assert_eq!(at("2026-11-25T00:00:00Z").until_midnight(), 86_400);
    }
}
