//! Clicks and forms, heard in one place: the elements say in an attribute what they are for.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{
    Element, HtmlDetailsElement, HtmlElement, HtmlFormElement, HtmlInputElement, HtmlTextAreaElement, MouseEvent,
    SubmitEvent,
};

use super::{ask, chats, clipboard, dom, draft, earlier, jobs, scroll, wake};
use crate::{
    domain::{MessageId, SessionId},
    pages::state::Page,
};

/// Starts to listen.
pub(crate) fn start(page: Page) {
    dom::on("click", move |e| {
        let (Some(target), Some(click)) = (dom::target::<Element>(&e), e.dyn_ref::<MouseEvent>()) else { return };
        let plain = click.button() == 0 && !click.ctrl_key() && !click.meta_key() && !click.shift_key();
        if plain && self::click(page, &target) {
            e.prevent_default();
        }
    });
    dom::on("submit", move |e| {
        let Some(form) = dom::target::<HtmlFormElement>(&e) else { return };
        let by = e.dyn_ref::<SubmitEvent>().and_then(SubmitEvent::submitter);
        // A button that leads elsewhere than its form is left alone.
        if by.as_ref().is_some_and(|by| by.has_attribute("formaction")) {
            return;
        }
        let by = by.and_then(|by| by.get_attribute("value")).unwrap_or_default();
        if submit(page, &form, &by) {
            e.prevent_default();
        }
    });
    dom::on("input", move |e| match dom::target::<Element>(&e).map(|t| t.id()).as_deref() {
        Some("text") => draft::changed(page),
        Some("schema") => jobs::check_schema(),
        Some("prompt" | "variants") => jobs::count_form(),
        _ => {}
    });
    dom::on("change", move |e| {
        let Some(target) = dom::target::<HtmlElement>(&e) else { return };
        match target.id().as_str() {
            "model" => {
                let model = dom::value(&target).unwrap_or_default();
                dom::store("model", &model);
                page.model.set(model);
            }
            "single-keys" => {
                let on = target.dyn_ref::<HtmlInputElement>().is_some_and(HtmlInputElement::checked);
                dom::store("single-keys", if on { "" } else { "off" });
            }
            _ => {}
        }
    });
    // The form to edit a question opens with the cursor in it.
    dom::on("toggle", move |e| {
        if let Some(details) = dom::target::<HtmlDetailsElement>(&e)
            && details.class_name() == "ask-edit"
            && details.open()
        {
            into_edit(&details);
        }
    });
}

fn into_edit(details: &HtmlDetailsElement) {
    let field = dom::within(details, "textarea").and_then(|f| f.dyn_into::<HtmlTextAreaElement>().ok());
    if let Some(field) = field {
        dom::focus(&field);
        let end = field.value().encode_utf16().count() as u32;
        let _ = field.set_selection_range(end, end);
    }
}

fn turn_of(element: &Element) -> Option<HtmlElement> {
    dom::closest(element, "[data-turn]")
}

fn session_of(element: &Element) -> Option<SessionId> {
    dom::closest(element, "[data-session]")?.get_attribute("data-session")?.parse().ok()
}

/// Opens or closes the form to edit the question of a turn; closing gives focus back to its pencil.
pub(crate) fn set_edit(within: &Element, open: bool) {
    let Some(details) = turn_of(within).and_then(|t| dom::within(&t, ".ask-edit")) else { return };
    let Ok(details) = details.dyn_into::<HtmlDetailsElement>() else { return };
    details.set_open(open);
    if !open && let Some(pencil) = dom::within(&details, "summary") {
        dom::focus(&pencil);
    }
}

