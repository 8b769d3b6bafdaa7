//! Handing a job in, and what can be done to it afterwards.

use std::time::Duration;

use app::{
    backend::SubmitRequest,
    domain::{JobId, JobList, JobRow, JobStatus, MessageId, Submitted, Timestamp, TurnId, UserId},
    error::ApiError,
};

use super::{Jobs, VARIANTS};
use crate::{
    auth::ownership,
    chat::{errors::store, text},
    schema::Schema,
    storage::{
        Head, JobItem, MessageItem, Open, SendOutcome, SessionItem, StoreError, SubmitTx, TurnItem, VariantItem,
    },
};

/// Jobs of one page of the list.
const PAGE: u32 = 50;

impl Jobs {
    /// Hands a job in. The same `job_id` again is the same job.
    ///
    /// # Errors
    /// 404 if somebody else has a job of this id, 422 for what cannot be, 503 when the store does not answer; then
    /// nothing is made, or all of it.
    pub async fn submit(&self, user: UserId, request: SubmitRequest) -> Result<Submitted, ApiError> {
        let tx = self.prepare(user, &request).await?;
        let outcome = match self.inner.store.submit(&tx).await {
            Err(error) if error.ambiguous() => self.inner.store.submit(&tx).await,
            other => other,
        };
        match outcome {
            Ok(SendOutcome::Sent) => {}
            Ok(SendOutcome::Refused) => return self.known(user, request.job_id).await,
            Err(error) => {
                // It may be in all the same.
                if let Ok(known) = self.known(user, request.job_id).await {
                    return Ok(known);
                }
                return Err(store(error));
            }
        }
        self.enqueue(&tx.job).await;
        Ok(Submitted { job_id: request.job_id, status: JobStatus::Queued })
    }

    /// A job that was handed in before, by the same person.
    async fn known(&self, user: UserId, id: JobId) -> Result<Submitted, ApiError> {
        let job = self.owned(user, id).await?;
        Ok(Submitted { job_id: id, status: self.status_of(&job).await.map_err(store)?.0 })
    }

    pub(super) async fn owned(&self, user: UserId, id: JobId) -> Result<JobItem, ApiError> {
        let found = self.inner.store.job(id).await.map_err(store)?;
        ownership::owned_job(found, user, self.inner.clock.now())
    }

    async fn prepare(&self, user: UserId, request: &SubmitRequest) -> Result<SubmitTx, ApiError> {
        text::message(&request.prompt, self.inner.chat.prompt_chars())
            .map_err(|e| ApiError { field: Some("prompt".to_owned()), ..e })?;
        if !(1..=VARIANTS).contains(&request.variants) {
            return Err(ApiError::invalid("variants", format!("Use 1 to {VARIANTS} variants.")));
        }
        if let Some(model) = &request.model {
            self.inner.chat.check_model(model).await?;
        }
        if let Some(schema) = &request.schema {
            Schema::read(schema).map_err(|fault| ApiError::invalid("schema", fault))?;
        }
        if let Some(webhook) = &request.webhook {
            self.inner.hooks.check(webhook).map_err(|fault| ApiError::invalid("webhook", fault))?;
        }
        let now = self.inner.clock.now();
        let ttl = self.inner.chat.ttl(now);
        let model = self.inner.chat.model_or_default(request.model.as_deref());
        let title = text::first_title(&request.prompt);
        let asked = Head { message: crate::chat::question_id(&self.inner.clock, 0), depth: 0 };
        let message = MessageItem::question(asked, request.job_id.into(), None, request.prompt.clone(), now, ttl);
        let turns: Vec<TurnItem> = (0..request.variants)
            .map(|index| self.variant(user, request.job_id, message.id, &model, index, ttl))
            .collect();
        let job = JobItem {
            id: request.job_id,
            owner: user,
            title: title.clone(),
            model: model.clone(),
            submitted_at: now,
            variants: turns.iter().map(|t| VariantItem { turn: t.id, begun: false, ended: None }).collect(),
            structured: request.schema.is_some(),
            webhook: request.webhook.clone(),
            cancelled: false,
            open: Some(Open { since: now, queued: false, tries: 0, next: Timestamp::default() }),
            ttl,
        };
        let session = SessionItem {
            id: request.job_id.into(),
            owner: user,
            title,
            created_at: now,
            updated_at: now,
            model: Some(model),
            head: Some(asked),
            active: None,
            of_job: true,
            deleted_at: None,
            ttl,
        };
        Ok(SubmitTx { job, schema: request.schema.clone(), session, message, turns })
    }

