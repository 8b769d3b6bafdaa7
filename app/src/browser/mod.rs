//! What only a browser has and does: following a turn, painting, keys, clicks, storage. Compiled for the server too,
//! where none of it is ever called.

mod ask;
mod chats;
mod clipboard;
pub mod content;
mod dom;
mod draft;
mod earlier;
mod events;
mod finish;
mod follow;
mod jobs;
mod keyboard;
mod painter;
mod scroll;
mod wake;

use std::{cell::Cell, sync::Arc};

use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::{
    components::words,
    page::{PageData, PageKind},
    pages::state::Page,
};

thread_local! {
    /// The network came back, or the page did from the back/forward cache: an open stream may be dead.
    static NETWORK_CHANGED: Cell<bool> = const { Cell::new(false) };
}

/// The page's data as the server embedded it.
#[must_use]
pub fn page_data() -> Option<Arc<PageData>> {
    let json = document().get_element_by_id("page-data")?.text_content()?;
    serde_json::from_slice(json.as_bytes()).ok().map(Arc::new)
}

/// Names the window as the chat is named.
pub(crate) fn entitle(title: &str) {
    document().set_title(&[title, " · Outlast"].concat());
}

/// Brings the hydrated page to life.
pub(crate) fn start(page: Page) {
    untrack(|| {
        let offset = dom::offset();
        dom::cookie("tz", &offset.to_string());
        page.now.set(dom::now());
        if page.tz.get_untracked() != offset {
            page.tz.set(offset);
            correct_times(page);
        }
        events::start(page);
        keyboard::start(page);
        listen(page);
        if dom::load("single-keys").is_some() {
            dom::uncheck("single-keys");
        }
        page.band.update(|b| b.offline = !dom::is_online());
        match page.data().kind {
            PageKind::NotFound => {}
            PageKind::Jobs => jobs::start(page),
            _ => begin(page),
        }
        chats::start(page);
        if let Some(html) = document().document_element() {
            // Tests and scripts wait for it before they click.
            let _ = html.set_attribute("data-hydrated", "");
        }
    });
}

fn begin(page: Page) {
    draft::restore(page);
    if page.session.get_untracked().is_none() {
        choose_model(page);
        if dom::is_idle()
            && dom::has_mouse()
            && let Some(field) = dom::composer()
        {
            dom::focus(&field);
        }
    }
    scroll::start(page);
    if page.running.get_untracked().is_some()
        && let Some(live) = page.live()
    {
        follow::follow(page, live, follow::Opening::Follow, |_| {});
    }
}

/// A new chat goes to the model that was chosen last.
fn choose_model(page: Page) {
    let known = |id: &String| page.data().models.models.iter().any(|m| m.id == *id);
    if let Some(id) = dom::load("model").filter(known) {
        dom::select("model", &id);
        page.model.set(id);
    }
}

fn listen(page: Page) {
    let back = move || {
        NETWORK_CHANGED.set(true);
        wake::wake();
    };
    dom::on("online", move |_| {
        page.band.update(|b| b.offline = false);
        back();
    });
    dom::on("offline", move |_| page.band.update(|b| b.offline = true));
    dom::on("pagehide", move |_| draft::keep(page));
    dom::on("pageshow", move |e| {
        // From the back/forward cache: as it was left, but its stream is gone.
        if e.dyn_ref::<web_sys::PageTransitionEvent>().is_some_and(|e| e.persisted()) {
            back();
            chats::refresh(page);
            jobs::renew();
        }
    });
    dom::on("visibilitychange", move |_| {
        if dom::is_visible() {
            wake::wake();
            chats::refresh(page);
        }
    });
}

/// The server has written times as they are where it believes the person to be.
fn correct_times(page: Page) {
    let (now, tz) = (page.now.get_untracked(), page.tz.get_untracked());
    for time in dom::all("main time") {
        if let Some(at) = time.get_attribute("datetime").and_then(|at| at.parse().ok()) {
            time.set_text_content(Some(&words::moment(at, now, tz)));
        }
    }
}
