//! What of a half-finished text is shown, so that nothing appears that the next words would take back.

use std::borrow::Cow;

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{Spot, inline, parse, plain};

/// How far behind a line's first `|` it may still be a table's heading, in bytes; a longer line is a text with a `|`.
const ROW: usize = 120;
/// The same for a line that begins with `|`.
const WHOLE_ROW: usize = 400;

/// Stands for a character that isn't shown yet. As long as the one it replaces, so that places stay; as a control
/// character it is never written.
pub(super) const HIDDEN: char = '\u{1}';

/// An open text as it is shown.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// To be parsed. Up to `end` every byte stands where it stands in the source.
    pub(super) text: Cow<'a, str>,
    /// How much of the source is in it; the rest is held back.
    pub(super) end: usize,
}

/// What an open text ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// A code block that begins at this place.
    Code(usize),
    /// Inline text that begins at this place, in a paragraph.
    Text(usize),
    /// Likewise, in a heading.
    Heading(usize),
    /// Likewise, in a table's cell.
    Cell(usize),
    Table,
    Html,
    Other,
}

/// Decides what to show of `open`, which begins with a block.
pub(super) fn view(open: &str) -> View<'_> {
    let mut end = open.len();
    let mut ending = Ending::Other;
    // What is held back can bring up another line to hold; that one ends before anything to be held.
    for _ in 0..4 {
        let shown = &open[..end];
        ending = ending_of(&parse(shown));
        let cut = hold(shown, ending);
        if cut == end {
            break;
        }
        end = cut;
        ending = Ending::Other;
    }
    let shown = &open[..end];
    let breaks = shown[shown.trim_end().len()..].matches('\n').count();
    let leaf = match ending {
        Ending::Text(leaf) if breaks <= 1 => leaf,
        Ending::Heading(leaf) if breaks == 0 => leaf,
        Ending::Cell(leaf) if breaks == 0 && !shown[leaf..].contains('|') => leaf,
        _ => return View { text: Cow::Borrowed(shown), end },
    };
    let fix = inline::complete(&shown[leaf..]);
    let whole = end;
    let end = leaf + fix.keep;
    if !fix.close.is_empty() && open[..end].lines().next_back().is_some_and(lone) {
        // Together with what closes, that line would be a rule or a fence.
        return View { text: Cow::Borrowed(shown), end: whole };
    }
    if fix.hide.is_empty() && fix.close.is_empty() {
        return View { text: Cow::Borrowed(&open[..end]), end };
    }
    let mut text = String::with_capacity(end + fix.close.len());
    let mut from = 0;
    for at in fix.hide {
        text.push_str(&open[from..leaf + at]);
        text.push(HIDDEN);
        from = leaf + at + 1;
    }
    text.push_str(&open[from..end]);
    text.push_str(&fix.close);
    View { text: Cow::Owned(text), end }
}

fn ending_of(events: &[Spot<'_>]) -> Ending {
    let mut within = None;
    let mut at = events.len();
    // Back over what closes at the end, and over the cells that a row lacks.
    while let Some((event, _)) = at.checked_sub(1).and_then(|last| events.get(last)) {
        match event {
            Event::End(tag) if !plain::inline(tag) => within = Some(*tag),
            Event::Start(Tag::TableCell) if within == Some(TagEnd::TableCell) => {}
            _ => break,
        }
        at -= 1;
    }
    let first = events[..at].iter().rposition(|(event, _)| !inline_event(event)).map_or(0, |block| block + 1);
    let leaf = events[..at].get(first).map(|(_, range)| range.start);
    match (within, leaf) {
        (Some(TagEnd::CodeBlock), _) => {
            let block = events[..at].iter().rev().find(|(event, _)| matches!(event, Event::Start(Tag::CodeBlock(_))));
            block.map_or(Ending::Other, |(_, range)| Ending::Code(range.start))
        }
        (Some(TagEnd::HtmlBlock), _) => Ending::Html,
        (Some(TagEnd::Heading(_)), Some(leaf)) => Ending::Heading(leaf),
        (Some(TagEnd::TableCell), Some(leaf)) => Ending::Cell(leaf),
        (Some(TagEnd::Table | TagEnd::TableHead | TagEnd::TableRow | TagEnd::TableCell), None) => Ending::Table,
        (Some(_), Some(leaf)) => Ending::Text(leaf),
        _ => Ending::Other,
    }
}

fn inline_event(event: &Event<'_>) -> bool {
    match event {
        Event::Start(tag) => plain::inline(&tag.to_end()),
        Event::End(tag) => plain::inline(tag),
        Event::Rule | Event::TaskListMarker(_) | Event::Html(_) => false,
        _ => true,
    }
}

/// Where to cut so that undecided lines at the end aren't shown.
fn hold(shown: &str, ending: Ending) -> usize {
    let line = shown.rfind('\n').map_or(0, |at| at + 1);
    let last = &shown[line..];
    match ending {
        // The line that opens a fence, until its language is known; what may become the line that closes it.
        Ending::Code(start) => return if start >= line || fence(last) { line } else { shown.len() },
        Ending::Html => return shown.len(),
        _ => {}
    }
    if lone(last) {
        return line;
    }
    match ending {
        Ending::Table | Ending::Cell(_) | Ending::Heading(_) => return shown.len(),
        _ => {}
    }
    if let Some(at) = row(last) {
        return line + at;
    }
    if let Ending::Text(leaf) = ending
        && leaf < line
        && last.trim().is_empty()
    {
        let above = shown[..line - 1].rfind('\n').map_or(0, |at| at + 1);
        if let Some(at) = row(&shown[above..line - 1]) {
            return above + at;
        }
    }
    shown.len()
}

/// May become the line that closes a fence.
fn fence(line: &str) -> bool {
    let bare = line.trim_matches([' ', '\t', '>']);
    !bare.is_empty() && (bare.bytes().all(|b| b == b'`') || bare.bytes().all(|b| b == b'~'))
}

/// Nothing but marks, which mean nothing yet: `-`, `#`, `>`, `1.`, `---`, `- [`, `**`, `|--`.
fn lone(line: &str) -> bool {
    let mut rest = line.trim_start_matches([' ', '\t', '>']);
    if rest.is_empty() {
        return line.contains('>');
    }
    let mut item = false;
    loop {
        let bare = rest.trim_end();
        if bare.bytes().all(|b| b"-+*=_#`~|: ".contains(&b))
            || item && matches!(bare, "[" | "[x" | "[X" | "[ ]" | "[x]" | "[X]")
        {
            return true;
        }
        let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
        if (1..=9).contains(&digits) && matches!(&bare[digits..], "" | "." | ")") {
            return true;
        }
        let marker = match rest.as_bytes() {
            [b'-' | b'+' | b'*', b' ', ..] => 1,
            bytes if digits > 0 && matches!(bytes.get(digits..digits + 2), Some([b'.' | b')', b' '])) => digits + 1,
            _ => return false,
        };
        rest = rest[marker..].trim_start();
        item = true;
    }
}

/// From where on a line may be a table's heading.
fn row(line: &str) -> Option<usize> {
    if line.trim_start_matches([' ', '\t', '>']).starts_with('|') {
        return (line.len() <= WHOLE_ROW).then_some(0);
    }
    let mut code = false;
    let mut bytes = line.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'`' => code = !code,
            b'\\' => drop(bytes.next()),
            b'|' if !code => return (line.len() - at <= ROW).then_some(at),
            _ => {}
        }
    }
    None
}
