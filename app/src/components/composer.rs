//! The composer: the page's last line.

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use super::{
    icons::{icon, small},
    notices,
};
use crate::pages::state::Page;

/// The form one writes in. A plain form without JavaScript; while a reply runs it is the form that stops it.
pub fn composer(page: Page) -> Erased {
    let running = Memo::new(move |_| page.running.get().is_some());
    let action = move || if running.get() { "/api/chat/stop" } else { "/api/chat/send" };
    let placeholder = move || match (running.get(), page.session.with(Option::is_some)) {
        (true, _) => "Write the next message meanwhile",
        (_, true) => "Ask a follow-up",
        (_, false) => "Ask, or paste something to work on",
    };
    let row = move || if running.get() { stop(page) } else { send(page) };
    let pill = move || {
        if running.get() {
            view! { <span class="dot dot-live"></span>"Being written below" }.erase()
        } else {
            view! { {small("latest")}"Jump to latest" }.erase()
        }
    };
    view! {
        <form class="dock" id="dock" method="post" action=action aria-label="Write">
            <button class="jump" type="button" data-do="latest" hidden=move || !page.pill.get()>{pill}</button>
            {move || notices::band(page)}
            <div class="column">
                <label class="hide" for="text">"Your message"</label>
                <textarea
                    id="text"
                    name="text"
                    rows="1"
                    placeholder=placeholder
                    autocomplete="off"
                    enterkeyhint="send"
                ></textarea>
                <div class="dock-row">{row}</div>
            </div>
        </form>
    }
    .erase()
}

fn stop(page: Page) -> Erased {
    let turn = page.running.get_untracked().map(|t| t.to_string());
    let words = move || {
        if page.not_yet.get() {
            "You can send when it is done."
        } else {
            "Being written. You may close this tab; it goes on."
        }
    };
    view! {
        <span class="dock-live"><span class="dot dot-live"></span><span aria-live="polite">{words}</span></span>
        <button class="btn send" name="turn_id" value=turn>{icon("stop")}"Stop"</button>
    }
    .erase()
}

fn send(page: Page) -> Erased {
    let data = page.data();
    let session = page.session.get_untracked();
    let new = session.is_none().then(|| view! { <input type="hidden" name="new" value="true"/> }.erase());
    // Without it a message follows the newest branch, whichever one is shown.
    let parent = page
        .leaf()
        .filter(|_| data.via)
        .map(|leaf| view! { <input type="hidden" name="parent_id" value=leaf.to_string()/> }.erase());
    let off = move || {
        let band = page.band.get();
        let refused = band.refused.as_ref();
        let waits = refused.is_some_and(|r| !matches!(r, crate::pages::state::Refusal::Other(_)));
        (band.length > 0 || band.offline || waits).then_some("true")
    };
    view! {
        <input type="hidden" name="session_id" value=session.unwrap_or(data.fresh.session_id).to_string()/>
        <input type="hidden" name="turn_id" value=data.fresh.turn_id.to_string()/>
        {new}
        {parent}
        {models(page)}
        <span class="dock-hint">
            <span class="wide-only js-only">
                <kbd>"Enter"</kbd>" sends, "<kbd>"Shift"</kbd>" "<kbd>"Enter"</kbd>" breaks the line"
            </span>
        </span>
        <button class="btn btn-main send" aria-disabled=off>{icon("send")}"Send"</button>
    }
    .erase()
}

fn models(page: Page) -> Erased {
    let data = page.data();
    let known = &data.models.models;
    let chosen = page.model.get_untracked();
    let options = known
        .iter()
        .map(|m| {
            let selected = m.id == chosen;
            view! { <option value=m.id.clone() selected=selected>{m.name.clone()}</option> }.erase()
        })
        .collect::<Vec<_>>();
    view! {
        <label class="pick">
            <span class="hide">"Model"</span>
            <select name="model" id="model" autocomplete="off">{options}</select>
            {small("down")}
        </label>
    }
    .erase()
}
