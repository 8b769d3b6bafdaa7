//! Writes a growing reply into the page: at most once a frame, and only the block that is still open.

use std::{cell::RefCell, rc::Rc};

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::{content::Content, dom, scroll};
use crate::{
    components::{prose::Growing, words},
    domain::{PieceKind, Timestamp},
    pages::state::{Live, Page, Phase},
};

struct Inner {
    content: Content,
    model: Option<String>,
    growing: Growing,
    /// Text that came since the last frame.
    fresh: String,
    /// How many nodes `.prose` has up to the end of each closed block.
    closed: Vec<u32>,
    /// Text was taken back since the last frame; so much of what is shown remains, in bytes. More may have come since.
    cut: Option<usize>,
    /// Where other runners went on, in bytes of the text.
    seams: Vec<u32>,
    /// The text's height is held until it has grown past it again.
    held: bool,
    thinking_changed: bool,
    thinking_since: Option<Timestamp>,
    /// How long the thinking took, in milliseconds, once text has followed it.
    thought_ms: Option<u64>,
    scheduled: bool,
}

/// One reply's painter. Cheap to copy; the last state is the shared one.
#[derive(Clone)]
pub(crate) struct Painter {
    page: Page,
    live: Live,
    inner: Rc<RefCell<Inner>>,
}

impl Painter {
    pub(crate) fn new(page: Page, live: Live) -> Self {
        let inner = Inner {
            content: Content::default(),
            model: None,
            growing: Growing::new(live.turn.to_string()),
            fresh: String::new(),
            closed: Vec::new(),
            cut: None,
            seams: Vec::new(),
            held: false,
            thinking_changed: false,
            thinking_since: None,
            thought_ms: None,
            scheduled: false,
        };
        Self { page, live, inner: Rc::new(RefCell::new(inner)) }
    }

    pub(crate) fn model(&self, model: String) {
        self.inner.borrow_mut().model = Some(model);
    }

    pub(crate) fn push(&self, kind: PieceKind, text: &str) {
        let mut inner = self.inner.borrow_mut();
        inner.content.push(kind, text);
        match kind {
            PieceKind::Text => {
                inner.fresh.push_str(text);
                if let (Some(since), None) = (inner.thinking_since, inner.thought_ms) {
                    inner.thought_ms = Some(dom::now().since(since));
                    inner.thinking_changed = true;
                }
            }
            PieceKind::Thinking => {
                inner.thinking_changed = true;
                if inner.thinking_since.is_none() {
                    inner.thinking_since = Some(dom::now());
                }
            }
        }
        drop(inner);
        self.schedule();
    }

    pub(crate) fn rewind(&self, offset: u32) {
        let mut inner = self.inner.borrow_mut();
        if offset >= inner.content.offset() {
            return;
        }
        inner.content.rewind(offset);
        let end = inner.drop_seams() as usize;
        inner.cut = Some(inner.cut.map_or(end, |cut| cut.min(end)));
        inner.thinking_changed = true;
        drop(inner);
        self.schedule();
    }

    /// From here on another runner writes, who was not handed the reply. Says whether there is anything before it.
    pub(crate) fn seam(&self) -> bool {
        let mut inner = self.inner.borrow_mut();
        let begun = inner.content.offset() > 0;
        if begun {
            let at = inner.drop_seams();
            inner.seams.push(at);
        }
        begun
    }

    /// Shows a text that the server is about to send anew, so that it is never away.
    pub(crate) fn carry(&self, html: String) {
        self.inner.borrow_mut().held = true;
        let turn = self.live.turn;
        // Before the next frame is painted, but once the reply's elements are there.
        request_animation_frame(move || {
            if let Some(prose) = prose_of(turn) {
                prose.set_inner_html(&html);
                hold(&prose);
            }
        });
    }

    /// All the text there is, all the thinking, and where in the text others went on.
    pub(crate) fn all(&self) -> (String, String, Vec<u32>) {
        let inner = self.inner.borrow();
        (inner.content.of(PieceKind::Text), inner.content.of(PieceKind::Thinking), inner.seams.clone())
    }

    /// The model that writes, as far as it is known.
    pub(crate) fn written_by(&self) -> Option<String> {
        self.inner.borrow().model.clone()
    }

    fn schedule(&self) {
        if std::mem::replace(&mut self.inner.borrow_mut().scheduled, true) {
            return;
        }
        let this = self.clone();
        request_animation_frame(move || this.paint(false));
    }

