//! Sending: one transaction.

use app::domain::Timestamp;

use super::{
    Head, MessageItem, Segment, SessionItem, Store, StoreError, TurnItem,
    attr::{Item, n, s, values},
    keys, log, message,
    request::{Change, Transacted, token},
    session, turn,
};

/// What is sent, all or nothing.
#[derive(Debug, Clone)]
pub struct SendTx {
    /// As it shall be after: with its newest turn's model, head, time and TTL. Of one that is there already only
    /// these are written, and its title with `set_title`.
    pub session: SessionItem,
    /// The session's head as it was read, of one that is there already: it must be that still, so that a question
    /// never follows another answer than it was meant to.
    pub before: Option<Head>,
    /// Make the session.
    pub new: bool,
    pub set_title: bool,
    /// The user's message; none where a turn answers an old one anew.
    pub message: Option<MessageItem>,
    /// Becomes the session's active turn. Its `claims` count the `claim` below.
    pub turn: TurnItem,
    /// `LOG#0`, where the sender runs the turn itself.
    pub claim: Option<Segment>,
}

/// How a sending went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    Sent,
    /// Something was not as it has to be; read again to know what.
    Refused,
}

const NEW: &str = "attribute_not_exists(pk)";

impl Store {
    /// Puts message, turn and claim, none of which may exist, and makes the turn the session's active one: it must
    /// be there, its owner's, not deleted and without one; or with `new` not be there at all.
    ///
    /// # Errors
    /// As every write. After an ambiguous one the very same call may be repeated within ten minutes, else `LOG#0`
    /// or the turn has to be read.
    pub async fn send(&self, tx: &SendTx) -> Result<SendOutcome, StoreError> {
        let mut items = Vec::new();
        if tx.new {
            let mut item = session::write_session(&tx.session);
            item.insert("active".to_owned(), s(tx.turn.id));
            // An expired session that DynamoDB hasn't got round to is no obstacle.
            let now = values([(":now", n(self.now_seconds()))]);
            items.push(self.tx_put(item, Some("attribute_not_exists(pk) OR #ttl < :now"), now)?);
        } else {
            items.push(self.tx_change(activate(tx, self.now_seconds()))?);
        }
        items.push(self.tx_put(turn::write_turn(&tx.turn)?, Some(NEW), Item::new())?);
        if let Some(claim) = &tx.claim {
            let item = log::write_segment(tx.turn.id, 0, claim, tx.turn.ttl)?;
            items.push(self.tx_put(item, Some(NEW), Item::new())?);
        }
        if let Some(message) = &tx.message {
            for item in message::write_message(message, usize::MAX)? {
                items.push(self.tx_put(item, Some(NEW), Item::new())?);
            }
        }
        let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
        let token = token(&[
            "send",
            &tx.turn.id.to_string(),
            &text(tx.claim.as_ref().map(|c| c.nonce.as_str())),
            &text(tx.message.as_ref().map(|m| m.id.to_string()).as_deref()),
            &stamp(tx.session.updated_at),
            if tx.new { "new" } else { "" },
        ]);
        match self.transact("sending", Some(token), items).await? {
            Transacted::Done => Ok(SendOutcome::Sent),
            Transacted::Refused(_) => Ok(SendOutcome::Refused),
        }
    }
}

fn stamp(at: Timestamp) -> String {
    at.millis().to_string()
}

/// The session gets its active turn, and comes first in the lists.
fn activate(tx: &SendTx, now: u64) -> Change {
    let session = &tx.session;
    let mut set = "SET #active = :active, #updated = :updated, #recent = :recent, #day = :day, #ttl = :ttl".to_owned();
    let mut values = values([
        (":active", s(tx.turn.id)),
        (":updated", n(session.updated_at.millis())),
        (":recent", s(session.updated_at.to_string())),
        (":day", s(keys::day_pk(session.updated_at, session.id))),
        (":ttl", n(session.ttl)),
        (":owner", s(session.owner)),
        (":now", n(now)),
    ]);
    let mut also = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            set.push_str(&format!(", #{name} = :{name}"));
            values.insert(format!(":{name}"), s(value));
        }
    };
    also("model", session.model.clone());
    also("head", session.head.map(session::write_head));
    also("title", tx.set_title.then(|| session.title.clone()));
    let head = match tx.before {
        Some(head) => {
            values.insert(":before".to_owned(), s(session::write_head(head)));
            "#head = :before"
        }
        None => "attribute_not_exists(#head)",
    };
    set.push_str(" REMOVE #outcome");
    Change {
        key: session::session_key(session.id),
        set,
        when: format!("{} AND attribute_not_exists(#active) AND #ttl >= :now AND {head}", session::MINE),
        values,
    }
}
