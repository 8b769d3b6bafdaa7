//! The jobs' pages come to life: what is being written is followed, the rest of the page is fetched again when
//! something has changed, and the end is announced.
//!
//! The server writes these pages. What may change in them has an id and, in `data-state`, what it shows; the browser
//! takes the new one in its place where that differs.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures::{
    StreamExt,
    future::{Either, select},
};
use leptos::{prelude::*, task::spawn_local};
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DomParser, Element, HtmlElement, HtmlInputElement, Notification, NotificationOptions, NotificationPermission,
    Response, SupportedType,
};

use super::{
    content::Content,
    dom,
    follow::Opening,
    wake::{self, nap},
};
use crate::{
    components::words,
    domain::{Cursor, PieceKind, TurnEvent, TurnId},
    pages::state::Page,
    sse::Frame,
};

/// Browsers open six connections to a server that speaks HTTP/1.1, and forms and polls need some of them.
const FOLLOWED: usize = 4;
/// Between looks at a list, and the first look at a job.
const LOOK_MS: u32 = 3_000;
const LONGEST_PAUSE_MS: u32 = 30_000;
const GATHER_MS: u32 = 200;
/// Hidden, nothing is asked; the nap ends when the tab is looked at again.
const HIDDEN_MS: u32 = 3_600_000;
/// Silence after which a stream counts as dead.
const STALL_MS: u64 = 25_000;
/// What is shown of a text in a card: its end.
const SHOWN: usize = 3_000;

thread_local! {
    /// The turns that are followed.
    static TURNS: RefCell<Vec<TurnId>> = const { RefCell::new(Vec::new()) };
    /// One of them has ended: the job is looked at, also in a hidden tab.
    static ENDED: Cell<bool> = const { Cell::new(false) };
}

/// Brings the page to life.
pub(crate) fn start(page: Page) {
    let Some(main) = dom::by_id("main") else { return };
    check_schema();
    count_form();
    if let Some(job) = main.get_attribute("data-watch") {
        show_notify();
        follow_cards();
        spawn_local(watch(page, job, main.get_attribute("data-title").unwrap_or_default()));
    } else if main.has_attribute("data-watch-list") {
        spawn_local(watch_list());
    }
}

/// A page from the back/forward cache hands in another job than the one it has handed in already.
pub(crate) fn renew() {
    if let Some(field) = dom::find("[name=job_id][value]").and_then(|f| f.dyn_into::<HtmlInputElement>().ok())
        && dom::by_id("schema").is_some()
    {
        field.set_value(&TurnId::from_parts(dom::now(), dom::random()).to_string());
    }
}

/// What an address gives: status, the pause it asks for in seconds, and the text.
async fn fetch(address: &str) -> Option<(u16, Option<u32>, String)> {
    let answer: Response = JsFuture::from(window().fetch_with_str(address)).await.ok()?.dyn_into().ok()?;
    let pause = answer.headers().get("retry-after").ok().flatten().and_then(|s| s.parse().ok());
    let text = JsFuture::from(answer.text().ok()?).await.ok()?.as_string()?;
    Some((answer.status(), pause, text))
}

/// The text at an address of ours.
pub(crate) async fn text_at(address: &str) -> Option<String> {
    fetch(address).await.filter(|(status, ..)| *status == 200).map(|(.., text)| text)
}

/// Takes what has changed of this page.
async fn refresh() -> bool {
    let here = window().location().href().unwrap_or_default();
    let Some(html) = text_at(&here).await else { return false };
    let Ok(new) = DomParser::new().and_then(|p| p.parse_from_string(&html, SupportedType::TextHtml)) else {
        return false;
    };
    let Ok(found) = new.query_selector_all("[data-state]") else { return false };
    for new in (0..found.length()).filter_map(|i| found.get(i)?.dyn_into::<Element>().ok()) {
        let Some(old) = dom::by_id(&new.id()) else { continue };
        if old.get_attribute("data-state") == new.get_attribute("data-state") {
            continue;
        }
        if let Ok(new) = document().import_node_with_deep(&new, true) {
            let _ = old.replace_with_with_node_1(&new);
        }
    }
    new.query_selector("[data-watch-list]").is_ok_and(|m| m.is_some())
}

async fn watch_list() {
    loop {
        nap(if dom::is_visible() { LOOK_MS } else { HIDDEN_MS }).await;
        if dom::is_visible() && !refresh().await && dom::is_online() {
            return;
        }
    }
}

