//! `/admin/audit`: what admins looked at.

use super::{Frame, Here, clock, document, iso_day, link};
use crate::{
    components::html::{attribute, text},
    domain::{SessionId, Timestamp},
};

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub at: Timestamp,
    /// The beginning of the admin session's name.
    pub admin: String,
    pub action: String,
    pub object: Option<String>,
    pub user: Option<String>,
    pub address: Option<String>,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    pub lines: Vec<Line>,
    /// Leads to older ones.
    pub next: Option<String>,
}

/// The page.
#[must_use]
pub fn audit(frame: &Frame<'_>, page: &AuditPage) -> String {
    let rows: String = page.lines.iter().map(row).collect();
    let table = if rows.is_empty() {
        "<p class=\"none\">None in this month.</p>".to_owned()
    } else {
        [
            "<table class=\"grid-table audit-table\"><thead><tr><th scope=\"col\">What</th><th scope=\"col\">Of user</th>\
             <th scope=\"col\">Admin</th><th scope=\"col\">Address</th><th scope=\"col\" class=\"num\">When, UTC</th></tr>\
             </thead><tbody>",
            &rows,
            "</tbody></table>",
        ]
        .concat()
    };
    let older = page.next.as_ref().map_or_else(String::new, |next| {
        ["<a class=\"btn\" rel=\"next\"", &attribute("href", &link("/admin/audit", &[("from", next)])), ">Older</a>"]
            .concat()
    });
    let main = [
        "<p class=\"lead\">Everything that admins look at is noted here before they see it. Nothing takes an entry away \
         but its age.</p>",
        &table,
        "<div class=\"pager\"><span></span>",
        &older,
        "</div>",
    ]
    .concat();
    document(frame, "Audit trail", Here::Audit, "Skip to the table", "<h1>Audit trail</h1>", &main)
}

fn row(line: &Line) -> String {
    let object = line.object.as_deref().unwrap_or_default();
    // Of a session there is more to see.
    let what = match object.parse::<SessionId>() {
        Ok(id) if line.action == "read" => {
            ["<a href=\"/admin/sessions/", &id.to_string(), "\">Read ", &id.to_string(), "</a>"].concat()
        }
        _ => [&text(&line.action), " ", &text(object)].concat(),
    };
    let cell = |class: &str, value: Option<&str>| {
        ["<td class=\"", class, "\">", &text(value.unwrap_or_default()), "</td>"].concat()
    };
    [
        "<tr><td>",
        &what,
        "</td>",
        &cell("mono drop", line.user.as_deref()),
        &cell("mono lo", Some(&line.admin)),
        &cell("drop", line.address.as_deref()),
        "<td class=\"lo num\"><time",
        &attribute("datetime", &line.at.to_string()),
        ">",
        &iso_day(line.at),
        " ",
        &clock(line.at),
        "</time></td></tr>",
    ]
    .concat()
}
