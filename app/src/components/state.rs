//! How a reply ended, in words, and what one can do then.

use leptos::prelude::GetUntracked;

use super::{
    ask::branches,
    html::{hidden, text},
    icons::{Cap, icon, small},
    words,
};
use crate::{
    domain::{Message, Outcome, SessionId, Timestamp, TurnId},
    pages::state::Page,
};

/// What the end of a reply needs to know of its page.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub session: Option<SessionId>,
    /// For the plain form behind "Try again".
    pub fresh: TurnId,
    /// When the page was made, by whoever makes it.
    pub now: Timestamp,
}

impl Place {
    /// From a page's state.
    #[must_use]
    pub fn of(page: Page) -> Self {
        Self { session: page.session(), fresh: page.data().fresh.turn_id, now: page.now.get_untracked() }
    }
}

/// A reply's end in words: what happened in bold, what is kept, and the mark at the line's end.
struct Ended {
    cap: Cap,
    what: String,
    kept: String,
    way: Way,
}

/// The way on from there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Another answer.
    Again,
    /// The same answer, carried on; or another.
    Either,
    /// The same answer, carried on.
    Continue,
    /// Another question.
    Edit,
}

/// `None` for a reply that is simply complete.
fn ended(message: &Message, now: Timestamp) -> Option<Ended> {
    let wrote = !message.text.is_empty();
    let kept = if wrote { "What was written is kept." } else { "Nothing was written yet." };
    // What is not there any more cannot be carried on.
    let gone = message.error.as_ref().is_some_and(|e| matches!(e.code.as_str(), "not_found" | "deleted"));
    let either = if wrote && !gone { Way::Either } else { Way::Again };
    let plain = |cap, what: &str, kept: &str, way| Ended { cap, what: what.to_owned(), kept: kept.to_owned(), way };
    Some(match (message.outcome?, message.stop_reason.as_deref()) {
        (Outcome::Complete, Some("refusal")) => {
            let kept = "Put it another way, or ask for something near it.";
            plain(Cap::Stop, "Claude declined to answer this.", kept, Way::Edit)
        }
        (Outcome::Complete, Some("max_tokens")) => {
            let way = if wrote { Way::Continue } else { Way::Again };
            plain(Cap::Cut, "The reply reached its length limit.", "", way)
        }
        (Outcome::Complete, Some("model_context_window_exceeded")) => {
            plain(Cap::Cut, "The reply reached the end of the model’s window.", "", Way::Again)
        }
        (Outcome::Complete, _) if wrote => return None,
        (Outcome::Complete, _) => plain(Cap::Stop, "Claude had nothing to say to this.", "", Way::Again),
        (Outcome::Stopped, _) if message.error.as_ref().is_some_and(|e| e.code == "budget_spent") => {
            // It may have ended since the page was made.
            let at = message.created_at.plus_millis(message.timing.map_or(0, |t| t.total_ms));
            let now = now.max(at);
            let kept = if wrote { "What was written is kept. " } else { "" };
            if now.day_number(0) == at.day_number(0) {
                let kept = [kept, "The budget ", &words::anew(now)].concat();
                plain(Cap::Stop, "Today’s budget is spent, so the reply stops here.", &kept, either)
            } else {
                plain(Cap::Stop, "That day’s budget was spent, so the reply stopped here.", kept, either)
            }
        }
        (Outcome::Stopped, _) => plain(Cap::Stop, "Stopped.", kept, either),
        (Outcome::Failed, _) if wrote => {
            plain(Cap::Fail, "The reply broke off and could not be carried on.", "What was written is kept.", either)
        }
        (Outcome::Failed, _) => {
            let error = message.error.as_ref();
            let what = match error.map(|e| e.code.as_str()) {
                Some("upstream_overloaded") => "Claude is overloaded just now.",
                _ => error.map_or("The reply could not be written.", |e| e.message.as_str()),
            };
            plain(Cap::Fail, what, "Nothing was written. Your message is kept.", Way::Again)
        }
    })
}

/// The mark inside the written part; the others stand beside their words.
#[must_use]
pub fn cap(message: &Message) -> String {
    if ended(message, message.created_at).is_none() { Cap::End.html() } else { String::new() }
}

/// The line's state, for the style sheet.
#[must_use]
pub fn line(message: &Message) -> &'static str {
    match ended(message, message.created_at).map(|e| e.cap) {
        None => "complete",
        Some(Cap::Cut) => "cut",
        Some(Cap::Fail) => "failed",
        Some(_) => "stopped",
    }
}

