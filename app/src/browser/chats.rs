//! The list of chats: kept fresh, renamed, deleted and brought back.

use std::{cell::RefCell, time::Duration};

use leptos::{prelude::*, task::spawn_local};

use super::{dom, draft, wake};
use crate::{
    api,
    domain::{SessionId, SessionList, SessionRow, TurnId},
    error::ApiError,
    page::Deleted,
    pages::state::{Band, Page, Refusal},
};

/// How often the list is asked for while a reply is written in another chat.
const POLL_MS: u32 = 5_000;
/// How long a deletion can be undone by the toast.
const UNDO_MS: u64 = 20_000;
/// Where it is kept which chats were being written, and which are finished and unseen.
const RUNNING: &str = "running";
const UNSEEN: &str = "unseen";

fn ids(key: &str) -> Vec<SessionId> {
    dom::load(key).map(|v| v.split(' ').filter_map(|id| id.parse().ok()).collect()).unwrap_or_default()
}

fn keep(key: &str, ids: &[SessionId]) {
    let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
    dom::store(key, &words.join(" "));
}

/// Compares the list with what was running when last seen, and says which chats have been finished since.
fn note(page: Page) {
    let open = page.session.get_untracked();
    let list = page.sessions.get_untracked();
    let was = ids(RUNNING);
    let mut unseen = ids(UNSEEN);
    let mut runs = Vec::new();
    for row in &list.sessions {
        if row.active_turn.is_some() {
            runs.push(row.session_id);
        } else if was.contains(&row.session_id) && !unseen.contains(&row.session_id) {
            unseen.push(row.session_id);
        }
    }
    // The one that is open is seen, whatever it does; one that runs again is not finished.
    unseen.retain(|id| Some(*id) != open && !runs.contains(id));
    keep(RUNNING, &runs);
    keep(UNSEEN, &unseen);
    if page.unseen.with_untracked(|u| *u != unseen) {
        page.unseen.set(unseen);
    }
}

fn runs_elsewhere(page: Page) -> bool {
    let open = page.session.get_untracked();
    page.sessions.with_untracked(|l| l.sessions.iter().any(|r| r.active_turn.is_some() && Some(r.session_id) != open))
}

/// Asks for the newest chats again and keeps the older ones that were loaded.
pub(crate) fn refresh(page: Page) {
    spawn_local(async move {
        if let Ok(fresh) = api::sessions::list(None).await {
            merge(page, fresh);
        }
    });
}

fn merge(page: Page, fresh: SessionList) {
    // The title that is being written must stay.
    if page.renaming.with_untracked(Option::is_some) {
        return;
    }
    let gone = page.toast.get_untracked().map(|t| t.session_id);
    let mut list = page.sessions.get_untracked();
    let last = fresh.sessions.last().map(|r| (r.updated_at, r.session_id));
    let mut rows = fresh.sessions;
    if fresh.next.is_some() && list.sessions.len() > rows.len() {
        let older = list.sessions.drain(..).filter(|r| Some((r.updated_at, r.session_id)) < last);
        rows.extend(older.filter(|r| !rows.iter().any(|f| f.session_id == r.session_id)).collect::<Vec<_>>());
    } else {
        list.next = fresh.next;
    }
    rows.retain(|r| Some(r.session_id) != gone);
    list.sessions = rows;
    if let Some(row) = list.sessions.iter().find(|r| Some(r.session_id) == page.session.get_untracked())
        && page.title.with_untracked(|t| *t != row.title)
    {
        page.title.set(row.title.clone());
    }
    let focused =
        document().active_element().and_then(|e| dom::closest(&e, "[data-session]")?.get_attribute("data-session"));
    page.now.set(dom::now());
    if page.sessions.with_untracked(|l| *l != list) {
        page.sessions.set(list);
    }
    note(page);
    // A row that had focus is another element now.
    if let Some(id) = focused {
        request_animation_frame(move || {
            let row = dom::find(&["[data-session=\"", &id, "\"] .row-link"].concat());
            if let (true, Some(row)) = (dom::is_idle(), row) {
                dom::focus(&row);
            }
        });
    }
}

/// Loads the next page of older chats.
pub(crate) fn older(page: Page) {
    let Some(next) = page.sessions.with_untracked(|l| l.next.clone()) else { return };
    spawn_local(async move {
        if let Ok(more) = api::sessions::list(Some(next)).await {
            page.sessions.update(|list| {
                let new =
                    more.sessions.into_iter().filter(|r| !list.sessions.iter().any(|o| o.session_id == r.session_id));
                let new: Vec<SessionRow> = new.collect();
                list.sessions.extend(new);
                list.next = more.next;
            });
        }
    });
}

/// Puts the chat that was written to on top.
pub(crate) fn touch(page: Page, session: SessionId, title: &str, turn: TurnId) {
    page.now.set(dom::now());
    page.sessions.update(|list| {
        let at = list.sessions.iter().position(|r| r.session_id == session);
        let mut row = match at {
            Some(at) => list.sessions.remove(at),
            None => {
                SessionRow { session_id: session, title: title.to_owned(), updated_at: dom::now(), active_turn: None }
            }
        };
        row.updated_at = dom::now();
        row.active_turn = Some(turn);
        list.sessions.insert(0, row);
    });
    note(page);
}

/// Takes back what [`touch`] did for a new chat that was refused.
pub(crate) fn untouch(page: Page, session: SessionId, new: bool) {
    page.sessions.update(|list| {
        if new {
            list.sessions.retain(|r| r.session_id != session);
        } else if let Some(row) = list.sessions.iter_mut().find(|r| r.session_id == session) {
            row.active_turn = None;
        }
    });
    note(page);
}

