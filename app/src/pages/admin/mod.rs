//! The admin pages: rendered by the server alone, with links and forms only, so the browser loads nothing for them.

mod audit;
mod jobs;
mod list;
mod log;
mod session;

pub use audit::{AuditPage, Line, audit};
pub use jobs::{JobRow, JobsPage, ReadJob, job, jobs};
pub use list::{ListPage, Row, list};
pub use log::{Entry, Mark, TurnLog};
pub use session::{SessionView, session};

use super::door::{BRAND, head};
use crate::{
    components::{
        html::{attribute, text},
        icons::{icon, sprite},
        words,
    },
    domain::{Timestamp, UserId},
    page::Theme,
};

/// What all of these pages share.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub theme: Theme,
    /// The style sheets' addresses.
    pub css: [&'a str; 2],
    /// Where the table is, and the version.
    pub foot: &'a str,
    pub now: Timestamp,
}

/// Which entry of the side is this page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    Sessions,
    Jobs,
    Audit,
}

/// Icons that only these pages use.
const SYMBOLS: &str = "<symbol id=\"i-list\" viewBox=\"0 0 20 20\"><path d=\"M3.5 5.5h13M3.5 10h13M3.5 14.5h13\"/></symbol>\
    <symbol id=\"i-eye\" viewBox=\"0 0 20 20\"><path d=\"M2.5 10s2.8-5 7.5-5 7.5 5 7.5 5-2.8 5-7.5 5-7.5-5-7.5-5z\"/>\
    <circle cx=\"10\" cy=\"10\" r=\"2.2\"/></symbol>\
    <symbol id=\"i-leave\" viewBox=\"0 0 20 20\"><path d=\"M8 3.5H5A1.5 1.5 0 0 0 3.5 5v10A1.5 1.5 0 0 0 5 16.5h3M13 \
    13.5l3.5-3.5L13 6.5M16.5 10H8\"/></symbol>";

/// A document: the side, the bar with `bar` in it, and `main`.
fn document(frame: &Frame<'_>, title: &str, here: Here, skip: &str, bar: &str, main: &str) -> String {
    [
        &head(&[title, " · Outlast admin"].concat(), frame.theme, frame.css),
        "<body class=\"shell\"><svg class=\"sprite\" aria-hidden=\"true\">",
        sprite(),
        SYMBOLS,
        "</svg><a class=\"skip\" href=\"#main\">",
        skip,
        "</a>",
        &side(frame, here),
        "<div class=\"main\"><header class=\"bar\"><button class=\"icon-btn only-narrow\" type=\"button\" \
         popovertarget=\"side\" aria-label=\"Administration\">",
        &icon("menu"),
        "</button>",
        bar,
        "</header><main id=\"main\" class=\"page\" tabindex=\"-1\">",
        main,
        "</main></div></body></html>\n",
    ]
    .concat()
}

fn side(frame: &Frame<'_>, here: Here) -> String {
    let row = |to: Here, href: &str, name: &str, words: &str| {
        let current = if to == here { " aria-current=\"page\"" } else { "" };
        ["<li><a class=\"row\" href=\"", href, "\"", current, ">", &icon(name), "<span>", words, "</span></a></li>"]
            .concat()
    };
    let form = |action: &str, words: &str| {
        [
            "<li><form method=\"post\" action=\"",
            action,
            "\"><button class=\"row row-btn\">",
            &icon("leave"),
            "<span>",
            words,
            "</span></button></form></li>",
        ]
        .concat()
    };
    let theme = |theme: Theme, value: &str, label: &str, name: &str| {
        let pressed = if theme == frame.theme { "true" } else { "false" };
        [
            "<button name=\"theme\" value=\"",
            value,
            "\" title=\"",
            label,
            "\" aria-label=\"",
            label,
            "\" aria-pressed=\"",
            pressed,
            "\">",
            &icon(name),
            "</button>",
        ]
        .concat()
    };
    [
        "<nav class=\"side\" id=\"side\" popover=\"auto\" aria-label=\"Administration\"><div class=\"side-top\">\
         <a class=\"brand\" href=\"/admin\">",
        BRAND,
        " <span class=\"quiet\">admin</span></a><button class=\"icon-btn only-narrow\" type=\"button\" \
         popovertarget=\"side\" popovertargetaction=\"hide\" aria-label=\"Close\">",
        &icon("close"),
        "</button></div><ul class=\"side-nav\">",
        &row(Here::Sessions, "/admin", "list", "Sessions"),
        &row(Here::Jobs, "/admin/jobs", "jobs", "Jobs"),
        &row(Here::Audit, "/admin/audit", "eye", "Audit trail"),
        "</ul><div class=\"side-list\" tabindex=\"-1\"><ul><li><a class=\"row\" href=\"/\">",
        &icon("chat"),
        "<span>Back to chat</span></a></li>",
        &form("/admin/sign-out", "Sign out"),
        &form("/admin/sign-out-everywhere", "Sign out everywhere"),
        "</ul></div><div class=\"side-foot\"><span class=\"quiet\">",
        &text(frame.foot),
        "</span><form method=\"post\" action=\"/theme\"><div class=\"seg\" role=\"group\" aria-label=\"Theme\">",
        &theme(Theme::System, "system", "As the system", "auto"),
        &theme(Theme::Light, "light", "Light", "sun"),
        &theme(Theme::Dark, "dark", "Dark", "moon"),
        "</div></form></div></nav>",
    ]
    .concat()
}

/// A page for who is no admin, or for what is not there.
#[must_use]
pub fn refusal(frame: &Frame<'_>, heading: &str, words: &str, link: (&str, &str)) -> String {
    [
        &head(&[heading, " · Outlast admin"].concat(), frame.theme, frame.css),
        "<body class=\"door\"><header><a class=\"brand\" href=\"/\">",
        BRAND,
        "</a></header><main id=\"main\"><div class=\"door-words\"><h1>",
        &text(heading),
        "</h1><p>",
        &text(words),
        "</p><p><a class=\"btn btn-main\"",
        &attribute("href", link.0),
        ">",
        &text(link.1),
        "</a></p></div></main></body></html>\n",
    ]
    .concat()
}

/// The short name of a user: enough to tell a few apart, and no more.
fn short(user: UserId) -> String {
    let id = user.to_string();
    ["u-", id.get(22..).unwrap_or(&id)].concat()
}

/// `10:41`, UTC.
fn clock(at: Timestamp) -> String {
    let t = at.civil(0);
    format!("{:02}:{:02}", t.hour, t.minute)
}

/// `Tuesday, 24 November 2026`, UTC.
fn long_day(at: Timestamp) -> String {
    let t = at.civil(0);
    let weekday = words::DAYS.get(usize::from(t.weekday)).copied().unwrap_or_default();
    format!("{weekday}, {} {} {}", t.day, words::month(t.month), t.year)
}

/// `2026-11-24`, UTC.
fn iso_day(at: Timestamp) -> String {
    let mut day = at.to_string();
    day.truncate(10);
    day
}

/// An address with a query, of what is not empty.
fn link(path: &str, query: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (i, (name, value)) in query.iter().filter(|(_, v)| !v.is_empty()).enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}
