//! A text that grows: what is finished is rendered once, only the open block at its end again and again.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag};

use super::{Options, Spot, half, parse, write};

/// What is new since the last update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// The HTML of blocks that are finished now, one each, to be appended to those that were given before; they stay as
    /// they are.
    pub closed: Vec<String>,
    /// The HTML of what is still open, in place of the last one. It may be empty.
    pub tail: String,
}

/// A growing text, rendered as it grows.
///
/// An update costs what the open block costs, however long the text is. What is half-finished is shown as if it were
/// complete, or held back until it is clear what it is. Everything closed, together with [`Live::finish`], is what
/// [`super::render_with`] makes of the whole, but for link reference definitions that are used in another block than
/// the one they stand in.
#[derive(Debug, Default)]
pub struct Live {
    source: Source,
    done: Done,
}

#[derive(Debug, Default)]
struct Source {
    options: Options,
    text: String,
    seams: Vec<u32>,
}

/// What is finished.
#[derive(Debug, Default)]
struct Done {
    blocks: Vec<Closed>,
    state: write::State,
}

/// A finished block.
#[derive(Debug)]
struct Closed {
    /// Where the next one begins, in bytes.
    end: usize,
    /// How much of the text made clear that it was finished.
    seen: usize,
    /// What it leaves to the next.
    state: write::State,
}

impl Live {
    /// An empty text.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { source: Source { options, ..Source::default() }, done: Done::default() }
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// Adds to the text.
    pub fn push(&mut self, text: &str) {
        self.source.text.push_str(text);
    }

    /// From here on, another runner writes. Says where that is, in bytes.
    pub fn seam(&mut self) -> u32 {
        let at = u32::try_from(self.source.text.len()).unwrap_or(u32::MAX);
        self.source.seams.push(at);
        at
    }

    /// Where other runners went on, in bytes and in order, in place of what was said of that before. What stands
    /// before an offset that is new must not be in a block that was closed.
    pub fn seams(&mut self, offsets: &[u32]) {
        offsets.clone_into(&mut self.source.seams);
    }

    /// Cuts the text to its first `bytes` bytes (or a little less, so that no character is torn). Says how many of the
    /// closed blocks given so far remain; the page drops the others.
    pub fn truncate(&mut self, bytes: usize) -> usize {
        let Self { source, done } = self;
        let bytes = source.text.floor_char_boundary(bytes);
        source.text.truncate(bytes);
        source.seams.retain(|seam| (*seam as usize) < bytes);
        while done.blocks.last().is_some_and(|block| block.seen > bytes) {
            done.blocks.pop();
        }
        done.state = done.blocks.last().map(|block| block.state.clone()).unwrap_or_default();
        done.blocks.len()
    }

    /// Renders what has changed.
    #[must_use]
    pub fn update(&mut self) -> Update {
        let Self { source, done } = self;
        let from = done.end();
        let view = half::view(&source.text[from..]);
        let notes = notes_ahead(&view.text);
        let text = with_notes(&notes, &view.text);
        let events = shifted(&text, notes.len(), from);
        let blocks = top_level(&events);
        let mut update = Update::default();
        if let [.., before, last] = &blocks[..]
            && begun(&source.text, &events[before.events.start].0, last.at, from + view.end)
        {
            update.closed = done.close(source, &events, &blocks);
        }
        let open = blocks.get(update.closed.len()).map_or(events.len(), |block| block.events.start);
        if open < events.len() || source.options.caret && !source.text.is_empty() {
            let mut state = done.state.clone();
            let Options { prefix, caret } = &source.options;
            update.tail = write::blocks(&events[open..], &source.seams, prefix, *caret, &mut state);
        }
        update
    }

    /// Renders what is still open, as it is: the text is complete.
    #[must_use]
    pub fn finish(&mut self) -> String {
        let Self { source, done } = self;
        let from = done.end();
        let notes = notes_ahead(&source.text[from..]);
        let text = with_notes(&notes, &source.text[from..]);
        let events = shifted(&text, notes.len(), from);
        done.block(source, &events, source.text.len())
    }

    /// Renders the blocks that complete lines have finished. In contrast to [`Live::update`] a blank line is enough.
    fn settle(&mut self) -> String {
        let Self { source, done } = self;
        let from = done.end();
        let end = source.text.rfind('\n').map_or(from, |at| at + 1).max(from);
        let notes = notes_ahead(&source.text[from..end]);
        let text = with_notes(&notes, &source.text[from..end]);
        let events = shifted(&text, notes.len(), from);
        let blocks = top_level(&events);
        let mut out = done.close(source, &events, &blocks).concat();
        if let Some(last) = blocks.last()
            && blank_before(&source.text, end)
            && matches!(
                events[last.events.start].0,
                Event::Start(Tag::Paragraph | Tag::Heading { .. } | Tag::Table(_) | Tag::BlockQuote(_)) | Event::Rule
            )
        {
            out.push_str(&done.block(source, &events[last.events.clone()], end));
        }
        out
    }
}

