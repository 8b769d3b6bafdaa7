//! An answer: the line, the text, and how it ended.

use leptos::prelude::*;

use super::{
    erased::{Erase, Erased},
    html::{attribute, hidden, lazy, text},
    icons::{Cap, icon, small},
    prose,
    state::{self, Place},
    words,
};
use crate::{
    domain::Message,
    page::{LIVE_MARKER, PageKind},
    pages::state::{Live, Page, Phase},
};

/// What is inside a stored answer. Where its text is in the page already, so is all of this, and it stays as it is.
#[must_use]
pub fn stored(place: Place, message: &Message) -> String {
    if prose::is_elsewhere(message) {
        return String::new();
    }
    let thinking = message.thinking.as_ref().map_or_else(String::new, |thinking| {
        let (open, close) = (small("think"), small("down"));
        [
            "<details class=\"think\"><summary>",
            &open,
            &words::thought(message.timing.and_then(|t| t.thinking_ms)),
            &close,
            "</summary><div><p>",
            &text(thinking),
            "</p></div></details>",
        ]
        .concat()
    });
    let written = if message.text.is_empty() && thinking.is_empty() {
        String::new()
    } else {
        [
            "<div class=\"written\"",
            &attribute("data-state", state::line(message)),
            ">",
            &thinking,
            "<div class=\"prose\">",
            &prose::stored(message),
            "</div>",
            &state::cap(message),
            "</div>",
        ]
        .concat()
    };
    [written, state::foot(place, message, false)].concat()
}

/// An answer that this page follows. Its prose and thinking are written by [`crate::browser`]; the elements stay the
/// same when it ends, so that nothing jumps.
pub fn live(page: Page, live: Live) -> Erased {
    if page.data().kind == PageKind::Live {
        // The server cuts the page here and writes on; `shell::live_end` closes what is open.
        let html = ["<div class=\"written\" data-state=\"live\"><div class=\"prose\">", LIVE_MARKER].concat();
        return view! { <div class="reply" aria-busy="true" inner_html=html></div> }.erase();
    }
    let place = Place::of(page);
    let (phase, wrote) = (live.phase, live.wrote);
    let line = move || match phase.get() {
        Phase::Quiet | Phase::Waiting(_) => "waiting",
        Phase::Thinking | Phase::Writing => "live",
        Phase::Lost | Phase::Held => "lost",
        Phase::Ended => live.ended.get().map_or("stopped", |m| state::line(&m)),
    };
    let thought = lazy(move || {
        let words = live.thought.get();
        [small("think").as_str(), "<span>", &words, "</span>", &small("down")].concat()
    });
    let wait = lazy(move || match phase.get() {
        Phase::Quiet => "<p class=\"waiting\"></p>".to_owned(),
        Phase::Waiting(0..8) => "<p class=\"waiting\">Waiting for Claude</p>".to_owned(),
        Phase::Waiting(s) => ["<p class=\"waiting\">Waiting for Claude, ", &s.to_string(), " s</p>"].concat(),
        _ => String::new(),
    });
    let mark = lazy(move || match phase.get() {
        Phase::Quiet | Phase::Lost | Phase::Held => String::new(),
        Phase::Waiting(_) | Phase::Thinking | Phase::Writing => Cap::Live.html(),
        Phase::Ended => live.ended.get().map_or_else(String::new, |m| state::cap(&m)),
    });
    let end = lazy(move || match (phase.get(), live.ended.get()) {
        (Phase::Lost, _) => reconnecting(TRY_NOW),
        (Phase::Held, _) => held(),
        (_, Some(message)) => state::foot(place, &message, true),
        _ => String::new(),
    });
    view! {
        <div
            class="reply"
            id=["reply-", &live.turn.to_string()].concat()
            aria-busy=move || (!phase.get().is_over()).then_some("true")
        >
            <div class="written" data-state=line hidden=move || phase.get().is_over() && !wrote.get()>
                <details class="think" hidden=move || live.thought.with(String::is_empty)>
                    <summary inner_html=thought></summary>
                    <div><p></p></div>
                </details>
                <div class="prose"></div>
                <div inner_html=wait></div>
                <div inner_html=mark></div>
            </div>
            <div class="end" inner_html=end></div>
        </div>
    }
    .erase()
}

const TRY_NOW: &str = "<button class=\"btn\" type=\"button\" data-do=\"try-now\">Try now</button>";

/// The connection is lost; `action` is what one can do then.
#[must_use]
pub fn reconnecting(action: &str) -> String {
    state::said(Cap::Lost, "", "Reconnecting.", "The reply goes on meanwhile; you will see all of it.", action)
}

fn held() -> String {
    state::said(Cap::Lost, "", "Storage is not answering.", "Writing is on hold so that nothing gets lost.", "")
}

/// Without JavaScript, while a reply runs: that the page grows, or that it looks again.
#[must_use]
pub fn running(page: Page) -> String {
    let Some(turn) = page.running.get_untracked() else { return String::new() };
    let (class, words, look) = if page.data().kind == PageKind::Live {
        (
            "band",
            "<strong>Being written.</strong> This page grows with the reply. You may close it; the reply goes on. \
             Should it stand still, look again.",
            "<a class=\"btn\" href=\"\">Look again</a>",
        )
    } else {
        (
            "band nojs-only",
            "This page looks again every 3 s until the reply is done.",
            "<a class=\"btn\" href=\"\">Look now</a>",
        )
    };
    [
        "<aside class=\"",
        class,
        "\" aria-label=\"This reply\"><div class=\"band-in\"><p>",
        words,
        "</p>",
        look,
        "<form method=\"post\" action=\"/api/chat/stop\">",
        &hidden("turn_id", &turn.to_string()),
        "<button class=\"btn\">",
        &icon("stop"),
        "Stop</button></form></div></aside>",
    ]
    .concat()
}
