//! A question: the heading over its answer, with the tools to edit and copy it.

use leptos::prelude::GetUntracked;

use super::{
    html::{attribute, hidden, text},
    icons::{icon, small},
    words,
};
use crate::{
    domain::{Message, MessageId, SessionId, Siblings},
    pages::state::Page,
};

/// Lines shown of a long question before it is folded.
const FOLD: u64 = 12;
/// Characters that fit one line, about.
const LINE: usize = 84;

/// A question's measure.
pub struct Ask<'a> {
    message: &'a Message,
    lines: u64,
}

impl<'a> Ask<'a> {
    /// Of a person's message.
    #[must_use]
    pub fn of(message: &'a Message) -> Self {
        let lines = message.text.lines().map(|l| l.chars().count().max(1).div_ceil(LINE) as u64).sum();
        Self { message, lines }
    }

    /// Short ones are set large, long ones at reading size, very long ones are folded.
    #[must_use]
    pub fn class(&self) -> &'static str {
        let asked = &self.message.text;
        if self.lines > FOLD {
            "ask ask-long is-folded"
        } else if asked.contains("\n\n") || asked.chars().nth(180).is_some() {
            "ask ask-long"
        } else {
            "ask"
        }
    }

    /// The question with its time, tools, form to edit it, and the way to its other versions.
    #[must_use]
    pub fn html(&self, page: Page) -> String {
        let Self { message, lines } = self;
        let at = message.created_at;
        let time = words::moment(at, page.now.get_untracked(), page.tz.get_untracked());
        let unfold = if *lines > FOLD {
            [
                "<label class=\"ask-more unfold btn btn-quiet btn-s\">\
                 <input type=\"checkbox\" class=\"hide\" autocomplete=\"off\"><span class=\"when-folded\">Show all ",
                &words::number(*lines),
                " lines</span><span class=\"when-open\">Show less</span>",
                &small("down"),
                "</label>",
            ]
            .concat()
        } else {
            String::new()
        };
        let session = page.session();
        let branch = message.siblings.as_ref().map_or_else(String::new, |s| {
            ["<div class=\"ask-more branch\">", &branches(session, s, message.message_id), "</div>"].concat()
        });
        [
            "<time",
            &attribute("datetime", &at.to_string()),
            ">",
            &time,
            "</time><h2>",
            &text(&message.text),
            "</h2><div class=\"ask-tools\"><button class=\"icon-btn js-only\" type=\"button\" data-do=\"copy-ask\" \
             aria-label=\"Copy the question\">",
            &icon("copy"),
            "</button></div>",
            &unfold,
            &branch,
            &self.edit(page),
        ]
        .concat()
    }

    /// The form that asks it another way, behind the pencil. Its answer is a branch beside the first.
    fn edit(&self, page: Page) -> String {
        let message = self.message;
        let data = page.data();
        let parent = message.parent_id.map_or_else(|| "root".to_owned(), |p| p.to_string());
        let model = data.page.as_ref().and_then(|p| p.session.model.as_deref()).unwrap_or_default();
        let session = page.session().map_or_else(String::new, |s| s.to_string());
        let id = ["edit-", &message.message_id.to_string()].concat();
        let rows = self.lines.clamp(2, 14).to_string();
        // A page's parser drops the first line break; one that the browser is given as `innerHTML` stays.
        let first = if cfg!(feature = "ssr") { "\n" } else { "" };
        [
            "<details class=\"ask-edit\"><summary class=\"icon-btn\" aria-label=\"Edit the question\">",
            &icon("pencil"),
            "</summary><form method=\"post\" action=\"/api/chat/send\">",
            &hidden("session_id", &session),
            &hidden("turn_id", &data.fresh.turn_id.to_string()),
            &hidden("parent_id", &parent),
            &hidden("model", model),
            "<label class=\"hide\"",
            &attribute("for", &id),
            ">The question, put another way</label><textarea class=\"input\" name=\"text\" required",
            &attribute("id", &id),
            &attribute("rows", &rows),
            ">",
            first,
            &text(&message.text),
            "</textarea><div class=\"actions\"><button class=\"btn btn-main\">Ask this instead</button>\
             <button class=\"btn js-only\" type=\"button\" data-do=\"close-edit\">Leave it</button></div>\
             </form></details>",
        ]
        .concat()
    }
}

/// `2 of 3`, between the ways to the earlier and the later version.
#[must_use]
pub fn branches(session: Option<SessionId>, siblings: &Siblings, own: MessageId) -> String {
    let ids = &siblings.ids;
    let at = ids.iter().position(|id| *id == own).unwrap_or(ids.len().saturating_sub(1));
    let link = |to: Option<&MessageId>, label: &str, name: &str| match to.zip(session) {
        Some((to, session)) => {
            let href = ["/c/", &session.to_string(), "?via=", &to.to_string()].concat();
            ["<a class=\"icon-btn\" aria-label=\"", label, "\"", &attribute("href", &href), ">", &icon(name), "</a>"]
                .concat()
        }
        None => ["<span class=\"icon-btn is-off\" aria-hidden=\"true\">", &icon(name), "</span>"].concat(),
    };
    [
        link(at.checked_sub(1).and_then(|i| ids.get(i)), "Earlier version", "left"),
        ["<span>", &(at + 1).to_string(), " of ", &ids.len().to_string(), "</span>"].concat(),
        link(ids.get(at + 1), "Later version", "right"),
    ]
    .concat()
}
