//! Copying, and saying so.

use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlDocument, HtmlElement, HtmlTextAreaElement};

use super::{jobs, wake};
use crate::{
    api,
    domain::{MessageId, SessionId},
    pages::state::Page,
};

/// Copies a text; the button reads Copied for 2 s.
pub(crate) fn copy(page: Page, button: HtmlElement, text: &str) {
    write(text);
    say(page, button);
}

fn write(text: &str) {
    let navigator = window().navigator();
    // Absent where the page did not come over HTTPS or from this machine.
    let modern = js_sys::Reflect::get(&navigator, &JsValue::from_str("clipboard")).is_ok_and(|c| !c.is_undefined());
    if modern {
        let _ = navigator.clipboard().write_text(text);
        return;
    }
    let document = document();
    let Some(body) = document.body() else { return };
    let Some(field) = document.create_element("textarea").ok().and_then(|e| e.dyn_into::<HtmlTextAreaElement>().ok())
    else {
        return;
    };
    field.set_class_name("hide");
    field.set_value(text);
    let _ = body.append_child(&field);
    field.select();
    let _ = document.unchecked_ref::<HtmlDocument>().exec_command("copy");
    field.remove();
}

fn say(page: Page, button: HtmlElement) {
    page.say.set("Copied.".to_owned());
    if button.class_list().contains("is-copied") {
        return;
    }
    let label = button.get_attribute("aria-label");
    let mark = button.query_selector("use").ok().flatten();
    let drawn = mark.as_ref().and_then(|m| m.get_attribute("href"));
    let words = label.is_none().then(|| button.last_child()).flatten();
    let read = words.as_ref().and_then(|w| w.text_content());
    let _ = button.class_list().add_1("is-copied");
    if let Some(mark) = &mark {
        let _ = mark.set_attribute("href", "#i-check");
    }
    match &words {
        Some(words) => words.set_text_content(Some("Copied")),
        None => {
            let _ = button.set_attribute("aria-label", "Copied");
        }
    }
    spawn_local(async move {
        wake::pause(2000).await;
        let _ = button.class_list().remove_1("is-copied");
        if let (Some(mark), Some(drawn)) = (mark, drawn) {
            let _ = mark.set_attribute("href", &drawn);
        }
        if let Some(words) = words {
            words.set_text_content(read.as_deref());
        } else if let Some(label) = label {
            let _ = button.set_attribute("aria-label", &label);
        }
    });
}

/// Copies a reply as it was written, in Markdown. The page has its HTML only, so the server is asked.
pub(crate) fn copy_reply(page: Page, button: HtmlElement, message: MessageId) {
    let known = page.turns.with_untracked(|turns| {
        turns.iter().find_map(|turn| match turn.reply.as_ref()? {
            crate::pages::state::Reply::Live(live) if live.turn == message.into() => {
                live.ended.get_untracked().map(|m| m.text.clone())
            }
            crate::pages::state::Reply::Stored(m) if m.message_id == message => {
                (!crate::components::prose::is_elsewhere(m)).then(|| m.text.clone())
            }
            _ => None,
        })
    });
    if let Some(text) = known {
        return copy(page, button, &text);
    }
    let Some(session) = page.session.get_untracked() else { return };
    spawn_local(async move {
        match fetch(session, message).await {
            Some(text) => copy(page, button, &text),
            None => page.say.set("It could not be copied.".to_owned()),
        }
    });
}

/// Copies what the address in the button's `data-from` gives.
pub(crate) fn copy_from(page: Page, button: HtmlElement) {
    spawn_local(async move {
        match jobs::text_at(&button.get_attribute("data-from").unwrap_or_default()).await {
            Some(text) => copy(page, button, &text),
            None => page.say.set("It could not be copied.".to_owned()),
        }
    });
}

/// The text of one message, from whichever page it is on.
async fn fetch(session: SessionId, message: MessageId) -> Option<String> {
    let (id, via) = (session.to_string(), message.to_string());
    let mut page = None;
    loop {
        let found = api::sessions::get(id.clone(), page, Some(via.clone())).await.ok()?;
        if let Some(m) = found.messages.into_iter().find(|m| m.message_id == message) {
            return Some(m.text);
        }
        page = Some(found.next?);
    }
}
