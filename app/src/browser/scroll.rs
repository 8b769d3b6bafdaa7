//! Follows the reply as it grows, as long as the person stays at its end.

use std::cell::Cell;

use leptos::prelude::*;
use web_sys::ScrollToOptions;

use super::dom;
use crate::pages::state::Page;

/// Within so many pixels of the end one counts as being there.
const NEAR: f64 = 80.0;

thread_local! {
    static FOLLOWS: Cell<bool> = const { Cell::new(true) };
    static LAST: Cell<f64> = const { Cell::new(0.0) };
}

fn top() -> f64 {
    window().scroll_y().unwrap_or_default()
}

fn height() -> f64 {
    document().document_element().map_or(0.0, |e| f64::from(e.scroll_height()))
}

fn below() -> f64 {
    let seen = document().document_element().map_or(0.0, |e| f64::from(e.client_height()));
    height() - seen - top()
}

fn to(y: f64) {
    let options = ScrollToOptions::new();
    options.set_top(y);
    window().scroll_to_with_scroll_to_options(&options);
    LAST.set(top());
}

/// Goes to the end and stays there.
pub(crate) fn latest(page: Page) {
    FOLLOWS.set(true);
    to(height());
    pill(page);
}

/// Called after the page has grown.
pub(crate) fn follow(page: Page) {
    if FOLLOWS.get() && page.session.with_untracked(Option::is_some) {
        to(height());
    }
    pill(page);
}

fn pill(page: Page) {
    let wanted = page.session.with_untracked(Option::is_some) && below() > NEAR;
    if page.pill.get_untracked() != wanted {
        page.pill.set(wanted);
    }
}

fn scrolled(page: Page) {
    let (now, last) = (top(), LAST.get());
    if now < last {
        // Upwards is the person's will, except where the page became shorter.
        FOLLOWS.set(below() <= 1.0);
    } else if now > last && below() <= NEAR {
        FOLLOWS.set(true);
    }
    LAST.set(now);
    pill(page);
}

/// Keeps the text that is read where it is while something is put in over it.
pub(crate) fn hold(change: impl FnOnce()) {
    let (before, at) = (height(), top());
    change();
    request_animation_frame(move || to(at + height() - before));
}

/// Starts to listen. A chat opens at its end, unless the browser went back to where one was.
pub(crate) fn start(page: Page) {
    LAST.set(top());
    FOLLOWS.set(top() < 1.0 || below() <= NEAR);
    follow(page);
    dom::on("scroll", move |_| scrolled(page));
    dom::on("resize", move |_| follow(page));
}
