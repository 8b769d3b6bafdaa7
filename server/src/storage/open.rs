//! What still has to be worked on, by the sparse index.

use app::domain::{JobId, SessionId, Timestamp, TurnId};

use super::{
    Store, StoreError,
    attr::{Item, Reader, s, values},
    keys,
    request::Ask,
};

/// Something that isn't finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenWork {
    /// A turn that isn't done, and when it was sent.
    Turn(TurnId, Timestamp),
    /// A job whose turns may not be queued yet, or whose webhook was not told yet.
    Job(JobId, Timestamp),
    /// A session that was deleted, and when: it is to be purged, once the time to restore it is over.
    Deleted(SessionId, Timestamp),
}

impl OpenWork {
    /// The turn that it is, if it is one.
    #[must_use]
    pub const fn turn(&self) -> Option<TurnId> {
        match self {
            Self::Turn(id, _) => Some(*id),
            Self::Job(..) | Self::Deleted(..) => None,
        }
    }
}

fn read_work(item: Item) -> Result<OpenWork, StoreError> {
    let mut r = Reader::new(item);
    let since = r.s("since")?;
    let wrong = || StoreError::corrupt("`since` is wrong");
    match since.split_once('#').ok_or_else(wrong)? {
        ("TURN", at) => Ok(OpenWork::Turn(r.id("TURN#")?, at.parse().map_err(|_| wrong())?)),
        ("JOB", at) => Ok(OpenWork::Job(r.id("JOB#")?, at.parse().map_err(|_| wrong())?)),
        ("DELETED", at) => Ok(OpenWork::Deleted(r.id("SESSION#")?, at.parse().map_err(|_| wrong())?)),
        _ => Err(wrong()),
    }
}

impl Store {
    /// The open work of one of [`keys::OPEN_SHARDS`] shards, the oldest of each kind first. Eventually consistent:
    /// what it names has to be read before anything is done about it.
    ///
    /// # Errors
    /// As every read.
    pub async fn open_turns(&self, shard: u32) -> Result<Vec<OpenWork>, StoreError> {
        let ask = Ask {
            index: Some(keys::OPEN),
            when: "#open = :shard",
            values: values([(":shard", s(shard.to_string()))]),
            ..Ask::default()
        };
        let read = |item| match read_work(item) {
            Ok(work) => Some(work),
            Err(error) => {
                // One bad item must not keep the rest from being worked on.
                tracing::error!(shard, %error, "open work that cannot be read");
                None
            }
        };
        Ok(self.query_all("reading open work", ask).await?.into_iter().filter_map(read).collect())
    }
}
