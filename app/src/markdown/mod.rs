//! Markdown as safe HTML, by the same code on the server and in the browser.
//!
//! What a model writes is never trusted: raw HTML comes out as text (but for a bare `<br>`), links lead to `http`, `https` and `mailto` only,
//! images aren't loaded unasked, and whatever isn't written by this module's own hand is escaped. The output nests as
//! HTML demands, so that a browser's parser makes of it exactly what was written here; it is used as `inner_html`.
//!
//! [`render`] takes a whole text. [`Live`] takes one that grows, and renders only its last block again; [`Stream`] is
//! the same for a page that grows without JavaScript.

mod code;
mod half;
mod inline;
mod live;
mod plain;
mod url;
mod write;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use live::{Live, Stream, Update};
pub use plain::{plain_text, words};
use pulldown_cmark::{Event, Parser};

/// How a text is rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Begins the `id` of every footnote, so that two messages on one page don't share any: best a message's id.
    pub prefix: String,
    /// Puts the caret behind the last visible character: the text is still being written.
    pub caret: bool,
}

/// Renders a whole text.
///
/// `seams` are the places where another runner took over, in bytes of `markdown`; each is marked within the text, or at
/// the next text if it stands between two blocks. One inside a code block isn't shown.
#[must_use]
pub fn render(markdown: &str, seams: &[u32]) -> String {
    render_with(markdown, seams, &Options::default())
}

/// As [`render`], with [`Options`].
#[must_use]
pub fn render_with(markdown: &str, seams: &[u32], options: &Options) -> String {
    let mut sorted = Vec::with_capacity(seams.len());
    for seam in seams {
        insert(&mut sorted, *seam);
    }
    let mut state = write::State::default();
    write::blocks(&parse(markdown), &sorted, &options.prefix, options.caret, &mut state)
}

/// Inserts in order. There are few, and a general sort weighs 3 KB in WASM.
fn insert<T: Ord>(sorted: &mut Vec<T>, item: T) {
    let at = sorted.iter().rposition(|before| *before <= item).map_or(0, |before| before + 1);
    sorted.insert(at, item);
}

/// An event and where in the source it stands.
type Spot<'a> = (Event<'a>, Range<usize>);

/// The one place that parses.
fn parse(text: &str) -> Vec<Spot<'_>> {
    use pulldown_cmark::Options as Syntax;
    #[cfg(test)]
    tests::count_parsed(text.len());
    let syntax =
        Syntax::ENABLE_TABLES | Syntax::ENABLE_TASKLISTS | Syntax::ENABLE_FOOTNOTES | Syntax::ENABLE_STRIKETHROUGH;
    Parser::new_ext(text, syntax).into_offset_iter().collect()
}
