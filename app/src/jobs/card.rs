//! One variant among its neighbours.

use super::{
    chip,
    view::{self, Shape},
};
use crate::{
    components::{
        html::{attribute, hidden, text},
        icons::{Cap, icon},
        words,
    },
    domain::{JobStatus, JobView, Timestamp, Variant},
};

/// So much of a text is enough for a card.
const EXCERPT: usize = 3000;

/// Seconds that a variant took, and how much it is.
pub(super) fn measure(view: &JobView, variant: &Variant) -> String {
    let ended: Option<Timestamp> = view.ended.get(variant.index as usize).copied().flatten();
    let took = ended.map(|at| words::duration(at.since(view.job.submitted_at)));
    let chars = words::counted(variant.chars, "character", "characters");
    match took {
        Some(took) if variant.status == JobStatus::Complete => {
            let took = chip(JobStatus::Complete, &took);
            [&took, "<span>", &chars, "</span>"].concat()
        }
        _ => ["<span data-chars>", &chars, "</span>"].concat(),
    }
}

/// A tool of a card: a link, with its name for who cannot see the icon.
pub(super) fn tool(to: &str, name: &str, drawn: &str) -> String {
    [
        "<a class=\"icon-btn\"",
        &attribute("href", to),
        &attribute("aria-label", name),
        &attribute("title", name),
        ">",
        &icon(drawn),
        "</a>",
    ]
    .concat()
}

/// Copies what an address gives.
pub(super) fn copy(view: &JobView, variant: &Variant) -> String {
    let label = format!("Copy variant {}", variant.index + 1);
    let from = format!("/jobs/{}/{}/text", view.job.job_id, variant.index);
    [
        "<button class=\"icon-btn js-only\" type=\"button\" data-do=\"copy-from\"",
        &attribute("data-from", &from),
        &attribute("aria-label", &label),
        ">",
        &icon("copy"),
        "</button>",
    ]
    .concat()
}

/// Begins a chat with the variant's text.
pub(super) fn to_chat(view: &JobView, variant: &Variant) -> String {
    format!("/?job={}&v={}", view.job.job_id, variant.index)
}

/// Stops one variant.
pub(super) fn stop(variant: &Variant) -> String {
    [
        "<form method=\"post\" action=\"/api/chat/stop\">",
        &hidden("turn_id", &variant.turn_id.to_string()),
        "<button class=\"icon-btn\"",
        &attribute("aria-label", &format!("Stop variant {}", variant.index + 1)),
        ">",
        &icon("stop"),
        "</button></form>",
    ]
    .concat()
}

/// Runs anew what failed of the job.
pub(super) fn retry(view: &JobView, class: &str, words: &str) -> String {
    [
        "<form method=\"post\" action=\"/api/jobs/retry\">",
        &hidden("job_id", &view.job.job_id.to_string()),
        "<button class=\"",
        class,
        "\">",
        &icon("again"),
        words,
        "</button></form>",
    ]
    .concat()
}

fn middle(strong: &str, more: &str, action: &str) -> String {
    let more = if more.is_empty() { String::new() } else { ["<span>", more, "</span>"].concat() };
    ["<div class=\"mid\"><strong>", &text(strong), "</strong>", &more, action, "</div>"].concat()
}

/// What a variant that has ended otherwise than well says about it.
pub(super) fn ending(view: &JobView, variant: &Variant) -> String {
    let kept = match variant.chars {
        0 => "Nothing was written.".to_owned(),
        n => format!("What it wrote, {}, is kept.", words::counted(n, "character", "characters")),
    };
    let again = if view.job.status.is_over() { retry(view, "btn", "Try again") } else { String::new() };
    match (variant.status, &variant.error) {
        (JobStatus::Failed, Some(error)) => middle(&error.message, &kept, &again),
        (JobStatus::Failed, None) => middle("It failed.", &kept, &again),
        _ => middle("Cancelled.", &kept, &again),
    }
}

