//! From a log that has ended to a stored message: before `end` is shown to anybody.

use std::{sync::Arc, time::Duration};

use app::domain::{MessageId, Role, TurnEvent};

use super::{
    Turns, deleted_error,
    hub::{Live, Phase},
    log::Log,
};
use crate::{
    clock::jitter,
    storage::{CompactTx, Compacted, End, MessageItem, StoreError, TurnItem, TurnState, keys},
};

impl Turns {
    /// Compacts an ended turn and gives the event that ends its streams. Anybody may, and again.
    pub(super) async fn compact(&self, turn: &TurnItem, log: &Log) -> Result<Option<TurnEvent>, StoreError> {
        let Some(end) = log.end() else { return Ok(None) };
        let message = MessageItem {
            id: MessageId::from(turn.id),
            session: turn.session,
            parent: Some(turn.parent),
            depth: turn.depth,
            role: Role::Assistant,
            content: log.content().all(),
            turn: Some(turn.id),
            model: Some(turn.model.clone()),
            outcome: Some(end.outcome),
            stop_reason: end.stop_reason.clone(),
            error: end.error.clone(),
            usage: Some(end.usage),
            timing: Some(end.timing),
            bases: log.bases().to_vec(),
            left_out: (end.left_out > 0).then_some(end.left_out),
            created_at: log.began().unwrap_or(turn.created_at),
            ttl: turn.ttl,
        };
        let turn = TurnItem {
            state: TurnState::Done,
            claims: log.bases().len() as u32,
            bases: log.bases().to_vec(),
            usage: end.usage,
            outcome: Some(end.outcome),
            stop_reason: end.stop_reason.clone(),
            error: end.error.clone(),
            timing: Some(end.timing),
            total: end.total,
            ..turn.clone()
        };
        let day = keys::day(self.inner.clock.now());
        let at = log.tail().map_or(turn.created_at, |t| t.time);
        let tx = CompactTx { session: turn.session, message, turn, day, at };
        let deleted = self.inner.store.compact(&tx).await? == Compacted::Deleted;
        Ok(Some(end_event(end, deleted)))
    }
}

/// The event that an `end` becomes.
fn end_event(end: &End, deleted: bool) -> TurnEvent {
    TurnEvent::End {
        outcome: if deleted { app::domain::Outcome::Stopped } else { end.outcome },
        stop_reason: end.stop_reason.clone(),
        usage: end.usage,
        error: if deleted { Some(deleted_error()) } else { end.error.clone() },
        timing: Some(end.timing),
    }
}

/// As the runner does it: until the store has taken it. Should the process end before, whoever comes next compacts.
pub(super) async fn until_done(turns: &Turns, live: &Arc<Live>, log: &Log) {
    let mut closing = turns.inner.closing.subscribe();
    loop {
        match turns.compact(&live.turn, log).await {
            Ok(Some(event)) => return live.update(|s| s.phase = Phase::Ended(event)),
            Ok(None) => return live.update(|s| s.phase = Phase::Gone),
            Err(error) => {
                tracing::warn!(turn = %live.turn.id, %error, "an ended turn could not be compacted yet");
                if *closing.borrow_and_update() {
                    return live.update(|s| s.phase = Phase::Gone);
                }
                tokio::time::sleep(Duration::from_millis(200 + jitter(300))).await;
            }
        }
    }
}
