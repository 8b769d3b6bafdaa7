//! What a page shows, as data: made by the server before it renders, and embedded in the page so that the
//! browser hydrates from the same.

use serde::Serialize;

use crate::{
    domain::json::from_json,
    domain::{Models, SessionId, SessionList, SessionPage, Timestamp, TurnId},
    error::Code,
};

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    /// `/`: a new chat.
    New,
    /// `/c/{session_id}`.
    Chat,
    /// `/c/{session_id}/live`: without JavaScript; the server cuts it at [`LIVE_MARKER`] and lets it grow there.
    Live,
    /// `/jobs` and below: a [`Fixed`] page.
    Jobs,
    /// Not there, or not yours.
    NotFound,
}

/// What the person chose; the cookie `theme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

/// Ids for the page's plain forms, so that a form sent twice is one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fresh {
    pub session_id: SessionId,
    pub turn_id: TurnId,
}

/// A session deleted by a plain form just now, for the band with Undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deleted {
    pub session_id: SessionId,
    pub title: String,
}

/// Everything a page shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageData {
    pub kind: PageKind,
    /// The session shown, on `Chat` and `Live`.
    pub page: Option<SessionPage>,
    /// The sidebar's first page.
    pub sessions: SessionList,
    pub models: Models,
    /// Replies are made up: no key is set.
    pub simulator: bool,
    pub theme: Theme,
    /// Minutes east of UTC, from the cookie `tz`; 0 until the browser has said.
    pub tz: i32,
    /// When the server rendered, so that "Today" means the same on both sides.
    pub now: Timestamp,
    pub fresh: Fresh,
    /// `?error=`: what a plain form ran into.
    pub error: Option<Code>,
    /// `?wait=`: in how many seconds it may be tried again; 0 if that was not said.
    pub wait: u32,
    pub deleted: Option<Deleted>,
    /// `?via=` was given: this is not necessarily the newest branch.
    pub via: bool,
    /// About how many replies are left today, once that is few.
    pub left: Option<u32>,
}

/// What of a page only the server renders. The browser hydrates around it, and needs neither its data nor its code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fixed {
    /// What the window is called; empty where the page's data says it.
    pub title: String,
    /// Inside the bar.
    pub bar: String,
    /// What stands below it.
    pub notice: String,
    /// The element `main`.
    pub main: String,
    /// Without JavaScript the page looks again by itself.
    pub again: bool,
    /// What stands in the composer of a new chat.
    pub draft: String,
}

/// Where the server cuts the page of [`PageKind::Live`].
pub const LIVE_MARKER: &str = "<!--outlast:live-->";

from_json!(PageKind: "new" = New, "chat" = Chat, "live" = Live, "jobs" = Jobs, "not_found" = NotFound);
from_json!(Theme: "system" = System, "light" = Light, "dark" = Dark);
from_json!(Fresh { session_id, turn_id });
from_json!(Deleted { session_id, title });
from_json!(PageData {
    kind,
    page,
    sessions,
    models,
    simulator,
    theme,
    tz,
    now,
    fresh,
    error,
    wait,
    deleted,
    via,
    left
});
