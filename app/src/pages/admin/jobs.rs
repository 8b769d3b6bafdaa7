//! `/admin/jobs`: the jobs of all users; `/admin/jobs/{id}`: one of them, to read only.

use super::{Frame, Here, clock, document, iso_day, link, long_day, short};
use crate::{
    components::{
        html::{attribute, text},
        icons::icon,
    },
    domain::{JobId, JobStatus, JobView, Timestamp, UserId, Variant},
};

/// A job in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    pub id: JobId,
    pub status: JobStatus,
    pub title: String,
    pub user: UserId,
    pub at: Timestamp,
    pub model: String,
    pub variants: u32,
}

/// What the list shows, and what it was asked for, as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobsPage {
    pub day: String,
    pub rows: Vec<JobRow>,
    /// Leads to older ones.
    pub next: Option<String>,
    /// Not the first page.
    pub later: bool,
    /// What of the question could not be understood.
    pub fault: Option<&'static str>,
}

/// One job, and who looks at it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadJob {
    pub view: JobView,
    pub user: UserId,
    /// Which of its results is shown.
    pub chosen: u32,
    /// When the look at it was noted.
    pub noted_at: Timestamp,
}

const PATH: &str = "/admin/jobs";

/// The list.
#[must_use]
pub fn jobs(frame: &Frame<'_>, page: &JobsPage) -> String {
    let fault = page
        .fault
        .map_or_else(String::new, |fault| ["<p class=\"filters-no\" role=\"alert\">", fault, "</p>"].concat());
    let filters = [
        "<form class=\"filters\" role=\"search\" method=\"get\" action=\"/admin/jobs\"><div class=\"field\">\
         <label for=\"f-day\">Day</label><input class=\"input\" id=\"f-day\" name=\"day\" type=\"date\"",
        &attribute("value", &page.day),
        "></div><button class=\"btn\">Show</button></form>",
        &fault,
    ];
    let main = [filters.concat(), table(page), pager(page)].concat();
    document(frame, "Jobs", Here::Jobs, "Skip to the table", "<h1>Jobs</h1>", &main)
}

fn word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "Waiting",
        JobStatus::Running => "Under way",
        JobStatus::Complete => "Complete",
        JobStatus::Failed => "Failed",
        JobStatus::Cancelled => "Cancelled",
    }
}

fn chip(status: JobStatus) -> String {
    let class = match status {
        JobStatus::Running => " chip-live",
        JobStatus::Failed => " chip-fail",
        _ => "",
    };
    ["<span class=\"chip", class, "\">", word(status), "</span>"].concat()
}

fn table(page: &JobsPage) -> String {
    if page.rows.is_empty() {
        return "<p class=\"none\">None.</p>".to_owned();
    }
    let (mut rows, mut last) = (String::new(), None);
    for row in &page.rows {
        let day = iso_day(row.at);
        if page.day.is_empty() && last.as_ref() != Some(&day) {
            let heading = ["<tr class=\"day\"><th colspan=\"6\" scope=\"rowgroup\">", &long_day(row.at), "</th></tr>"];
            rows.push_str(&heading.concat());
            last = Some(day);
        }
        let href = [PATH, "/", &row.id.to_string()].concat();
        let cells = [
            "<tr><td><a",
            &attribute("href", &href),
            ">",
            &text(&row.title),
            "</a></td><td>",
            &chip(row.status),
            "</td><td class=\"num\">",
            &row.variants.to_string(),
            "</td><td class=\"mono lo\"><span",
            &attribute("title", &row.user.to_string()),
            ">",
            &short(row.user),
            "</span></td><td class=\"drop\">",
            &text(&row.model),
            "</td><td class=\"lo num\"><time",
            &attribute("datetime", &row.at.to_string()),
            ">",
            &clock(row.at),
            "</time></td></tr>",
        ];
        rows.push_str(&cells.concat());
    }
    [
        "<table class=\"grid-table\"><thead><tr><th scope=\"col\">Title</th><th scope=\"col\">Status</th>\
         <th scope=\"col\" class=\"num\">Variants</th><th scope=\"col\">User</th><th scope=\"col\">Model</th>\
         <th scope=\"col\" class=\"num\">Submitted</th></tr></thead><tbody>",
        &rows,
        "</tbody></table>",
    ]
    .concat()
}

fn pager(page: &JobsPage) -> String {
    let query = |from: &str| link(PATH, &[("day", &page.day), ("from", from)]);
    let button = |class: &str, href: String, words: &str| {
        ["<a class=\"btn", class, "\"", &attribute("href", &href), ">", words, "</a>"].concat()
    };
    let newest = if page.later { button(" btn-quiet", query(""), "Newest") } else { String::new() };
    let older = page.next.as_ref().map_or_else(String::new, |next| button("", query(next), "Older"));
    let words = if page.rows.is_empty() { "" } else { "Times in UTC" };
    ["<div class=\"pager\"><span>", words, "</span><span class=\"pager-on\">", &newest, &older, "</span></div>"]
        .concat()
}

/// One job.
#[must_use]
pub fn job(frame: &Frame<'_>, read: &ReadJob) -> String {
    let job = &read.view.job;
    let bar = [
        "<div class=\"bar-title\"><a class=\"crumb\" href=\"/admin/jobs\">Jobs</a> <span class=\"quiet\">/</span> <h1>",
        &text(&job.title),
        "</h1></div>",
    ]
    .concat();
    let results: String = job.variants.iter().map(|variant| result(read, variant)).collect();
    let main = [
        "<p class=\"audit\">",
        &icon("eye"),
        "<span>You are reading somebody else’s job. That you did, at ",
        &clock(read.noted_at),
        " UTC, stands in the <a href=\"/admin/audit\">audit trail</a>.</span></p><div class=\"column transcript-ro\">\
         <article class=\"turn\"><header class=\"ask\"><time",
        &attribute("datetime", &job.submitted_at.to_string()),
        ">",
        &iso_day(job.submitted_at),
        " ",
        &clock(job.submitted_at),
        " UTC</time><h2>",
        &text(&read.view.prompt),
        "</h2></header><p class=\"quiet\">",
        &chip(job.status),
        " ",
        &text(&job.model),
        ", ",
        &short(read.user),
        "</p>",
        &results,
        "</article></div>",
    ]
    .concat();
    document(frame, &job.title, Here::Jobs, "Skip to the job", &bar, &main)
}

/// One of its results: in full if it is chosen, else the way to it.
fn result(read: &ReadJob, variant: &Variant) -> String {
    let (chosen, number) = (variant.index == read.chosen, (variant.index + 1).to_string());
    let path = [PATH, "/", &read.view.job.job_id.to_string()].concat();
    let head = ["<h3 id=\"v", &number, "\">Variant ", &number, " ", &chip(variant.status), "</h3>"].concat();
    let error =
        variant.error.as_ref().map_or_else(String::new, |error| ["<p>", &text(&error.message), "</p>"].concat());
    let body = match &variant.text {
        Some(result) if chosen => ["<pre class=\"prose-plain\">", &text(result), "</pre>"].concat(),
        Some(_) => {
            let href = [link(&path, &[("variant", &variant.index.to_string())]), "#v".to_owned(), number].concat();
            ["<p><a class=\"btn\"", &attribute("href", &href), ">Show</a></p>"].concat()
        }
        None => String::new(),
    };
    [head, error, body].concat()
}
