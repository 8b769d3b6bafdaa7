//! `/jobs/{id}?v=2`: one variant, all of it.

use super::{
    address, card, chip, crumbs, looks_again,
    view::{self, Look, Shape},
    when,
};
use crate::{
    components::{
        html::{attribute, text},
        icons::icon,
    },
    domain::{JobStatus, JobView, Timestamp, Variant},
    page::Fixed,
};

/// The page; `None` if there is no such variant.
#[must_use]
pub fn variant_page(view: &JobView, index: u32, look: Look, now: Timestamp, tz: i32) -> Option<Fixed> {
    let job = &view.job;
    let variant = job.variants.iter().find(|v| v.index == index)?;
    let open = !variant.status.is_over();
    let number = index + 1;
    let shapes = view::shapes(variant);
    let shape = look.shape.filter(|shape| shapes.contains(shape)).or_else(|| shapes.first().copied());
    let at = address(job.job_id);
    let switch = shape.map_or_else(String::new, |shape| switch(&format!("{at}?v={index}&view="), &shapes, shape));
    let neighbour = |to: Option<u32>, name: &str, drawn: &str| {
        let to = to.filter(|to| job.variants.iter().any(|v| v.index == *to));
        to.map_or_else(String::new, |to| {
            card::tool(&format!("{at}?v={to}"), &format!("{name}: variant {}", to + 1), drawn)
        })
    };
    let around = [neighbour(index.checked_sub(1), "Before", "left"), neighbour(Some(number), "Next", "right")].concat();
    let shown = match (variant.status, shape) {
        (JobStatus::Queued, _) => "<p class=\"quiet\">It waits its turn, and starts by itself.</p>".to_owned(),
        (JobStatus::Running, _) => {
            ["<div class=\"card-live whole-live\"><div class=\"card-face\">", &card::growing(variant), "</div></div>"]
                .concat()
        }
        (JobStatus::Complete, Some(shape)) => view::body(view, variant, shape),
        (JobStatus::Complete, None) => "<p class=\"quiet\">Nothing was written.</p>".to_owned(),
        (_, shape) => {
            let kept = shape.map_or_else(String::new, |shape| view::body(view, variant, shape));
            ["<div class=\"ended\">", &card::ending(view, variant), "</div>", &kept].concat()
        }
    };
    // A variant's own page is made anew as a whole when its state changes.
    let state = super::letters([variant.status]) + &variant.turn_id.to_string();
    let (watch, turn) = if open {
        (attribute("data-watch", &job.job_id.to_string()), attribute("data-turn", &variant.turn_id.to_string()))
    } else {
        (String::new(), String::new())
    };
    let main = format!(
        "<main id=\"main\" class=\"page\" tabindex=\"-1\"{watch}{}><div id=\"v{index}\"{}{turn}><div class=\"page-head\"><div>\
         <h1>Variant {number}</h1><p class=\"chips\">{}{}</p></div><div class=\"page-tools\">{}</div></div>\
         <div class=\"tools-row\">{switch}<span class=\"push\">{around}</span></div>{shown}</div></main>",
        attribute("data-title", &job.title),
        attribute("data-state", &state),
        if variant.status == JobStatus::Complete {
            String::new()
        } else {
            chip(variant.status, view::word(variant.status))
        },
        card::measure(view, variant),
        tools(view, variant, &at)
    );
    Some(Fixed {
        title: format!("Variant {number} · {}", job.title),
        bar: crumbs(&[("/jobs", "Jobs"), (&at, &when(job.submitted_at, now, tz))], &format!("Variant {number}"), ""),
        notice: if open { looks_again(3, "it is done", "") } else { String::new() },
        main,
        again: open,
        ..Fixed::default()
    })
}

fn tools(view: &JobView, variant: &Variant, at: &str) -> String {
    if !variant.status.is_over() {
        return card::stop(variant);
    }
    if view::written(variant).is_none() {
        return String::new();
    }
    let index = variant.index;
    [
        "<button class=\"btn js-only\" type=\"button\" data-do=\"copy-from\"",
        &attribute("data-from", &format!("{at}/{index}/text")),
        ">",
        &icon("copy"),
        "Copy</button><a class=\"btn\" download",
        &attribute("href", &format!("{at}/{index}/text")),
        ">",
        &icon("save"),
        "Download</a><a class=\"btn btn-main\"",
        &attribute("href", &card::to_chat(view, variant)),
        ">",
        &icon("chat"),
        "Use this in a chat</a>",
    ]
    .concat()
}

/// The ways to see it, as links.
pub(super) fn switch(to: &str, shapes: &[Shape], shape: Shape) -> String {
    let links: String = shapes
        .iter()
        .map(|s| {
            let here = if *s == shape { " aria-current=\"true\"" } else { "" };
            format!("<a href=\"{}{}\"{here}>{}</a>", text(to), s.name(), s.label())
        })
        .collect();
    ["<div class=\"seg-box\" role=\"group\" aria-label=\"View\">", &links, "</div>"].concat()
}
