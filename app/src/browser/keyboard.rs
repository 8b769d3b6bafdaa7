//! Keys. None is touched while a word is being composed (IME).

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlFormElement, HtmlTextAreaElement, KeyboardEvent};

use super::{ask, chats, dom, events, scroll};
use crate::pages::state::Page;

/// Starts to listen.
pub(crate) fn start(page: Page) {
    dom::on("keydown", move |e| {
        let Some(key) = e.dyn_ref::<KeyboardEvent>() else { return };
        // 229: what browsers send for a key that the input method has taken.
        if key.is_composing() || key.key_code() == 229 || e.default_prevented() {
            return;
        }
        let Some(target) = dom::target::<Element>(&e) else { return };
        if pressed(page, key, &target) {
            e.prevent_default();
        }
    });
}

/// Whether the key is dealt with.
fn pressed(page: Page, e: &KeyboardEvent, target: &Element) -> bool {
    let key = e.key();
    let ctrl = (e.ctrl_key() || e.meta_key()) && !e.alt_key();
    if ctrl {
        return match key.as_str() {
            "." if page.running.get_untracked().is_some() => {
                ask::stop(page);
                true
            }
            "z" if page.toast.with_untracked(Option::is_some) && !is_typing(target) => {
                chats::undo(page);
                true
            }
            _ => false,
        };
    }
    if e.alt_key() {
        return false;
    }
    if let Some(field) = target.dyn_ref::<HtmlTextAreaElement>() {
        return in_text(page, e, &key, field);
    }
    if key == "Escape" && page.renaming.with_untracked(Option::is_some) {
        events::leave_rename(page);
        return true;
    }
    if dom::is_field(target) {
        return false;
    }
    match key.as_str() {
        "F2" => rename(page, target),
        "Delete" => delete(page, target),
        "End" if !e.shift_key() => {
            scroll::latest(page);
            true
        }
        _ => single(&key),
    }
}

/// A field with something in it has its own undo.
fn is_typing(target: &Element) -> bool {
    match target.dyn_ref::<HtmlTextAreaElement>() {
        Some(field) => !field.value().is_empty(),
        None => dom::is_field(target),
    }
}

fn in_text(page: Page, e: &KeyboardEvent, key: &str, field: &HtmlTextAreaElement) -> bool {
    let composer = field.id() == "text";
    match key {
        "Enter" if !e.shift_key() && composer => {
            ask::send(page);
            true
        }
        "Enter" if !e.shift_key() && dom::closest(field, ".ask-edit").is_some() => {
            let form = dom::closest(field, "form").and_then(|f| f.dyn_into::<HtmlFormElement>().ok());
            form.is_some_and(|f| f.request_submit().is_ok())
        }
        "Escape" if !composer => {
            events::set_edit(field, false);
            true
        }
        "ArrowUp" if composer && field.value().is_empty() => {
            let last = dom::find(".turn:not([hidden]):nth-last-child(1 of .turn:not([hidden])) .ask-edit");
            last.is_some_and(|details| {
                events::set_edit(&details, true);
                true
            })
        }
        _ => false,
    }
}

fn rename(page: Page, target: &Element) -> bool {
    if dom::closest(target, "[data-session]").is_some() {
        events::rename_row(page, target);
        return true;
    }
    let menu = dom::by_id("chat-menu");
    let is_there = menu.is_some();
    dom::call(&menu, "showPopover");
    if let Some(title) = dom::by_id("chat-title") {
        dom::focus(&title);
    }
    is_there
}

fn delete(page: Page, target: &Element) -> bool {
    let row = dom::closest(target, ".row[data-session]");
    let id = row.and_then(|r| r.get_attribute("data-session")?.parse().ok());
    if let Some(id) = id {
        chats::delete(page, id);
    }
    id.is_some()
}

/// Single keys, which can be switched off.
fn single(key: &str) -> bool {
    if dom::load("single-keys").is_some() {
        return false;
    }
    match key {
        "n" | "N" => dom::go("/"),
        "j" | "J" => dom::go("/jobs"),
        "/" => {
            if let Some(field) = dom::composer() {
                dom::focus(&field);
            }
        }
        "[" => neighbour(-1),
        "]" => neighbour(1),
        "?" => dom::call(&dom::by_id("keys"), "togglePopover"),
        _ => return false,
    }
    true
}

/// To the chat above or below the one that is open.
fn neighbour(step: i32) {
    let links = dom::all(".side-list .row-link");
    let at = links.iter().position(|l| l.has_attribute("aria-current"));
    let to = match at {
        Some(at) => i32::try_from(at).unwrap_or_default() + step,
        None => 0,
    };
    let href = usize::try_from(to).ok().and_then(|to| links.get(to)).and_then(|l| l.get_attribute("href"));
    if let Some(href) = href {
        dom::go(&href);
    }
}
