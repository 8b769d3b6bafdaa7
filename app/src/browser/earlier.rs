//! Earlier messages, loaded over those that are there.

use leptos::{prelude::*, task::spawn_local};

use super::{chats, dom, scroll};
use crate::{
    api,
    pages::state::{self, Page},
};

thread_local! {
    /// Two clicks are one.
    static BUSY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Loads the page before. The text that is read does not move.
pub(crate) fn load(page: Page) {
    let (Some(session), Some(next)) = (page.session.get_untracked(), page.older.get_untracked()) else { return };
    // The branch that is shown, whichever is the newest meanwhile.
    let via = page.leaf().map(|id| id.to_string());
    if BUSY.replace(true) {
        return;
    }
    spawn_local(async move {
        match api::sessions::get(session.to_string(), Some(next), via).await {
            Ok(found) => scroll::hold(move || {
                page.older.set(found.next);
                page.turns.update(|turns| {
                    turns.splice(0..0, state::turns(found.messages));
                });
            }),
            Err(e) => chats::complain(page, &e),
        }
        BUSY.set(false);
        if let Some(main) = dom::by_id("main") {
            dom::focus(&main);
        }
    });
}
