//! A question: the heading over its answer, with the tools to edit and copy it.

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use super::{
    icons::{icon, small},
    words,
};
use crate::{
    domain::{Message, MessageId, SessionId, Siblings},
    pages::state::Page,
};

/// Lines shown of a long question before it is folded.
const FOLD: u64 = 12;
/// Characters that fit one line, about.
const LINE: usize = 84;

/// How many lines a text takes in the column, about.
fn lines(text: &str) -> u64 {
    text.lines().map(|l| (l.chars().count().max(1)).div_ceil(LINE) as u64).sum()
}

/// The question with its time, tools, form to edit it, and the way to its other versions.
pub fn ask(page: Page, message: &Message) -> Erased {
    let text = message.text.clone();
    let lines = lines(&text);
    let folded = lines > FOLD;
    let long = folded || text.contains("\n\n") || text.chars().nth(180).is_some();
    let class = match (folded, long) {
        (true, _) => "ask ask-long is-folded",
        (false, true) => "ask ask-long",
        (false, false) => "ask",
    };
    let at = message.created_at;
    let time = move || words::moment(at, page.now.get(), page.tz.get());
    let unfold = folded.then(|| {
        let all = ["Show all ", &words::number(lines), " lines"].concat();
        view! {
            <label class="ask-more unfold btn btn-quiet btn-s">
                <input type="checkbox" class="hide" autocomplete="off"/>
                <span class="when-folded">{all}</span>
                <span class="when-open">"Show less"</span>
                {small("down")}
            </label>
        }
        .erase()
    });
    let session = page.session.get_untracked();
    let branch = message
        .siblings
        .as_ref()
        .map(|s| view! { <div class="ask-more branch">{branches(session, s, message.message_id)}</div> }.erase());
    view! {
        <header class=class>
            <time datetime=at.to_string()>{time}</time>
            <h2>{text.clone()}</h2>
            <div class="ask-tools">
                <button class="icon-btn js-only" type="button" data-do="copy-ask" aria-label="Copy the question">
                    {icon("copy")}
                </button>
            </div>
            {unfold}
            {branch}
            {edit(page, message, text)}
        </header>
    }
    .erase()
}

/// The form that asks it another way, behind the pencil. Its answer is a branch beside the first.
fn edit(page: Page, message: &Message, text: String) -> Erased {
    let parent = message.parent_id.map_or_else(|| "root".to_owned(), |p| p.to_string());
    let fresh = page.data().fresh;
    let model = page.data().page.as_ref().and_then(|p| p.session.model.clone());
    let session = page.session.get_untracked().map(|s| s.to_string());
    let id = ["edit-", &message.message_id.to_string()].concat();
    let rows = lines(&text).clamp(2, 14).to_string();
    view! {
        <details class="ask-edit">
            <summary class="icon-btn" aria-label="Edit the question">{icon("pencil")}</summary>
            <form method="post" action="/api/chat/send" data-form="edit">
                <input type="hidden" name="session_id" value=session/>
                <input type="hidden" name="turn_id" value=fresh.turn_id.to_string()/>
                <input type="hidden" name="parent_id" value=parent/>
                <input type="hidden" name="model" value=model/>
                <label class="hide" for=id.clone()>"The question, put another way"</label>
                <textarea class="input" id=id name="text" rows=rows required inner_html=escaped(&text)></textarea>
                <div class="actions">
                    <button class="btn btn-main">"Ask this instead"</button>
                    <button class="btn js-only" type="button" data-do="close-edit">"Leave it"</button>
                </div>
            </form>
        </details>
    }
    .erase()
}

/// Leptos writes the text of a `textarea` as it is: whatever a person pastes would be HTML.
fn escaped(text: &str) -> String {
    // A page's parser drops the first line break; one that the browser is given as `innerHTML` stays.
    let first = if cfg!(feature = "ssr") { "\n" } else { "" };
    [first, &text.replace('&', "&amp;").replace('<', "&lt;")].concat()
}

/// `2 of 3`, between the ways to the earlier and the later version.
pub fn branches(session: Option<SessionId>, siblings: &Siblings, own: MessageId) -> Erased {
    let ids = &siblings.ids;
    let at = ids.iter().position(|id| *id == own).unwrap_or(ids.len().saturating_sub(1));
    let link = |to: Option<&MessageId>, label: &'static str, name: &'static str| {
        let href = to.zip(session).map(|(to, s)| ["/c/", &s.to_string(), "?via=", &to.to_string()].concat());
        match href {
            Some(href) => view! { <a class="icon-btn" href=href aria-label=label>{icon(name)}</a> }.erase(),
            None => view! { <span class="icon-btn is-off" aria-hidden="true">{icon(name)}</span> }.erase(),
        }
    };
    let words = [&(at + 1).to_string(), " of ", &ids.len().to_string()].concat();
    view! {
        {link(at.checked_sub(1).and_then(|i| ids.get(i)), "Earlier version", "left")}
        <span>{words}</span>
        {link(ids.get(at + 1), "Later version", "right")}
    }
    .erase()
}