    fn variant(&self, owner: UserId, job: JobId, asked: MessageId, model: &str, index: u32, ttl: u64) -> TurnItem {
        let (id, now) = (self.inner.clock.turn_id(), self.inner.clock.now());
        let asked = Head { message: asked, depth: 0 };
        let turn = TurnItem::open(id, owner, job.into(), asked, model.to_owned(), now, ttl);
        TurnItem { variant: Some(index), ..turn }
    }

    /// A user's jobs, newest first.
    ///
    /// # Errors
    /// 422 for a page that this list did not give, 503 when the store does not answer.
    pub async fn list(&self, user: UserId, page: Option<String>) -> Result<JobList, ApiError> {
        let (jobs, next) = self.inner.store.list_jobs(user, page.as_deref(), PAGE).await.map_err(store)?;
        let row = |job: JobItem| {
            let variants: Vec<JobStatus> = job.variants.iter().map(VariantItem::status).collect();
            JobRow {
                job_id: job.id,
                status: JobStatus::of(variants.iter().copied(), job.cancelled),
                finished_at: job.finished_at(),
                title: job.title,
                model: job.model,
                structured: job.structured,
                submitted_at: job.submitted_at,
                variants,
            }
        };
        Ok(JobList { jobs: jobs.into_iter().map(row).collect(), next })
    }

    /// Ends what of a job has not ended yet: what runs is stopped wherever it runs, what waits is never begun.
    ///
    /// # Errors
    /// 404, or 503 when the store does not answer.
    pub async fn cancel(&self, user: UserId, id: JobId) -> Result<(), ApiError> {
        let job = self.owned(user, id).await?;
        if job.is_over() {
            return Ok(());
        }
        // None if the last of it has ended meanwhile.
        let Some(job) = self.inner.store.cancel_job(&job).await.map_err(store)? else { return Ok(()) };
        let open: Vec<TurnId> = job.variants.iter().filter(|v| v.ended.is_none()).map(|v| v.turn).collect();
        let stops = open.into_iter().map(async |turn| match self.inner.store.turn(turn).await? {
            Some(turn) => self.inner.turns.stop(&turn).await,
            None => Ok(()),
        });
        // Each is tried, whatever becomes of the others.
        let stopped: Result<(), StoreError> = futures::future::join_all(stops).await.into_iter().collect();
        stopped.map_err(store)
    }

    /// Runs anew what of a job failed or was cancelled.
    ///
    /// # Errors
    /// 404; 422 while it runs or if nothing failed; 503 when the store does not answer.
    pub async fn retry(&self, user: UserId, id: JobId) -> Result<(), ApiError> {
        let job = self.owned(user, id).await?;
        if !job.is_over() {
            return Err(ApiError::invalid("job_id", "This job is still running."));
        }
        let again = |v: &VariantItem| v.ended.as_ref().is_some_and(|e| e.status != JobStatus::Complete);
        let Some(first) = job.variants.iter().find(|v| again(v)) else {
            return Err(ApiError::invalid("job_id", "Nothing of this job failed."));
        };
        let asked = self.inner.store.turn(first.turn).await.map_err(store)?.ok_or_else(ApiError::not_found)?.parent;
        let ttl = self.inner.chat.ttl(self.inner.clock.now());
        let replaced: Vec<(u32, TurnId, TurnItem)> = (0u32..)
            .zip(&job.variants)
            .filter(|(_, v)| again(v))
            .map(|(index, v)| (index, v.turn, self.variant(user, id, asked, &job.model, index, ttl.min(job.ttl))))
            .collect();
        self.inner.store.retry_job(id, &replaced, self.inner.clock.now()).await.map_err(store)?;
        // Refused, another click was first.
        if let Some(job) = self.inner.store.job(id).await.map_err(store)? {
            self.enqueue(&job).await;
        }
        Ok(())
    }

    /// Seconds after which a look at an unfinished job is worth while.
    #[must_use]
    pub const fn poll_after() -> Duration {
        Duration::from_secs(2)
    }
}
