//! The seam between the API and the server: all that `app` needs, given through context for one request.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{
    domain::{
        Created, Cursor, Job, JobId, JobList, JobView, MessageId, Models, SessionId, SessionList, SessionPage,
        Submitted, TurnId,
    },
    error::ApiError,
    sse::EventStream,
};

/// A boxed future, so that the trait stays usable as `dyn`.
pub type Fut<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send>>;

/// The parent of a message that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parent {
    /// The end of the current branch.
    #[default]
    Newest,
    /// None: a new first question.
    Root,
    /// An assistant message of the session.
    Message(MessageId),
}

/// What `chat/send` is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRequest {
    pub session_id: SessionId,
    pub turn_id: TurnId,
    pub text: String,
    pub model: Option<String>,
    pub parent: Parent,
    /// Make the session in the same transaction.
    pub new: bool,
}

/// What `jobs/submit` is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitRequest {
    pub job_id: JobId,
    pub prompt: String,
    pub variants: u32,
    /// A JSON Schema, as text.
    pub schema: Option<String>,
    pub model: Option<String>,
    /// Where to tell that it is finished.
    pub webhook: Option<String>,
}

/// What the server does for one request. The implementation knows who asks; every id is checked against its
/// owner in there before anything is read.
pub trait Backend: Send + Sync + 'static {
    fn models(&self) -> Fut<Models>;
    fn create_session(&self) -> Fut<Created>;
    fn list_sessions(&self, page: Option<String>) -> Fut<SessionList>;
    /// The current branch, or the one that leads through `via` to its newest end.
    fn get_session(&self, session: SessionId, page: Option<String>, via: Option<MessageId>) -> Fut<SessionPage>;
    fn rename_session(&self, session: SessionId, title: String) -> Fut<()>;
    fn delete_session(&self, session: SessionId) -> Fut<()>;
    fn restore_session(&self, session: SessionId) -> Fut<()>;
    fn send(&self, send: SendRequest) -> Fut<EventStream>;
    fn retry(&self, turn: TurnId, message: MessageId) -> Fut<EventStream>;
    /// A new answer beside the one named, that begins with its text and goes on.
    fn carry_on(&self, turn: TurnId, message: MessageId) -> Fut<EventStream>;
    fn follow(&self, turn: TurnId, cursor: Cursor) -> Fut<EventStream>;
    fn stop(&self, turn: TurnId) -> Fut<()>;
    fn submit_job(&self, submit: SubmitRequest) -> Fut<Submitted>;
    fn job_status(&self, job: JobId) -> Fut<Job>;
    /// A job with all that its pages show.
    fn view_job(&self, job: JobId) -> Fut<JobView>;
    fn list_jobs(&self, page: Option<String>) -> Fut<JobList>;
    fn cancel_job(&self, job: JobId) -> Fut<()>;
    fn retry_job(&self, job: JobId) -> Fut<()>;
    /// About how many replies the day's budget still gives, once that is few.
    fn replies_left(&self) -> Fut<Option<u32>> {
        Box::pin(async { Ok(None) })
    }
}

/// As it is put into Leptos's context.
pub type SharedBackend = Arc<dyn Backend>;
