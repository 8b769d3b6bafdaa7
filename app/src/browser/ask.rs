//! Sending, editing, trying again, stopping.

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local};

use super::{
    chats, dom, draft,
    follow::{Opening, follow},
    painter::prose_of,
    scroll, wake,
};
use crate::{
    api,
    components::{composer::RUNS, words},
    domain::{Message, MessageId, Role, SessionId, Siblings, TurnId},
    error::{ApiError, Code},
    pages::state::{Live, Page, Phase, Refusal, Reply, Turn},
};

/// Why one cannot send just now, if so; said where it is seen.
fn is_held(page: Page) -> bool {
    if page.running.get_untracked().is_some() {
        not_yet();
        return true;
    }
    page.band.with_untracked(|b| b.length > 0 || b.offline || matches!(b.refused, Some(Refusal::Rate(_))))
}

/// Says so for 4 s, in the line beside Stop.
fn not_yet() {
    let Some(words) = dom::by_id("runs") else { return };
    words.set_text_content(Some("You can send when it is done."));
    spawn_local(async move {
        wake::pause(4000).await;
        words.set_text_content(Some(RUNS));
    });
}

/// What has to be put right again if the server does not take it.
struct Before {
    session: Option<SessionId>,
    title: String,
    /// The text to give back to the composer; an edited question keeps its own form.
    text: Option<String>,
}

/// Sends what is in the composer.
pub(crate) fn send(page: Page) {
    let Some(field) = dom::composer() else { return };
    let text = field.value();
    if text.trim().is_empty() {
        dom::focus(&field);
        return;
    }
    if is_held(page) {
        return;
    }
    // On another branch than the newest the message must say whose follower it is.
    let leaf = page.leaf();
    let parent = leaf.filter(|_| page.data().via).map(|id| id.to_string());
    // Cleared while the draft still belongs to the chat it was written in.
    draft::fill(page, "");
    draft::keep(page);
    dom::focus(&field);
    ask(page, text.clone(), leaf, parent, None, Some(text));
}

/// Asks a question another way: a branch beside it, instead of it and all that followed.
pub(crate) fn edit(page: Page, key: MessageId, text: String) {
    let edited = page.turns.with_untracked(|t| t.iter().find(|t| t.key == key).and_then(|t| t.ask.clone()));
    let Some(edited) = edited else { return };
    if text.trim().is_empty() || is_held(page) {
        return;
    }
    let ids = edited.siblings.as_ref().map_or_else(|| vec![edited.message_id], |s| s.ids.clone());
    hide_from(page, key);
    let parent = edited.parent_id.map_or_else(|| "root".to_owned(), |p| p.to_string());
    ask(page, text, edited.parent_id, Some(parent), Some(ids), None);
    if let Some(field) = dom::composer() {
        dom::focus(&field);
    }
}

fn hide_from(page: Page, key: MessageId) {
    page.turns.with_untracked(|turns| {
        for turn in turns.iter().skip_while(|t| t.key != key) {
            turn.hidden.set(true);
        }
    });
}

fn ask(
    page: Page,
    text: String,
    leaf: Option<MessageId>,
    parent: Option<String>,
    others: Option<Vec<MessageId>>,
    give_back: Option<String>,
) {
    let now = dom::now();
    let turn = TurnId::from_parts(now, dom::random());
    let before = Before { session: page.session.get_untracked(), title: page.title.get_untracked(), text: give_back };
    let new = before.session.is_none();
    let session = before.session.unwrap_or_else(|| SessionId::from_parts(now, dom::random()));
    // The question's own id is known after a reload only; its answer's leads to the same branch.
    let own = MessageId::from(turn);
    let question = Message {
        message_id: own,
        parent_id: leaf,
        depth: None,
        role: Role::User,
        text: text.clone(),
        thinking: None,
        turn_id: Some(turn),
        model: None,
        outcome: None,
        stop_reason: None,
        error: None,
        usage: None,
        timing: None,
        seams: Vec::new(),
        left_out: None,
        siblings: others.map(|ids| Siblings { ids: ids.into_iter().chain([own]).collect() }),
        created_at: now,
    };
    if new {
        page.title.set(words::title(&text));
    }
    page.session.set(Some(session));
    dom::address(&["/c/", &session.to_string()].concat());
    let live = begin(page, session, turn, Some(Arc::new(question)), Vec::new());
    let opening = Opening::Send { session: session.to_string(), text, model: page.model.get_untracked(), parent, new };
    follow(page, live, opening, move |refused| settle(page, session, turn, before, refused));
}