/// Says what went wrong, over the composer.
pub(crate) fn complain(page: Page, e: &ApiError) {
    let words = e.message.clone();
    page.band.update(|b| b.refused = Some(Refusal::Other(words)));
}

/// Gives a chat another title: at once here, then at the server.
pub(crate) fn rename(page: Page, session: SessionId, title: String) {
    let title = title.trim().to_owned();
    page.renaming.set(None);
    let old =
        page.sessions.with_untracked(|l| l.sessions.iter().find(|r| r.session_id == session).map(|r| r.title.clone()));
    if title.is_empty() || old.as_deref() == Some(&title) {
        return;
    }
    entitle(page, session, &title);
    spawn_local(async move {
        if let Err(e) = api::sessions::rename(session.to_string(), title).await {
            if let Some(old) = old {
                entitle(page, session, &old);
            }
            complain(page, &e);
        }
    });
}

fn entitle(page: Page, session: SessionId, title: &str) {
    page.sessions.update(|l| {
        if let Some(row) = l.sessions.iter_mut().find(|r| r.session_id == session) {
            title.clone_into(&mut row.title);
        }
    });
    if page.session.get_untracked() == Some(session) {
        page.title.set(title.to_owned());
    }
}

struct Undo {
    row: SessionRow,
    at: usize,
    /// The chat was the one shown.
    open: bool,
}

thread_local! {
    static UNDO: RefCell<Option<Undo>> = const { RefCell::new(None) };
}

/// Deletes a chat: gone from the list at once, with a toast to undo it.
pub(crate) fn delete(page: Page, session: SessionId) {
    let open = page.session.get_untracked() == Some(session);
    let list = page.sessions.get_untracked();
    let at = list.sessions.iter().position(|r| r.session_id == session);
    let row = at.and_then(|at| list.sessions.get(at).cloned()).unwrap_or_else(|| SessionRow {
        session_id: session,
        title: page.title.get_untracked(),
        updated_at: dom::now(),
        active_turn: None,
    });
    let at = at.unwrap_or_default();
    let title = row.title.clone();
    page.sessions.update(|l| l.sessions.retain(|r| r.session_id != session));
    UNDO.set(Some(Undo { row, at, open }));
    if open {
        leave(page);
    } else {
        // Focus goes to the row that stands there now.
        request_animation_frame(move || focus_row(at));
    }
    page.say.set(["Deleted “", &title, "”"].concat());
    page.toast.set(Some(Deleted { session_id: session, title }));
    spawn_local(async move {
        if let Err(e) = api::sessions::delete(session.to_string()).await {
            put_back(page, session);
            complain(page, &e);
        }
    });
    expire(page, session);
}

/// The page of a chat that is gone becomes a new one.
fn leave(page: Page) {
    page.turns.set(Vec::new());
    page.older.set(None);
    page.running.set(None);
    page.band.set(Band::default());
    page.title.set("New chat".to_owned());
    page.session.set(None);
    dom::address("/");
    draft::restore(page);
    if let Some(text) = dom::composer() {
        dom::focus(&text);
    }
}

fn focus_row(at: usize) {
    let rows = dom::all(".side-list .row-link");
    if let Some(row) = rows.get(at).or(rows.last()) {
        dom::focus(row);
    }
}

/// Takes the toast away after 20 s, later while it is looked at.
fn expire(page: Page, session: SessionId) {
    set_timeout(
        move || {
            if page.toast.with_untracked(|t| t.as_ref().is_none_or(|t| t.session_id != session)) {
                return;
            }
            if dom::find(".toast:hover, .toast:focus-within").is_some() {
                return retry_soon(page, session);
            }
            page.toast.set(None);
            UNDO.set(None);
        },
        Duration::from_millis(UNDO_MS),
    );
}

fn retry_soon(page: Page, session: SessionId) {
    spawn_local(async move {
        while dom::find(".toast:hover, .toast:focus-within").is_some() {
            wake::pause(500).await;
        }
        if page.toast.with_untracked(|t| t.as_ref().is_some_and(|t| t.session_id == session)) {
            page.toast.set(None);
            UNDO.set(None);
        }
    });
}

/// Brings the chat deleted last back.
pub(crate) fn undo(page: Page) {
    let Some(deleted) = page.toast.get_untracked() else { return };
    page.toast.set(None);
    let open = UNDO.with_borrow(|u| u.as_ref().is_some_and(|u| u.open));
    spawn_local(async move {
        match api::sessions::restore(deleted.session_id.to_string()).await {
            Ok(_) if open => dom::go(&["/c/", &deleted.session_id.to_string()].concat()),
            Ok(_) => {
                put_back(page, deleted.session_id);
                page.say.set(["“", &deleted.title, "” is back."].concat());
            }
            Err(e) => complain(page, &e),
        }
    });
}

fn put_back(page: Page, session: SessionId) {
    page.toast.set(None);
    let Some(undo) = UNDO.take().filter(|u| u.row.session_id == session) else { return };
    let at = undo.at;
    page.sessions.update(|l| {
        let at = at.min(l.sessions.len());
        l.sessions.insert(at, undo.row);
    });
    request_animation_frame(move || focus_row(at));
}

/// Watches over the list for as long as the page lives.
pub(crate) fn start(page: Page) {
    note(page);
    spawn_local(async move {
        loop {
            wake::pause(POLL_MS).await;
            if dom::is_visible() && runs_elsewhere(page) {
                refresh(page);
            }
        }
    });
}
