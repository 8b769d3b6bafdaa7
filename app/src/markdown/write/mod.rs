//! Events become HTML.

mod image;
mod notes;
mod tags;

use std::ops::Range;

use pulldown_cmark::Event;

use self::{image::Image, notes::Note, tags::Table};
use super::Spot;

const CARET: &str = "<span class=\"caret\" aria-hidden=\"true\"></span>";
const SEAM: &str = "<span class=\"seam\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">\
    <rect x=\"5\" y=\"1\" width=\"6\" height=\"14\" class=\"ground\"/><circle cx=\"8\" cy=\"8\" r=\"3.25\" \
    class=\"solid\"/></svg><span class=\"seam-note\">Picked up where it left off</span></span>";

/// What one block leaves to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The levels of the headings that the text stands under, a bit each.
    headings: u8,
    /// Footnotes in the order in which they came up: the first is number 1.
    notes: Vec<Note>,
    /// How many seams are behind.
    seam: usize,
}

impl State {
    /// Whether the next heading, of this level in the text, is an `h3`; else it is an `h4`. The question above is `h2`,
    /// and no level is left out on the way down.
    fn heading(&mut self, level: u8) -> bool {
        let bit = 1 << level;
        self.headings = self.headings & (bit - 1) | bit;
        self.headings.count_ones() == 1
    }
}

/// Renders whole blocks. The places in `events` and in `seams`, which are in order, count from the same beginning.
pub(super) fn blocks(events: &[Spot<'_>], seams: &[u32], prefix: &str, caret: bool, state: &mut State) -> String {
    let mut writer = Writer {
        out: String::with_capacity(events.len() * 24),
        closers: Vec::new(),
        task_lists: tags::task_lists(events),
        lists: Vec::new(),
        prefix,
        seams,
        state,
        end: None,
        line: Line::Text,
        image: None,
        link: false,
        marker_written: false,
        table: Table::default(),
    };
    for (at, (event, range)) in events.iter().enumerate() {
        writer.event(event, range, &events[at + 1..], at);
    }
    let Writer { mut out, end, .. } = writer;
    if caret {
        match end {
            Some(end) => out.insert_str(end, CARET),
            None => {
                out.push_str("<p>");
                out.push_str(CARET);
                out.push_str("</p>");
            }
        }
    }
    out
}

/// Escapes for text, and with `attribute` for a value in double quotes. Control characters, which HTML forbids, go.
pub(super) fn escape(out: &mut String, text: &str, attribute: bool) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let instead = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' if attribute => "&quot;",
            b'\n' | b'\t' | b' '..=b'~' | 0x80.. => continue,
            _ => "",
        };
        out.push_str(&text[from..at]);
        out.push_str(instead);
        from = at + 1;
    }
    out.push_str(&text[from..]);
}

/// The one tag that is taken for what it is, since a table's cell knows no other line break: exactly so, without any
/// attribute. What is written then is our own `<br>`.
pub(super) fn is_break(html: &str) -> bool {
    BREAKS.contains(&html)
}

/// How a line break may be spelled.
pub(super) const BREAKS: [&str; 3] = ["<br>", "<br/>", "<br />"];

/// How lines that follow each other are kept apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Running text.
    Text,
    /// In a code block; `true`: a line break is due before the next character.
    Code(bool),
    /// Raw HTML shown as text; `true`: likewise.
    Html(bool),
}

struct Writer<'a> {
    out: String,
    /// What closes each open mark; empty for one that wrote no tag.
    closers: Vec<&'static str>,
    task_lists: Vec<usize>,
    /// The open lists; `true`: of tasks.
    lists: Vec<bool>,
    prefix: &'a str,
    seams: &'a [u32],
    state: &'a mut State,
    /// Behind the last visible character.
    end: Option<usize>,
    line: Line,
    image: Option<Image>,
    link: bool,
    marker_written: bool,
    table: Table,
}

impl Writer<'_> {
    fn event(&mut self, event: &Event<'_>, range: &Range<usize>, after: &[Spot<'_>], at: usize) {
        if self.image.is_some() {
            return self.within_image(event);
        }
        match event {
            Event::Start(tag) => self.start(tag, range, after, at),
            Event::End(tag) => self.end(*tag),
            Event::Text(text) => self.text(text, range),
            Event::Code(text) => {
                self.seam_before(range.end);
                self.out.push_str("<code>");
                self.plain(text);
                self.out.push_str("</code>");
            }
            Event::Html(text) if matches!(self.line, Line::Html(_)) => self.html_line(text, range),
            Event::InlineHtml(text) if is_break(text) => {
                self.seam_before(range.end);
                self.out.push_str("<br>");
            }
            Event::Html(text) | Event::InlineHtml(text) => self.text(text, range),
            Event::FootnoteReference(label) => self.cite(label),
            Event::SoftBreak => self.out.push('\n'),
            Event::HardBreak => self.out.push_str("<br>"),
            Event::Rule => self.out.push_str("<hr>"),
            Event::TaskListMarker(done) => {
                if !std::mem::take(&mut self.marker_written) {
                    self.out.push_str(tags::check_box(*done));
                }
            }
            // Not switched on.
            Event::InlineMath(text) | Event::DisplayMath(text) => self.text(text, range),
        }
    }

    fn text(&mut self, text: &str, range: &Range<usize>) {
        if matches!(self.line, Line::Code(_)) {
            return self.code(text);
        }
        self.seam_before(range.start + 1);
        let mut from = 0;
        // Where the text is not what stands in the source (an entity), nothing goes in between.
        if text.len() == range.len() {
            while let Some(seam) = self.seam_in(range) {
                let at = text.floor_char_boundary(seam - range.start);
                self.plain(&text[from..at]);
                from = at;
                self.seam_before(seam + 1);
            }
        }
        self.plain(&text[from..]);
    }

    fn plain(&mut self, text: &str) {
        escape(&mut self.out, text, false);
        self.end = Some(self.out.len());
    }

    /// The last line break of a block isn't shown, so each waits for what follows it.
    fn code(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            if self.line == Line::Code(true) {
                self.out.push('\n');
            }
            let bare = line.strip_suffix('\n');
            self.line = Line::Code(bare.is_some());
            self.plain(bare.unwrap_or(line));
        }
    }

    fn html_line(&mut self, text: &str, range: &Range<usize>) {
        self.seam_before(range.end);
        for line in text.split_inclusive('\n') {
            if self.line == Line::Html(true) {
                self.out.push_str("<br>");
            }
            let bare = line.strip_suffix('\n');
            // One that stands alone, between two paragraphs. Within other HTML it is text, as all of that is.
            if self.out.ends_with("<p>") && is_break(line.trim()) {
                self.out.push_str("<br>");
                continue;
            }
            self.line = Line::Html(bare.is_some());
            self.plain(bare.unwrap_or(line));
        }
    }

    /// The first seam not yet placed, if it stands within `range`.
    fn seam_in(&self, range: &Range<usize>) -> Option<usize> {
        let seam = *self.seams.get(self.state.seam)? as usize;
        (seam < range.end).then_some(seam)
    }

    /// Writes a seam here if any not yet placed stands before `end`.
    fn seam_before(&mut self, end: usize) {
        let mut any = false;
        while self.seam_in(&(0..end)).is_some() {
            self.state.seam += 1;
            any = true;
        }
        if any {
            self.out.push_str(SEAM);
        }
    }

    fn skip_seams_within(&mut self, range: &Range<usize>) {
        // One that stands before the block, between two, is for the next text.
        while self.seam_in(range).is_some_and(|seam| seam > range.start) {
            self.state.seam += 1;
        }
    }
}