/// Looks at a job until it is over.
async fn watch(page: Page, job: String, title: String) {
    let status = ["/api/jobs/status?job_id=", &job].concat();
    let mut pause = LOOK_MS;
    let mut shown = String::new();
    loop {
        if !ENDED.get() {
            nap(if dom::is_visible() { pause } else { HIDDEN_MS }).await;
        }
        // Several that end together are one look.
        wake::pause(GATHER_MS).await;
        let ended = ENDED.take();
        if !ended && !dom::is_visible() {
            continue;
        }
        let job = match fetch(&status).await {
            Some((404, ..)) => return,
            Some((200, after, text)) => {
                pause = after.map_or(LOOK_MS, |s| s * 1000);
                serde_json::from_str::<Value>(&text).ok()
            }
            _ => None,
        };
        let Some(job) = job else {
            pause = (pause * 2).min(LONGEST_PAUSE_MS);
            if ended {
                // What has ended is still to be announced, hidden or not.
                nap(pause).await;
                ENDED.set(true);
            }
            continue;
        };
        let variants = job.get("variants").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let states: String = variants.iter().map(|v| [word(v, "status"), word(v, "turn_id")].concat()).collect();
        if states != shown {
            refresh().await;
            shown = states;
        }
        for variant in variants {
            count(word(variant, "turn_id"), variant.get("chars").and_then(Value::as_u64).unwrap_or(0));
        }
        let ended = match word(&job, "status") {
            "COMPLETE" => "Done",
            "CANCELLED" => "Cancelled",
            "FAILED" => "Failed",
            _ => {
                let done = variants.iter().filter(|v| word(v, "status") == "COMPLETE").count();
                super::entitle(&[&done.to_string(), " of ", &variants.len().to_string(), " · ", &title].concat());
                follow_cards();
                continue;
            }
        };
        super::entitle(&[ended, ": ", &title].concat());
        page.say.set(["Job ended: ", ended, "."].concat());
        if !dom::is_visible() && Notification::permission() == NotificationPermission::Granted {
            let options = NotificationOptions::new();
            options.set_body(&title);
            let _ = Notification::new_with_options(&["Job: ", ended].concat(), &options);
        }
        return;
    }
}

/// A field of what the server said. Read so, and not as the type that it is: that would weigh more than all of this.
fn word<'a>(json: &'a Value, name: &str) -> &'a str {
    json.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn card(turn: &str) -> Option<HtmlElement> {
    dom::find(&["[data-turn=\"", turn, "\"]"].concat())
}

/// What is followed counts for itself.
fn count(turn: &str, chars: u64) {
    let followed = turn.parse().is_ok_and(|turn: TurnId| TURNS.with_borrow(|all| all.contains(&turn)));
    if !followed && let Some(card) = card(turn) {
        say_count(&card, chars);
    }
}

fn say_count(card: &HtmlElement, chars: u64) {
    if let Some(field) = dom::within(card, "[data-chars]") {
        field.set_text_content(Some(&words::counted(chars, "character", "characters")));
    }
}

/// Follows the first few that have not ended.
fn follow_cards() {
    for card in dom::all("[data-turn]") {
        let Some(turn) = card.get_attribute("data-turn").and_then(|t| t.parse::<TurnId>().ok()) else { continue };
        let begin = TURNS.with_borrow_mut(|all| {
            let begin = all.len() < FOLLOWED && !all.contains(&turn);
            if begin {
                all.push(turn);
            }
            begin
        });
        if begin {
            spawn_local(async move {
                follow(turn).await;
                TURNS.with_borrow_mut(|all| all.retain(|t| *t != turn));
                ENDED.set(true);
                wake::wake();
            });
        }
    }
}