/// All that stands under a finished reply: the state in words, the details, the tools. With `alert`, a failure
/// happened before the person's eyes.
#[must_use]
pub fn foot(place: Place, message: &Message, alert: bool) -> String {
    let ended = ended(message, place.now);
    let failed = message.outcome == Some(Outcome::Failed);
    // A complete one is tried again by an icon, any other by a button beside the words.
    let again = if ended.is_none() {
        let open = "<button class=\"icon-btn\" aria-label=\"Try again\">";
        beside(place, message, "retry", &[open, &icon("again")].concat())
    } else {
        String::new()
    };
    let state = ended.map_or_else(String::new, |e| state(place, message, &e, failed && alert));
    let branch = message.siblings.as_ref().map_or_else(String::new, |s| {
        ["<div class=\"branch\">", &branches(place.session, s, message.message_id), "</div>"].concat()
    });
    let copy = if message.text.is_empty() {
        String::new()
    } else {
        [
            "<button class=\"icon-btn js-only\" type=\"button\" data-do=\"copy-reply\" aria-label=\"Copy this reply\">",
            &icon("copy"),
            "</button>",
        ]
        .concat()
    };
    let (name, facts) = if failed { ("What happened", what_happened(message)) } else { ("Details", details(message)) };
    let facts = if facts.is_empty() {
        String::new()
    } else {
        let facts: String = facts
            .iter()
            .map(|(name, value, mono)| {
                let class = if *mono { " class=\"mono\"" } else { "" };
                ["<div><dt>", name, "</dt><dd", class, ">", &text(value), "</dd></div>"].concat()
            })
            .collect();
        ["<details class=\"usage\"><summary>", name, &small("down"), "</summary><dl>", &facts, "</dl></details>"]
            .concat()
    };
    [
        &state,
        &seams(message),
        "<footer class=\"reply-foot\">",
        &facts,
        "<div class=\"foot-tools\">",
        &branch,
        &copy,
        &again,
        "</div></footer>",
    ]
    .concat()
}

/// On a narrow window, where there is no margin for a note beside the line.
fn seams(message: &Message) -> String {
    let times = match message.seams.iter().filter(|s| !s.planned).count() as u64 {
        0 => return String::new(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => [words::number(n).as_str(), " times"].concat(),
    };
    ["<p class=\"seam-inline\">", &small("check"), "Picked up ", &times, " where it left off. Nothing is missing.</p>"]
        .concat()
}

fn state(place: Place, message: &Message, ended: &Ended, alert: bool) -> String {
    let again = || beside(place, message, "retry", &["<button class=\"btn\">", &icon("again"), "Try again"].concat());
    let carry_on = |class| beside(place, message, "continue", &["<button class=\"btn", class, "\">Continue"].concat());
    let actions = match ended.way {
        Way::Again => again(),
        Way::Either => [carry_on(""), again()].concat(),
        Way::Continue => carry_on(" btn-main"),
        Way::Edit => {
            let open = "<button class=\"btn js-only\" type=\"button\" data-do=\"open-edit\">";
            [open, &icon("pencil"), "Edit the question</button>"].concat()
        }
    };
    let class = if ended.cap == Cap::Fail { " state-fail" } else { "" };
    let role = if alert { "\" role=\"alert" } else { "" };
    said(ended.cap, &[class, role].concat(), &text(&ended.what), &ended.kept, &actions)
}

/// How a finished reply ended and how often it was carried on, for who only reads: without the ways on.
#[cfg(feature = "ssr")]
#[must_use]
pub fn words(message: &Message, now: Timestamp) -> String {
    let failed = if message.outcome == Some(Outcome::Failed) { " state-fail" } else { "" };
    let ended = ended(message, now).map(|e| said(e.cap, failed, &text(&e.what), &e.kept, ""));
    [ended.unwrap_or_default(), seams(message)].concat()
}

/// A state in words, `what` and `kept`, with the mark at the line's end and the ways on.
#[must_use]
pub fn said(cap: Cap, class: &str, what: &str, kept: &str, actions: &str) -> String {
    let actions =
        if actions.is_empty() { String::new() } else { ["<div class=\"actions\">", actions, "</div>"].concat() };
    let (open, cap) = (["<div class=\"state", class, "\">"].concat(), cap.html());
    [&open, &cap, "<span><strong>", what, "</strong> ", kept, "</span>", &actions, "</div>"].concat()
}

/// A form that asks for an answer beside this one: another (`retry`), or this one carried on (`continue`).
fn beside(place: Place, message: &Message, call: &str, button: &str) -> String {
    [
        "<form method=\"post\" action=\"/api/chat/",
        call,
        "\">",
        &hidden("turn_id", &place.fresh.to_string()),
        &hidden("message_id", &message.message_id.to_string()),
        button,
        "</button></form>",
    ]
    .concat()
}

type Fact = (&'static str, String, bool);

fn details(message: &Message) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    if let Some(model) = &message.model {
        facts.push(("Model", model.clone(), false));
    }
    if let Some(usage) = &message.usage {
        let about = if usage.estimated { "about " } else { "" };
        let read = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
        for (name, n) in [("Read", read), ("Written", usage.output_tokens)] {
            if n > 0 {
                facts.push((name, [about, &words::counted(n, "token", "tokens")].concat(), false));
            }
        }
    }
    if let Some(timing) = &message.timing {
        if let Some(first) = timing.first_ms {
            facts.push(("First token", words::duration(first), false));
        }
        facts.push(("Whole reply", words::duration(timing.total_ms), false));
    }
    facts
}

fn what_happened(message: &Message) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    if let Some(error) = &message.error {
        facts.push(("Code", error.code.clone(), false));
        if !message.text.is_empty() {
            facts.push(("Reason", error.message.clone(), false));
        }
    }
    facts.extend(details(message));
    facts.push(("Turn", message.message_id.to_string(), true));
    facts
}
