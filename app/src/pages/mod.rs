//! The pages. There is no router in the browser: a page is a document, and going to another one is a navigation.

pub mod state;

use std::sync::Arc;

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use crate::{
    browser,
    components::{bar, composer, empty, icons, keys, notices, reply, sidebar, transcript},
    page::{PageData, PageKind},
};
use state::Page;

/// Everything inside `body`, the same on the server and in the browser.
pub fn app(data: &Arc<PageData>) -> Erased {
    let page = Page::new(data);
    // Runs in the browser only, after the page is hydrated.
    Effect::new(move |_| browser::start(page));
    let (skip, main, dock) = match data.kind {
        PageKind::NotFound => ("Skip to the page", not_found(), None),
        PageKind::Live => ("Skip to the conversation", chat(page), None),
        PageKind::New | PageKind::Chat => ("Skip to the conversation", chat(page), Some(composer::composer(page))),
    };
    view! {
        <a class="skip" href="#main">{skip}</a>
        {icons::sprite()}
        {sidebar::sidebar(page)}
        <div class="main">
            {bar::bar(page)}
            {notices::simulator(page)}
            {notices::deleted(page)}
            {reply::looks_again(page)}
            {main}
            {dock}
        </div>
        {notices::toast(page)}
        {keys::keys()}
        <div class="hide" id="say" role="status">{move || page.say.get()}</div>
    }
    .erase()
}

fn chat(page: Page) -> Erased {
    let empty = Memo::new(move |_| page.session.with(Option::is_none));
    let class = move || if empty.get() { "column" } else { "column transcript" };
    let inside = move || if empty.get() { empty::empty(page) } else { transcript::transcript(page) };
    view! { <main id="main" class=class tabindex="-1">{inside}</main> }.erase()
}

/// Not there, or not yours: never told apart.
fn not_found() -> Erased {
    view! {
        <main id="main" class="column transcript" tabindex="-1">
            <h2 class="title">"Nothing here."</h2>
            <p class="quiet">"This chat does not exist, or it is not yours."</p>
            <p><a href="/">"Start a new chat"</a></p>
        </main>
    }
    .erase()
}
