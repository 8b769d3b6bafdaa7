//! `/admin`: the sessions of all users.

use super::{Frame, Here, clock, document, iso_day, link, long_day, short};
use crate::{
    components::{
        html::{attribute, text},
        icons::small,
    },
    domain::{Outcome, SessionId, Timestamp, UserId},
};

/// A session in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: SessionId,
    pub title: String,
    pub user: UserId,
    pub at: Timestamp,
    pub model: Option<String>,
    pub running: bool,
    pub outcome: Option<Outcome>,
}

/// What the page shows, and what it was asked for, as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    pub words: String,
    pub user: String,
    pub day: String,
    pub model: String,
    pub outcome: String,
    /// Models to choose from.
    pub models: Vec<String>,
    pub rows: Vec<Row>,
    /// Leads to older ones.
    pub next: Option<String>,
    /// Not the first page.
    pub later: bool,
    /// What of the question could not be understood.
    pub fault: Option<&'static str>,
}

/// The outcomes to choose from, as the address and as people say them.
const OUTCOMES: [(&str, &str); 4] =
    [("running", "Writing"), ("complete", "Complete"), ("stopped", "Stopped"), ("failed", "Failed")];

/// The page.
#[must_use]
pub fn list(frame: &Frame<'_>, page: &ListPage) -> String {
    let main = [filters(page), table(page), pager(page)].concat();
    document(frame, "Sessions", Here::Sessions, "Skip to the table", "<h1>Sessions</h1>", &main)
}

fn input(class: &str, id: &str, label: &str, kind: &str, value: &str, more: &str) -> String {
    [
        "<div class=\"field",
        class,
        "\"><label for=\"f-",
        id,
        "\">",
        label,
        "</label><input class=\"input\" id=\"f-",
        id,
        "\" name=\"",
        id,
        "\" type=\"",
        kind,
        "\"",
        &attribute("value", value),
        more,
        "></div>",
    ]
    .concat()
}

fn select<'a>(id: &str, label: &str, chosen: &str, options: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let options: String = options
        .map(|(value, words)| {
            let selected = if value == chosen { " selected" } else { "" };
            ["<option", &attribute("value", value), selected, ">", &text(words), "</option>"].concat()
        })
        .collect();
    [
        "<div class=\"field\"><label for=\"f-",
        id,
        "\">",
        label,
        "</label><span class=\"select\"><select class=\"input\" id=\"f-",
        id,
        "\" name=\"",
        id,
        "\"><option value=\"\">Any</option>",
        &options,
        "</select>",
        &small("down"),
        "</span></div>",
    ]
    .concat()
}

fn filters(page: &ListPage) -> String {
    let fault = page
        .fault
        .map_or_else(String::new, |fault| ["<p class=\"filters-no\" role=\"alert\">", fault, "</p>"].concat());
    // A model that nothing offers any more may still be asked for.
    let mut models: Vec<(&str, &str)> = page.models.iter().map(|m| (m.as_str(), m.as_str())).collect();
    if !page.model.is_empty() && !page.models.contains(&page.model) {
        models.push((&page.model, &page.model));
    }
    [
        "<form class=\"filters\" role=\"search\" method=\"get\" action=\"/admin\">",
        &input(
            " field-wide",
            "q",
            "Words in the title",
            "search",
            &page.words,
            " maxlength=\"200\" autocomplete=\"off\"",
        ),
        &input("", "user", "User", "text", &page.user, " maxlength=\"26\" autocomplete=\"off\" spellcheck=\"false\""),
        &input("", "day", "Day", "date", &page.day, ""),
        &select("model", "Model", &page.model, models.into_iter()),
        &select("outcome", "Outcome", &page.outcome, OUTCOMES.into_iter()),
        "<button class=\"btn\">Show</button></form>",
        &fault,
    ]
    .concat()
}

