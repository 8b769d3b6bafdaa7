//! Questions and answers, oldest first.

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use super::{ask, reply, words};
use crate::pages::state::{Page, Reply, Turn};

/// The branch that is shown, with the way to earlier messages over it.
pub fn transcript(page: Page) -> Erased {
    let earlier = move || {
        let (session, older) = (page.session.get()?, page.older.get()?);
        let href = ["/c/", &session.to_string(), "?page=", &older].concat();
        Some(view! { <p class="earlier"><a class="btn btn-quiet btn-s" href=href data-do="earlier">"Earlier messages"</a></p> }.erase())
    };
    view! {
        {earlier}
        {move || (!cut_stands_in_a_turn(page)).then(|| cut(left_out(page)?, false)).flatten()}
        <For each=move || page.turns.get() key=|turn| turn.key children=move |turn| one(page, turn)/>
    }
    .erase()
}

fn one(page: Page, turn: Turn) -> Erased {
    let (key, hidden) = (turn.key, turn.hidden);
    let class = if turn.ask.is_some() { "turn" } else { "turn turn-rest" };
    let question = turn.ask.map(|message| ask::ask(page, &message));
    let answer = turn.reply.map(|reply| match reply {
        Reply::Stored(message) => reply::stored(page, &message),
        Reply::Live(live) => reply::live(page, live),
    });
    let here = move || cut_before(page).filter(|at| *at == key).and_then(|_| cut(left_out(page)?, true));
    view! { <article class=class data-turn=key.to_string() hidden=move || hidden.get()>{here}{question}{answer}</article> }.erase()
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

/// The turn before which the model began to read; known only once the branch is here from its first message on.
fn cut_before(page: Page) -> Option<crate::domain::MessageId> {
    if page.older.with(Option::is_some) {
        return None;
    }
    let skip = left_out(page)?;
    page.turns.with(|turns| {
        let mut seen = 0;
        turns.iter().filter(|t| !t.hidden.get()).find_map(|turn| {
            if seen >= skip {
                return Some(turn.key);
            }
            seen += u32::from(turn.ask.is_some()) + u32::from(turn.reply.is_some());
            None
        })
    })
}

fn cut_stands_in_a_turn(page: Page) -> bool {
    cut_before(page).is_some()
}

fn cut(n: u32, here: bool) -> Option<Erased> {
    if n == 0 {
        return None;
    }
    let mut words = ["The oldest ", &words::counted(n.into(), "message", "messages"), " no longer fit."].concat();
    if here {
        words.push_str(" Claude reads from here on.");
    }
    Some(view! { <p class="cutline">{words}</p> }.erase())
}
