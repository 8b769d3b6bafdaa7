//! Sending: one transaction, and what to make of it when it is refused or its answer is lost.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use app::{
    backend::{Parent, SendRequest},
    domain::{MessageId, Outcome, SessionId, Timestamp, TurnId, UserId},
    error::ApiError,
};
use tokio::time::sleep;

use super::{
    Chat,
    errors::store,
    gate::{Admitted, Asking},
    prompt::Question,
    text,
};
use crate::{
    auth::ownership,
    claude::Model,
    clock::jitter,
    storage::{Head, MessageItem, Segment, SendOutcome, SendTx, SessionItem, StoreError, TurnItem, TurnState},
    turn::{
        Host, Prompt, PromptSource,
        budget::{self, Purse},
    },
};

/// What to do with a turn that was sent, now or before.
pub(crate) struct Sent {
    pub turn: TurnItem,
}

/// A turn that is to be sent.
struct Draft {
    user: UserId,
    session: SessionId,
    turn: TurnId,
    model: Option<String>,
    new: bool,
    kind: DraftKind,
}

enum DraftKind {
    /// A question of the person's.
    Question { text: String, parent: Parent },
    /// Another answer beside this one; or one that begins with its text and goes on.
    Retry { beside: Box<TurnItem>, carry_on: bool },
}

/// How often a send is tried before the person is told to try again.
const ATTEMPTS: u32 = 6;

impl Chat {
    /// Sends a message. With a host, the turn runs here; else it waits for whoever follows it.
    pub(crate) async fn send(&self, user: UserId, send: SendRequest, host: Option<Host>) -> Result<Sent, ApiError> {
        text::message(&send.text, self.inner.config.prompt_chars)?;
        if let Some(model) = &send.model {
            self.check_model(model).await?;
        }
        let kind = DraftKind::Question { text: send.text, parent: send.parent };
        let (session, turn, model, new) = (send.session_id, send.turn_id, send.model, send.new);
        self.submit(Draft { user, session, turn, model, new, kind }, host).await
    }

    /// Sends for another answer beside a message of an assistant's.
    pub(crate) async fn retry(
        &self,
        user: UserId,
        turn: TurnId,
        message: MessageId,
        host: Option<Host>,
    ) -> Result<Sent, ApiError> {
        self.beside(user, turn, message, false, host).await
    }

    /// Sends for an answer that begins with the text of one that was stopped, cut off or failed, and goes on.
    pub(crate) async fn carry_on(
        &self,
        user: UserId,
        turn: TurnId,
        message: MessageId,
        host: Option<Host>,
    ) -> Result<Sent, ApiError> {
        self.beside(user, turn, message, true, host).await
    }

    async fn beside(
        &self,
        user: UserId,
        turn: TurnId,
        message: MessageId,
        carry_on: bool,
        host: Option<Host>,
    ) -> Result<Sent, ApiError> {
        let beside = ownership::owned_turn(
            self.inner.store.turn(message.into()).await.map_err(store)?,
            user,
            self.inner.clock.now(),
        )?;
        // The same call again follows the same turn, whatever has become of the message meanwhile.
        let known = self.inner.store.turn(turn).await.map_err(store)?.is_some();
        if carry_on && !known && !may_continue(&beside) {
            return Err(ApiError::invalid("message_id", "This answer is whole; there is nothing to continue."));
        }
        let (session, model) = (beside.session, Some(beside.model.clone()));
        let kind = DraftKind::Retry { beside: Box::new(beside), carry_on };
        self.submit(Draft { user, session, turn, model, new: false, kind }, host).await
    }

    pub(crate) async fn check_model(&self, id: &str) -> Result<(), ApiError> {
        let known = |m: &app::domain::ModelInfo| m.id == id;
        if self.model_list().await.models.iter().any(known) {
            return Ok(());
        }
        Err(ApiError::invalid("model", "There is no such model."))
    }

