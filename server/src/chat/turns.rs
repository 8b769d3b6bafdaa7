//! A chat's or a job's turn, for whom it belongs to.

use app::{
    domain::{Cursor, TurnId, UserId},
    error::ApiError,
    sse::EventStream,
};

use super::{Chat, errors::store};
use crate::{auth::ownership, storage::TurnItem, turn::Host};

impl Chat {
    /// The turn, if it is the user's and its session is there.
    pub(crate) async fn owned_turn(&self, user: UserId, id: TurnId) -> Result<TurnItem, ApiError> {
        let now = self.inner.clock.now();
        let turn = ownership::owned_turn(self.inner.store.turn(id).await.map_err(store)?, user, now)?;
        let session = self.inner.store.session(turn.session).await.map_err(store)?;
        ownership::session_of_turn(session, user, now)?;
        Ok(turn)
    }

    /// The stream of a turn from a cursor on, for its owner.
    pub(crate) fn follow(&self, turn: TurnItem, cursor: Cursor, host: Host) -> EventStream {
        self.inner.turns.follow(turn, cursor, true, host)
    }

    /// A turn of the user's that runs here obeys at once, even while the store does not answer.
    pub(crate) fn stop_here(&self, user: UserId, turn: TurnId) {
        if let Some(live) = self.inner.turns.hub().get(turn)
            && ownership::owned_turn(Some(live.turn.clone()), user, self.inner.clock.now()).is_ok()
        {
            live.stop();
        }
    }

    /// Stops a turn.
    pub(crate) async fn stop(&self, turn: &TurnItem) -> Result<(), ApiError> {
        self.inner.turns.stop(turn).await.map_err(store)
    }
}
