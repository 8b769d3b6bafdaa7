//! Compaction: what a turn's log adds up to becomes its message, and the turn is done.

use app::domain::{PieceKind, SessionId, Timestamp};

use super::{
    MessageItem, Store, StoreError, StoreErrorKind, TurnItem,
    attr::{Item, json, n, s, values, word},
    job::{is_replaced, variant_ended},
    message::write_message,
    request::{Change, Transacted, Verdict, text},
    session::{OUTCOME, session_key},
    turn::turn_key,
    usage::add_turn,
};

/// So much content stands in the message's head, which is written twice in a transaction's price; what is more
/// stands in parts, which are written before it at the ordinary one.
const INLINE: usize = 1_000;

/// A turn's end.
#[derive(Debug, Clone)]
pub struct CompactTx {
    pub session: SessionId,
    /// The same, byte for byte, whoever compacts.
    pub message: MessageItem,
    /// As it shall be: done, with all that the log's end says.
    pub turn: TurnItem,
    /// Whose totals it counts for (UTC, `yyyy-mm-dd`): see [`super::keys::day`].
    pub day: String,
    /// When the turn ended.
    pub at: Timestamp,
}

/// Characters of a message's text.
fn chars(message: &MessageItem) -> u64 {
    message.content.iter().filter(|p| p.kind == PieceKind::Text).map(|p| p.text.chars().count() as u64).sum()
}

/// What a compaction found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compacted {
    /// The turn is done by it.
    Now,
    /// It was done before.
    Already,
    /// The session is deleted, so there is no message.
    Deleted,
}

/// What the turn's part of the transaction says: not there, or done.
fn not_open(there: Option<&Item>) -> Compacted {
    match there.and_then(|t| text(t, "state")) {
        Some(_) => Compacted::Already,
        None => Compacted::Deleted,
    }
}

impl Store {
    /// Stores the message, sets the turn done, takes it off its session and counts it, all together; the parts of a
    /// long message are written before, and without their head nobody sees them. May be repeated by anyone.
    ///
    /// # Errors
    /// As every write; then nobody may be told that the turn is over.
    pub async fn compact(&self, tx: &CompactTx) -> Result<Compacted, StoreError> {
        const DOING: &str = "compacting a turn";
        let mut message = write_message(&tx.message, INLINE)?.into_iter();
        let head = message.next().ok_or_else(|| StoreError::build("a message without a head"))?;
        for part in message {
            self.put(DOING, part).await?;
        }
        // A job's session has no active turn.
        let mut active = tx.turn.variant.is_none();
        let mut variant = variant_ended(&tx.turn, chars(&tx.message), tx.at)?.is_some();
        // Twice at most: an active turn is cleared, but never comes back.
        for _ in 0..3 {
            let session = if active { self.tx_change(release(tx)?)? } else { self.still_there(tx)? };
            let mut items = vec![
                self.tx_change(finish(&tx.turn)?)?,
                session,
                self.tx_put(head.clone(), None, Item::new())?,
                self.tx_change(add_turn(&tx.turn, &tx.day, self.now_seconds()))?,
            ];
            if variant && let Some(change) = variant_ended(&tx.turn, chars(&tx.message), tx.at)? {
                items.push(self.tx_change(change)?);
            }
            let verdicts = match self.transact(DOING, None, items).await? {
                Transacted::Done => return Ok(Compacted::Now),
                Transacted::Refused(verdicts) => verdicts,
            };
            match (verdicts.first(), verdicts.get(1)) {
                // The variant has another turn by now, or its job has expired.
                (Some(Verdict::Held), Some(Verdict::Held)) if is_replaced(verdicts.get(4)) => variant = false,
                (Some(Verdict::Failed(turn)), session) => {
                    // A turn that was done while its session was deleted is still the active one of the restored, and
                    // has no message yet. Refused, somebody else has just stored it.
                    if active && matches!(session, Some(Verdict::Held)) {
                        let items = vec![self.tx_change(release(tx)?)?, self.tx_put(head, None, Item::new())?];
                        self.transact(DOING, None, items).await?;
                    }
                    let deleted = match session {
                        Some(Verdict::Failed(there)) => there.as_ref().is_none_or(|s| s.contains_key("deleted")),
                        _ => false,
                    };
                    return Ok(if deleted { Compacted::Deleted } else { not_open(turn.as_ref()) });
                }
                (_, Some(Verdict::Failed(Some(session)))) if !session.contains_key("deleted") => active = false,
                // Deleted, unless that was undone meanwhile.
                _ => match self.finish_deleted(&tx.turn, &tx.day).await? {
                    Some(compacted) => return Ok(compacted),
                    None => active = true,
                },
            }
        }
        Err(StoreError::new(StoreErrorKind::Conflict, DOING, "the session changes too often"))
    }

