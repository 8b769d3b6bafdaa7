//! The chats, by day. On a narrow window a drawer, which the browser opens and closes by itself (`popover`).

use leptos::prelude::*;

use super::{
    erased::{Erase, Erased},
    html::{hidden, lazy, once, text},
    icons::{icon, small},
    words,
};
use crate::{
    domain::SessionRow,
    page::{PageKind, Theme},
    pages::state::Page,
};

/// The whole sidebar.
pub fn sidebar(page: Page) -> Erased {
    view! {
        <nav class="side" id="side" popover="auto" aria-label="Chats and jobs">
            <div class="side-top" inner_html=once(top)></div>
            <ul class="side-nav" inner_html=lazy(move || ways(page))></ul>
            <div class="side-list" tabindex="-1" inner_html=lazy(move || chats(page))></div>
            <div class="side-foot" inner_html=once(|| foot(page))></div>
        </nav>
    }
    .erase()
}

fn top() -> String {
    [
        "<a class=\"brand\" href=\"/\"><svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">\
         <path class=\"mark-ring\" d=\"M13.9 3.72a8.5 8.5 0 1 0 6.38 6.38\"/>\
         <circle class=\"mark-dot\" cx=\"18\" cy=\"6\" r=\"2.4\"/></svg>Outlast</a>\
         <button class=\"icon-btn only-narrow\" type=\"button\" popovertarget=\"side\" popovertargetaction=\"hide\" \
         aria-label=\"Close\">",
        &icon("close"),
        "</button>",
    ]
    .concat()
}

fn ways(page: Page) -> String {
    let here = |here: bool| if here { " aria-current=\"page\">" } else { ">" };
    let jobs = page.data().kind == PageKind::Jobs;
    [
        "<li><a class=\"row\" href=\"/\" data-do=\"new\"",
        here(!jobs && page.session.with(Option::is_none)),
        &icon("plus"),
        "<span>New chat</span><kbd class=\"wide-only js-only\">N</kbd></a></li><li><a class=\"row\" href=\"/jobs\"",
        here(jobs),
        &icon("jobs"),
        "<span>Jobs</span><kbd class=\"wide-only js-only\">J</kbd></a></li>",
    ]
    .concat()
}

/// The list under its days.
fn chats(page: Page) -> String {
    let (now, tz) = (page.now.get(), page.tz.get());
    page.sessions.with(|list| {
        if list.sessions.is_empty() {
            return "<h2>Your chats will be listed here.</h2>".to_owned();
        }
        let mut out = String::new();
        let mut last = String::new();
        for chat in &list.sessions {
            let day = words::day(chat.updated_at, now, tz);
            if day != last {
                let close = if last.is_empty() { "" } else { "</ul>" };
                out.push_str(&[close, "<h2>", &day, "</h2><ul>"].concat());
                last = day;
            }
            out.push_str(&row(page, chat));
        }
        out.push_str("</ul>");
        if list.next.is_some() {
            let open = "<button class=\"btn btn-quiet btn-s js-only\" type=\"button\" data-do=\"older-chats\">";
            out.push_str(&[open, "Older chats", &small("down"), "</button>"].concat());
        }
        out
    })
}

fn row(page: Page, chat: &SessionRow) -> String {
    let session = chat.session_id;
    let id = session.to_string();
    let title = text(&chat.title);
    if page.renaming.get() == Some(session) {
        return [
            "<li><form class=\"row row-edit\" method=\"post\" action=\"/api/sessions/rename\" data-session=\"",
            &id,
            "\">",
            &hidden("session_id", &id),
            "<label class=\"hide\" for=\"row-title\">Title</label><input id=\"row-title\" name=\"title\" maxlength=\"200\" \
             required autocomplete=\"off\" value=\"",
            &title,
            "\"><button class=\"icon-btn\" aria-label=\"Save the title\">",
            &icon("check"),
            "</button></form></li>",
        ]
        .concat();
    }
    let open = page.session.get() == Some(session);
    let running = if open { page.running.with(Option::is_some) } else { chat.active_turn.is_some() };
    let dot = if running {
        "<span class=\"dot dot-live\" role=\"img\" aria-label=\"being written\"></span>"
    } else if page.unseen.with(|u| u.contains(&session)) {
        "<span class=\"dot dot-done\" role=\"img\" aria-label=\"finished, not seen yet\"></span>"
    } else {
        ""
    };
    [
        "<li><div class=\"row\" data-session=\"",
        &id,
        "\"><a class=\"row-link\" href=\"/c/",
        &id,
        if open { "\" aria-current=\"page\">" } else { "\">" },
        &title,
        "</a>",
        dot,
        "<span class=\"row-tools js-only\"><button class=\"icon-btn\" type=\"button\" data-do=\"rename-row\" \
         aria-label=\"Rename\">",
        &icon("pencil"),
        "</button><button class=\"icon-btn\" type=\"button\" data-do=\"delete-row\" aria-label=\"Delete\">",
        &icon("trash"),
        "</button></span></div></li>",
    ]
    .concat()
}

/// The list of keys; and system, light, dark: three buttons of one form.
fn foot(page: Page) -> String {
    let chosen = page.data().theme;
    let button = |theme: Theme, value: &str, label: &str, name: &str| {
        [
            "<button name=\"theme\" value=\"",
            value,
            "\" title=\"",
            label,
            "\" aria-label=\"",
            label,
            if theme == chosen { "\" aria-pressed=\"true\">" } else { "\" aria-pressed=\"false\">" },
            &icon(name),
            "</button>",
        ]
        .concat()
    };
    [
        "<button class=\"btn btn-quiet btn-s js-only only-wide\" type=\"button\" popovertarget=\"keys\">Keyboard</button>\
         <form method=\"post\" action=\"/theme\"><div class=\"seg\" role=\"group\" aria-label=\"Theme\">",
        &button(Theme::System, "system", "As the system", "auto"),
        &button(Theme::Light, "light", "Light", "sun"),
        &button(Theme::Dark, "dark", "Dark", "moon"),
        "</div></form>",
    ]
    .concat()
}
