//! How a reply ended, in words, and what one can do then.

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use super::{
    ask::branches,
    icons::{Cap, icon, small},
    words,
};
use crate::{
    domain::{Message, Outcome, SessionId, TurnId},
    pages::state::Page,
};

/// What the end of a reply needs to know of its page.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub session: Option<SessionId>,
    /// For the plain form behind "Try again".
    pub fresh: TurnId,
}

impl Place {
    /// From a page's state.
    #[must_use]
    pub fn of(page: Page) -> Self {
        Self { session: page.session.get_untracked(), fresh: page.data().fresh.turn_id }
    }
}

/// A reply's end in words: what happened in bold, what is kept, and the mark at the line's end.
struct Ended {
    cap: Cap,
    what: String,
    kept: &'static str,
    /// Editing the question is the way on, rather than trying again.
    edit: bool,
}

/// `None` for a reply that is simply complete.
fn ended(message: &Message) -> Option<Ended> {
    let wrote = !message.text.is_empty();
    let kept = if wrote { "What was written is kept." } else { "Nothing was written yet." };
    let plain = |cap, what: &str, kept| Ended { cap, what: what.to_owned(), kept, edit: false };
    Some(match (message.outcome?, message.stop_reason.as_deref()) {
        (Outcome::Complete, Some("refusal")) => Ended {
            edit: true,
            ..plain(Cap::Stop, "Claude declined to answer this.", "Put it another way, or ask for something near it.")
        },
        (Outcome::Complete, Some("max_tokens")) => plain(Cap::Cut, "The reply reached its length limit.", ""),
        (Outcome::Complete, Some("model_context_window_exceeded")) => {
            plain(Cap::Cut, "The reply reached the end of the model’s window.", "")
        }
        (Outcome::Complete, _) if wrote => return None,
        (Outcome::Complete, _) => plain(Cap::Stop, "Claude had nothing to say to this.", ""),
        (Outcome::Stopped, _) => plain(Cap::Stop, "Stopped.", kept),
        (Outcome::Failed, _) if wrote => {
            plain(Cap::Fail, "The reply broke off and could not be carried on.", "What was written is kept.")
        }
        (Outcome::Failed, _) => {
            let error = message.error.as_ref();
            let what = match error.map(|e| e.code.as_str()) {
                Some("upstream_overloaded") => "Claude is overloaded just now.",
                _ => error.map_or("The reply could not be written.", |e| e.message.as_str()),
            };
            plain(Cap::Fail, what, "Nothing was written. Your message is kept.")
        }
    })
}

/// The mark inside the written part; the others stand beside their words.
pub fn cap(message: &Message) -> Option<Erased> {
    ended(message).is_none().then(|| Cap::End.view())
}

/// The line's state, for the style sheet.
#[must_use]
pub fn line(message: &Message) -> &'static str {
    match ended(message).map(|e| e.cap) {
        None => "complete",
        Some(Cap::Cut) => "cut",
        Some(Cap::Fail) => "failed",
        Some(_) => "stopped",
    }
}

/// All that stands under a finished reply: the state in words, the details, the tools. `fresh` is a failure that
/// happened before the person's eyes.
pub fn foot(place: Place, message: &Message, alert: bool) -> Erased {
    let ended = ended(message);
    let failed = message.outcome == Some(Outcome::Failed);
    let state = ended.map(|e| state(place, message, e, failed && alert));
    let complete = state.is_none();
    let seams = message.seams.iter().filter(|s| !s.planned).count() as u64;
    let seams = (seams > 0).then(|| {
        let times = match seams {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            n => [&words::number(n), " times"].concat(),
        };
        let words = ["Picked up ", &times, " where it left off. Nothing is missing."].concat();
        view! { <p class="seam-inline">{small("check")}{words}</p> }.erase()
    });
    let branch = message
        .siblings
        .as_ref()
        .map(|s| view! { <div class="branch">{branches(place.session, s, message.message_id)}</div> }.erase());
    let copy = (!message.text.is_empty()).then(|| {
        view! {
            <button class="icon-btn js-only" type="button" data-do="copy-reply" aria-label="Copy this reply">
                {icon("copy")}
            </button>
        }
        .erase()
    });
    let again = complete.then(|| retry(place, message, false));
    let (name, facts) = if failed { ("What happened", what_happened(message)) } else { ("Details", details(message)) };
    let facts = (!facts.is_empty()).then(|| {
        let facts = facts
            .into_iter()
            .map(|(k, v, mono)| view! { <div><dt>{k}</dt><dd class=mono.then_some("mono")>{v}</dd></div> }.erase())
            .collect_view();
        view! {
            <details class="usage">
                <summary>{name}{small("down")}</summary>
                <dl>{facts}</dl>
            </details>
        }
        .erase()
    });
    view! {
        {state}
        {seams}
        <footer class="reply-foot">{facts}<div class="foot-tools">{branch}{copy}{again}</div></footer>
    }
    .erase()
}

fn state(place: Place, message: &Message, ended: Ended, alert: bool) -> Erased {
    let class = if ended.cap == Cap::Fail { "state state-fail" } else { "state" };
    let action = if ended.edit {
        view! {
            <button class="btn js-only" type="button" data-do="open-edit">{icon("pencil")}"Edit the question"</button>
        }
        .erase()
    } else {
        retry(place, message, true)
    };
    view! {
        <div class=class role=alert.then_some("alert")>
            {ended.cap.view()}
            <span><strong>{ended.what}</strong>" "{ended.kept}</span>
            <div class="actions">{action}</div>
        </div>
    }
    .erase()
}

/// The form behind "Try again".
fn retry(place: Place, message: &Message, wide: bool) -> Erased {
    let button = if wide {
        view! { <button class="btn">{icon("again")}"Try again"</button> }.erase()
    } else {
        view! { <button class="icon-btn" aria-label="Try again">{icon("again")}</button> }.erase()
    };
    view! {
        <form method="post" action="/api/chat/retry">
            <input type="hidden" name="turn_id" value=place.fresh.to_string()/>
            <input type="hidden" name="message_id" value=message.message_id.to_string()/>
            {button}
        </form>
    }
    .erase()
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
