//! The one place that turns a reply's Markdown into HTML, for stored replies and for those being written.

use crate::{
    domain::Message,
    markdown::{self, Options},
};

/// In the browser's copy of a message: there is a text, and it is in the page already.
pub const ELSEWHERE: &str = " ";

/// A stored reply's HTML. Its elements' ids begin with the message's, so that footnotes of two replies differ.
#[must_use]
pub fn stored(message: &Message) -> String {
    if message.text == ELSEWHERE {
        return String::new();
    }
    // A planned hand-over leaves no mark.
    let seams: Vec<u32> = message.seams.iter().filter(|s| !s.planned).map(|s| s.offset).collect();
    let prefix = message.message_id.to_string();
    markdown::render_with(&message.text, &seams, &Options { prefix, caret: false })
}

/// A reply's HTML while it grows: blocks that are done, once each, and the open one again and again.
pub struct Growing {
    live: markdown::Live,
}

impl Growing {
    /// `prefix` begins the ids of its elements.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self { live: markdown::Live::new(Options { prefix: prefix.to_owned(), caret: true }) }
    }

    /// Takes more text; gives the HTML of blocks closed since, and of the open tail.
    pub fn push(&mut self, text: &str) -> (String, String) {
        self.live.push(text);
        let update = self.live.update();
        (update.closed.concat(), update.tail)
    }

    /// Takes the last of the text; every block is closed.
    pub fn end(&mut self, text: &str) -> (String, String) {
        self.live.push(text);
        (self.live.finish(), String::new())
    }
}
