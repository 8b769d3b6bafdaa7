//! `/jobs`: what was handed in, newest first.

use super::{chip, drawer, is, letters, looks_again, when};
use crate::{
    components::{
        html::{attribute, text},
        icons::icon,
        words,
    },
    domain::{JobList, JobRow, JobStatus, Timestamp},
    page::Fixed,
};

const NONE: &str = "<div class=\"empty-jobs\"><h2 class=\"title\">Hand in, and walk away.</h2><p class=\"quiet\">A job is one \
    prompt, answered up to ten times at once. It goes on without you; the answers are here when you come back, side by \
    side.</p></div>";

/// The list. `first`: it is its first page.
#[must_use]
pub fn list_page(list: &JobList, first: bool, fault: Option<&str>, now: Timestamp, tz: i32) -> Fixed {
    let new = ["<a class=\"btn btn-main\" href=\"/jobs/new\">", &icon("plus"), "New job</a>"].concat();
    let running = list.jobs.iter().any(|job| !job.status.is_over());
    let rows: String = list.jobs.iter().map(|job| row(job, now, tz)).collect();
    let state: String = list.jobs.iter().map(|job| letters(job.variants.iter().copied()) + " ").collect();
    let list_html = if list.jobs.is_empty() {
        if first { NONE.to_owned() } else { "<p class=\"quiet\">There are no older jobs.</p>".to_owned() }
    } else {
        ["<ul class=\"jobs\" id=\"jobs\"", &attribute("data-state", &state), ">", &rows, "</ul>"].concat()
    };
    let older = list.next.as_ref().map_or_else(String::new, |next| {
        format!("<a class=\"btn\" href=\"/jobs?page={}\">Older jobs</a>", escaped(next))
    });
    let newest = if first { "" } else { "<a class=\"btn\" href=\"/jobs\">Newest jobs</a>" };
    let again = if running { looks_again(3, "all jobs are done", "") } else { String::new() };
    let fault =
        fault.map_or_else(String::new, |fault| ["<p class=\"fault\" role=\"alert\">", &text(fault), "</p>"].concat());
    let watch = if running { " data-watch-list" } else { "" };
    let main = format!(
        "<main id=\"main\" class=\"page\" tabindex=\"-1\"{watch}>{fault}{}{list_html}<div class=\"pager\"><span>{newest}</span>\
         {older}</div></main>",
        summary(&list.jobs, &state)
    );
    Fixed {
        title: "Jobs".to_owned(),
        bar: [&drawer(), "<h1>Jobs</h1>", &new].concat(),
        notice: again,
        main,
        again: running,
        ..Fixed::default()
    }
}

/// For an address's query.
fn escaped(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn summary(jobs: &[JobRow], state: &str) -> String {
    let open: Vec<&JobRow> = jobs.iter().filter(|job| !job.status.is_over()).collect();
    let [first, rest @ ..] = open.as_slice() else {
        return "<p class=\"summary\" id=\"summary\" data-state=\"\"></p>".to_owned();
    };
    let words = if rest.is_empty() {
        let done = first.variants.iter().filter(is(JobStatus::Complete)).count();
        format!(
            "One job is running: <a href=\"/jobs/{}\">{done} of {}</a> {} done.",
            first.job_id,
            first.variants.len(),
            if first.variants.len() == 1 { "variant is" } else { "variants are" }
        )
    } else {
        format!("{} jobs are running.", open.len())
    };
    format!(
        "<p class=\"summary summary-top\" id=\"summary\"{}>{words} You may close the tab; it goes on.</p>",
        attribute("data-state", state)
    )
}

fn row(job: &JobRow, now: Timestamp, tz: i32) -> String {
    let json = if job.structured { " · JSON" } else { "" };
    let count = words::counted(job.variants.len() as u64, "variant", "variants");
    let (word, beside) = said(job);
    let segments: String = job
        .variants
        .iter()
        .map(|status| match status {
            JobStatus::Complete => "<i></i>",
            JobStatus::Running => "<i class=\"r\"></i>",
            JobStatus::Queued => "<i class=\"q\"></i>",
            JobStatus::Failed => "<i class=\"f\"></i>",
            JobStatus::Cancelled => "<i class=\"c\"></i>",
        })
        .collect();
    format!(
        "<li class=\"job\"><div class=\"job-main\"><a href=\"/jobs/{}\">{}</a><p class=\"job-meta\">{} · {count} · {}{json}</p>\
         </div><div class=\"job-side\"><div class=\"segs-label\">{}<span>{}</span></div><div class=\"segs\" \
         aria-hidden=\"true\">{segments}</div></div></li>",
        job.job_id,
        text(&job.title),
        when(job.submitted_at, now, tz),
        text(&job.model),
        chip(job.status, word),
        beside
    )
}

/// The job's state in a word, and what stands beside it.
fn said(job: &JobRow) -> (&'static str, String) {
    let count = |status| job.variants.iter().filter(is(status)).count();
    let (all, done, failed) = (job.variants.len(), count(JobStatus::Complete), count(JobStatus::Failed));
    let of = format!("{done} of {all} done");
    match job.status {
        JobStatus::Queued => ("Queued", String::new()),
        JobStatus::Running if failed > 0 => ("Running", format!("{of}, {failed} failed")),
        JobStatus::Running => ("Running", of),
        JobStatus::Complete => {
            let took = job.finished_at.map(|at| words::duration(at.since(job.submitted_at)));
            ("Done", took.map_or_else(String::new, |took| format!("in {took}")))
        }
        JobStatus::Failed if failed < all => ("Failed in part", format!("{failed} of {all} failed")),
        JobStatus::Failed => ("Failed", String::new()),
        JobStatus::Cancelled => ("Cancelled", of),
    }
}
