//! Deleting a session for good: messages, turns, logs, and at last the tombstone.
//!
//! All turns of a session are found without an index of them. A turn is the session's active one until a compaction
//! has stored its message, which has its id, or until it is taken off and noted in `cleared`. So every turn is named
//! by a message, by `active` or by `cleared`, and it is deleted before what names it.

use std::collections::BTreeSet;

use app::domain::{SessionId, Timestamp, TurnId};
use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Store, StoreError,
    attr::{Item, Reader, key, n, s, values},
    keys,
    request::{Ask, Change, Written, text},
    session::{RESTORE_SECONDS, session_key},
};

/// A log that was written to so shortly before the deletion may have a runner left, frozen somewhere, that will
/// write to it after the purge. Lambda freezes for at most its 15 minutes; this is generous.
const LATE_MS: u64 = 60 * 60 * 1000;

const DOING: &str = "purging a session";

impl Store {
    /// Deletes all that a deleted session has, but its tombstone. False, and nothing is deleted, while it may still
    /// be restored, or if it isn't deleted. May be repeated, after a crash too, and is to be repeated before
    /// [`Self::forget`]: it remembers whose late writing has to be looked for.
    ///
    /// # Errors
    /// As every write; what is deleted then stays deleted.
    pub async fn purge(&self, id: SessionId, now: Timestamp) -> Result<bool, StoreError> {
        let begin = Change {
            key: session_key(id),
            set: "SET #purging = :yes".to_owned(),
            when: "#deleted < :before".to_owned(),
            values: values([
                (":yes", AttributeValue::Bool(true)),
                (":before", n(now.millis().saturating_sub(RESTORE_SECONDS * 1000))),
            ]),
        };
        let Written::Done(tombstone) = self.change(DOING, begin).await? else { return Ok(false) };
        let mut r = Reader::new(tombstone);
        let deleted_at = r.time("deleted")?;
        let mut named: BTreeSet<TurnId> = r.opt_parse("active")?.into_iter().collect();
        for set in [r.set("cleared")?, r.set("late")?] {
            named.extend(set.iter().filter_map(|id| id.parse::<TurnId>().ok()));
        }
        self.purge_turns(id, deleted_at, &named).await?;
        loop {
            // Always from the beginning: what was there is deleted.
            let ask = Ask {
                when: "pk = :pk AND begins_with(sk, :prefix)",
                only: Some("pk, sk, #turn"),
                values: values([(":pk", s(keys::session_pk(id))), (":prefix", s(keys::MSG))]),
                ..Ask::default()
            };
            let page = self.query(DOING, &ask).await?;
            if page.items.is_empty() && page.next.is_none() {
                return Ok(true);
            }
            let turns = page.items.iter().filter_map(|i| text(i, "turn")?.parse().ok()).collect();
            self.purge_turns(id, deleted_at, &turns).await?;
            self.delete_all(DOING, page.items.into_iter().map(bare).collect()).await?;
        }
    }

    /// Removes the tombstone of a purged session.
    ///
    /// # Errors
    /// As every write.
    pub async fn forget(&self, id: SessionId) -> Result<(), StoreError> {
        let done = self
            .client()?
            .delete_item()
            .table_name(self.table())
            .set_key(Some(session_key(id)))
            .condition_expression("attribute_exists(purging)")
            .set_return_consumed_capacity(self.meter().ask())
            .send()
            .await;
        match done {
            Ok(done) => {
                self.meter().wrote(done.consumed_capacity());
                Ok(())
            }
            Err(e) if e.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(e) => Err(StoreError::sdk(DOING, &e)),
        }
    }

    async fn purge_turns(
        &self,
        session: SessionId,
        deleted_at: Timestamp,
        turns: &BTreeSet<TurnId>,
    ) -> Result<(), StoreError> {
        let (mut doomed, mut late) = (Vec::new(), Vec::new());
        for turn in turns {
            let ask = Ask {
                when: "pk = :pk",
                only: Some("pk, sk, #time, #created"),
                values: values([(":pk", s(keys::turn_pk(*turn)))]),
                ..Ask::default()
            };
            let items = self.query_all(DOING, ask).await?;
            let newest = items.iter().filter_map(written_at).max();
            if newest.is_some_and(|at| at + LATE_MS >= deleted_at.millis()) {
                late.push(turn.to_string());
            }
            doomed.extend(items.into_iter().map(bare));
        }
        if !late.is_empty() {
            // Before they are deleted: afterwards nothing names them.
            let note = Change {
                key: session_key(session),
                set: "ADD #late :late".to_owned(),
                when: "attribute_exists(#purging)".to_owned(),
                values: values([(":late", AttributeValue::Ss(late))]),
            };
            self.change(DOING, note).await?;
        }
        self.delete_all(DOING, doomed).await
    }
}

/// The item's key alone.
fn bare(mut item: Item) -> Item {
    let mut take = |name: &str| item.remove(name).and_then(|v| v.as_s().ok().cloned()).unwrap_or_default();
    key(take("pk"), take("sk"))
}

/// When a segment or a turn was written, in milliseconds.
fn written_at(item: &Item) -> Option<u64> {
    item.get("time").or_else(|| item.get("created"))?.as_n().ok()?.parse().ok()
}
