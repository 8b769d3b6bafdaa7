//! The composer: the page's last line.

use leptos::prelude::*;

use super::{
    erased::{Erase, Erased},
    html::{attribute, hidden, lazy, once, text},
    icons::{icon, small},
    notices,
};
use crate::pages::state::{Page, Refusal};

/// The form one writes in. A plain form without JavaScript; while a reply runs it is the form that stops it.
/// `draft` is what the server puts into it.
pub fn composer(page: Page, draft: &str) -> Erased {
    let running = Memo::new(move |_| page.running.get().is_some());
    // Off, but still to be focused: one learns why.
    let off = Memo::new(move |_| {
        page.band.with(|band| {
            let waits = band.refused.as_ref().is_some_and(|r| !matches!(r, Refusal::Other(_)));
            band.length > 0 || band.offline || waits
        })
    });
    let action = move || if running.get() { "/api/chat/stop" } else { "/api/chat/send" };
    let placeholder = move || match (running.get(), page.session.with(Option::is_some)) {
        (true, _) => "Write the next message meanwhile",
        (_, true) => "Ask a follow-up",
        (_, false) => "Ask, or paste something to work on",
    };
    let row = lazy(move || if running.get() { stop(page) } else { send(page, off.get()) });
    let pill = lazy(move || {
        if running.get() {
            "<span class=\"dot dot-live\"></span>Being written below".to_owned()
        } else {
            [small("latest").as_str(), "Jump to latest"].concat()
        }
    });
    let draft = once(|| text(draft));
    view! {
        <form class="dock" id="dock" method="post" action=action aria-label="Write">
            <button class="jump" type="button" data-do="latest" hidden=move || !page.pill.get() inner_html=pill></button>
            <div inner_html=lazy(move || notices::band(page))></div>
            <div class="column">
                <label class="hide" for="text">"Your message"</label>
                <textarea
                    id="text"
                    name="text"
                    rows="1"
                    placeholder=placeholder
                    autocomplete="off"
                    enterkeyhint="send"
                    inner_html=draft
                ></textarea>
                <div class="dock-row" inner_html=row></div>
            </div>
        </form>
    }
    .erase()
}

/// Beside Stop, while a reply runs.
pub const RUNS: &str = "Being written. You may close this tab; it goes on.";

fn stop(page: Page) -> String {
    let turn = page.running.get_untracked().map_or_else(String::new, |t| t.to_string());
    [
        "<span class=\"dock-live\"><span class=\"dot dot-live\"></span><span id=\"runs\" aria-live=\"polite\">",
        RUNS,
        "</span></span><button class=\"btn send\" name=\"turn_id\" value=\"",
        &turn,
        "\">",
        &icon("stop"),
        "Stop</button>",
    ]
    .concat()
}

fn send(page: Page, off: bool) -> String {
    let data = page.data();
    let session = page.session();
    let new = if session.is_none() { hidden("new", "true") } else { String::new() };
    // Without it a message follows the newest branch, whichever one is shown.
    let parent = page.leaf().filter(|_| data.via);
    let parent = parent.map_or_else(String::new, |leaf| hidden("parent_id", &leaf.to_string()));
    [
        hidden("session_id", &session.unwrap_or(data.fresh.session_id).to_string()).as_str(),
        &hidden("turn_id", &data.fresh.turn_id.to_string()),
        &new,
        &parent,
        &models(page),
        "<span class=\"dock-hint\"><span class=\"wide-only js-only\"><kbd>Enter</kbd> sends, <kbd>Shift</kbd> \
         <kbd>Enter</kbd> breaks the line</span></span><button class=\"btn btn-quiet\" formaction=\"/jobs/new\" title=\"Send as a \
         job\">",
        &icon("jobs"),
        "<span>As a job</span></button><button class=\"btn btn-main send\"",
        if off { " aria-disabled=\"true\">" } else { ">" },
        &icon("send"),
        "Send</button>",
    ]
    .concat()
}

fn models(page: Page) -> String {
    let data = page.data();
    let chosen = page.model.get_untracked();
    let options: String = data
        .models
        .models
        .iter()
        .map(|m| {
            let selected = if m.id == chosen { " selected>" } else { ">" };
            ["<option", &attribute("value", &m.id), selected, &text(&m.name), "</option>"].concat()
        })
        .collect();
    [
        "<label class=\"pick\"><span class=\"hide\">Model</span><select name=\"model\" id=\"model\" autocomplete=\"off\">",
        &options,
        "</select>",
        &small("down"),
        "</label>",
    ]
    .concat()
}
