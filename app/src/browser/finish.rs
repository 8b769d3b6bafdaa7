//! A reply's end: the live view becomes what a stored one looks like, in place.

use std::sync::Arc;

use leptos::prelude::*;

use super::{chats, painter::Painter, scroll};
use crate::{
    components::words,
    domain::{Message, Outcome, Role, Seam, Siblings, TurnError, TurnEvent, Usage},
    markdown,
    pages::state::{Live, Page, Phase},
};

/// The turn is over and its message stored.
pub(crate) fn end(page: Page, live: Live, painter: &Painter, event: TurnEvent) {
    let TurnEvent::End { outcome, stop_reason, usage, error, timing } = event else { return };
    painter.paint(true);
    let (text, thinking, seams) = painter.all();
    let say = match outcome {
        Outcome::Stopped => "Stopped.".to_owned(),
        // Said by the words themselves, which are an alert.
        Outcome::Failed => String::new(),
        Outcome::Complete => {
            ["Reply finished, ", &words::counted(markdown::words(&text).into(), "word", "words"), "."].concat()
        }
    };
    let id = live.turn.into();
    let mut ids = live.before.get_value();
    let siblings = (!ids.is_empty()).then(|| {
        ids.push(id);
        Siblings { ids }
    });
    let message = Message {
        message_id: id,
        parent_id: None,
        depth: None,
        role: Role::Assistant,
        text,
        thinking: (!thinking.is_empty()).then_some(thinking),
        turn_id: Some(live.turn),
        model: painter.written_by(),
        outcome: Some(outcome),
        stop_reason,
        error,
        usage: Some(usage),
        timing,
        seams: seams.into_iter().map(|offset| Seam { offset, planned: false }).collect(),
        left_out: None,
        siblings,
        created_at: live.turn.timestamp(),
    };
    // A page that came late saw only the end of it.
    if let Some(ms) = timing.and_then(|t| t.thinking_ms) {
        live.thought.set(words::thought(Some(ms)));
    }
    close(page, live, message);
    page.say.set(say);
    chats::refresh(page);
}

/// The turn is not there, or not this person's any more.
pub(crate) fn gone(page: Page, live: Live, painter: &Painter) {
    let error = TurnError {
        code: "not_found".to_owned(),
        message: "This reply does not exist any more.".to_owned(),
        retryable: false,
    };
    end(
        page,
        live,
        painter,
        TurnEvent::End {
            outcome: Outcome::Failed,
            stop_reason: None,
            usage: Usage::default(),
            error: Some(error),
            timing: None,
        },
    );
}

fn close(page: Page, live: Live, message: Message) {
    live.ended.set(Some(Arc::new(message)));
    live.phase.set(Phase::Ended);
    page.running.set(None);
    // Once the details stand under it.
    request_animation_frame(move || scroll::follow(page));
}
