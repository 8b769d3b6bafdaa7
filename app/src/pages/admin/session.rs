//! `/admin/sessions/{id}`: somebody's conversation, to read only.

use super::{Frame, Here, TurnLog, clock, document, iso_day, link, log};
use crate::{
    components::{
        ask::Ask,
        html::{attribute, text},
        icons::icon,
        prose, state,
    },
    domain::{Message, Role, SessionPage, Timestamp, TurnId},
};

/// What the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionView {
    pub page: SessionPage,
    /// A reply that is being written, as far as its log has it.
    pub running: Option<(TurnId, String)>,
    pub log: Option<TurnLog>,
    /// When the look at it was noted.
    pub noted_at: Timestamp,
    /// Not the newest page of messages.
    pub from: Option<String>,
}

/// The page.
#[must_use]
pub fn session(frame: &Frame<'_>, view: &SessionView) -> String {
    let title = &view.page.session.title;
    let bar = [
        "<div class=\"bar-title\"><a class=\"crumb\" href=\"/admin\">Sessions</a> <span class=\"quiet\">/</span> <h1>",
        &text(title),
        "</h1></div>",
    ]
    .concat();
    let log = view.log.as_ref().map_or_else(String::new, log::panel);
    let main = [
        "<p class=\"audit\">",
        &icon("eye"),
        "<span>You are reading somebody else’s conversation. That you did, at ",
        &clock(view.noted_at),
        " UTC, stands in the <a href=\"/admin/audit\">audit trail</a>.</span></p><div class=\"split\">\
         <div class=\"column transcript-ro\">",
        &messages(frame, view),
        "</div>",
        &log,
        "</div>",
    ]
    .concat();
    document(frame, title, Here::Sessions, "Skip to the conversation", &bar, &main)
}

fn messages(frame: &Frame<'_>, view: &SessionView) -> String {
    let page = &view.page;
    let path = ["/admin/sessions/", &page.session.session_id.to_string()].concat();
    let from = view.from.as_deref().unwrap_or_default();
    let chosen = view.log.as_ref().map(|log| log.turn);
    let mut out = String::new();
    if let Some(next) = &page.next {
        let href = link(&path, &[("page", next)]);
        let open = "<p class=\"earlier\"><a class=\"btn btn-quiet btn-s\"";
        out.push_str(&[open, &attribute("href", &href), ">Earlier messages</a></p>"].concat());
    }
    let way = |turn: TurnId| [link(&path, &[("page", from), ("turn", &turn.to_string())]), "#log".to_owned()].concat();
    let mut open = false;
    for message in &page.messages {
        if message.role == Role::User || !open {
            out.push_str(if open { "</article><article class=\"turn\">" } else { "<article class=\"turn\">" });
            open = true;
        }
        match message.role {
            Role::User => out.push_str(&question(frame, message)),
            Role::Assistant => {
                let turn = TurnId::from(message.message_id);
                out.push_str(&answer(frame, message));
                out.push_str(&log::way(message, &way(turn), chosen == Some(turn)));
                out.push_str("</div>");
            }
        }
    }
    if let Some((turn, written)) = &view.running {
        let open = "<div class=\"reply\"><div class=\"written\" data-state=\"live\"><div class=\"prose prose-plain\">";
        let log =
            ["<p class=\"stack-row ro-foot\"><a class=\"btn\"", &attribute("href", &way(*turn)), ">Show its log</a>"];
        out.push_str(&[open, "<p>", &text(written), "</p></div></div>", &log.concat()].concat());
        out.push_str("<span class=\"quiet\">being written; this page shows what stands in its log</span></p></div>");
    }
    if open {
        out.push_str("</article>");
    }
    if out.is_empty() { "<p class=\"none\">Nothing was asked yet.</p>".to_owned() } else { out }
}

fn question(frame: &Frame<'_>, message: &Message) -> String {
    let at = message.created_at;
    let day = if iso_day(at) == iso_day(frame.now) { String::new() } else { iso_day(at) + " " };
    [
        "<header",
        &attribute("class", Ask::of(message).class().trim_end_matches(" is-folded")),
        "><time",
        &attribute("datetime", &at.to_string()),
        ">",
        &day,
        &clock(at),
        " UTC</time><h2>",
        &text(&message.text),
        "</h2></header>",
    ]
    .concat()
}

/// An answer, up to where its reply's element is still open.
fn answer(frame: &Frame<'_>, message: &Message) -> String {
    let written = if message.text.is_empty() {
        String::new()
    } else {
        [
            "<div class=\"written\"",
            &attribute("data-state", state::line(message)),
            "><div class=\"prose\">",
            &prose::stored(message),
            "</div>",
            &state::cap(message),
            "</div>",
        ]
        .concat()
    };
    ["<div class=\"reply\">", &written, &state::words(message, frame.now)].concat()
}
