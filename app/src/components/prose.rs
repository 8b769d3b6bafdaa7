//! The one place that turns a reply's Markdown into HTML, for stored replies and for those being written.

use crate::{
    domain::Message,
    markdown::{self, Live, Options, Update},
};

/// In the browser's copy of a message: there is a text, and it is in the page already.
pub const ELSEWHERE: &str = " ";

/// Whether a message's HTML is in the page already, and its text is not known here.
#[must_use]
pub fn is_elsewhere(message: &Message) -> bool {
    cfg!(not(feature = "ssr")) && message.text == ELSEWHERE
}

/// A stored reply's HTML. Its elements' ids begin with the message's, so that footnotes of two replies differ.
#[must_use]
pub fn stored(message: &Message) -> String {
    let seams: Vec<u32> = message.seams.iter().filter(|s| !s.planned).map(|s| s.offset).collect();
    let options = Options { prefix: message.message_id.to_string(), caret: false };
    markdown::render_with(&message.text, &seams, &options)
}

/// A reply's HTML while it grows: blocks that are done, once each, and the open one again and again.
pub struct Growing(Live);

impl Growing {
    /// `prefix` begins the ids of its elements: the message's id.
    #[must_use]
    pub fn new(prefix: String) -> Self {
        Self(Live::new(Options { prefix, caret: true }))
    }

    /// How many bytes of the text it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.text().len()
    }

    /// Whether it has no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.text().is_empty()
    }

    /// Takes back all text past so many bytes. Says how many of the closed blocks given so far remain.
    pub fn cut(&mut self, bytes: usize) -> usize {
        self.0.truncate(bytes)
    }

    /// Where other runners went on, in bytes.
    pub fn seams(&mut self, offsets: &[u32]) {
        self.0.seams(offsets);
    }

    /// Takes more text, and renders what has changed. At the `last` every block is closed, and there is no caret.
    pub fn push(&mut self, text: &str, last: bool) -> Update {
        self.0.push(text);
        if last { Update { closed: vec![self.0.finish()], tail: String::new() } } else { self.0.update() }
    }
}
