//! The jobs' pages, as HTML that only the server writes: none of it is WebAssembly. The browser hydrates around it, and
//! `browser::jobs` gives it life.

mod card;
mod compare;
mod diff;
mod form;
mod job;
mod list;
mod marks;
pub mod preview;
mod tree;
mod variant;
mod view;

pub use self::{
    compare::compare_page,
    form::{Draft, Fault, example, form_page},
    job::job_page,
    list::list_page,
    variant::variant_page,
    view::{Look, Shape, file_name},
};

use crate::{
    components::{html::text, icons::icon, words},
    domain::{JobId, JobStatus, Timestamp},
};

/// The button that opens the drawer, on narrow windows.
fn drawer() -> String {
    let open =
        "<button class=\"icon-btn only-narrow\" type=\"button\" popovertarget=\"side\" aria-label=\"Chats and jobs\">";
    [open, &icon("menu"), "</button>"].concat()
}

/// The bar: the way here, of links, and the page's own name.
fn crumbs(way: &[(&str, &str)], here: &str, tools: &str) -> String {
    let way: String = way
        .iter()
        .map(|(to, name)| {
            format!("<a class=\"crumb\" href=\"{}\">{}</a> <span class=\"quiet\">/</span> ", text(to), text(name))
        })
        .collect();
    [&drawer(), "<span class=\"bar-title\">", &way, &text(here), "</span>", tools].concat()
}

/// The mark and the word of a status, as lists and cards have it.
fn chip(status: JobStatus, word: &str) -> String {
    let (class, mark) = match status {
        JobStatus::Queued => ("", "<circle cx=\"8\" cy=\"8\" r=\"5\"/>"),
        JobStatus::Running => (" chip-live", "<circle cx=\"8\" cy=\"8\" r=\"4\" class=\"solid\"/>"),
        JobStatus::Complete => ("", "<path d=\"M8 1v11M3 12h10\"/>"),
        JobStatus::Failed => (" chip-fail", "<path d=\"M3 3l10 10M13 3L3 13\"/>"),
        JobStatus::Cancelled => ("", "<rect x=\"3.5\" y=\"3.5\" width=\"9\" height=\"9\" class=\"solid\"/>"),
    };
    format!(
        "<span class=\"chip{class}\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">{mark}</svg>{}</span>",
        text(word)
    )
}

fn is(status: JobStatus) -> impl Fn(&&JobStatus) -> bool {
    move |other| **other == status
}

/// How many variants of each status there are, in words: `2 of 6 done, 2 being written, 1 failed`.
fn tally(variants: &[JobStatus]) -> String {
    let count = |status| variants.iter().filter(is(status)).count();
    let mut out = format!("{} of {} done", count(JobStatus::Complete), variants.len());
    for (status, word) in [
        (JobStatus::Running, "being written"),
        (JobStatus::Failed, "failed"),
        (JobStatus::Cancelled, "cancelled"),
        (JobStatus::Queued, "queued"),
    ] {
        match count(status) {
            0 => {}
            n => out += &format!(", {n} {word}"),
        }
    }
    out
}

/// One letter a variant: what a piece of the page shows, so that the browser sees whether it has changed.
fn letters(variants: impl IntoIterator<Item = JobStatus>) -> String {
    let letter = |status| match status {
        JobStatus::Queued => 'q',
        JobStatus::Running => 'r',
        JobStatus::Complete => 'd',
        JobStatus::Failed => 'f',
        JobStatus::Cancelled => 'c',
    };
    variants.into_iter().map(letter).collect()
}

/// `Today, 10:44`.
fn when(at: Timestamp, now: Timestamp, tz: i32) -> String {
    let time = at.civil(tz);
    format!("{}, {:02}:{:02}", words::day(at, now, tz), time.hour, time.minute)
}

fn address(id: JobId) -> String {
    format!("/jobs/{id}")
}

/// What is looked at again by itself without JavaScript says so.
fn looks_again(seconds: u32, what: &str, look: &str) -> String {
    format!(
        "<aside class=\"band nojs-only\" aria-label=\"This page\"><div class=\"band-in\"><p>This page looks again every \
         {seconds} s until {what}.</p><a class=\"btn\" href=\"{look}\">Look now</a></div></aside>"
    )
}
