//! Questions and answers, oldest first.

use leptos::prelude::*;

use super::{
    ask::Ask,
    erased::{Erase, Erased},
    html::{attribute, lazy},
    reply,
    state::Place,
    words,
};
use crate::{
    domain::MessageId,
    pages::state::{Page, Reply, Turn},
};

/// The branch that is shown, with the way to earlier messages over it.
pub fn transcript(page: Page) -> Erased {
    let top = lazy(move || {
        let words = if cut_before(page).is_some() { String::new() } else { cut(page, false) };
        [earlier(page), words].concat()
    });
    view! {
        <div inner_html=top></div>
        <For each=move || page.turns.get() key=|turn| turn.key children=move |turn| one(page, turn)/>
    }
    .erase()
}

fn earlier(page: Page) -> String {
    let Some((session, older)) = page.session.get().zip(page.older.get()) else { return String::new() };
    let href = ["/c/", &session.to_string(), "?page=", &older].concat();
    let open = "<p class=\"earlier\"><a class=\"btn btn-quiet btn-s\" data-do=\"earlier\"";
    [open, &attribute("href", &href), ">Earlier messages</a></p>"].concat()
}

fn one(page: Page, turn: Turn) -> Erased {
    let (key, hidden) = (turn.key, turn.hidden);
    let class = if turn.ask.is_some() { "turn" } else { "turn turn-rest" };
    let here = lazy(move || if cut_before(page) == Some(key) { cut(page, true) } else { String::new() });
    let question = turn.ask.map(|message| {
        let ask = Ask::of(&message);
        view! { <header class=ask.class() inner_html=ask.html(page)></header> }
    });
    let answer = turn.reply.map(|reply| match reply {
        Reply::Stored(message) => {
            let id = ["reply-", &message.message_id.to_string()].concat();
            let inside = reply::stored(Place::of(page), &message);
            view! { <div class="reply" id=id inner_html=inside></div> }.erase()
        }
        Reply::Live(live) => reply::live(page, live),
    });
    view! {
        <article class=class data-turn=key.to_string() hidden=move || hidden.get()>
            <div inner_html=here></div>
            {question}
            {answer}
        </article>
    }
    .erase()
}

/// How many of the oldest messages the newest turn could not show the model.
fn left_out(page: Page) -> Option<u32> {
    page.turns.with(|turns| {
        turns.iter().rev().find_map(|turn| match turn.reply.as_ref()? {
            Reply::Stored(message) => Some(message.left_out),
            Reply::Live(live) => live.ended.get().map(|m| m.left_out),
        })
    })?
}

/// The turn before which the model began to read; `None` while it is farther up than what is loaded.
fn cut_before(page: Page) -> Option<MessageId> {
    let skip = left_out(page)?;
    let older = page.older.with(Option::is_some);
    page.turns.with(|turns| {
        let mut shown = turns.iter().filter(|t| !t.hidden.get()).peekable();
        let first = shown.peek().and_then(|turn| depth(turn));
        // The message before which it began is not here.
        if older && first.is_none_or(|first| first > skip) {
            return None;
        }
        let mut seen = first.unwrap_or_default();
        shown.find_map(|turn| {
            if seen >= skip {
                return Some(turn.key);
            }
            seen += u32::from(turn.ask.is_some()) + u32::from(turn.reply.is_some());
            None
        })
    })
}

/// How many messages stand before the turn.
fn depth(turn: &Turn) -> Option<u32> {
    match (&turn.ask, &turn.reply) {
        (Some(ask), _) => ask.depth,
        (None, Some(Reply::Stored(message))) => message.depth,
        _ => None,
    }
}

fn cut(page: Page, here: bool) -> String {
    let Some(n) = left_out(page).filter(|n| *n > 0) else { return String::new() };
    let rest = if here { " Claude reads from here on." } else { "" };
    let n = words::counted(n.into(), "message", "messages");
    ["<p class=\"cutline\">The oldest ", &n, " no longer fit.", rest, "</p>"].concat()
}
