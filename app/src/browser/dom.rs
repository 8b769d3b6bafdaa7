//! Short ways to what a browser has. All of it is called after hydration only.

use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Element, Event, HtmlElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement, Storage};

use crate::domain::Timestamp;

/// Milliseconds since the epoch.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(js_sys::Date::now() as u64)
}

/// Minutes east of UTC, here and now.
pub(crate) fn offset() -> i32 {
    -(js_sys::Date::new_0().get_timezone_offset() as i32)
}

/// 80 random bits, as an id wants them.
pub(crate) fn random() -> u128 {
    let mut bytes = [0; 16];
    if let Ok(crypto) = window().crypto() {
        let _ = crypto.get_random_values_with_u8_array(&mut bytes);
    }
    u128::from_le_bytes(bytes)
}

/// Between 0 and 1, for jitter.
pub(crate) fn chance() -> f64 {
    js_sys::Math::random()
}

/// Listens, for as long as the document lives. One kind of listener for all events: every other costs WebAssembly.
pub(crate) fn on(name: &str, listener: impl FnMut(Event) + 'static) {
    let listener: Box<dyn FnMut(Event)> = Box::new(listener);
    let listener = Closure::wrap(listener);
    // Caught going down: some events do not bubble.
    let _ = window().add_event_listener_with_callback_and_bool(name, listener.as_ref().unchecked_ref(), true);
    listener.forget();
}

/// The element an event is about.
pub(crate) fn target<T: JsCast>(event: &Event) -> Option<T> {
    event.target()?.dyn_into().ok()
}

/// All elements that match.
pub(crate) fn all(selector: &str) -> Vec<HtmlElement> {
    let Ok(found) = document().query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|i| found.get(i)?.dyn_into().ok()).collect()
}

pub(crate) fn by_id(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

pub(crate) fn find(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok()??.dyn_into().ok()
}

pub(crate) fn within(element: &Element, selector: &str) -> Option<HtmlElement> {
    element.query_selector(selector).ok()??.dyn_into().ok()
}

pub(crate) fn closest(element: &Element, selector: &str) -> Option<HtmlElement> {
    element.closest(selector).ok()??.dyn_into().ok()
}

/// The composer's text field.
pub(crate) fn composer() -> Option<HtmlTextAreaElement> {
    by_id("text")?.dyn_into().ok()
}

pub(crate) fn focus(element: &HtmlElement) {
    let _ = element.focus();
}

/// The value of a field, whichever kind it is.
pub(crate) fn value(field: &HtmlElement) -> Option<String> {
    if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
        return Some(input.value());
    }
    if let Some(select) = field.dyn_ref::<HtmlSelectElement>() {
        return Some(select.value());
    }
    field.dyn_ref::<HtmlTextAreaElement>().map(HtmlTextAreaElement::value)
}

/// Where one may write: keys and Ctrl Z belong to the field then.
pub(crate) fn is_field(element: &Element) -> bool {
    element.matches("input:not([type=checkbox]), textarea, select, [contenteditable]").unwrap_or(false)
}

fn storage() -> Option<Storage> {
    // Absent where a person has switched storage off.
    window().local_storage().ok()?
}

pub(crate) fn load(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?.filter(|v| !v.is_empty())
}

/// Keeps a value; an empty one is forgotten.
pub(crate) fn store(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = if value.is_empty() { storage.remove_item(key) } else { storage.set_item(key, value) };
    }
}

/// Sets a cookie that lasts 400 days; an empty value takes it away.
pub(crate) fn cookie(name: &str, value: &str) {
    let age = if value.is_empty() { "0" } else { "34560000" };
    let cookie = [name, "=", value, "; Path=/; Max-Age=", age, "; SameSite=Lax"].concat();
    // Set by name: web-sys has it on HtmlDocument only.
    let _ = js_sys::Reflect::set(&document(), &JsValue::from_str("cookie"), &JsValue::from_str(&cookie));
}

pub(crate) fn is_visible() -> bool {
    !document().hidden()
}

pub(crate) fn is_online() -> bool {
    window().navigator().on_line()
}

/// The address becomes another one, without a navigation.
pub(crate) fn address(path: &str) {
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(path));
    }
}

pub(crate) fn go(path: &str) {
    let _ = window().location().set_href(path);
}

/// Calls a method without arguments that web-sys does not know, such as `showPopover`. What it throws is left alone:
/// a popover that is open cannot be opened.
pub(crate) fn call(element: &Option<HtmlElement>, method: &str) {
    let Some(element) = element else { return };
    if let Ok(function) = js_sys::Reflect::get(element, &JsValue::from_str(method))
        && let Some(function) = function.dyn_ref::<js_sys::Function>()
    {
        let _ = function.call0(element);
    }
}

pub(crate) fn uncheck(id: &str) {
    if let Some(field) = by_id(id).and_then(|f| f.dyn_into::<HtmlInputElement>().ok()) {
        field.set_checked(false);
    }
}

pub(crate) fn select(id: &str, value: &str) {
    if let Some(field) = by_id(id).and_then(|f| f.dyn_into::<HtmlSelectElement>().ok()) {
        field.set_value(value);
    }
}

/// Nothing has focus yet.
pub(crate) fn is_idle() -> bool {
    document().active_element().is_none_or(|e| e.tag_name() == "BODY")
}

/// On a phone focus would open the keyboard over the page.
pub(crate) fn has_mouse() -> bool {
    window().match_media("(pointer: fine)").ok().flatten().is_some_and(|m| m.matches())
}