/// Follows a turn until it ends, or is no longer on the page.
async fn follow(turn: TurnId) {
    let content = Rc::new(RefCell::new(Content::default()));
    let scheduled = Rc::new(Cell::new(false));
    let mut cursor = Cursor::default();
    let mut failures = 0u32;
    let name = turn.to_string();
    while card(&name).is_some() {
        if let Ok(mut stream) = Opening::Follow.open(turn, cursor).await {
            let mut heard = dom::now();
            loop {
                let frame = match select(stream.next(), Box::pin(nap(5_000))).await {
                    Either::Left((frame, _)) => frame,
                    Either::Right(_) if dom::now().since(heard) >= STALL_MS || card(&name).is_none() => break,
                    Either::Right(_) => continue,
                };
                let Some(Ok(frame)) = frame else { break };
                heard = dom::now();
                failures = 0;
                let Frame::Event { cursor: at, event } = frame else { continue };
                cursor = at.unwrap_or(cursor);
                match event {
                    TurnEvent::Text { text } => content.borrow_mut().push(PieceKind::Text, &text),
                    TurnEvent::Thinking { text } => content.borrow_mut().push(PieceKind::Thinking, &text),
                    TurnEvent::Rewind { to } => content.borrow_mut().rewind(to.offset),
                    TurnEvent::Release {} => break,
                    TurnEvent::End { .. } => return,
                    _ => continue,
                }
                if !scheduled.replace(true) {
                    let (content, scheduled, name) = (content.clone(), scheduled.clone(), name.clone());
                    request_animation_frame(move || {
                        scheduled.set(false);
                        paint(&name, &content.borrow());
                    });
                }
            }
        }
        failures += 1;
        nap((250 << failures.min(5)) + (250.0 * dom::chance()) as u32).await;
    }
}

fn paint(turn: &str, content: &Content) {
    let Some(card) = card(turn) else { return };
    let text = content.of(PieceKind::Text);
    say_count(&card, text.chars().count() as u64);
    let Some(face) = dom::within(&card, "[data-text]") else {
        // It is waiting, as far as the page knows: it is looked at again.
        ENDED.set(true);
        wake::wake();
        return;
    };
    let mut from = if card.class_name().contains("card") { text.len().saturating_sub(SHOWN) } else { 0 };
    while !text.is_char_boundary(from) {
        from += 1;
    }
    face.set_text_content(text.get(from..));
}

fn show_notify() {
    let asked = js_sys::Reflect::has(&window(), &JsValue::from_str("Notification")).unwrap_or(false)
        && Notification::permission() == NotificationPermission::Default;
    if asked && let Some(button) = dom::find("[data-do=notify]") {
        button.set_hidden(false);
    }
}

/// Asks the person whether the end may be announced: only ever on their click.
pub(crate) fn notify(button: &HtmlElement) {
    let _ = Notification::request_permission();
    button.set_hidden(true);
}

/// Says how long the prompt is, and on the button how many variants are handed in.
pub(crate) fn count_form() {
    let of = |id: &str| dom::by_id(id).and_then(|field| dom::value(&field));
    if let (Some(said), Some(prompt)) = (dom::by_id("prompt-count"), of("prompt")) {
        said.set_text_content(Some(&words::counted(prompt.chars().count() as u64, "character", "characters")));
    }
    if let (Some(said), Some(variants)) = (dom::by_id("how-many"), of("variants")) {
        let many = variants.trim().parse().ok().filter(|n| (1..=10).contains(n));
        let many = many.map(|n| [" ", &words::counted(n, "variant", "variants")].concat());
        said.set_text_content(many.as_deref());
    }
}

/// Says under the schema, while it is being written, whether it is JSON and where it is not.
pub(crate) fn check_schema() {
    let (Some(field), Some(said)) = (dom::by_id("schema"), dom::by_id("schema-fault")) else { return };
    let text = dom::value(&field).unwrap_or_default();
    // What the server said stands until something is changed.
    if said.class_name() == "fault" && said.get_attribute("data-for").is_none_or(|t| t == text) {
        let _ = said.set_attribute("data-for", &text);
        return;
    }
    let (class, words) = match serde_json::from_str::<Value>(&text) {
        _ if text.trim().is_empty() => ("", String::new()),
        Ok(json) if json.is_object() => {
            let fields = json.get("properties").and_then(|p| p.as_object()).map(|p| p.len() as u64);
            let fields = fields.map_or_else(String::new, |n| [", ", &words::counted(n, "field", "fields")].concat());
            ("fine", ["JSON", &fields].concat())
        }
        Ok(_) => ("fault", "A schema has to be a JSON object.".to_owned()),
        Err(e) => (
            "fault",
            ["Not JSON yet: line ", &e.line().to_string(), ", column ", &e.column().to_string(), "."].concat(),
        ),
    };
    said.set_class_name(class);
    said.set_text_content(Some(&words));
    let _ = field.set_attribute("aria-invalid", if class == "fault" { "true" } else { "false" });
}
