//! The backend of one request: who asks is known in here, and every id is checked against them.

use std::future::Future;

use app::{
    backend::{Backend, Fut, SendRequest},
    domain::{Created, Cursor, MessageId, Models, SessionId, SessionList, SessionPage, TurnId, UserId},
    error::ApiError,
    sse::EventStream,
};

use super::{Chat, errors::store, send::Sent};
use crate::{auth::ownership, http::forms::FormReply, storage::TurnItem, turn::Host};

/// What a request may do, for the user who makes it.
pub struct RequestBackend {
    chat: Chat,
    user: UserId,
    /// A plain form, which is answered by a redirect.
    form: Option<FormReply>,
    /// By when a runner that this request starts has to hand over.
    host: Host,
}

impl RequestBackend {
    #[must_use]
    pub fn new(chat: Chat, user: UserId, form: Option<FormReply>, host: Host) -> Self {
        Self { chat, user, form, host }
    }
}

impl Chat {
    /// The stream of a turn that was sent; or, for a plain form, where its page is.
    fn stream(&self, sent: Sent, form: Option<&FormReply>, host: Host) -> EventStream {
        match form {
            Some(form) => {
                form.set(format!("/c/{}/live", sent.turn.session));
                EventStream::empty()
            }
            None => self.inner.turns.follow(sent.turn, Cursor::default(), true, host),
        }
    }

    /// The turn, if it is the user's and its session is there.
    async fn owned_turn(&self, user: UserId, id: TurnId) -> Result<TurnItem, ApiError> {
        let now = self.inner.clock.now();
        let turn = ownership::owned_turn(self.inner.store.turn(id).await.map_err(store)?, user, now)?;
        let session = self.inner.store.session(turn.session).await.map_err(store)?;
        ownership::owned_session(session, user, now)?;
        Ok(turn)
    }
}

/// Runs a call that changes something to its end, even if whoever asked is gone before: the request's own future is
/// dropped when its connection closes, perhaps between a transaction and what has to follow it.
fn detached<T: Send + 'static>(call: impl Future<Output = Result<T, ApiError>> + Send + 'static) -> Fut<T> {
    let task = tokio::spawn(call);
    Box::pin(async move {
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a call failed");
            Err(ApiError::internal())
        })
    })
}

impl Backend for RequestBackend {
    fn models(&self) -> Fut<Models> {
        let chat = self.chat.clone();
        Box::pin(async move { Ok(chat.model_list().await) })
    }

    fn create_session(&self) -> Fut<Created> {
        let (chat, user, form) = (self.chat.clone(), self.user, self.form.clone());
        detached(async move {
            let created = chat.create(user).await?;
            if let Some(form) = form {
                form.set(format!("/c/{}", created.session_id));
            }
            Ok(created)
        })
    }

    fn list_sessions(&self, page: Option<String>) -> Fut<SessionList> {
        let (chat, user) = (self.chat.clone(), self.user);
        Box::pin(async move { chat.list(user, page).await })
    }

    fn get_session(&self, session: SessionId, page: Option<String>, via: Option<MessageId>) -> Fut<SessionPage> {
        let (chat, user) = (self.chat.clone(), self.user);
        Box::pin(async move { chat.history(user, session, page, via).await })
    }

    fn rename_session(&self, session: SessionId, title: String) -> Fut<()> {
        let (chat, user, form) = (self.chat.clone(), self.user, self.form.clone());
        detached(async move {
            chat.rename(user, session, &title).await?;
            if let Some(form) = form {
                form.set(format!("/c/{session}"));
            }
            Ok(())
        })
    }

    fn delete_session(&self, session: SessionId) -> Fut<()> {
        let (chat, user, form) = (self.chat.clone(), self.user, self.form.clone());
        detached(async move {
            let title = chat.delete(user, session).await?;
            if let Some(form) = form {
                form.set_deleted(session, title);
            }
            Ok(())
        })
    }

    fn restore_session(&self, session: SessionId) -> Fut<()> {
        let (chat, user, form) = (self.chat.clone(), self.user, self.form.clone());
        detached(async move {
            chat.restore(user, session).await?;
            if let Some(form) = form {
                form.set(format!("/c/{session}"));
            }
            Ok(())
        })
    }

    fn send(&self, send: SendRequest) -> Fut<EventStream> {
        let (chat, user, form, host) = (self.chat.clone(), self.user, self.form.clone(), self.host);
        detached(async move {
            let sent = chat.send(user, send, form.is_none().then_some(host)).await?;
            Ok(chat.stream(sent, form.as_ref(), host))
        })
    }

    fn retry(&self, turn: TurnId, message: MessageId) -> Fut<EventStream> {
        let (chat, user, form, host) = (self.chat.clone(), self.user, self.form.clone(), self.host);
        detached(async move {
            let sent = chat.retry(user, turn, message, form.is_none().then_some(host)).await?;
            Ok(chat.stream(sent, form.as_ref(), host))
        })
    }

    fn carry_on(&self, turn: TurnId, message: MessageId) -> Fut<EventStream> {
        let (chat, user, form, host) = (self.chat.clone(), self.user, self.form.clone(), self.host);
        detached(async move {
            let sent = chat.carry_on(user, turn, message, form.is_none().then_some(host)).await?;
            Ok(chat.stream(sent, form.as_ref(), host))
        })
    }

    fn follow(&self, turn: TurnId, cursor: Cursor) -> Fut<EventStream> {
        let (chat, user, host) = (self.chat.clone(), self.user, self.host);
        Box::pin(async move {
            let turn = chat.owned_turn(user, turn).await?;
            Ok(chat.inner.turns.follow(turn, cursor, true, host))
        })
    }

    fn replies_left(&self) -> Fut<Option<u32>> {
        let (chat, user) = (self.chat.clone(), self.user);
        Box::pin(async move {
            let Some(budget) = chat.inner.turns.budget() else { return Ok(None) };
            Ok(budget.replies_left(user).await)
        })
    }

    fn stop(&self, turn: TurnId) -> Fut<()> {
        let (chat, user, form) = (self.chat.clone(), self.user, self.form.clone());
        // One that runs here obeys at once, even while the store does not answer.
        if let Some(live) = chat.inner.turns.hub().get(turn)
            && ownership::owned_turn(Some(live.turn.clone()), user, chat.inner.clock.now()).is_ok()
        {
            live.stop();
        }
        detached(async move {
            let turn = chat.owned_turn(user, turn).await?;
            chat.inner.turns.stop(&turn).await.map_err(store)?;
            if let Some(form) = form {
                form.set(format!("/c/{}", turn.session));
            }
            Ok(())
        })
    }
}
