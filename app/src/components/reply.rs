//! An answer: the line, the text, and how it ended.

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use super::{
    icons::{Cap, small},
    prose,
    state::{self, Place},
};
use crate::{
    domain::Message,
    page::{LIVE_MARKER, PageKind},
    pages::state::{Live, Page, Phase},
};

/// A stored answer. In the browser its text is an empty string on hydration, and the server's HTML stays as it is.
pub fn stored(page: Page, message: &Message) -> Erased {
    let place = Place::of(page);
    let wrote = !message.text.is_empty();
    let thinking = message.thinking.as_ref().map(|t| think("Thought".to_owned(), t.clone()));
    let written = (wrote || thinking.is_some()).then(|| {
        view! {
            <div class="written" data-state=state::line(message)>
                {thinking}
                <div class="prose" inner_html=prose::stored(message)></div>
                {state::cap(message)}
            </div>
        }
        .erase()
    });
    view! {
        <div class="reply" id=element_id(message)>
            {written}
            {state::foot(place, message, false)}
        </div>
    }
    .erase()
}

fn element_id(message: &Message) -> String {
    ["reply-", &message.message_id.to_string()].concat()
}

fn think(summary: String, thinking: String) -> Erased {
    view! {
        <details class="think">
            <summary>{small("think")}{summary}{small("down")}</summary>
            <div><p>{thinking}</p></div>
        </details>
    }
    .erase()
}

/// An answer that this page follows. Its prose and thinking are written by [`crate::browser::painter`]; the elements
/// stay the same when it ends, so that nothing jumps.
pub fn live(page: Page, live: Live) -> Erased {
    if page.data().kind == PageKind::Live {
        // The server cuts the page here and writes on; `shell::live_end` closes what is open.
        let html = ["<div class=\"written\" data-state=\"live\"><div class=\"prose\">", LIVE_MARKER].concat();
        return view! { <div class="reply" aria-busy="true" inner_html=html></div> }.erase();
    }
    let place = Place::of(page);
    let (phase, wrote) = (live.phase, live.wrote);
    let ended = move || live.ended.get();
    let line = move || match phase.get() {
        Phase::Quiet | Phase::Waiting => "waiting",
        Phase::Thinking | Phase::Writing => "live",
        Phase::Lost => "lost",
        Phase::Ended => ended().map_or("stopped", |m| state::line(&m)),
    };
    let cap = move || match phase.get() {
        Phase::Quiet | Phase::Lost => ().erase(),
        Phase::Waiting | Phase::Thinking | Phase::Writing => Cap::Live.view(),
        Phase::Ended => ended().and_then(|m| state::cap(&m)).erase(),
    };
    let waiting = move || match (phase.get() == Phase::Waiting, live.waited.get()) {
        (false, _) => String::new(),
        (true, 0..8) => "Waiting for Claude".to_owned(),
        (true, s) => ["Waiting for Claude, ", &s.to_string(), " s"].concat(),
    };
    let think = move || {
        // Only whether there is thinking: the element stays while its words change.
        live.thought.with(|t| t.is_empty())
    };
    let lost = Memo::new(move |_| phase.get() == Phase::Lost);
    let lost = move || lost.get().then(reconnecting);
    let foot = move || ended().map(|m| state::foot(place, &m, true));
    let id = ["reply-", &live.turn.to_string()].concat();
    view! {
        <div class="reply" id=id aria-busy=move || (!phase.get().is_over()).then_some("true")>
            <div class="written" data-state=line hidden=move || phase.get().is_over() && !wrote.get()>
                <details class="think" hidden=think>
                    <summary>{small("think")}<span>{move || live.thought.get()}</span>{small("down")}</summary>
                    <div><p></p></div>
                </details>
                <div class="prose"></div>
                <p class="waiting" hidden=move || !matches!(phase.get(), Phase::Quiet | Phase::Waiting)>{waiting}</p>
                {cap}
            </div>
            {lost}
            {foot}
        </div>
    }
    .erase()
}

fn reconnecting() -> Erased {
    view! {
        <div class="state">
            {Cap::Lost.view()}
            <span><strong>"Reconnecting."</strong>" The reply goes on meanwhile; you will see all of it."</span>
            <div class="actions">
                <button class="btn" type="button" data-do="try-now">"Try now"</button>
            </div>
        </div>
    }
    .erase()
}

/// Without JavaScript, while a reply runs and the page cannot grow.
pub fn looks_again(page: Page) -> Option<Erased> {
    let data = page.data();
    let live = data.kind == PageKind::Live;
    let turn = page.running.get_untracked()?;
    let stop = ["<form method=\"post\" action=\"/api/chat/stop\"><input type=\"hidden\" name=\"turn_id\" value=\"",
        &turn.to_string(),
        "\"><button class=\"btn\"><svg class=\"icon\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><use href=\"#i-stop\"/></svg>Stop</button></form>"]
    .concat();
    let open = "<aside class=\"band\" aria-label=\"This reply\"><div class=\"band-in\"><p>";
    if live {
        let html = [
            open,
            "<strong>Being written.</strong> This page grows with the reply. You may close it; the reply goes on.</p>",
            &stop,
            "</div></aside>",
        ]
        .concat();
        return Some(view! { <div inner_html=html></div> }.erase());
    }
    let html = [
        open,
        "This page looks again every 3 s until the reply is done.</p><a class=\"btn\" href=\"\">Look now</a>",
        &stop,
        "</div></aside>",
    ]
    .concat();
    Some(view! { <div class="nojs-only" inner_html=html></div> }.erase())
}
