//! The jobs' pages, and what belongs to them: the form, a variant's preview and text, all texts in an archive.

use app::{
    backend::SubmitRequest,
    domain::{JobId, JobView, Variant},
    error::{ApiError, Code},
    jobs::{self, Draft, Fault, Look, Shape},
    page::{Fixed, PageKind},
    pages::state::Refusal,
};
use axum::{
    body::Body,
    extract::{Extension, Path, Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    errors, forms,
    headers::{CspNonce, Policy},
    identify::Asker,
    limits, pace,
    pages::PageRequest,
};
use crate::state::SharedState;

type Who = (Extension<Asker>, Extension<CspNonce>);

fn request(state: SharedState, (Extension(asker), Extension(nonce)): Who, req: &Request) -> PageRequest {
    PageRequest::new(state, asker, nonce, req)
}

/// In words, what a form on a page of ours ran into.
fn words(page: &PageRequest) -> Option<String> {
    let code = page.error()?;
    Some(match (code, Refusal::from_code(code, page.wait(), page.state.clock.now())) {
        (Code::Invalid, _) => "That is not possible any more: look at what became of the job.".to_owned(),
        (_, Refusal::Other(words)) => words,
        _ => "That did not work. Try again in a moment.".to_owned(),
    })
}

/// `/jobs`.
pub async fn list(State(state): State<SharedState>, who: Who, req: Request) -> Response {
    let page = request(state, who, &req);
    let first = page.page().is_none();
    let list = if page.asker.new {
        Ok(Default::default())
    } else {
        page.backend().list_jobs(page.page().map(str::to_owned)).await
    };
    let fault = words(&page);
    match list {
        Ok(list) => {
            let fixed = jobs::list_page(&list, first, fault.as_deref(), page.state.clock.now(), page.tz());
            page.answer(PageKind::Jobs, None, &fixed).await
        }
        Err(error) => page.refuse(error).await,
    }
}

/// `/jobs/new`: the empty form.
pub async fn new(State(state): State<SharedState>, who: Who, req: Request) -> Response {
    let page = request(state, who, &req);
    let draft = page.empty_draft();
    page.form(&draft, StatusCode::OK).await
}

/// The form with what was written elsewhere: in the composer, or in the form itself before an example was chosen.
pub async fn draft(State(state): State<SharedState>, who: Who, req: Request) -> Response {
    let page = request(state, who, &req);
    match page.read(req).await {
        Ok(sent) => {
            let mut draft = sent.draft;
            if let Some(schema) = sent.example.as_deref().and_then(jobs::example) {
                draft.schema = schema.to_owned();
            }
            if sent.tidy
                && let Ok(json) = serde_json::from_str::<serde_json::Value>(&draft.schema)
            {
                draft.schema = serde_json::to_string_pretty(&json).unwrap_or(draft.schema);
            }
            page.form(&draft, StatusCode::OK).await
        }
        Err(error) => errors::page(&error, &page.asker.request_id, &page.state.assets),
    }
}

/// Hands a job in. What is refused comes back in the form, with what is wrong beside its field.
pub async fn submit(State(state): State<SharedState>, who: Who, req: Request) -> Response {
    let page = request(state, who, &req);
    let mut draft = match page.read(req).await {
        Ok(sent) => sent.draft,
        Err(error) => return errors::page(&error, &page.asker.request_id, &page.state.assets),
    };
    let given = |value: &str| Some(value.trim().to_owned()).filter(|v| !v.is_empty());
    let paced = page.state.pace.take(pace::SUBMIT_JOB, page.asker.user, page.asker.address);
    let submit = SubmitRequest {
        job_id: draft.job_id,
        prompt: draft.prompt.clone(),
        // What is no number is refused as any other number that is not possible.
        variants: draft.variants.trim().parse().unwrap_or(0),
        schema: given(&draft.schema),
        model: given(&draft.model),
        webhook: given(&draft.webhook),
    };
    let submitted = match paced {
        Ok(()) => page.backend().submit_job(submit).await,
        Err(refused) => Err(refused),
    };
    match submitted {
        Ok(submitted) => forms::see_other(&format!("/jobs/{}", submitted.job_id)),
        Err(error) => {
            let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            draft.fault = Some(Fault { field: error.field, message: error.message });
            page.form(&draft, status).await
        }
    }
}

/// `/jobs/{id}`: side by side; with `v` one variant, with `compare` two.
pub async fn job(State(state): State<SharedState>, who: Who, Path(id): Path<String>, req: Request) -> Response {
    let page = request(state, who, &req);
    let view = match page.job_named(&id).await {
        Ok(view) => view,
        Err(error) => return page.refuse(error).await,
    };
    let (now, tz) = (page.state.clock.now(), page.tz());
    let asked = Asked::parse(req.uri().query().unwrap_or_default());
    let fixed = match (asked.variant, asked.compare.as_slice()) {
        (Some(index), _) => jobs::variant_page(&view, index, asked.look, now, tz),
        // One beside itself shows nothing.
        (None, [left, right, ..]) if left == right => jobs::variant_page(&view, *left, asked.look, now, tz),
        (None, [left, right, ..]) => jobs::compare_page(&view, (*left, *right), asked.look, now, tz),
        (None, [only]) => jobs::variant_page(&view, *only, asked.look, now, tz),
        (None, []) => Some(jobs::job_page(&view, words(&page).as_deref(), now, tz)),
    };
    match fixed {
        Some(fixed) => page.answer(PageKind::Jobs, None, &fixed).await,
        None => page.refuse(ApiError::not_found()).await,
    }
}

/// `/jobs/{id}/{index}/preview`: HTML that a model wrote, in a document that can do nothing.
pub async fn preview(
    State(state): State<SharedState>,
    who: Who,
    Path((id, index)): Path<(String, String)>,
    req: Request,
) -> Response {
    let page = request(state, who, &req);
    let found = page.variant(&id, &index).await;
    let html = found.as_ref().map(|v| v.text.as_deref().and_then(jobs::preview::html_of));
    match html {
        Ok(Some(html)) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                // The names of hosts that it links to are not looked up.
                (HeaderName::from_static("x-dns-prefetch-control"), "off"),
            ];
            let mut res = (headers, jobs::preview::tame(html).into_owned()).into_response();
            res.extensions_mut().insert(Policy(jobs::preview::POLICY));
            res
        }
        Ok(None) => page.refuse(ApiError::not_found()).await,
        Err(error) => page.refuse(error.clone()).await,
    }
}