    async fn submit(&self, mut draft: Draft, host: Option<Host>) -> Result<Sent, ApiError> {
        // Until it runs nobody here takes it for abandoned, and the process does not end.
        let _busy = self.inner.turns.busy(draft.turn);
        // A process that is to end claims nothing: the turn stands, and whoever follows it elsewhere runs it.
        let host = host.filter(|_| !self.inner.turns.closing());
        // One claim for all attempts: whichever of them stands, it is known again by its nonce.
        self.inner.turns.warm();
        let claim = match host {
            Some(_) => Some(self.inner.turns.first_claim().await),
            None => None,
        };
        let asking = Asking { user: draft.user, turn: draft.turn, need: self.need(&draft) };
        let (mut admitted, mut checked) = (None, false);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(Duration::from_millis(jitter(30 * u64::from(attempt)))).await;
            }
            let session = if draft.new {
                None
            } else {
                let found = self.look(&asking, draft.session).await?;
                let session = ownership::owned_session(found, draft.user, self.inner.clock.now())?;
                if session.active.is_some() {
                    match self.resolve(&mut draft).await? {
                        Some(sent) => return self.own(sent, claim.as_ref(), host).await,
                        None => continue,
                    }
                }
                Some(session)
            };
            if admitted.is_none() {
                admitted = Some(self.admit(&asking).await?);
            }
            let (tx, prompt) = self.prepare(&draft, session, claim.clone()).await?;
            let outcome = self.transact(&tx).await;
            // It is in, or may be. Without a runner here nothing else keeps this process awake until that is queued.
            let sent = match &outcome {
                Ok(outcome) => *outcome == SendOutcome::Sent,
                Err(error) => error.ambiguous(),
            };
            if sent && !std::mem::replace(&mut checked, true) {
                self.inner.turns.check_later(draft.turn, claim.is_none()).await;
            }
            match outcome {
                Ok(SendOutcome::Sent) => {
                    if draft.new {
                        self.look_later(draft.user, draft.turn);
                    }
                    if let (Some(claim), Some(prompt)) = (&tx.claim, prompt) {
                        let purse = admitted.as_mut().and_then(|a| a.purse.take());
                        self.begin(&tx, claim, prompt, host.unwrap_or_default(), purse).await;
                    }
                    return Ok(Sent { turn: tx.turn });
                }
                Ok(SendOutcome::Refused) => {}
                Err(error) if error.ambiguous() => tracing::warn!(%error, "a send was not acknowledged"),
                Err(error) => return Err(store(error)),
            }
            // It may be in all the same, with my claim: then I run it.
            if let (Some(claim), Some(prompt)) = (&tx.claim, prompt)
                && self.stands(draft.turn, &claim.nonce).await?
            {
                // Of whichever attempt it was: each had a question's id of its own.
                let turn = self.inner.store.turn(draft.turn).await.map_err(store)?;
                let tx = SendTx { turn: turn.ok_or_else(ApiError::unavailable)?, ..tx.clone() };
                let purse = admitted.as_mut().and_then(|a| a.purse.take());
                self.begin(&tx, claim, prompt, host.unwrap_or_default(), purse).await;
                return Ok(Sent { turn: tx.turn });
            }
            if let Some(sent) = self.resolve(&mut draft).await? {
                return self.own(sent, claim.as_ref(), host).await;
            }
        }
        Err(ApiError::unavailable())
    }

    /// A turn that stands already. If its first claim is mine, that of an attempt whose write came later than its
    /// answer, nobody else runs it: I do.
    async fn own(&self, sent: Sent, claim: Option<&Segment>, host: Option<Host>) -> Result<Sent, ApiError> {
        let Some(claim) = claim else { return Ok(sent) };
        if sent.turn.state == TurnState::Open && self.stands(sent.turn.id, &claim.nonce).await? {
            match self.prompt(&sent.turn).await {
                Ok(Some(prompt)) => {
                    self.inner.turns.start(sent.turn.clone(), claim, prompt, host.unwrap_or_default(), None);
                }
                // It is taken up like one whose runner died.
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the history could not be read; the turn is taken up later"),
            }
        }
        Ok(sent)
    }

    /// Whether a turn may begin. One that was begun already may be followed whatever the gate says.
    async fn admit(&self, asking: &Asking) -> Result<Admitted, ApiError> {
        let refused = match self.gate(asking).await {
            Ok(admitted) => return Ok(admitted),
            Err(refused) => refused,
        };
        match self.inner.store.turn(asking.turn).await.map_err(store)? {
            Some(turn) if turn.owner == asking.user => Ok(Admitted::default()),
            _ => Err(refused),
        }
    }

    /// What a turn will cost at least, as far as that is known before anything is read.
    fn need(&self, draft: &Draft) -> u64 {
        let model = draft.model.as_deref().unwrap_or(&self.inner.config.model);
        let text = match &draft.kind {
            DraftKind::Question { text, .. } => text.as_str(),
            DraftKind::Retry { .. } => "",
        };
        budget::at_least(model, text)
    }

    async fn transact(&self, tx: &SendTx) -> Result<SendOutcome, StoreError> {
        match self.inner.store.send(tx).await {
            Err(error) if error.ambiguous() => self.inner.store.send(tx).await,
            other => other,
        }
    }

    /// Whether `LOG#0` has this nonce.
    async fn stands(&self, turn: TurnId, nonce: &str) -> Result<bool, ApiError> {
        let first = self.inner.store.segment_at(turn, 0).await.map_err(store)?;
        Ok(first.is_some_and(|s| s.nonce == nonce))
    }

    async fn begin(&self, tx: &SendTx, claim: &Segment, prompt: PromptTask, host: Host, purse: Option<Purse>) {
        let read = match prompt.await {
            Ok(Ok(prompt)) => Ok(prompt),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the history could not be read; once more");
                self.prompt(&tx.turn).await.and_then(|p| p.ok_or(error))
            }
            Err(error) => return tracing::error!(%error, "the history's reader failed"),
        };
        match read {
            Ok(prompt) => self.inner.turns.start(tx.turn.clone(), claim, prompt, host, purse),
            // The turn is claimed and stands; it is taken up like one whose runner died.
            Err(error) => tracing::warn!(%error, "the history could not be read; the turn is taken up later"),
        }
    }

    /// Why a send is refused, by what is there now; `None` to try again.
    async fn resolve(&self, draft: &mut Draft) -> Result<Option<Sent>, ApiError> {
        if let Some(turn) = self.inner.store.turn(draft.turn).await.map_err(store)? {
            // The same send again follows the same turn; somebody else's is not told apart from none.
            let turn = ownership::owned_turn(Some(turn), draft.user, self.inner.clock.now())?;
            if turn.session != draft.session {
                return Err(ApiError::invalid("turn_id", "This turn is another chat's."));
            }
            return Ok(Some(Sent { turn }));
        }
        let found = self.inner.store.session(draft.session).await.map_err(store)?;
        let session = ownership::owned_session(found, draft.user, self.inner.clock.now())?;
        draft.new = false;
        let Some(active) = session.active else { return Ok(None) };
        let Some(turn) = self.inner.store.turn(active).await.map_err(store)? else {
            self.inner.store.clear_active(session.id, active).await.map_err(store)?;
            return Ok(None);
        };
        if self.inner.turns.settle(&turn).await.map_err(store)? {
            if turn.state == TurnState::Done {
                self.inner.turns.rescue(&turn).await.map_err(store)?;
            }
            return Ok(None);
        }
        Err(ApiError::turn_active(active))
    }

    /// The transaction, and the history that is read meanwhile.
    async fn prepare(
        &self,
        draft: &Draft,
        session: Option<SessionItem>,
        claim: Option<Segment>,
    ) -> Result<(SendTx, Option<PromptTask>), ApiError> {
        // All of one send has one time, so that nothing is older than what it answers.
        let now = claim.as_ref().map_or_else(|| self.inner.clock.now(), |c| c.time);
        let ttl = self.ttl(now);
        let new = session.is_none();
        let mut session = session.unwrap_or_else(|| SessionItem {
            id: draft.session,
            owner: draft.user,
            title: text::UNTITLED.to_owned(),
            created_at: now,
            updated_at: now,
            model: None,
            head: None,
            active: None,
            of_job: false,
            deleted_at: None,
            ttl,
        });
        let model = self.model(draft.model.as_deref().unwrap_or(&self.inner.config.model));
        let (message, parent, depth, question) = match &draft.kind {
            DraftKind::Question { text, parent } => {
                let head = self.parent(&session, *parent).await?;
                let depth = head.map_or(0, |h| h.depth + 1);
                let item = self.question(draft, text, head, depth, now);
                let id = item.id;
                let parent = head.map(|h| h.message);
                let question = Question { text: text.clone(), depth, parent, begins_with: String::new() };
                (Some(item), id, depth + 1, question)
            }
            DraftKind::Retry { beside, carry_on } => {
                let depth = beside.depth.saturating_sub(1);
                let asked = self.inner.store.message(beside.session, beside.parent, depth).await.map_err(store)?;
                let asked = asked.ok_or_else(ApiError::not_found)?;
                let continues = carry_on.then(|| MessageId::from(beside.id));
                let begins_with = self.continued(beside.session, continues, beside.depth).await.map_err(store)?;
                let text = super::prompt::text(&asked);
                (None, beside.parent, beside.depth, Question { text, depth, parent: asked.parent, begins_with })
            }
        };
        let set_title = session.head.is_none() && session.title == text::UNTITLED;
        if let (true, Some(message)) = (set_title, &message) {
            session.title = text::first_title(&super::prompt::text(message));
        }
        let before = session.head;
        // By the clock: each attempt is a transaction of its own.
        session.updated_at = self.inner.clock.now();
        session.model = Some(model.id.clone());
        session.head = Some(Head { message: draft.turn.into(), depth });
        session.active = Some(draft.turn);
        session.ttl = ttl;
        let continues = match &draft.kind {
            DraftKind::Retry { beside, carry_on: true } => Some(MessageId::from(beside.id)),
            _ => None,
        };
        let asked = Head { message: parent, depth: depth.saturating_sub(1) };
        let turn = TurnItem {
            claims: u32::from(claim.is_some()),
            continues,
            ..TurnItem::open(draft.turn, draft.user, session.id, asked, model.id.clone(), now, ttl)
        };
        let prompt = claim.is_some().then(|| self.gather(session.id, model, question));
        Ok((SendTx { session, before, new, set_title, message, turn, claim }, prompt))
    }

    /// Reads the history while the transaction is under way.
    fn gather(&self, session: SessionId, model: Model, question: Question) -> PromptTask {
        let chat = self.clone();
        PromptTask(tokio::spawn(async move { chat.assemble(session, &model, question).await }))
    }

    fn question(&self, draft: &Draft, text: &str, head: Option<Head>, depth: u32, now: Timestamp) -> MessageItem {
        let asked = Head { message: super::history::question_id(&self.inner.clock, depth), depth };
        let parent = head.map(|h| h.message);
        MessageItem::question(asked, draft.session, parent, text.to_owned(), now, self.ttl(now))
    }

    /// The message that a new question follows.
    async fn parent(&self, session: &SessionItem, parent: Parent) -> Result<Option<Head>, ApiError> {
        match parent {
            Parent::Newest => Ok(session.head),
            Parent::Root => Ok(None),
            Parent::Message(id) if session.head.is_some_and(|h| h.message == id) => Ok(session.head),
            Parent::Message(id) => {
                let turn = self.inner.store.turn(id.into()).await.map_err(store)?;
                match turn.filter(|t| t.owner == session.owner && t.session == session.id) {
                    Some(turn) if turn.state == TurnState::Done => Ok(Some(Head { message: id, depth: turn.depth })),
                    _ => Err(ApiError::invalid("parent_id", "`parent_id` is not an answer in this chat.")),
                }
            }
        }
    }
}

/// Whether there is something to continue: it was stopped, cut off, or it failed.
fn may_continue(turn: &TurnItem) -> bool {
    match turn.outcome {
        Some(Outcome::Stopped | Outcome::Failed) => true,
        Some(Outcome::Complete) => {
            matches!(turn.stop_reason.as_deref(), Some("max_tokens" | "model_context_window_exceeded" | "pause_turn"))
        }
        None => false,
    }
}

/// A history that is being read; reading ends when nobody waits for it any more.
pub(super) struct PromptTask(tokio::task::JoinHandle<Result<Prompt, StoreError>>);

impl Drop for PromptTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Future for PromptTask {
    type Output = Result<Result<Prompt, StoreError>, tokio::task::JoinError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}
