//! Sessions: one item each, whatever their length.

use app::domain::{Outcome, SessionId, Timestamp, TurnId, UserId};
use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Head, SessionItem, Store, StoreError,
    attr::{Item, Reader, Writer, key, n, s, values},
    keys,
    request::{Change, Written, less},
};

/// For how long a deletion can be undone.
pub const RESTORE_SECONDS: u64 = 60;

/// There, not deleted, not a job's, and this user's.
pub(super) const MINE: &str =
    "attribute_exists(pk) AND attribute_not_exists(#deleted) AND attribute_not_exists(#of_job) AND #owner = :owner";

pub(super) fn session_key(id: SessionId) -> Item {
    key(keys::session_pk(id), keys::SESSION)
}

pub(super) fn write_head(head: Head) -> String {
    format!("{}#{}", head.depth, head.message)
}

fn read_head(text: &str) -> Option<Head> {
    let (depth, message) = text.split_once('#')?;
    Some(Head { message: message.parse().ok()?, depth: depth.parse().ok()? })
}

pub(super) fn write_session(session: &SessionItem) -> Item {
    let item = Writer::new(keys::session_pk(session.id), keys::SESSION)
        .s("owner", session.owner)
        .s("title", session.title.as_str())
        .time("created", session.created_at)
        .time("updated", session.updated_at)
        .opt_s("model", session.model.as_deref())
        .opt_s("head", session.head.map(write_head))
        .opt_s("active", session.active)
        .n("ttl", session.ttl);
    match session.deleted_at {
        None if session.of_job => item.put("of_job", AttributeValue::Bool(true)),
        None => item.s("recent", session.updated_at.to_string()).s("day", keys::day_pk(session.updated_at, session.id)),
        Some(at) => {
            item.time("deleted", at).s("open", keys::session_shard(session.id)).s("since", keys::deleted_since(at))
        }
    }
    .done()
}

pub(super) fn read_session(item: Item) -> Result<SessionItem, StoreError> {
    let mut r = Reader::new(item);
    let head = match r.opt_s("head")? {
        None => None,
        Some(text) => Some(read_head(&text).ok_or_else(|| StoreError::corrupt("`head` is wrong"))?),
    };
    Ok(SessionItem {
        id: r.id("SESSION#")?,
        owner: r.parse("owner")?,
        title: r.s("title")?,
        created_at: r.time("created")?,
        updated_at: r.time("updated")?,
        model: r.opt_s("model")?,
        head,
        active: r.opt_parse("active")?,
        of_job: r.flag("of_job"),
        deleted_at: r.opt_n("deleted")?.map(Timestamp::from_millis),
        ttl: r.n("ttl")?,
    })
}

impl Store {
    /// Puts a session; false if there is another one of this id. One that has expired doesn't count.
    ///
    /// # Errors
    /// As every write.
    pub async fn create_session(&self, session: &SessionItem) -> Result<bool, StoreError> {
        const DOING: &str = "making a session";
        let item = write_session(session);
        match self.put_new(DOING, item.clone()).await? {
            Written::Done(_) => Ok(true),
            // An earlier attempt of the SDK's, whose answer was lost.
            Written::Refused(Some(there)) if there == item => Ok(true),
            Written::Refused(_) => Ok(false),
        }
    }

