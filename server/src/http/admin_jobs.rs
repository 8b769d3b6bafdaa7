//! `/admin/jobs…`: jobs of all users, for admins only.

use app::{
    domain::{JobId, JobStatus},
    error::{ApiError, Code},
    pages::admin::{self as pages, JobRow, JobsPage, ReadJob},
};
use axum::{
    extract::{Extension, Path, Request, State},
    http::StatusCode,
    response::Response,
};

use super::{
    admin::{Here, Query, answer, failed, frame, is_day, not_found},
    identify::Asker,
};
use crate::{
    admin::Place,
    state::{RequestContext, SharedState},
    storage::JobItem,
};

/// How far a job is, by its item alone: what has not ended is under way.
fn status(job: &JobItem) -> JobStatus {
    let each = job.variants.iter().map(|v| v.ended.as_ref().map_or(JobStatus::Running, |end| end.status));
    JobStatus::of(each, job.cancelled)
}

/// `/admin/jobs`: newest first.
pub(crate) async fn list(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(here): Extension<Here>,
    req: Request,
) -> Response {
    let query = Query::of(&req);
    let day = Some(query.get("day")).filter(|day| !day.is_empty());
    let mut page =
        JobsPage { day: query.get("day").to_owned(), later: !query.get("from").is_empty(), ..JobsPage::default() };
    if day.is_some_and(|day| !is_day(day)) {
        page.fault = Some("A day is written as 2026-11-24.");
        let html = pages::jobs(&frame(&state, req.headers()), &page);
        return answer(html, StatusCode::UNPROCESSABLE_ENTITY, None);
    }
    let narrowed = day.map(|day| format!("day={day}"));
    if let Err(error) = here.admin.note(&here.who, "list jobs", narrowed, None).await {
        return failed(&state, &asker, &error);
    }
    let found = match here.admin.jobs(day, Place::parse(query.get("from"))).await {
        Ok(found) => found,
        Err(error) => return failed(&state, &asker, &error),
    };
    page.next = found.next.map(|place| place.token());
    let row = |job: JobItem| JobRow {
        id: job.id,
        status: status(&job),
        variants: job.variants.len() as u32,
        user: job.owner,
        at: job.submitted_at,
        title: job.title,
        model: job.model,
    };
    page.rows = found.rows.into_iter().map(row).collect();
    answer(pages::jobs(&frame(&state, req.headers()), &page), StatusCode::OK, None)
}

/// `/admin/jobs/{id}`: one job, to read only. `?variant=` says which of its results is shown.
pub(crate) async fn job(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(here): Extension<Here>,
    Path(id): Path<String>,
    req: Request,
) -> Response {
    let chosen = Query::of(&req).get("variant").parse().unwrap_or(0);
    match read(&state, &asker, &here, &id, chosen).await {
        Ok(job) => answer(pages::job(&frame(&state, req.headers()), &job), StatusCode::OK, None),
        Err(error) if error.code == Code::NotFound => not_found(&state, req.headers(), &error.message),
        Err(error) => failed(&state, &asker, &error),
    }
}

/// Reads a job as its owner would see it. Nothing is claimed and nothing followed.
async fn read(state: &SharedState, asker: &Asker, here: &Here, id: &str, chosen: u32) -> Result<ReadJob, ApiError> {
    let gone = |words: &str| ApiError::new(Code::NotFound, words);
    let id: JobId = id.parse().map_err(|_| gone("That is no job’s name: those have 26 letters and digits."))?;
    let found = here.admin.store().job(id).await.map_err(|error| {
        tracing::warn!(%error, "an admin could not be shown a job");
        ApiError::unavailable()
    })?;
    let user = found.ok_or_else(|| gone("There is no such job. It may have expired."))?.owner;
    let noted_at = here.admin.note(&here.who, "read job", Some(id.to_string()), Some(user.to_string())).await?;
    let backend = (state.backend)(RequestContext { user, ..asker.context() });
    Ok(ReadJob { view: backend.view_job(id).await?, user, chosen, noted_at })
}