/// What is being written: the browser puts the text into it.
pub(super) fn growing(variant: &Variant) -> String {
    let so_far = words::counted(variant.chars, "character", "characters");
    [
        "<pre data-text tabindex=\"0\" aria-label=\"Being written\"></pre>",
        &Cap::Live.html(),
        "<div class=\"mid nojs-only\"><strong>Being written</strong><span>",
        &so_far,
        " so far.</span></div>",
    ]
    .concat()
}

fn excerpt(text: &str) -> &str {
    let mut end = text.len().min(EXCERPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // At a paragraph's end, if there is one not far before it.
    let head = text.get(..end).unwrap_or_default();
    if head.len() == text.len() {
        head
    } else {
        head.rfind("\n\n").filter(|at| *at > EXCERPT / 2).and_then(|at| head.get(..at)).unwrap_or(head)
    }
}

fn face(view: &JobView, variant: &Variant) -> String {
    match variant.status {
        JobStatus::Queued => middle("Waiting its turn", "It starts by itself.", ""),
        JobStatus::Running => growing(variant),
        JobStatus::Failed | JobStatus::Cancelled => ending(view, variant),
        JobStatus::Complete => {
            let words = view::written(variant).unwrap_or_default();
            match view::shapes(variant).first() {
                Some(Shape::Preview) => view::frame(view, variant.index, "preview"),
                Some(Shape::Tree) => {
                    let pretty = view::json_of(variant).and_then(|json| serde_json::to_string_pretty(&json).ok());
                    ["<pre class=\"from-top\">", &text(excerpt(pretty.as_deref().unwrap_or(words))), "</pre>"].concat()
                }
                Some(_) => {
                    // Behind the link to all of it; nothing in it is to be reached on its own.
                    ["<div class=\"prose excerpt\" inert>", &view::rendered(excerpt(words), variant.index), "</div>"]
                        .concat()
                }
                None => middle("Nothing was written.", "", ""),
            }
        }
    }
}

/// The card. `checked`: it is one of the two that are compared if nobody chooses others.
pub(super) fn card(view: &JobView, variant: &Variant, checked: bool) -> String {
    let (index, number) = (variant.index, variant.index + 1);
    let open = !variant.status.is_over();
    let has_text = view::written(variant).is_some();
    let head = if variant.status == JobStatus::Complete && has_text {
        let checked = if checked { " checked" } else { "" };
        format!(
            "<label class=\"check\"><input type=\"checkbox\" form=\"compare\" name=\"compare\" value=\"{index}\" autocomplete=\"off\"{checked}>Compare<span class=\"hide\"> variant {number}</span></label>"
        )
    } else {
        chip(variant.status, view::word(variant.status))
    };
    let mut tools = String::new();
    if has_text || variant.status == JobStatus::Running {
        tools += &tool(&format!("?v={index}"), &format!("Variant {number}, full view"), "full");
    }
    if has_text {
        tools += &copy(view, variant);
        tools += &tool(&to_chat(view, variant), &format!("Use variant {number} in a chat"), "chat");
    }
    if open {
        tools += &stop(variant);
    }
    let beside = match (&variant.error, variant.status) {
        (Some(error), _) => ["<span>", &text(&error.code), "</span>"].concat(),
        (None, JobStatus::Queued) => String::new(),
        _ => measure(view, variant),
    };
    let live = if variant.status == JobStatus::Running { " card-live" } else { "" };
    // Once the job is over its failed variants can be tried again.
    let over = if view.job.status.is_over() { "!" } else { "" };
    let state = super::letters([variant.status]) + over + &variant.turn_id.to_string();
    let turn = if open { attribute("data-turn", &variant.turn_id.to_string()) } else { String::new() };
    format!(
        "<li class=\"card{live}\" id=\"v{index}\"{}{turn}><header><h2>Variant {number}</h2>{head}</header><div class=\"card-face\">{}</div>\
         <footer>{tools}<span class=\"grow\">{beside}</span></footer></li>",
        attribute("data-state", &state),
        face(view, variant)
    )
}
