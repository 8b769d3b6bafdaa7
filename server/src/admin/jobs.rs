//! Jobs of all users, newest first, by the index of days.

use app::{
    domain::{JobId, Timestamp},
    error::ApiError,
};
use futures::future::try_join_all;

use super::{Admin, Place, sessions::DAY_MS, unavailable};
use crate::storage::{JobItem, keys};

/// Jobs of a page.
const PAGE: usize = 50;
/// Days gone back for one page. Each costs a read of every shard.
const DAYS: u32 = 31;

/// A page of them.
#[derive(Debug, Clone, Default)]
pub struct FoundJobs {
    pub rows: Vec<JobItem>,
    /// Where older ones are, if there may be any.
    pub next: Option<Place>,
}

impl Admin {
    /// A page of jobs: of one day (UTC, `yyyy-mm-dd`), or of all. Read units do not grow with the table.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn jobs(&self, day: Option<&str>, from: Option<Place>) -> Result<FoundJobs, ApiError> {
        let only = day.and_then(|day| format!("{day}T23:59:59.999Z").parse::<Timestamp>().ok()).map(Place::Day);
        let mut place = from.or(only.clone()).unwrap_or(Place::Day(self.now()));
        let (mut found, mut next) = (Vec::new(), None);
        for n in 1..=DAYS {
            found.extend(self.day_of_jobs(&place).await?);
            if found.len() >= PAGE {
                found.truncate(PAGE);
                next = found.last().map(|(at, id): &(Timestamp, JobId)| Place::After(*at, (*id).into()));
                break;
            }
            let day_before = Timestamp::from_millis((place.at().millis() / DAY_MS * DAY_MS).saturating_sub(1));
            if only.is_some() || day_before < self.oldest() {
                break;
            }
            place = Place::Day(day_before);
            next = (n == DAYS).then(|| place.clone());
        }
        let jobs = found.into_iter().map(|(_, id)| self.store().job(id));
        let rows = try_join_all(jobs).await.map_err(unavailable)?.into_iter().flatten().collect();
        Ok(FoundJobs { rows, next })
    }

    /// The next jobs of a day, its shards merged.
    async fn day_of_jobs(&self, place: &Place) -> Result<Vec<(Timestamp, JobId)>, ApiError> {
        let day = keys::day(place.at());
        let before = match place {
            Place::After(at, id) => Some((*at, (*id).into())),
            Place::Day(_) => None,
        };
        let shards = (0..keys::DAY_SHARDS).map(|shard| self.store().jobs_before(&day, shard, before, PAGE as u32));
        let mut all: Vec<_> = try_join_all(shards).await.map_err(unavailable)?.into_iter().flatten().collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.truncate(PAGE);
        Ok(all)
    }
}