impl Done {
    /// Where the open part begins.
    fn end(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.end)
    }

    /// Closes all blocks but the last.
    fn close(&mut self, source: &Source, events: &[Spot<'_>], blocks: &[Block]) -> Vec<String> {
        let mut html = Vec::new();
        for (block, next) in blocks.iter().zip(blocks.iter().skip(1)) {
            // Cut at the line's beginning, since its indentation tells what it is.
            let end = source.text[..next.at].rfind('\n').map_or(0, |at| at + 1);
            html.push(self.block(source, &events[block.events.clone()], end));
        }
        html
    }

    fn block(&mut self, source: &Source, events: &[Spot<'_>], end: usize) -> String {
        let Source { options, text, seams } = source;
        let html = write::blocks(events, seams, &options.prefix, false, &mut self.state);
        // The next one's first line, and the second, without which a table is none.
        let seen = text[end..].match_indices('\n').nth(1).map_or(text.len(), |(at, _)| end + at + 1);
        self.blocks.push(Closed { end, seen, state: self.state.clone() });
        html
    }
}

/// Whether the last block, at `at`, has begun for good, so that those before it are finished: its first line is complete
/// and shown, or it stands behind a blank line and what stands before can't be carried on by it.
fn begun(text: &str, before: &Event<'_>, at: usize, shown: usize) -> bool {
    if text[at..].find('\n').is_some_and(|end| at + end <= shown) {
        return true;
    }
    blank_before(text, at)
        && match before {
            Event::Start(Tag::List(_)) => {
                !text[at..].trim_start().starts_with(|c: char| c.is_ascii_digit() || "-+*".contains(c))
            }
            Event::Start(Tag::FootnoteDefinition(_) | Tag::HtmlBlock) => false,
            Event::Start(Tag::CodeBlock(kind)) => matches!(kind, CodeBlockKind::Fenced(_)),
            _ => true,
        }
}

/// A growing text for a page that grows without JavaScript: nothing is ever taken back.
#[derive(Debug, Default)]
pub struct Stream {
    live: Live,
}

impl Stream {
    /// An empty text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Stream::new`], with options; the caret doesn't apply.
    #[must_use]
    pub fn with(options: Options) -> Self {
        Self { live: Live::new(Options { caret: false, ..options }) }
    }

    /// Adds to the text, and renders the blocks that this finished, if any.
    pub fn push(&mut self, text: &str) -> Option<String> {
        self.live.push(text);
        if !text.contains('\n') {
            return None;
        }
        let html = self.live.settle();
        (!html.is_empty()).then_some(html)
    }

    /// From here on, another runner writes. Says where that is, in bytes.
    pub fn seam(&mut self) -> u32 {
        self.live.seam()
    }

    /// Renders the rest: the text is complete.
    #[must_use]
    pub fn finish(&mut self) -> String {
        self.live.finish()
    }
}

/// One block that stands in no other.
#[derive(Debug)]
struct Block {
    events: Range<usize>,
    /// Where it begins, in bytes, behind its first line's indentation.
    at: usize,
}

/// The blocks that stand in no other.
fn top_level(events: &[Spot<'_>]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (index, (event, _)) in events.iter().enumerate() {
        match event {
            Event::Start(_) => {
                if depth == 0 {
                    start = index;
                }
                depth += 1;
            }
            Event::End(_) => {
                depth -= 1;
                if depth == 0 {
                    blocks.push(Block { events: start..index + 1, at: events[start].1.start });
                }
            }
            _ if depth == 0 => blocks.push(Block { events: index..index + 1, at: events[index].1.start }),
            _ => {}
        }
    }
    blocks
}

/// Whether the last line before `at` is blank; `at` stands at a line's beginning or within its indentation.
fn blank_before(text: &str, at: usize) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let Some(above) = text[..line].strip_suffix('\n') else { return false };
    above[above.rfind('\n').map_or(0, |end| end + 1)..].trim().is_empty()
}

/// Definitions for the footnotes that a text refers to, wherever they really stand, so that a reference is one already
/// while it is being written. They stand before the text, and what is made of them isn't shown.
fn notes_ahead(text: &str) -> String {
    let mut out = String::new();
    for (at, _) in text.match_indices('^') {
        if !text[..at].ends_with('[') {
            continue;
        }
        let label = text[at + 1..].split(']').next().unwrap_or_default();
        let plain = label.len() <= 24 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if plain && !label.is_empty() {
            out.push_str("[^");
            out.push_str(label);
            out.push_str("]:\n");
        }
    }
    if !out.is_empty() {
        out.push_str("***\n");
    }
    out
}

fn with_notes<'a>(notes: &str, text: &'a str) -> Cow<'a, str> {
    if notes.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(notes.len() + text.len());
    out.push_str(notes);
    out.push_str(text);
    Cow::Owned(out)
}

/// The events of `source` behind its first `skip` bytes, placed as if it stood at `from` without them.
fn shifted(source: &str, skip: usize, from: usize) -> Vec<Spot<'_>> {
    let mut events = parse(source);
    events.retain_mut(|(_, range)| {
        let shown = range.start >= skip;
        *range = (range.start + from).saturating_sub(skip)..(range.end + from).saturating_sub(skip);
        shown
    });
    events
}