    /// A session, strongly consistent. A deleted one is returned with its `deleted_at`, an expired one is none.
    ///
    /// # Errors
    /// As every read.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionItem>, StoreError> {
        let now = self.now_seconds();
        let item = self.get("reading a session", session_key(id)).await?;
        item.filter(|i| !less(i, "ttl", now)).map(read_session).transpose()
    }

    /// Gives a session another title; false if it isn't there, is deleted or somebody else's.
    ///
    /// # Errors
    /// As every write.
    pub async fn rename(&self, id: SessionId, owner: UserId, title: &str) -> Result<bool, StoreError> {
        let change = Change {
            key: session_key(id),
            set: "SET #title = :title".to_owned(),
            when: MINE.to_owned(),
            values: values([(":title", s(title)), (":owner", s(owner))]),
        };
        Ok(matches!(self.change("renaming a session", change).await?, Written::Done(_)))
    }

    /// Takes a turn off its session whose item is gone, or that is done without a message. The turn is noted, so that
    /// a purge still finds it. Nothing happens if the session has another active turn by now.
    ///
    /// # Errors
    /// As every write.
    pub async fn clear_active(&self, id: SessionId, turn: TurnId) -> Result<(), StoreError> {
        let change = Change {
            key: session_key(id),
            set: "REMOVE #active ADD #cleared :cleared".to_owned(),
            when: "attribute_not_exists(#deleted) AND #active = :turn".to_owned(),
            values: values([(":turn", s(turn)), (":cleared", AttributeValue::Ss(vec![turn.to_string()]))]),
        };
        self.change("clearing a session's active turn", change).await.map(|_| ())
    }

    /// Deletes a session for everybody, though it can be restored for [`RESTORE_SECONDS`]. Returns it as it is now,
    /// with its active turn, which is to be stopped; none if it isn't there, is deleted already or somebody else's.
    ///
    /// # Errors
    /// As every write.
    pub async fn tombstone(
        &self,
        id: SessionId,
        owner: UserId,
        now: Timestamp,
    ) -> Result<Option<SessionItem>, StoreError> {
        let change = Change {
            key: session_key(id),
            set: "SET #deleted = :at, #open = :shard, #since = :since REMOVE #recent, #day".to_owned(),
            // A repetition of a deletion that was undone, still under way when its caller had given it up, does nothing.
            when: format!("{MINE} AND (attribute_not_exists(#undone) OR #undone < :at)"),
            values: values([
                (":at", n(now.millis())),
                (":shard", s(keys::session_shard(id))),
                (":since", s(keys::deleted_since(now))),
                (":owner", s(owner)),
            ]),
        };
        match self.change("deleting a session", change).await? {
            Written::Done(item) => read_session(item).map(Some),
            Written::Refused(there) => {
                // An earlier attempt of the SDK's, whose answer was lost, left exactly this mark.
                let there = there.map(read_session).transpose()?;
                Ok(there.filter(|t| t.owner == owner && t.deleted_at == Some(now)))
            }
        }
    }

    /// Undoes a deletion of at most [`RESTORE_SECONDS`] ago; false if there is none, or it is too late.
    ///
    /// # Errors
    /// As every write.
    pub async fn restore(&self, id: SessionId, owner: UserId, now: Timestamp) -> Result<bool, StoreError> {
        let Some(session) = self.session(id).await? else { return Ok(false) };
        let Some(deleted_at) = session.deleted_at else { return Ok(false) };
        let change = Change {
            key: session_key(id),
            set: "SET #recent = :recent, #day = :day, #undone = #deleted REMOVE #deleted, #open, #since".to_owned(),
            // Of this deletion: arriving late it must not undo another one.
            when: "#owner = :owner AND #deleted = :at AND #deleted >= :since AND attribute_not_exists(#purging)"
                .to_owned(),
            values: values([
                (":recent", s(session.updated_at.to_string())),
                (":day", s(keys::day_pk(session.updated_at, id))),
                (":owner", s(owner)),
                (":at", n(deleted_at.millis())),
                (":since", n(now.millis().saturating_sub(RESTORE_SECONDS * 1000))),
            ]),
        };
        Ok(match self.change("restoring a session", change).await? {
            Written::Done(_) => true,
            // It was deleted a moment ago and isn't any more: an earlier attempt of the SDK's, or another click.
            Written::Refused(there) => {
                let back = there.map(read_session).transpose()?.filter(|t| t.deleted_at.is_none());
                back.is_some_and(|t| t.owner == owner)
            }
        })
    }
}

/// The outcome that a compaction notes on the session, for lists.
pub(super) const OUTCOME: &str = "outcome";

pub(super) fn read_outcome(r: &mut Reader) -> Result<Option<Outcome>, StoreError> {
    r.opt_word(OUTCOME)
}