/// Another answer beside one; or, to carry it on, one that begins with its text.
pub(crate) fn retry(page: Page, message: MessageId, carry_on: bool) {
    let found = page
        .turns
        .with_untracked(|turns| turns.iter().find(|t| t.reply.as_ref().is_some_and(|r| r.id() == message)).cloned());
    let (Some(old), Some(session)) = (found, page.session.get_untracked()) else { return };
    if is_held(page) {
        return;
    }
    let known = match &old.reply {
        Some(Reply::Stored(m)) => m.siblings.clone(),
        Some(Reply::Live(live)) => live.ended.get_untracked().and_then(|m| m.siblings.clone()),
        None => None,
    };
    let before = Before { session: Some(session), title: page.title.get_untracked(), text: None };
    // The server sends it again; till then it stands there as it is.
    let shown = carry_on.then(|| prose_of(message).map(|prose| prose.inner_html()).unwrap_or_default());
    hide_from(page, old.key);
    let turn = TurnId::from_parts(dom::now(), dom::random());
    let live = begin(page, session, turn, old.ask, known.map_or_else(|| vec![message], |s| s.ids));
    if carry_on {
        live.wrote.set(true);
        live.phase.set(Phase::Writing);
    }
    follow(page, live, Opening::Retry { message: message.to_string(), shown }, move |refused| {
        settle(page, session, turn, before, refused);
    });
    if let Some(field) = dom::composer() {
        dom::focus(&field);
    }
}

/// Shows the question and the place for its answer at once.
fn begin(page: Page, session: SessionId, turn: TurnId, question: Option<Arc<Message>>, before: Vec<MessageId>) -> Live {
    let live = Live::new(turn, before);
    page.band.update(|b| b.refused = None);
    page.turns.update(|turns| turns.push(Turn::new(turn.into(), question, Some(Reply::Live(live)))));
    page.running.set(Some(turn));
    chats::touch(page, session, &page.title.get_untracked(), turn);
    // Once it stands there.
    request_animation_frame(move || scroll::latest(page));
    live
}

/// The server has taken it, or not: then all is as it was, and the text is where it can be changed.
fn settle(page: Page, session: SessionId, turn: TurnId, before: Before, refused: Option<ApiError>) {
    let key = MessageId::from(turn);
    let Some(e) = refused else {
        page.turns.update(|turns| turns.retain(|t| t.key == key || !t.hidden.get_untracked()));
        return;
    };
    page.turns.update(|turns| {
        turns.retain(|t| t.key != key);
        turns.iter().for_each(|t| t.hidden.set(false));
    });
    page.running.set(None);
    chats::untouch(page, session, before.session.is_none());
    if before.session.is_none() {
        page.session.set(None);
        page.title.set(before.title);
        dom::address("/");
    }
    if let Some(text) = before.text {
        // Something may have been written meanwhile; it comes after.
        let since = dom::composer().map(|f| f.value()).unwrap_or_default();
        let text = if since.trim().is_empty() { text } else { [&text, "\n\n", &since].concat() };
        draft::fill(page, &text);
    }
    // Once: the band over the composer may change every second.
    page.say.set(e.message.clone());
    let refusal = match e.code {
        Code::RateLimited => Refusal::Rate(e.retry_after.unwrap_or(5).max(1)),
        Code::TurnActive => Refusal::Active,
        _ => Refusal::Other(e.message),
    };
    let counts = matches!(refusal, Refusal::Rate(_));
    page.band.update(|b| b.refused = Some(refusal));
    if counts {
        count_down(page);
    }
}

fn count_down(page: Page) {
    spawn_local(async move {
        loop {
            wake::pause(1000).await;
            let left = page.band.with_untracked(|b| match b.refused {
                Some(Refusal::Rate(s)) => Some(s - 1),
                _ => None,
            });
            let Some(left) = left else { return };
            page.band.update(|b| b.refused = (left > 0).then_some(Refusal::Rate(left)));
        }
    });
}

/// Stops the reply that runs. What was written is kept; the end comes through the stream.
pub(crate) fn stop(page: Page) {
    let Some(turn) = page.running.get_untracked() else { return };
    spawn_local(async move {
        if let Err(e) = api::chat::stop(turn.to_string()).await {
            chats::complain(page, &e);
        }
    });
}