/// Whether the click is dealt with.
fn click(page: Page, target: &Element) -> bool {
    if let Some(start) = dom::closest(target, "[data-fill]") {
        draft::fill(page, &start.get_attribute("data-fill").unwrap_or_default());
        if let Some(field) = dom::composer() {
            dom::focus(&field);
        }
        return true;
    }
    if let Some(button) = dom::closest(target, "[data-copy]") {
        let code = dom::closest(&button, ".code").and_then(|c| dom::within(&c, "pre")).and_then(|p| p.text_content());
        clipboard::copy(page, button, &code.unwrap_or_default());
        return true;
    }
    if let Some(button) = dom::closest(target, ".blocked [data-src]") {
        load_image(&button);
        return true;
    }
    let Some(button) = dom::closest(target, "[data-do]") else { return false };
    let text = |selector| turn_of(&button).and_then(|t| dom::within(&t, selector)).and_then(|e| e.text_content());
    match button.get_attribute("data-do").unwrap_or_default().as_str() {
        "new" if page.session.get_untracked().is_none() && dom::composer().is_some() => {
            if let Some(field) = dom::composer() {
                dom::call(&dom::by_id("side"), "hidePopover");
                dom::focus(&field);
            }
        }
        "copy-ask" => {
            let asked = text("h2").unwrap_or_default();
            clipboard::copy(page, button, &asked);
        }
        "copy-command" => {
            let command = dom::closest(&button, ".cmd").and_then(|c| dom::within(&c, "code"));
            let command = command.and_then(|c| c.text_content()).unwrap_or_default();
            clipboard::copy(page, button, &command);
        }
        "copy-reply" => {
            let id = dom::closest(&button, ".reply").map(|r| r.id());
            let id = id.and_then(|id| id.strip_prefix("reply-")?.parse::<MessageId>().ok());
            if let Some(id) = id {
                clipboard::copy_reply(page, button, id);
            }
        }
        "copy-from" => clipboard::copy_from(page, button),
        "notify" => jobs::notify(&button),
        "open-edit" => set_edit(&button, true),
        "close-edit" => set_edit(&button, false),
        "earlier" => earlier::load(page),
        "older-chats" => chats::older(page),
        "rename-row" => rename_row(page, &button),
        "delete-row" => {
            if let Some(id) = session_of(&button) {
                chats::delete(page, id);
            }
        }
        "undo" => chats::undo(page),
        "latest" => scroll::latest(page),
        "try-now" => wake::wake(),
        _ => return false,
    }
    true
}

/// Puts the image in its box's place: its host learns of it only now, and not from where.
fn load_image(button: &HtmlElement) {
    let Some(frame) = dom::closest(button, ".blocked") else { return };
    let Ok(image) = document().create_element("img") else { return };
    let attribute = |name| button.get_attribute(name).unwrap_or_default();
    let _ = image.set_attribute("referrerpolicy", "no-referrer");
    let _ = image.set_attribute("alt", &attribute("data-alt"));
    let _ = image.set_attribute("src", &attribute("data-src"));
    let _ = frame.replace_with_with_node_1(&image);
}

/// Turns a row into the form that renames it.
pub(crate) fn rename_row(page: Page, within: &Element) {
    let Some(id) = session_of(within) else { return };
    page.renaming.set(Some(id));
    request_animation_frame(|| {
        let field = dom::by_id("row-title").and_then(|f| f.dyn_into::<HtmlInputElement>().ok());
        if let Some(field) = field {
            field.select();
        }
    });
}

/// Leaves renaming, back to the row.
pub(crate) fn leave_rename(page: Page) {
    let Some(id) = page.renaming.get_untracked() else { return };
    page.renaming.set(None);
    request_animation_frame(move || {
        let row = ["[data-session=\"", &id.to_string(), "\"] .row-link"].concat();
        if let Some(row) = dom::find(&row) {
            dom::focus(&row);
        }
    });
}

/// Whether the form is dealt with; any other goes its way.
fn submit(page: Page, form: &HtmlFormElement, by: &str) -> bool {
    let field = |name: &str| {
        let field = dom::within(form, &["[name=", name, "]"].concat());
        field.as_ref().and_then(dom::value).unwrap_or_default()
    };
    match form.get_attribute("action").unwrap_or_default().as_str() {
        "/api/chat/send" if form.id() == "dock" => ask::send(page),
        "/api/chat/send" => {
            let key = turn_of(form).and_then(|t| t.get_attribute("data-turn")?.parse::<MessageId>().ok());
            if let Some(key) = key {
                ask::edit(page, key, field("text"));
            }
        }
        call @ ("/api/chat/retry" | "/api/chat/continue") => {
            if let Ok(message) = field("message_id").parse() {
                ask::retry(page, message, call.ends_with("continue"));
            }
        }
        "/api/chat/stop" if dom::composer().is_some() => ask::stop(page),
        "/api/sessions/rename" => {
            if let Ok(id) = field("session_id").parse() {
                let title = field("title");
                leave_rename(page);
                dom::call(&dom::by_id("chat-menu"), "hidePopover");
                chats::rename(page, id, title);
            }
        }
        "/api/sessions/delete" => {
            if let Ok(id) = field("session_id").parse() {
                chats::delete(page, id);
            }
        }
        "/theme" => theme(by),
        _ => return false,
    }
    true
}

fn theme(value: &str) {
    let name = if value == "system" { "" } else { value };
    for other in ["system", "light", "dark"] {
        if let Some(button) = dom::find(&["[name=theme][value=", other, "]"].concat()) {
            let _ = button.set_attribute("aria-pressed", if other == value { "true" } else { "false" });
        }
    }
    dom::cookie("theme", name);
    if let Some(html) = document().document_element() {
        let _ =
            if name.is_empty() { html.remove_attribute("data-theme") } else { html.set_attribute("data-theme", name) };
    }
}
