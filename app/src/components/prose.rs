//! The one place that turns a reply's Markdown into HTML, for stored replies and for those being written.

use crate::domain::Message;

/// In the browser's copy of a message: there is a text, and it is in the page already.
pub const ELSEWHERE: &str = " ";

/// A stored reply's HTML. Its elements' ids begin with the message's, so that footnotes of two replies differ.
#[must_use]
pub fn stored(message: &Message) -> String {
    if message.text == ELSEWHERE {
        return String::new();
    }
    stand_in(&message.text, false)
}

fn stand_in(text: &str, caret: bool) -> String {
    let mut out = String::new();
    for p in text.split("\n\n").filter(|p| !p.trim().is_empty()) {
        out.push_str("<p>");
        out.push_str(&p.replace('&', "&amp;").replace('<', "&lt;"));
        out.push_str("</p>");
    }
    if caret {
        out.push_str("<span class=\"caret\" aria-hidden=\"true\"></span>");
    }
    out
}

/// A reply's HTML while it grows: blocks that are done, once each, and the open one again and again.
pub struct Growing {
    text: String,
}

impl Growing {
    /// `prefix` begins the ids of its elements.
    #[must_use]
    pub fn new(_prefix: &str) -> Self {
        Self { text: String::new() }
    }

    /// Takes more text; gives the HTML of blocks closed since, and of the open tail.
    pub fn push(&mut self, text: &str) -> (String, String) {
        self.text.push_str(text);
        (String::new(), stand_in(&self.text, true))
    }

    /// Takes the last of the text; every block is closed.
    pub fn end(&mut self, text: &str) -> (String, String) {
        self.text.push_str(text);
        (stand_in(&self.text, false), String::new())
    }
}
