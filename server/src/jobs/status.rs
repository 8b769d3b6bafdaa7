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
        if item.pending {
            // Whoever asks makes sure that it is being worked on.
            let jobs = self.clone();
            tokio::spawn(async move {
                if let Err(error) = jobs.look_after(id).await {
                    tracing::warn!(job = %id, %error, "a job could not be looked after");
                }
            });
        }
        let (status, mut variants) = self.status_of(&item).await.map_err(store)?;
        if item.is_over() {
            self.read_results(&item, &mut variants).await.map_err(store)?;
        }
        Ok(Job {
            job_id: item.id,
            status,
            finished_at: item.finished_at(),
            title: item.title,
            model: item.model,
            structured: item.structured,
            submitted_at: item.submitted_at,
            variants,
        })
    }

    /// The status of a job and of its variants, without their texts.
    pub(super) async fn status_of(&self, job: &JobItem) -> Result<(JobStatus, Vec<Variant>), StoreError> {
        let look = |(index, variant): (u32, &VariantItem)| {
            let (turn_id, ended) = (variant.turn, variant.ended.clone());
            async move {
                let (status, chars, error) = match ended {
                    Some(end) => (end.status, end.chars, end.error),
                    None => match self.inner.store.logged(turn_id).await? {
                        Some(bytes) => (JobStatus::Running, u64::from(bytes), None),
                        None => (JobStatus::Queued, 0, None),
                    },
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
