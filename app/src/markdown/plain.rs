//! Markdown as words.

use pulldown_cmark::Event;

use super::{parse, write::is_break};

/// The text without its marks, on one line: for titles, and for what is read aloud.
#[must_use]
pub fn plain_text(markdown: &str) -> String {
    let mut raw = String::with_capacity(markdown.len());
    for (event, _) in parse(markdown) {
        match event {
            Event::Html(text) | Event::InlineHtml(text) if is_break(text.trim()) => raw.push(' '),
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => raw.push_str(&text),
            Event::Start(tag) if inline(&tag.to_end()) => {}
            Event::End(tag) if inline(&tag) => {}
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
            _ => raw.push(' '),
        }
    }
    let mut out = String::with_capacity(raw.len());
    for word in raw.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Whether a mark stands within a line of text.
pub(super) fn inline(tag: &pulldown_cmark::TagEnd) -> bool {
    use pulldown_cmark::TagEnd::{Emphasis, Image, Link, Strikethrough, Strong};
    matches!(tag, Emphasis | Strong | Strikethrough | Link | Image)
}

/// How many words a text has, as a reader would count them: marks are none, and in scripts that don't separate words a
/// character is one.
#[must_use]
pub fn words(text: &str) -> u32 {
    let mut count = 0;
    let mut within = false;
    for c in text.chars() {
        if matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        {
            count += 1;
            within = false;
        } else if c.is_whitespace() {
            within = false;
        } else if !within && c.is_alphanumeric() {
            count += 1;
            within = true;
        }
    }
    count
}
