//! What a job's pages show: its status, its prompt, and the texts that there are already.

use app::{
    domain::{JobId, JobView, UserId},
    error::ApiError,
};
use futures::future::{try_join, try_join_all};

use super::Jobs;
use crate::chat::{errors::store, prompt_text};

impl Jobs {
    /// A job as its pages show it.
    ///
    /// # Errors
    /// 404, or 503 when the store does not answer.
    pub async fn view(&self, user: UserId, id: JobId) -> Result<JobView, ApiError> {
        let item = self.owned(user, id).await?;
        self.nudge(&item).await;
        let mut job = self.job_of(&item).await.map_err(store)?;
        let missing = job.variants.iter().filter(|v| v.status.is_over() && v.text.is_none());
        let read = missing.map(async |v| {
            let message = self.inner.store.message(id.into(), v.turn_id.into(), 1).await?;
            Ok((v.turn_id, message.map(|message| prompt_text(&message))))
        });
        let asked = self.inner.store.messages_at(id.into(), 0);
        let (texts, asked) = try_join(try_join_all(read), asked).await.map_err(store)?;
        for (turn, text) in texts {
            for variant in job.variants.iter_mut().filter(|v| v.turn_id == turn) {
                variant.text = text.clone();
                variant.json = text.as_deref().filter(|_| job.structured).and_then(|t| crate::schema::parse(t).ok());
            }
        }
        Ok(JobView {
            job,
            prompt: asked.first().map(prompt_text).unwrap_or_default(),
            ended: item.variants.iter().map(|v| v.ended.as_ref().map(|end| end.at)).collect(),
        })
    }
}
