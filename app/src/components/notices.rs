//! Bands and the toast.

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use super::{icons::icon, words};
use crate::{
    page::PageKind,
    pages::state::{Band, Page, Refusal},
};

/// The command the simulator's band offers.
const COMMAND: &str = "ANTHROPIC_API_KEY=sk-ant-… make run";

/// Most characters of one message.
pub const LIMIT: u32 = 200_000;

/// Says that replies are made up.
pub fn simulator(page: Page) -> Option<Erased> {
    let data = page.data();
    (data.simulator && data.kind != PageKind::NotFound).then(|| {
        view! {
            <aside class="band band-sim" aria-label="The simulator">
                <div class="band-in">
                    <p>
                        <strong>"This is the simulator."</strong>
                        " No key is set, so replies are made up and nothing leaves this machine. For Claude itself:"
                    </p>
                    <span class="cmd">
                        <code tabindex="0">{COMMAND}</code>
                        <button class="icon-btn js-only" type="button" data-do="copy-command" aria-label="Copy the command">
                            {icon("copy")}
                        </button>
                    </span>
                </div>
            </aside>
        }
        .erase()
    })
}

/// Without JavaScript: what was deleted just now, with Undo.
pub fn deleted(page: Page) -> Option<Erased> {
    let deleted = page.data().deleted.clone()?;
    Some(
        view! {
            <aside class="band" aria-label="Deleted">
                <div class="band-in">
                    <p>{["Deleted “", &deleted.title, "”"].concat()}</p>
                    <form method="post" action="/api/sessions/restore">
                        <input type="hidden" name="session_id" value=deleted.session_id.to_string()/>
                        <button class="btn">"Undo"</button>
                    </form>
                </div>
            </aside>
        }
        .erase(),
    )
}

/// What stands over the composer.
pub fn band(page: Page) -> Erased {
    let Band { length, offline, refused } = page.band.get();
    let (class, name, words) = if length > 0 {
        let n = [&words::number(length.into()), " characters"].concat();
        let rest = [", and the limit is ", &words::number(LIMIT.into()), ". Shorten it, or send it in two."].concat();
        ("band band-fail", "alert", view! { <p><strong>{n}</strong>{rest}</p> }.erase())
    } else if offline {
        let words = "You are offline. The draft is kept here; a reply that runs goes on at the server.";
        ("band band-warn", "info", view! { <p>{words}</p> }.erase())
    } else {
        match refused {
            None => return ().erase(),
            Some(Refusal::Rate(seconds)) => {
                let s = [&words::number(seconds), " s"].concat();
                let words = view! {
                    <p>"Too many messages at once. You can send again in "<strong>{s}</strong>"; your text is kept."</p>
                };
                ("band band-warn", "clock", words.erase())
            }
            Some(Refusal::Active) => {
                let href = page.session.get().map(|s| ["/c/", &s.to_string()].concat());
                let words = view! {
                    <p>"This chat is still being answered. You can send when it is done."</p>
                    <a class="btn" href=href>"Show it"</a>
                };
                ("band band-warn", "info", words.erase())
            }
            Some(Refusal::Other(words)) => ("band band-fail", "alert", view! { <p>{words}</p> }.erase()),
        }
    };
    view! { <div class=class><div class="band-in">{icon(name)}{words}</div></div> }.erase()
}

/// Deleted, with Undo.
pub fn toast(page: Page) -> Erased {
    let toast = move || {
        page.toast.get().map(|deleted| {
            let words = ["Deleted “", &deleted.title, "”"].concat();
            view! {
                <aside class="toast" id="toast" aria-label="Deleted">
                    <span>{words}</span>
                    <button type="button" data-do="undo">"Undo"</button>
                </aside>
            }
            .erase()
        })
    };
    view! { <div class="toasts">{toast}</div> }.erase()
}
