//! How far a job is: one read, and one for each variant that runs.

use app::{
    domain::{Job, JobId, JobStatus, UserId, Variant},
    error::ApiError,
};
use futures::future::try_join_all;

use super::Jobs;
use crate::{
    chat::{errors::store, prompt_text},
    storage::{JobItem, StoreError, VariantItem},
};

impl Jobs {
    /// A job with its variants; their texts only once all of it is finished.
    ///
    /// # Errors
    /// 404, or 503 when the store does not answer.
    pub async fn status(&self, user: UserId, id: JobId) -> Result<Job, ApiError> {
        let item = self.owned(user, id).await?;
        self.nudge(&item).await;
        let mut job = self.job_of(&item).await.map_err(store)?;
        if !item.is_over() {
            // Asked for again and again: what is to be read about it comes with the texts.
            for error in job.variants.iter_mut().filter_map(|v| v.error.as_mut()) {
                error.message.clear();
            }
        }
        Ok(job)
    }

    /// Whoever asks for a job makes sure that it is being worked on.
    pub(super) async fn nudge(&self, item: &JobItem) {
        if self.needs_looking_after(item) {
            let (jobs, item) = (self.clone(), item.clone());
            let looking = async move {
                if let Err(error) = jobs.look_after_read(&item).await {
                    tracing::warn!(job = %item.id, %error, "a job could not be looked after");
                }
            };
            self.inner.turns.aside(looking).await;
        }
    }

    /// A job as it was read, with its texts if all of it is finished.
    pub(super) async fn job_of(&self, item: &JobItem) -> Result<Job, StoreError> {
        let (status, mut variants) = self.status_of(item).await?;
        if item.is_over() {
            self.read_results(item, &mut variants).await?;
        }
        Ok(Job {
            job_id: item.id,
            status,
            finished_at: item.finished_at(),
            title: item.title.clone(),
            model: item.model.clone(),
            structured: item.structured,
            submitted_at: item.submitted_at,
            variants,
        })
    }

    /// The status of a job and of its variants, without their texts.
    pub(super) async fn status_of(&self, job: &JobItem) -> Result<(JobStatus, Vec<Variant>), StoreError> {
        let look = |(index, variant): (u32, &VariantItem)| {
            let (turn_id, status, ended) = (variant.turn, variant.status(), variant.ended.clone());
            async move {
                let (chars, error) = match ended {
                    Some(end) => (end.chars, end.error),
                    None if status == JobStatus::Running => (self.inner.store.logged(turn_id).await?.into(), None),
                    None => (0, None),
                };
                Ok::<_, StoreError>(Variant { index, turn_id, status, chars, text: None, json: None, error })
            }
        };
        let variants = try_join_all((0u32..).zip(&job.variants).map(look)).await?;
        Ok((JobStatus::of(variants.iter().map(|v| v.status), job.cancelled), variants))
    }

    async fn read_results(&self, job: &JobItem, variants: &mut [Variant]) -> Result<(), StoreError> {
        let read = variants.iter().map(|v| self.inner.store.message(job.id.into(), v.turn_id.into(), 1));
        let messages = try_join_all(read).await?;
        for (variant, message) in variants.iter_mut().zip(messages) {
            let Some(message) = message else { continue };
            let text = prompt_text(&message);
            variant.json = job.structured.then(|| crate::schema::parse(&text).ok()).flatten();
            variant.text = Some(text);
        }
        Ok(())
    }
}