    /// Sets a turn done whose session is deleted or gone: without a message, but counted. The session keeps it as its
    /// active turn, by which the purge finds it. None if the session is there.
    ///
    /// # Errors
    /// As every write.
    pub async fn finish_deleted(&self, turn: &TurnItem, day: &str) -> Result<Option<Compacted>, StoreError> {
        let gone = "attribute_not_exists(pk) OR attribute_exists(#deleted)";
        let items = vec![
            self.tx_change(finish(turn)?)?,
            self.tx_check(session_key(turn.session), gone, Item::new())?,
            self.tx_change(add_turn(turn, day, self.now_seconds()))?,
        ];
        match self.transact("finishing a deleted turn", None, items).await? {
            Transacted::Done => Ok(Some(Compacted::Deleted)),
            Transacted::Refused(verdicts) => Ok(match (verdicts.first(), verdicts.get(1)) {
                (_, Some(Verdict::Failed(_))) => None,
                // Done before, by somebody who found the session deleted too, or gone with it.
                _ => Some(Compacted::Deleted),
            }),
        }
    }

    fn still_there(&self, tx: &CompactTx) -> Result<aws_sdk_dynamodb::types::TransactWriteItem, StoreError> {
        self.tx_check(
            session_key(tx.session),
            "attribute_exists(pk) AND attribute_not_exists(#deleted) AND (attribute_not_exists(#active) OR #active <> :turn)",
            values([(":turn", s(tx.turn.id))]),
        )
    }
}

/// The session is free for the next turn.
fn release(tx: &CompactTx) -> Result<Change, StoreError> {
    let mut values = values([(":turn", s(tx.turn.id))]);
    let mut set = "REMOVE #active".to_owned();
    if let Some(outcome) = &tx.turn.outcome {
        set = format!("SET #{OUTCOME} = :outcome REMOVE #active");
        values.insert(":outcome".to_owned(), word(outcome)?);
    }
    Ok(Change {
        key: session_key(tx.session),
        set,
        when: "attribute_not_exists(#deleted) AND #active = :turn".to_owned(),
        values,
    })
}

/// Open becomes done, which also takes the turn out of the index of open work.
fn finish(turn: &TurnItem) -> Result<Change, StoreError> {
    let mut values = values([
        (":open", s("open")),
        (":done", s("done")),
        (":bases", json(&turn.bases)?),
        (":usage", json(&turn.usage)?),
        (":total", n(turn.total)),
    ]);
    let mut set = "SET #state = :done, #bases = :bases, #usage = :usage, #total = :total".to_owned();
    let also = [
        ("outcome", turn.outcome.as_ref().map(word).transpose()?),
        ("stop", turn.stop_reason.as_deref().map(s)),
        ("error", turn.error.as_ref().map(json).transpose()?),
        ("timing", turn.timing.as_ref().map(json).transpose()?),
    ];
    for (name, value) in also {
        if let Some(value) = value {
            set.push_str(&format!(", #{name} = :{name}"));
            values.insert(format!(":{name}"), value);
        }
    }
    set.push_str(" REMOVE #open, #since");
    Ok(Change { key: turn_key(turn.id), set, when: "#state = :open".to_owned(), values })
}
