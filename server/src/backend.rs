//! The backend of one request: who asks is known in here, and every id is checked against them, in `chat` and `jobs`.

use std::future::Future;

use app::{
    backend::{Backend, Fut, SendRequest, SubmitRequest},
    domain::{
        Created, Cursor, Job, JobId, JobList, JobView, MessageId, Models, SessionId, SessionList, SessionPage,
        Submitted, TurnId, UserId,
    },
    error::ApiError,
    sse::EventStream,
};

use crate::{
    chat::{Chat, Sent},
    http::forms::FormReply,
    jobs::Jobs,
    state::{Answer, RequestContext},
    turn::Host,
};

/// What a request may do, for the user who makes it.
pub struct RequestBackend {
    chat: Chat,
    jobs: Jobs,
    user: UserId,
    /// A plain form, which is answered by a redirect.
    form: Option<FormReply>,
    /// By when a runner that this request starts has to hand over.
    host: Host,
    answer: Answer,
}

impl RequestBackend {
    #[must_use]
    pub fn new(chat: Chat, jobs: Jobs, context: RequestContext) -> Self {
        let RequestContext { user, form, host, answer, .. } = context;
        Self { chat, jobs, user, form, host, answer }
    }
}

/// The stream of a turn that was sent; or, for a plain form, where its page is.
fn stream(chat: &Chat, sent: Sent, form: Option<&FormReply>, host: Host) -> EventStream {
    match form {
        Some(form) => {
            form.set(format!("/c/{}/live", sent.turn.session));
            EventStream::empty()
        }
        None => chat.follow(sent.turn, Cursor::default(), host),
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
            Ok(stream(&chat, sent, form.as_ref(), host))
        })
    }

    fn retry(&self, turn: TurnId, message: MessageId) -> Fut<EventStream> {
        let (chat, user, form, host) = (self.chat.clone(), self.user, self.form.clone(), self.host);
        detached(async move {
            let sent = chat.retry(user, turn, message, form.is_none().then_some(host)).await?;
            Ok(stream(&chat, sent, form.as_ref(), host))
        })
    }

    fn carry_on(&self, turn: TurnId, message: MessageId) -> Fut<EventStream> {
        let (chat, user, form, host) = (self.chat.clone(), self.user, self.form.clone(), self.host);
        detached(async move {
            let sent = chat.carry_on(user, turn, message, form.is_none().then_some(host)).await?;
            Ok(stream(&chat, sent, form.as_ref(), host))
        })
    }

    fn follow(&self, turn: TurnId, cursor: Cursor) -> Fut<EventStream> {
        let (chat, user, host) = (self.chat.clone(), self.user, self.host);
        Box::pin(async move {
            let turn = chat.owned_turn(user, turn).await?;
            Ok(chat.follow(turn, cursor, host))
        })
    }

    fn replies_left(&self) -> Fut<Option<u32>> {
        let (chat, user) = (self.chat.clone(), self.user);
        Box::pin(async move { Ok(chat.replies_left(user).await) })
    }

    fn stop(&self, turn: TurnId) -> Fut<()> {
        let (chat, user, form) = (self.chat.clone(), self.user, self.form.clone());
        chat.stop_here(user, turn);
        detached(async move {
            let turn = chat.owned_turn(user, turn).await?;
            chat.stop(&turn).await?;
            if let Some(form) = form {
                // A variant's page is its job's, of the same id as its session.
                let of = if turn.variant.is_some() { "jobs" } else { "c" };
                form.set(format!("/{of}/{}", turn.session));
            }
            Ok(())
        })
    }

    fn submit_job(&self, submit: SubmitRequest) -> Fut<Submitted> {
        let (jobs, user, form, answer) = (self.jobs.clone(), self.user, self.form.clone(), self.answer.clone());
        let chat = self.chat.clone();
        detached(async move {
            // The same job again is the same job, whatever has been spent meanwhile.
            if let Err(refused) = chat.admit_job(user).await
                && jobs.status(user, submit.job_id).await.is_err()
            {
                return Err(refused);
            }
            let submitted = jobs.submit(user, submit).await?;
            answer.accepted(format!("/api/jobs/status?job_id={}", submitted.job_id));
            if let Some(form) = form {
                form.set(format!("/jobs/{}", submitted.job_id));
            }
            Ok(submitted)
        })
    }

    fn job_status(&self, job: JobId) -> Fut<Job> {
        let (jobs, user, answer) = (self.jobs.clone(), self.user, self.answer.clone());
        Box::pin(async move {
            let job = jobs.status(user, job).await?;
            if !job.status.is_over() {
                answer.retry_after(Jobs::poll_after());
            }
            Ok(job)
        })
    }

    fn view_job(&self, job: JobId) -> Fut<JobView> {
        let (jobs, user) = (self.jobs.clone(), self.user);
        Box::pin(async move { jobs.view(user, job).await })
    }

    fn list_jobs(&self, page: Option<String>) -> Fut<JobList> {
        let (jobs, user) = (self.jobs.clone(), self.user);
        Box::pin(async move { jobs.list(user, page).await })
    }

    fn cancel_job(&self, job: JobId) -> Fut<()> {
        let (jobs, user, form) = (self.jobs.clone(), self.user, self.form.clone());
        detached(async move {
            jobs.cancel(user, job).await?;
            if let Some(form) = form {
                form.set(format!("/jobs/{job}"));
            }
            Ok(())
        })
    }

    fn retry_job(&self, job: JobId) -> Fut<()> {
        let (jobs, user, form) = (self.jobs.clone(), self.user, self.form.clone());
        let chat = self.chat.clone();
        detached(async move {
            chat.admit_job(user).await?;
            jobs.retry(user, job).await?;
            if let Some(form) = form {
                form.set(format!("/jobs/{job}"));
            }
            Ok(())
        })
    }
}
