//! Sessions of all users, newest first: by the index of days, or by a user's own.

use app::{
    domain::{Outcome, SessionId, Timestamp, UserId},
    error::ApiError,
};
use futures::future::try_join_all;

use super::{Admin, unavailable};
use crate::storage::{SessionEntry, keys};

/// Sessions of a page.
const PAGE: usize = 50;
/// Sessions that are looked through for one page, where only some are wanted.
const LOOKED: usize = 2_000;
/// Days gone back for one page. Each costs a read of every shard.
const DAYS: u32 = 31;
pub(super) const DAY_MS: u64 = 86_400_000;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// In the title, in any case.
    pub words: Option<String>,
    pub user: Option<UserId>,
    /// UTC, `yyyy-mm-dd`: of that day alone.
    pub day: Option<String>,
    pub model: Option<String>,
    pub outcome: Option<Wanted>,
}

/// How the newest turn is to have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Running,
    Ended(Outcome),
}

impl Filter {
    fn takes(&self, entry: &SessionEntry) -> bool {
        let words = self.words.as_ref().is_none_or(|words| {
            let title = entry.title.to_lowercase();
            words.to_lowercase().split_whitespace().all(|word| title.contains(word))
        });
        let day = self.day.as_ref().is_none_or(|day| *day == keys::day(entry.updated_at));
        let model = self.model.as_ref().is_none_or(|model| entry.model.as_ref() == Some(model));
        let outcome = match self.outcome {
            None => true,
            Some(Wanted::Running) => entry.active.is_some(),
            Some(Wanted::Ended(outcome)) => entry.active.is_none() && entry.outcome == Some(outcome),
        };
        words && day && model && outcome && self.user.is_none_or(|user| user == entry.owner)
    }
}

/// A place in the order of all sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// After this one.
    After(Timestamp, SessionId),
    /// At the end of this day.
    Day(Timestamp),
}

impl Place {
    /// As it stands in an address.
    #[must_use]
    pub fn token(&self) -> String {
        match self {
            Self::After(at, id) => format!("{}.{id}", at.millis()),
            Self::Day(at) => at.millis().to_string(),
        }
    }

    /// Out of an address.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        // Later days than a calendar has are nobody's.
        let moment = |text: &str| text.parse().ok().filter(|ms| *ms < 250_000_000_000_000).map(Timestamp::from_millis);
        match token.split_once('.') {
            Some((at, id)) => Some(Self::After(moment(at)?, id.parse().ok()?)),
            None => moment(token).map(Self::Day),
        }
    }

    pub(super) fn at(&self) -> Timestamp {
        match self {
            Self::After(at, _) | Self::Day(at) => *at,
        }
    }
}

/// A page of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub rows: Vec<SessionEntry>,
    /// Where older ones are, if there may be any.
    pub next: Option<Place>,
}

impl Admin {
    /// A page of sessions. Read units do not grow with the table: without a filter four short queries a day.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn sessions(&self, filter: &Filter, from: Option<Place>) -> Result<Found, ApiError> {
        match filter.user {
            Some(user) => self.of_user(user, filter, from).await,
            None => self.by_day(filter, from).await,
        }
    }

    async fn by_day(&self, filter: &Filter, from: Option<Place>) -> Result<Found, ApiError> {
        let oldest = self.oldest();
        let only = filter.day.as_ref().and_then(|day| format!("{day}T23:59:59.999Z").parse::<Timestamp>().ok());
        let mut place = from.or(only.map(Place::Day)).unwrap_or(Place::Day(self.now()));
        let (mut rows, mut looked) = (Vec::new(), 0);
        for _ in 0..DAYS {
            loop {
                let page = self.day_page(&place).await?;
                let whole = page.len() < PAGE;
                looked += page.len();
                for entry in page {
                    place = Place::After(entry.updated_at, entry.id);
                    if filter.takes(&entry) {
                        rows.push(entry);
                    }
                    if rows.len() == PAGE {
                        return Ok(Found { rows, next: Some(place) });
                    }
                }
                if whole {
                    break;
                }
                if looked >= LOOKED {
                    return Ok(Found { rows, next: Some(place) });
                }
            }
            let day_before = Timestamp::from_millis((place.at().millis() / DAY_MS * DAY_MS).saturating_sub(1));
            place = Place::Day(day_before);
            if only.is_some() || day_before < oldest {
                return Ok(Found { rows, next: None });
            }
        }
        Ok(Found { rows, next: Some(place) })
    }

    /// The next sessions of a day, its shards merged.
    async fn day_page(&self, place: &Place) -> Result<Vec<SessionEntry>, ApiError> {
        let day = keys::day(place.at());
        let before = match place {
            Place::After(at, id) => Some((*at, *id)),
            Place::Day(_) => None,
        };
        let shards = (0..keys::DAY_SHARDS).map(|shard| self.store().day_before(&day, shard, before, PAGE as u32));
        let mut all: Vec<SessionEntry> =
            try_join_all(shards).await.map_err(unavailable)?.into_iter().flatten().collect();
        all.sort_by_key(|entry| std::cmp::Reverse((entry.updated_at, entry.id)));
        all.truncate(PAGE);
        Ok(all)
    }

    /// A user's sessions by their own index, which does not hold models and outcomes: these are read one by one, and
    /// only for the rows of a page.
    async fn of_user(&self, user: UserId, filter: &Filter, from: Option<Place>) -> Result<Found, ApiError> {
        let (mut rows, mut page, mut looked) = (Vec::new(), None, 0);
        let passed = |entry: &SessionEntry| match &from {
            Some(Place::After(at, id)) => (entry.updated_at, entry.id) < (*at, *id),
            Some(Place::Day(at)) => entry.updated_at <= *at,
            None => true,
        };
        loop {
            let (found, next) =
                self.store().list_sessions(user, page.as_deref(), PAGE as u32).await.map_err(unavailable)?;
            let found: Vec<SessionEntry> = found.into_iter().filter(passed).collect();
            let whole = try_join_all(found.into_iter().map(|entry| self.whole(entry))).await?;
            for entry in whole {
                looked += 1;
                let place = Place::After(entry.updated_at, entry.id);
                if filter.takes(&entry) {
                    rows.push(entry);
                }
                if rows.len() == PAGE || looked >= LOOKED {
                    return Ok(Found { rows, next: Some(place) });
                }
            }
            page = next;
            if page.is_none() {
                return Ok(Found { rows, next: None });
            }
        }
    }

    async fn whole(&self, entry: SessionEntry) -> Result<SessionEntry, ApiError> {
        let session = self.store().session(entry.id).await.map_err(unavailable)?;
        let Some(session) = session else { return Ok(entry) };
        let outcome = match (session.active, session.head) {
            (None, Some(head)) => self.store().turn(head.message.into()).await.map_err(unavailable)?,
            _ => None,
        };
        Ok(SessionEntry { model: session.model, outcome: outcome.and_then(|turn| turn.outcome), ..entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_nothing_else_does() {
        let id = SessionId::from_parts(Timestamp::from_millis(5), 7);
        for place in [Place::After(Timestamp::from_millis(9), id), Place::Day(Timestamp::from_millis(9))] {
            assert_eq!(Place::parse(&place.token()), Some(place));
        }
        for bad in ["", ".", "9.", "9.x", "x", "-1", "999999999999999999", "9.01ARZ3NDEKTSV4RRFFQ69G5FAV.1"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