    /// Writes what has come. At the end also without the caret, and with every block closed.
    pub(crate) fn paint(&self, last: bool) {
        let mut inner = self.inner.borrow_mut();
        let scheduled = std::mem::take(&mut inner.scheduled);
        if !scheduled && !last {
            return;
        }
        let Some(reply) = dom::by_id(&["reply-", &self.live.turn.to_string()].concat()) else { return };
        if let Some(prose) = dom::within(&reply, ".prose") {
            inner.write(&prose, last);
        }
        if std::mem::take(&mut inner.thinking_changed)
            && let Some(p) = dom::within(&reply, ".think p")
        {
            p.set_text_content(Some(&inner.content.of(PieceKind::Thinking)));
        }
        let thinking = inner.content.has(PieceKind::Thinking);
        let wrote = inner.content.has(PieceKind::Text);
        let (since, thought) = (inner.thinking_since, inner.thought_ms);
        // The signals below run views, which may come back here.
        drop(inner);
        self.tell(thinking, wrote, since, thought, last);
        scroll::follow(self.page);
    }

    fn tell(&self, thinking: bool, wrote: bool, since: Option<Timestamp>, thought: Option<u64>, last: bool) {
        let live = self.live;
        if live.wrote.get_untracked() != (thinking || wrote) {
            live.wrote.set(thinking || wrote);
        }
        let summary = match (thinking, since, thought) {
            (false, ..) => String::new(),
            (true, Some(_), Some(ms)) => words::thought(Some(ms)),
            (true, Some(since), None) if last => words::thought(Some(dom::now().since(since))),
            (true, Some(since), None) => ["Thinking, ", &words::whole_seconds(dom::now().since(since))].concat(),
            (true, None, _) => words::thought(None),
        };
        if live.thought.with_untracked(|t| *t != summary) {
            live.thought.set(summary);
        }
        let phase = match (wrote, thinking) {
            (true, _) => Phase::Writing,
            (false, true) => Phase::Thinking,
            (false, false) => return,
        };
        let was = live.phase.get_untracked();
        if matches!(was, Phase::Quiet | Phase::Waiting(_)) {
            self.page.say.set("Claude is writing.".to_owned());
        }
        if was != phase && !matches!(was, Phase::Ended | Phase::Lost | Phase::Held) {
            live.phase.set(phase);
        }
    }
}

impl Inner {
    /// Forgets the seams behind which nothing stands any more. Gives the text's length.
    fn drop_seams(&mut self) -> u32 {
        let end = self.content.of(PieceKind::Text).len() as u32;
        self.seams.retain(|seam| *seam < end);
        end
    }

    fn write(&mut self, prose: &HtmlElement, last: bool) {
        if let Some(end) = self.cut.take() {
            hold(prose);
            self.held = true;
            let text = self.content.of(PieceKind::Text);
            let remain = self.growing.cut(end);
            self.closed.truncate(remain);
            // What came after the cut, and what the cut took too much of.
            text.get(self.growing.len()..).unwrap_or_default().clone_into(&mut self.fresh);
        } else if self.fresh.is_empty() && !last {
            self.finish_hold(prose, last);
            return;
        }
        self.growing.seams(&self.seams);
        let update = self.growing.push(&std::mem::take(&mut self.fresh), last);
        cut(prose, self.closed.last().copied().unwrap_or_default());
        for block in &update.closed {
            append(prose, block);
            self.closed.push(prose.child_nodes().length());
        }
        append(prose, &update.tail);
        self.finish_hold(prose, last);
    }

    fn finish_hold(&mut self, prose: &HtmlElement, last: bool) {
        if self.held && (last || passed(prose)) {
            self.held = false;
            let _ = prose.style().remove_property("min-block-size");
        }
    }
}

/// Where a reply's text stands.
pub(crate) fn prose_of(turn: impl ToString) -> Option<HtmlElement> {
    let reply = dom::by_id(&["reply-", &turn.to_string()].concat())?;
    dom::within(&reply, ".prose")
}

/// What is below must not jump up: the height stays until the new text has passed it.
fn hold(prose: &HtmlElement) {
    let height = prose.offset_height();
    let _ = prose.style().set_property("min-block-size", &[&height.to_string(), "px"].concat());
}

/// Whether the text is as high again as the height that is held for it.
fn passed(prose: &HtmlElement) -> bool {
    let end = prose.last_element_child().map_or(0.0, |e: Element| e.get_bounding_client_rect().bottom());
    end >= prose.get_bounding_client_rect().bottom() - 1.0
}

fn cut(prose: &HtmlElement, keep: u32) {
    while prose.child_nodes().length() > keep {
        let Some(last) = prose.last_child() else { return };
        let _ = prose.remove_child(&last);
    }
}

fn append(prose: &HtmlElement, html: &str) {
    if !html.is_empty() {
        let _ = prose.unchecked_ref::<Element>().insert_adjacent_html("beforeend", html);
    }
}
