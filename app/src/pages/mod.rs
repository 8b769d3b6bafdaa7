//! The pages. There is no router in the browser: a page is a document, and going to another one is a navigation.

#[cfg(feature = "ssr")]
pub mod admin;
#[cfg(feature = "ssr")]
pub mod door;
pub mod state;

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    browser,
    components::{
        bar, composer, empty,
        erased::{Erase, Erased},
        html::{lazy, once},
        icons, keys, notices, reply, sidebar, transcript,
    },
    page::{Fixed, PageData, PageKind},
};
use state::Page;

/// Everything inside `body`, the same on the server and in the browser.
pub fn app(data: &Arc<PageData>, fixed: &Fixed) -> Erased {
    let page = Page::new(data);
    // Runs in the browser only: once the page is hydrated, and again whenever the chat has another title.
    Effect::new(move |started: Option<()>| {
        let title = page.title.get();
        match started {
            None => browser::start(page),
            Some(()) => browser::entitle(&title),
        }
    });
    let (main, dock) = match data.kind {
        PageKind::NotFound => (not_found(), None),
        PageKind::Jobs => (jobs(fixed), None),
        PageKind::Live => (chat(page), None),
        PageKind::New | PageKind::Chat => (chat(page), Some(composer::composer(page, &fixed.draft))),
    };
    let bar = match data.kind {
        PageKind::Jobs => bar::fixed(fixed),
        _ => bar::bar(page),
    };
    let notices = once(|| {
        [notices::simulator(page), notices::deleted(page), reply::running(page), fixed.notice.clone()].concat()
    });
    let skip = match data.kind {
        PageKind::Chat | PageKind::Live => "Skip to the conversation",
        PageKind::New | PageKind::Jobs | PageKind::NotFound => "Skip to the page",
    };
    view! {
        <a class="skip" href="#main">{skip}</a>
        <svg class="sprite" aria-hidden="true" inner_html=icons::sprite()></svg>
        {sidebar::sidebar(page)}
        <div class="main">
            {bar}
            <div inner_html=notices></div>
            {main}
            {dock}
        </div>
        <div class="toasts" inner_html=lazy(move || notices::toast(page))></div>
        <div class="menu keys" id="keys" popover="auto" role="dialog" aria-labelledby="keys-title" inner_html=once(keys::keys)></div>
        <div class="hide" id="say" role="status">{move || page.say.get()}</div>
    }
    .erase()
}

fn chat(page: Page) -> Erased {
    let empty = Memo::new(move |_| page.session.with(Option::is_none));
    let class = move || if empty.get() { "column" } else { "column transcript" };
    let before = lazy(move || if empty.get() { empty::empty(page) } else { String::new() });
    view! {
        <main id="main" class=class tabindex="-1">
            <div class="as-is" inner_html=before></div>
            {transcript::transcript(page)}
        </main>
    }
    .erase()
}

/// What the server alone renders.
fn jobs(fixed: &Fixed) -> Erased {
    let main = once(|| fixed.main.clone());
    view! { <div class="as-is" inner_html=main></div> }.erase()
}

/// Not there, or not yours: never told apart.
fn not_found() -> Erased {
    let words = once(|| NOT_FOUND.to_owned());
    view! { <main id="main" class="column transcript" tabindex="-1" inner_html=words></main> }.erase()
}

const NOT_FOUND: &str = "<h2 class=\"title\">Nothing here.</h2><p class=\"quiet\">This chat does not exist, or it is not yours.</p>\
    <p><a href=\"/\">Start a new chat</a></p>";
