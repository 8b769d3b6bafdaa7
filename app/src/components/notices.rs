//! Bands and the toast.

use leptos::prelude::*;

use super::{
    html::{attribute, hidden, text},
    icons::icon,
    words,
};
use crate::{
    page::PageKind,
    pages::state::{Band, Page, Refusal},
};

/// Most characters of one message.
pub const LIMIT: u32 = 200_000;

/// Says that replies are made up, and how to have real ones.
#[must_use]
pub fn simulator(page: Page) -> String {
    let data = page.data();
    if !data.simulator || data.kind == PageKind::NotFound {
        return String::new();
    }
    [
        "<aside class=\"band band-sim\" aria-label=\"The simulator\"><div class=\"band-in\"><p><strong>This is the \
         simulator.</strong> No key is set, so replies are made up and nothing leaves this machine. For Claude itself:\
         </p><span class=\"cmd\"><code tabindex=\"0\">ANTHROPIC_API_KEY=sk-ant-… make run</code><button class=\"icon-btn \
         js-only\" type=\"button\" data-do=\"copy-command\" aria-label=\"Copy the command\">",
        &icon("copy"),
        "</button></span></div></aside>",
    ]
    .concat()
}

/// Without JavaScript: what was deleted just now, with Undo.
#[must_use]
pub fn deleted(page: Page) -> String {
    let data = page.data();
    let Some(deleted) = &data.deleted else { return String::new() };
    [
        "<aside class=\"band\" aria-label=\"Deleted\"><div class=\"band-in\"><p>",
        &deleted_words(&deleted.title),
        "</p><form method=\"post\" action=\"/api/sessions/restore\">",
        &hidden("session_id", &deleted.session_id.to_string()),
        "<button class=\"btn\">Undo</button></form></div></aside>",
    ]
    .concat()
}

fn deleted_words(title: &str) -> String {
    if title.is_empty() { "The chat is deleted.".to_owned() } else { ["Deleted “", &text(title), "”"].concat() }
}

/// What stands over the composer.
#[must_use]
pub fn band(page: Page) -> String {
    let Band { length, offline, refused } = page.band.get();
    let (class, name, words) = if length > 0 {
        let n = words::number(length.into());
        let limit = words::number(LIMIT.into());
        let words = [
            "<p><strong>",
            &n,
            " characters</strong>, and the limit is ",
            &limit,
            ". Shorten it, or send it in two.</p>",
        ];
        ("fail", "alert", words.concat())
    } else if offline {
        let words = "<p>You are offline. The draft is kept here; a reply that runs goes on at the server.</p>";
        ("warn", "info", words.to_owned())
    } else {
        match refused {
            None => match page.data().left {
                None => return String::new(),
                Some(0) => {
                    let words = "<p>Today’s budget is nearly spent. It begins anew at 00:00 UTC.</p>";
                    ("warn", "info", words.to_owned())
                }
                Some(n) => {
                    let (n, are) = (words::counted(n.into(), "reply", "replies"), if n == 1 { "is" } else { "are" });
                    let words = [
                        "<p>About <strong>",
                        &n,
                        "</strong> ",
                        are,
                        " left today. The budget begins anew at 00:00 UTC.</p>",
                    ];
                    ("warn", "info", words.concat())
                }
            },
            Some(Refusal::Rate(seconds)) => {
                let words = [
                    "<p>Too many messages at once. You can send again in <strong>",
                    &words::number(seconds),
                    " s</strong>; your text is kept.</p>",
                ];
                ("warn", "clock", words.concat())
            }
            Some(Refusal::Active) => {
                let href = page.session.get().map_or_else(String::new, |s| ["/c/", &s.to_string()].concat());
                let words = [
                    "<p>This chat is still being answered. You can send when it is done.</p><a class=\"btn\"",
                    &attribute("href", &href),
                    ">Show it</a>",
                ];
                ("warn", "info", words.concat())
            }
            Some(Refusal::Other(words)) => ("fail", "alert", ["<p>", &text(&words), "</p>"].concat()),
        }
    };
    ["<div class=\"band band-", class, "\"><div class=\"band-in\">", &icon(name), &words, "</div></div>"].concat()
}

/// Deleted, with Undo.
#[must_use]
pub fn toast(page: Page) -> String {
    page.toast.get().map_or_else(String::new, |deleted| {
        [
            "<aside class=\"toast\" aria-label=\"Deleted\"><span>",
            &deleted_words(&deleted.title),
            "</span><button type=\"button\" data-do=\"undo\">Undo</button></aside>",
        ]
        .concat()
    })
}
