//! Sessions: made, listed, renamed, deleted, restored.

use app::{
    domain::{Created, SessionId, SessionList, SessionRow, UserId},
    error::ApiError,
};

use super::{Chat, errors::store, text};
use crate::{
    auth::ownership,
    storage::{SessionItem, TurnState},
};

/// Sessions of one page of the list.
const PAGE: u32 = 50;

impl Chat {
    pub(crate) async fn create(&self, user: UserId) -> Result<Created, ApiError> {
        let now = self.inner.clock.now();
        let session = SessionItem {
            id: self.inner.clock.session_id(),
            owner: user,
            title: text::UNTITLED.to_owned(),
            created_at: now,
            updated_at: now,
            model: None,
            head: None,
            active: None,
            of_job: false,
            deleted_at: None,
            ttl: self.ttl(now),
        };
        self.inner.store.create_session(&session).await.map_err(store)?;
        Ok(Created { session_id: session.id })
    }

    pub(crate) async fn list(&self, user: UserId, page: Option<String>) -> Result<SessionList, ApiError> {
        let (found, next) = self.inner.store.list_sessions(user, page.as_deref(), PAGE).await.map_err(store)?;
        let row = |s: crate::storage::SessionEntry| SessionRow {
            session_id: s.id,
            title: s.title,
            updated_at: s.updated_at,
            active_turn: s.active,
        };
        Ok(SessionList { sessions: found.into_iter().map(row).collect(), next })
    }

    pub(crate) async fn rename(&self, user: UserId, id: SessionId, title: &str) -> Result<(), ApiError> {
        let title = text::title(title, self.inner.config.title_chars)?;
        if self.inner.store.rename(id, user, &title).await.map_err(store)? {
            Ok(())
        } else {
            Err(ApiError::not_found())
        }
    }

    /// Gone at once for everybody; its running turn is stopped.
    pub(crate) async fn delete(&self, user: UserId, id: SessionId) -> Result<String, ApiError> {
        let now = self.inner.clock.now();
        let Some(session) = self.inner.store.tombstone(id, user, now).await.map_err(store)? else {
            return Err(ApiError::not_found());
        };
        if let Some(active) = session.active {
            // On the side: the session is gone already, and the runner's end need not be waited for.
            let chat = self.clone();
            let stopping = async move {
                let stopped = match chat.inner.store.turn(active).await {
                    Ok(Some(turn)) => chat.inner.turns.stop(&turn).await,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
                if let Err(error) = stopped {
                    tracing::warn!(turn = %active, %error, "a deleted session's turn could not be stopped yet");
                }
            };
            self.inner.turns.aside(stopping).await;
        }
        Ok(session.title)
    }

    pub(crate) async fn restore(&self, user: UserId, id: SessionId) -> Result<(), ApiError> {
        let now = self.inner.clock.now();
        // Before anything is tried: else how long it takes tells what is missing from what is somebody else's.
        let found = self.inner.store.session(id).await.map_err(store)?;
        ownership::restorable_session(found, user, now)?;
        self.inner.store.restore(id, user, now).await.map_err(store)?;
        // Restoring what is there already is no fault, and repeats what may have been missed.
        let found = self.inner.store.session(id).await.map_err(store)?;
        ownership::owned_session(found, user, now)?;
        self.rescue_stopped(id).await
    }

    /// The reply that the deletion stopped was not stored with its chat deleted; now it is.
    async fn rescue_stopped(&self, id: SessionId) -> Result<(), ApiError> {
        let Some(session) = self.inner.store.session(id).await.map_err(store)? else { return Ok(()) };
        let Some(active) = session.active else { return Ok(()) };
        match self.inner.store.turn(active).await.map_err(store)? {
            // Still open, it is compacted as any other when its runner has stopped.
            Some(turn) if turn.state == TurnState::Open => Ok(()),
            Some(turn) => self.inner.turns.rescue(&turn).await.map_err(store),
            None => self.inner.store.clear_active(id, active).await.map_err(store),
        }
    }
}
