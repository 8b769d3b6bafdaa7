//! `/jobs/{id}`: the variants of a job, side by side.

use super::{address, card, crumbs, is, letters, looks_again, tally, view, when};
use crate::{
    components::{
        html::{attribute, hidden, text},
        icons::icon,
    },
    domain::{JobStatus, JobView, Timestamp},
    page::Fixed,
};

/// The page.
#[must_use]
pub fn job_page(view: &JobView, fault: Option<&str>, now: Timestamp, tz: i32) -> Fixed {
    let job = &view.job;
    let open = !job.status.is_over();
    let statuses: Vec<JobStatus> = job.variants.iter().map(|v| v.status).collect();
    let ready: Vec<u32> = job
        .variants
        .iter()
        .filter(|v| v.status == JobStatus::Complete && view::written(v).is_some())
        .map(|v| v.index)
        .collect();
    let state = letters(statuses.iter().copied());
    let cards: String =
        job.variants.iter().map(|v| card::card(view, v, ready.iter().take(2).any(|i| *i == v.index))).collect();
    let fault =
        fault.map_or_else(String::new, |fault| ["<p class=\"fault\" role=\"alert\">", &text(fault), "</p>"].concat());
    let json = if job.structured { " · JSON" } else { "" };
    let head = format!(
        "<div class=\"page-head\" id=\"job-head\"{}><div><h1 class=\"prompt\">{}</h1><p>{} · {}{json}</p></div>\
         <div class=\"page-tools\">{}</div></div>",
        attribute("data-state", &state),
        text(&job.title),
        tally(&statuses),
        text(&job.model),
        tools(view, &statuses, &ready)
    );
    let whole = format!(
        "<details class=\"whole\"><summary>Whole prompt</summary><pre class=\"raw\" tabindex=\"0\">{}</pre></details>",
        text(&view.prompt)
    );
    let watch = if open { attribute("data-watch", &job.job_id.to_string()) } else { String::new() };
    Fixed {
        title: job.title.clone(),
        bar: crumbs(&[("/jobs", "Jobs")], &when(job.submitted_at, now, tz), &cancel(view)),
        notice: if open { looks_again(3, "the job is done", "") } else { String::new() },
        main: format!(
            "<main id=\"main\" class=\"page\" tabindex=\"-1\"{watch}{}>{fault}{head}{whole}<ul class=\"cards\" \
             aria-label=\"Variants\">{cards}</ul></main>",
            attribute("data-title", &job.title)
        ),
        again: open,
        ..Fixed::default()
    }
}

/// In the bar, as long as there is something to cancel.
fn cancel(view: &JobView) -> String {
    let job = &view.job;
    if job.status.is_over() {
        return "<span id=\"job-bar\" data-state=\"over\"></span>".to_owned();
    }
    [
        "<form id=\"job-bar\" data-state=\"open\" method=\"post\" action=\"/api/jobs/cancel\">",
        &hidden("job_id", &job.job_id.to_string()),
        "<button class=\"btn btn-quiet\">Cancel job</button></form>",
    ]
    .concat()
}

fn tools(view: &JobView, statuses: &[JobStatus], ready: &[u32]) -> String {
    let job = &view.job;
    let mut out = String::new();
    if job.status.is_over() {
        let count = |status| statuses.iter().filter(is(status)).count();
        let (failed, cancelled) = (count(JobStatus::Failed), count(JobStatus::Cancelled));
        let words = match (failed, cancelled) {
            (0, 0) => None,
            (1, 0) => Some("Retry the failed one".to_owned()),
            (n, 0) => Some(format!("Retry the {n} that failed")),
            (0, 1) => Some("Run the cancelled one".to_owned()),
            (0, n) => Some(format!("Run the {n} cancelled")),
            (a, b) => Some(format!("Run the other {}", a + b)),
        };
        if let Some(words) = words {
            out += &card::retry(view, "btn", &words);
        }
    } else {
        // Shown once the browser can be asked.
        let notify = "<button class=\"btn js-only\" type=\"button\" data-do=\"notify\" hidden>";
        out += &[notify, "Notify me</button>"].concat();
    }
    if !ready.is_empty() {
        out += &format!(
            "<a class=\"btn\" href=\"{}/zip\" download>{}Download {}</a>",
            address(job.job_id),
            icon("save"),
            ready.len()
        );
    }
    if ready.len() > 1 {
        out += &format!(
            "<form id=\"compare\" method=\"get\" action=\"{}\"><button class=\"btn btn-main\">{}Compare two</button></form>",
            address(job.job_id),
            icon("columns")
        );
    }
    out
}