/// How the newest turn stands: the mark of the reply's line, and a word.
fn chip(row: &Row) -> String {
    let (class, mark, word) = match (row.running, row.outcome) {
        (true, _) => (" chip-live", "<circle cx=\"8\" cy=\"8\" r=\"4\" class=\"solid\"/>", "Writing"),
        (false, Some(Outcome::Complete)) => ("", "<path d=\"M8 1v11M3 12h10\"/>", "Complete"),
        (false, Some(Outcome::Stopped)) => {
            ("", "<rect x=\"3.5\" y=\"3.5\" width=\"9\" height=\"9\" class=\"solid\"/>", "Stopped")
        }
        (false, Some(Outcome::Failed)) => (" chip-fail", "<path d=\"M3 3l10 10M13 3L3 13\"/>", "Failed"),
        (false, None) => ("", "<path d=\"M4 8h8\"/>", "Nothing asked"),
    };
    [
        "<span class=\"chip",
        class,
        "\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">",
        mark,
        "</svg>",
        word,
        "</span>",
    ]
    .concat()
}

fn table(page: &ListPage) -> String {
    if page.rows.is_empty() {
        let words = if page.next.is_some() { "None among those looked through. Older ones may be." } else { "None." };
        return ["<p class=\"none\">", words, "</p>"].concat();
    }
    let mut rows = String::new();
    let mut last = None;
    for row in &page.rows {
        let day = iso_day(row.at);
        if page.day.is_empty() && last.as_ref() != Some(&day) {
            let heading = ["<tr class=\"day\"><th colspan=\"5\" scope=\"rowgroup\">", &long_day(row.at), "</th></tr>"];
            rows.push_str(&heading.concat());
            last = Some(day);
        }
        let (href, user) = (["/admin/sessions/", &row.id.to_string()].concat(), row.user.to_string());
        let of_user = link("/admin", &[("user", &user)]);
        let time = row.at.to_string();
        rows.push_str(
            &[
                "<tr><td><a href=\"",
                &href,
                "\">",
                &text(&row.title),
                "</a></td><td>",
                &chip(row),
                "</td><td class=\"mono lo\"><a",
                &attribute("href", &of_user),
                &attribute("title", &user),
                ">",
                &short(row.user),
                "</a></td><td class=\"drop\">",
                &text(row.model.as_deref().unwrap_or("")),
                "</td><td class=\"lo num\"><time",
                &attribute("datetime", &time),
                ">",
                &clock(row.at),
                "</time></td></tr>",
            ]
            .concat(),
        );
    }
    [
        "<table class=\"grid-table\"><thead><tr><th scope=\"col\">Title</th><th scope=\"col\">Outcome</th>\
         <th scope=\"col\">User</th><th scope=\"col\">Model</th><th scope=\"col\" class=\"num\">Last turn</th></tr></thead>\
         <tbody>",
        &rows,
        "</tbody></table>",
    ]
    .concat()
}

fn pager(page: &ListPage) -> String {
    let query = |from: &str| {
        link(
            "/admin",
            &[
                ("q", &page.words),
                ("user", &page.user),
                ("day", &page.day),
                ("model", &page.model),
                ("outcome", &page.outcome),
                ("from", from),
            ],
        )
    };
    let day = page.rows.first().filter(|_| !page.day.is_empty()).map_or_else(String::new, |r| long_day(r.at) + ", ");
    let newest = if page.later {
        ["<a class=\"btn btn-quiet\"", &attribute("href", &query("")), ">Newest</a>"].concat()
    } else {
        String::new()
    };
    let older = page.next.as_ref().map_or_else(String::new, |next| {
        ["<a class=\"btn\" rel=\"next\"", &attribute("href", &query(next)), ">Older</a>"].concat()
    });
    let words = if page.rows.is_empty() { String::new() } else { [&day, "times in UTC"].concat() };
    let mut words = words;
    if let Some(first) = words.get(..1).map(str::to_uppercase) {
        words.replace_range(..1, &first);
    }
    ["<div class=\"pager\"><span>", &words, "</span><span class=\"pager-on\">", &newest, &older, "</span></div>"]
        .concat()
}