/// `/jobs/{id}/{index}/text`: as it was written, to be kept as a file.
pub async fn text(
    State(state): State<SharedState>,
    who: Who,
    Path((id, index)): Path<(String, String)>,
    req: Request,
) -> Response {
    let page = request(state, who, &req);
    match page.variant(&id, &index).await {
        Ok(variant) => {
            let name = jobs::file_name(&variant);
            file("text/plain; charset=utf-8", &name, variant.text.unwrap_or_default().into_bytes())
        }
        Err(error) => page.refuse(error).await,
    }
}

/// `/jobs/{id}/zip`: the texts of all variants that have one.
pub async fn zip(State(state): State<SharedState>, who: Who, Path(id): Path<String>, req: Request) -> Response {
    let page = request(state, who, &req);
    match page.job_named(&id).await {
        Ok(view) => {
            let files: Vec<(String, &[u8])> = view
                .job
                .variants
                .iter()
                .filter_map(|v| Some((jobs::file_name(v), v.text.as_deref().filter(|t| !t.is_empty())?.as_bytes())))
                .collect();
            file("application/zip", &format!("job-{}.zip", view.job.job_id), super::zip::archive(&files))
        }
        Err(error) => page.refuse(error).await,
    }
}

fn file(kind: &str, name: &str, body: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response()
}

/// What the address of a job asks to see.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    variant: Option<u32>,
    compare: Vec<u32>,
    look: Look,
}

impl Asked {
    fn parse(query: &str) -> Self {
        let mut all = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "v" => all.variant = value.parse().ok(),
                // From a script `0,3`, from the form one by one.
                "compare" => all.compare.extend(value.split(',').filter_map(|index| index.parse::<u32>().ok())),
                "view" => all.look.shape = Shape::named(&value),
                "marks" => all.look.unmarked = value == "off",
                _ => {}
            }
        }
        all
    }
}

/// What the form sent.
struct Sent {
    draft: Draft,
    example: Option<String>,
    tidy: bool,
}

impl PageRequest {
    fn empty_draft(&self) -> Draft {
        Draft {
            job_id: self.state.clock.job_id(),
            prompt: String::new(),
            variants: "3".to_owned(),
            model: String::new(),
            schema: String::new(),
            webhook: String::new(),
            fault: None,
        }
    }

    async fn read(&self, req: Request<Body>) -> Result<Sent, ApiError> {
        let (parts, body) = req.into_parts();
        let body = limits::read(&parts.headers, body, self.state.limits.max_body_bytes).await?;
        let mut sent = Sent { draft: self.empty_draft(), example: None, tidy: false };
        for (name, value) in form_urlencoded::parse(&body) {
            // A form's line breaks are CR LF.
            let text = || value.replace("\r\n", "\n");
            match &*name {
                "job_id" => sent.draft.job_id = value.parse().unwrap_or(sent.draft.job_id),
                // The composer calls it otherwise.
                "prompt" | "text" => sent.draft.prompt = text(),
                "variants" => sent.draft.variants = value.into_owned(),
                "model" => sent.draft.model = value.into_owned(),
                "schema" => sent.draft.schema = text(),
                "webhook" => sent.draft.webhook = value.into_owned(),
                "example" => sent.example = Some(value.into_owned()),
                "tidy" => sent.tidy = true,
                _ => {}
            }
        }
        Ok(sent)
    }

    async fn form(&self, draft: &Draft, status: StatusCode) -> Response {
        let models = self.backend().models().await.unwrap_or_default();
        let fixed: Fixed = jobs::form_page(draft, &models);
        let mut res = self.answer(PageKind::Jobs, None, &fixed).await;
        if res.status() == StatusCode::OK {
            *res.status_mut() = status;
        }
        res
    }

    /// The job that the path names. A malformed id is one that does not exist.
    async fn job_named(&self, id: &str) -> Result<JobView, ApiError> {
        self.job(id.parse::<JobId>().map_err(|_| ApiError::not_found())?).await
    }

    /// A variant that has a text.
    async fn variant(&self, id: &str, index: &str) -> Result<Variant, ApiError> {
        let view = self.job_named(id).await?;
        let of = |v: &Variant| index.parse() == Ok(v.index) && v.text.is_some();
        view.job.variants.into_iter().find(of).ok_or_else(ApiError::not_found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_leniently() {
        let two = Asked::parse("compare=0&compare=3&view=text&marks=off");
        assert_eq!(two.compare, [0, 3]);
        assert_eq!((two.look.shape, two.look.unmarked), (Some(Shape::Raw), true));
        assert_eq!(Asked::parse("compare=4,1&v=2").compare, [4, 1]);
        assert_eq!(Asked::parse("v=x&compare=,-1,&view=else"), Asked::default());
    }
}
