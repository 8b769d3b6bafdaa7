//! The text in the composer: its height, its length, and the draft that is kept per chat.

use std::cell::Cell;

use leptos::prelude::*;

use super::dom;
use crate::{
    components::notices::LIMIT,
    pages::state::{Page, Refusal},
};

thread_local! {
    static SCHEDULED: Cell<bool> = const { Cell::new(false) };
}

fn key(page: Page) -> String {
    match page.session.get_untracked() {
        Some(id) => ["draft:", &id.to_string()].concat(),
        None => "draft:new".to_owned(),
    }
}

/// Puts a text into the composer.
pub(crate) fn fill(page: Page, text: &str) {
    if let Some(field) = dom::composer() {
        field.set_value(text);
        let end = text.encode_utf16().count() as u32;
        let _ = field.set_selection_range(end, end);
    }
    changed(page);
}

/// What was typed before the page came to life wins over the draft.
pub(crate) fn restore(page: Page) {
    let typed = dom::composer().map(|f| f.value()).unwrap_or_default();
    match dom::load(&key(page)) {
        Some(draft) if typed.is_empty() => fill(page, &draft),
        _ => measure(page, &typed),
    }
}

/// The composer's text has changed.
pub(crate) fn changed(page: Page) {
    let Some(field) = dom::composer() else { return };
    let text = field.value();
    measure(page, &text);
    let stale = page.band.with_untracked(|b| {
        matches!(b.refused, Some(Refusal::Other(_) | Refusal::Active)) && page.running.get_untracked().is_none()
    });
    if stale {
        page.band.update(|b| b.refused = None);
    }
    // A long text is not written to disk at every key.
    if !SCHEDULED.replace(true) {
        set_timeout(move || keep(page), std::time::Duration::from_millis(400));
    }
}

/// Keeps the draft now.
pub(crate) fn keep(page: Page) {
    SCHEDULED.set(false);
    if let Some(field) = dom::composer() {
        dom::store(&key(page), &field.value());
    }
}

fn measure(page: Page, text: &str) {
    if let Some(field) = dom::composer() {
        // `field-sizing` does it where it is known; elsewhere the rows are counted.
        let rows = (text.lines().count() as u32 + u32::from(text.ends_with('\n'))).clamp(1, 12);
        if field.rows() != rows {
            field.set_rows(rows);
        }
    }
    // Bytes are never fewer than characters, so that a short text is not counted.
    let n = if text.len() > LIMIT as usize { text.chars().count() as u32 } else { 0 };
    let n = if n > LIMIT { n } else { 0 };
    if page.band.with_untracked(|b| b.length != n) {
        page.band.update(|b| b.length = n);
    }
}
