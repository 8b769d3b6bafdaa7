//! Whether a user may begin another turn: by the budget, and by how many of theirs run already.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use app::{
    domain::{TurnId, UserId},
    error::{ApiError, Code},
};
use tokio::time::Instant;

use super::{Chat, errors::store};
use crate::{
    storage::{SessionItem, StoreError},
    turn::{budget::Purse, hub::Place},
};

/// How old a count may be.
const AGE: Duration = Duration::from_secs(10);
/// A user's newest sessions, among which those that run are looked for.
const NEWEST: u32 = 50;
/// Past so many users the old counts are forgotten.
const USERS: usize = 10_000;

/// How many turns of each user ran when it was last looked, over all servers.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<HashMap<UserId, (Instant, u32)>>);

impl Counts {
    fn get(&self, user: UserId) -> u32 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&user).filter(|(at, _)| at.elapsed() < AGE).map_or(0, |(_, n)| *n)
    }

    fn set(&self, user: UserId, n: u32) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= USERS {
            counts.retain(|_, (at, _)| at.elapsed() < AGE);
        }
        counts.insert(user, (Instant::now(), n));
    }
}

/// What is known of a user just before a turn of theirs begins.
pub(super) struct Asking {
    pub user: UserId,
    pub turn: TurnId,
    /// What the turn will cost at least.
    pub need: u64,
}

/// What a turn may begin with.
#[derive(Default)]
pub(super) struct Admitted {
    pub purse: Option<Purse>,
    /// Until it runs here, it counts as one that does.
    _place: Option<Place>,
}

impl Chat {
    /// Reads the session that a turn is for; beside it, at no cost in time, what the gate wants to know of the user.
    pub(super) async fn look(
        &self,
        asking: &Asking,
        session: app::domain::SessionId,
    ) -> Result<Option<SessionItem>, ApiError> {
        let spent = async {
            if let Some(budget) = self.inner.turns.budget() {
                budget.prepare(asking.user, asking.need).await;
            }
        };
        let running = async {
            if self.inner.config.running.is_some() {
                // Without it the last count serves.
                let _ = self.count(asking.user, asking.turn).await;
            }
        };
        let (found, (), ()) = futures::join!(self.inner.store.session(session), spent, running);
        found.map_err(store)
    }

    /// The same for a new chat, which nothing is read for: for the next time.
    pub(super) fn look_later(&self, user: UserId, turn: TurnId) {
        if self.inner.config.running.is_none() {
            return;
        }
        let chat = self.clone();
        tokio::spawn(async move { chat.count(user, turn).await });
    }

    /// How many other turns of the user's run, over all servers, by the index of their sessions.
    async fn count(&self, user: UserId, turn: TurnId) -> Result<u32, StoreError> {
        let (sessions, _) = self.inner.store.list_sessions(user, None, NEWEST).await?;
        let others = sessions.iter().filter_map(|s| s.active).filter(|other| *other != turn);
        let n = others.count() as u32;
        self.inner.counts.set(user, n);
        Ok(n)
    }

    /// Whether the turn may begin.
    ///
    /// # Errors
    /// `budget_spent`, `rate_limited`.
    pub(super) async fn gate(&self, asking: &Asking) -> Result<Admitted, ApiError> {
        let Asking { user, turn, need } = *asking;
        let place = match self.inner.config.running {
            Some(most) => Some(self.place(user, turn, most).await?),
            None => None,
        };
        let purse = match self.inner.turns.budget() {
            Some(budget) => Some(budget.admit(user, need).await?),
            None => None,
        };
        Ok(Admitted { purse, _place: place })
    }

    /// A place among the replies that may be written to a user at once.
    async fn place(&self, user: UserId, turn: TurnId, most: u32) -> Result<Place, ApiError> {
        let n = match self.inner.turns.hub().place(user, turn, most) {
            Ok(place) if self.inner.counts.get(user) < most => return Ok(place),
            // Before it is refused it is looked at once more: some may have ended since elsewhere.
            Ok(place) => match self.count(user, turn).await.map_err(store)? {
                n if n < most => return Ok(place),
                n => n,
            },
            Err(n) => n,
        };
        let words = format!("{n} of your replies are being written already. Wait until one is done.");
        Err(ApiError { retry_after: Some(5), ..ApiError::new(Code::RateLimited, words) })
    }

    /// Before a job is taken. Its turns run later, and pay like any other.
    ///
    /// # Errors
    /// `budget_spent`.
    pub(crate) async fn admit_job(&self, user: UserId) -> Result<(), ApiError> {
        let Some(budget) = self.inner.turns.budget() else { return Ok(()) };
        budget.check(user, &self.inner.config.model).await
    }

    /// About how many replies the day's budget still gives a user, once that is few.
    pub(crate) async fn replies_left(&self, user: UserId) -> Option<u32> {
        self.inner.turns.budget()?.replies_left(user).await
    }
}
