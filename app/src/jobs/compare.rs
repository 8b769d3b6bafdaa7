//! `/jobs/{id}?compare=0,3`: two variants beside each other, with what differs marked.

use super::{
    address, card, chip, crumbs, marks,
    variant::switch,
    view::{self, Look, Shape},
    when,
};
use crate::{
    components::{html::text, icons::small, words},
    domain::{JobView, Timestamp, Variant},
    page::Fixed,
};

/// The page; `None` unless both are there and have a text.
#[must_use]
pub fn compare_page(view: &JobView, (left, right): (u32, u32), look: Look, now: Timestamp, tz: i32) -> Option<Fixed> {
    let job = &view.job;
    let find = |index: u32| job.variants.iter().find(|v| v.index == index && view::written(v).is_some());
    let (l, r) = (find(left)?, find(right)?);
    let html = |v: &Variant| view::shapes(v).contains(&Shape::Preview);
    let mut shapes = vec![Shape::Rendered, Shape::Raw];
    if html(l) && html(r) {
        shapes.push(Shape::Preview);
    }
    let shape = look.shape.filter(|shape| shapes.contains(shape)).unwrap_or(Shape::Rendered);
    let (bodies, said) = bodies(view, (l, r), shape, look.unmarked);
    let at = address(job.job_id);
    let here = format!("{at}?compare={left},{right}");
    let marks = if shape == Shape::Preview {
        String::new()
    } else {
        let (to, words) = if look.unmarked { ("", "Mark differences") } else { ("&marks=off", "Hide the marks") };
        format!("<a class=\"btn btn-quiet\" href=\"{here}&view={}{to}\">{words}</a>", shape.name())
    };
    let side = |v: &Variant, body: &str| {
        let number = v.index + 1;
        format!(
            "<section aria-labelledby=\"l{}\"><header><h2 id=\"l{}\">Variant {number}</h2>{}{}{}{}</header>{body}</section>",
            v.index,
            v.index,
            chip(v.status, view::word(v.status)),
            card::tool(&format!("{at}?v={}", v.index), &format!("Variant {number}, full view"), "full"),
            card::copy(view, v),
            card::tool(&card::to_chat(view, v), &format!("Use variant {number} in a chat"), "chat"),
        )
    };
    let main = format!(
        "<main id=\"main\" class=\"page\" tabindex=\"-1\"><div class=\"page-head\"><div><h1>Variant {} and variant {}</h1><p>{said}</p>\
         </div></div><div class=\"tools-row\">{}{marks}{}</div><div class=\"compare\">{}{}</div></main>",
        left + 1,
        right + 1,
        switch(&format!("{here}&view="), &shapes, shape),
        choose(view, left, right, shape),
        side(l, &bodies.0),
        side(r, &bodies.1)
    );
    Some(Fixed {
        title: format!("Compare {} and {}", left + 1, right + 1),
        bar: crumbs(&[("/jobs", "Jobs"), (&at, &when(job.submitted_at, now, tz))], "Compare", ""),
        main,
        ..Fixed::default()
    })
}

/// Both texts, and how they differ in words.
fn bodies(view: &JobView, (l, r): (&Variant, &Variant), shape: Shape, unmarked: bool) -> ((String, String), String) {
    if shape == Shape::Preview {
        return ((view::body(view, l, shape), view::body(view, r, shape)), String::new());
    }
    let inside = |v: &Variant| {
        let words = view::written(v).unwrap_or_default();
        match (shape, view::json_of(v)) {
            (Shape::Rendered, None) => view::rendered(words, v.index),
            // JSON is compared as it would be written by hand.
            (Shape::Rendered, Some(json)) => {
                let pretty = serde_json::to_string_pretty(&json).unwrap_or_default();
                ["<pre class=\"raw\" tabindex=\"0\">", &text(&pretty), "</pre>"].concat()
            }
            _ => text(words),
        }
    };
    let (left, right) = (inside(l), inside(r));
    let marked = marks::mark(&left, &right);
    let said = match marked.places {
        0 => "They are the same, word for word.".to_owned(),
        n => format!(
            "They differ in {}, {} of {}.",
            words::counted(n as u64, "place", "places"),
            words::counted(marked.words.0 as u64, "word", "words"),
            words::number(marked.words.1 as u64)
        ),
    };
    let (left, right) = if unmarked { (left, right) } else { (marked.left, marked.right) };
    let wrap = |html: &str| match shape {
        Shape::Raw => ["<pre class=\"raw\" tabindex=\"0\">", html, "</pre>"].concat(),
        _ => ["<div class=\"prose\">", html, "</div>"].concat(),
    };
    ((wrap(&left), wrap(&right)), said)
}

/// The form that compares two others.
fn choose(view: &JobView, left: u32, right: u32, shape: Shape) -> String {
    let select = |chosen: u32, label: &str| {
        let options: String = view
            .job
            .variants
            .iter()
            .filter(|v| view::written(v).is_some())
            .map(|v| {
                let selected = if v.index == chosen { " selected" } else { "" };
                format!("<option value=\"{}\"{selected}>Variant {}</option>", v.index, v.index + 1)
            })
            .collect();
        format!(
            "<label class=\"pick\"><span class=\"hide\">{label}</span><select name=\"compare\" autocomplete=\"off\">{options}</select>{}</label>",
            small("down")
        )
    };
    format!(
        "<form class=\"push choose\" method=\"get\" action=\"{}\"><input type=\"hidden\" name=\"view\" value=\"{}\">{}{}\
         <button class=\"btn\">Compare</button></form>",
        address(view.job.job_id),
        shape.name(),
        select(left, "Left"),
        select(right, "Right")
    )
}
