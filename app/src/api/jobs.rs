//! `/api/jobs/…`: long generations, handed in and looked at later.

use leptos::prelude::*;
use server_fn::codec::{GetUrl, Json, PostUrl};

use crate::{
    domain::{Empty, Job, JobList, Submitted},
    error::ApiError,
};

/// Hands a job in. The same `job_id` again is the same job.
#[server(name = JobsSubmit, prefix = "/api", endpoint = "jobs/submit", input = PostUrl, output = Json)]
pub async fn submit(
    job_id: String,
    prompt: String,
    variants: String,
    #[server(default)] schema: Option<String>,
    #[server(default)] model: Option<String>,
    #[server(default)] webhook: Option<String>,
) -> Result<Submitted, ApiError> {
    let given = |value: Option<String>| value.filter(|v| !v.trim().is_empty());
    let submit = crate::backend::SubmitRequest {
        job_id: super::field("job_id", &job_id)?,
        prompt,
        variants: super::field("variants", &variants)?,
        schema: given(schema),
        model: given(model),
        webhook: given(webhook).map(|w| w.trim().to_owned()),
    };
    super::backend()?.submit_job(submit).await
}

/// How far a job is; its results once it is finished.
#[server(name = JobsStatus, prefix = "/api", endpoint = "jobs/status", input = GetUrl, output = Json)]
pub async fn status(job_id: String) -> Result<Job, ApiError> {
    super::backend()?.job_status(super::field("job_id", &job_id)?).await
}

/// The user's jobs, newest first.
#[server(name = JobsList, prefix = "/api", endpoint = "jobs/list", input = GetUrl, output = Json)]
pub async fn list(#[server(default)] page: Option<String>) -> Result<JobList, ApiError> {
    super::backend()?.list_jobs(page.filter(|p| !p.is_empty())).await
}

/// Ends what of a job has not ended yet. Idempotent.
#[server(name = JobsCancel, prefix = "/api", endpoint = "jobs/cancel", input = PostUrl, output = Json)]
pub async fn cancel(job_id: String) -> Result<Empty, ApiError> {
    super::backend()?.cancel_job(super::field("job_id", &job_id)?).await?;
    Ok(Empty {})
}

/// Runs anew what of a job failed or was cancelled.
#[server(name = JobsRetry, prefix = "/api", endpoint = "jobs/retry", input = PostUrl, output = Json)]
pub async fn retry(job_id: String) -> Result<Empty, ApiError> {
    super::backend()?.retry_job(super::field("job_id", &job_id)?).await?;
    Ok(Empty {})
}
