//! Lists of sessions, newest first, by the two indexes.

use app::domain::{Outcome, SessionId, Timestamp, TurnId, UserId};

use super::{
    Store, StoreError,
    attr::{Item, Reader, key, s, values},
    keys,
    page::{read_token, write_token},
    request::{Ask, less},
    session::read_outcome,
};

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEntry {
    pub id: SessionId,
    pub owner: UserId,
    pub title: String,
    pub updated_at: Timestamp,
    /// The running turn.
    pub active: Option<TurnId>,
    /// Only in lists by day: the newest turn's model.
    pub model: Option<String>,
    /// Only in lists by day: how the newest turn ended.
    pub outcome: Option<Outcome>,
}

fn read_entry(item: Item) -> Result<SessionEntry, StoreError> {
    let mut r = Reader::new(item);
    Ok(SessionEntry {
        id: r.id("SESSION#")?,
        owner: r.parse("owner")?,
        title: r.s("title")?,
        updated_at: r.parse("recent")?,
        active: r.opt_parse("active")?,
        model: r.opt_s("model")?,
        outcome: read_outcome(&mut r)?,
    })
}

impl Store {
    /// A user's sessions, those with the newest turn first; none deleted, none expired. With the token of the next
    /// page, if there is one. Eventually consistent: an index is some milliseconds behind its table.
    ///
    /// # Errors
    /// As every read; `BadPage` if the token is not one of this user's list.
    pub async fn list_sessions(
        &self,
        user: UserId,
        page: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<SessionEntry>, Option<String>), StoreError> {
        self.list(keys::BY_USER, "owner", &user.to_string(), page, limit).await
    }

    /// The sessions whose newest turn began on a day (UTC, `yyyy-mm-dd`), of one of its [`keys::DAY_SHARDS`] shards;
    /// otherwise like [`Self::list_sessions`]. A whole day is these lists merged by `updated_at`.
    ///
    /// # Errors
    /// As every read; `BadPage` if the token is not one of this list.
    pub async fn list_day(
        &self,
        day: &str,
        shard: u32,
        page: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<SessionEntry>, Option<String>), StoreError> {
        self.list(keys::BY_DAY, "day", &keys::day_shard_pk(day, shard), page, limit).await
    }

    /// The sessions of one shard of a day, those with the newest turn first, from a place in the whole day's order
    /// on; otherwise like [`Self::list_day`]. Fewer than `limit` are all there are.
    ///
    /// # Errors
    /// As every read.
    pub async fn day_before(
        &self,
        day: &str,
        shard: u32,
        before: Option<(Timestamp, SessionId)>,
        limit: u32,
    ) -> Result<Vec<SessionEntry>, StoreError> {
        let latest = before.map_or_else(|| "~".to_owned(), |(at, _)| at.to_string());
        let mut ask = Ask {
            index: Some(keys::BY_DAY),
            when: "#day = :partition AND #recent <= :latest",
            values: values([(":partition", s(keys::day_shard_pk(day, shard))), (":latest", s(latest))]),
            newest_first: true,
            limit: Some(limit + 1),
            ..Ask::default()
        };
        let now = self.now_seconds();
        let mut found: Vec<SessionEntry> = Vec::new();
        loop {
            let page = self.query("listing a day's sessions", &ask).await?;
            for item in page.items.into_iter().filter(|i| !less(i, "ttl", now)) {
                let entry = read_entry(item)?;
                // Of those of one moment the larger id comes first.
                if before.is_none_or(|place| (entry.updated_at, entry.id) < place) {
                    found.push(entry);
                }
            }
            ask.start = page.next;
            if found.len() as u32 >= limit || ask.start.is_none() {
                found.truncate(limit as usize);
                return Ok(found);
            }
        }
    }

    async fn list(
        &self,
        index: &'static str,
        attribute: &str,
        partition: &str,
        page: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<SessionEntry>, Option<String>), StoreError> {
        const DOING: &str = "listing sessions";
        let start = match page {
            None => None,
            Some(token) => {
                let (recent, id) = read_token(DOING, partition, token)?;
                let mut start = key(keys::session_pk(id), keys::SESSION);
                start.insert(attribute.to_owned(), s(partition));
                start.insert("recent".to_owned(), s(recent.to_string()));
                Some(start)
            }
        };
        let when = format!("#{attribute} = :partition");
        let ask = Ask {
            index: Some(index),
            when: &when,
            values: values([(":partition", s(partition))]),
            newest_first: true,
            limit: Some(limit),
            start,
            ..Ask::default()
        };
        let page = self.query(DOING, &ask).await?;
        let now = self.now_seconds();
        let next = page.next.as_ref().and_then(|next| write_token(partition, "SESSION#", next));
        let there = page.items.into_iter().filter(|i| !less(i, "ttl", now));
        Ok((there.map(read_entry).collect::<Result<_, _>>()?, next))
    }
}
