//! What opens and closes.

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Tag, TagEnd};

use super::{
    super::{Spot, code, url},
    Line, Writer, escape,
    image::Image,
};

/// Marks deeper than this come out without their tags: browsers stop nesting somewhere past 500 elements, and then
/// would not build what is written here.
const DEEPEST: usize = 64;

const BOX_DONE: &str = "<span class=\"box box-on\" role=\"img\" aria-label=\"done\"><svg class=\"icon\" \
    viewBox=\"0 0 20 20\" aria-hidden=\"true\"><use href=\"#i-check\"/></svg></span>";
const BOX_OPEN: &str = "<span class=\"box\" role=\"img\" aria-label=\"open\"></span>";
const COPY: &str = "<button type=\"button\" class=\"btn btn-quiet btn-s js-only\" data-copy=\"\"><svg \
    class=\"icon icon-s\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><use href=\"#i-copy\"/></svg>Copy</button>";

/// A task's box.
pub(super) fn check_box(done: bool) -> &'static str {
    if done { BOX_DONE } else { BOX_OPEN }
}

/// Where the lists begin of which some item is a task.
pub(super) fn task_lists(events: &[Spot<'_>]) -> Vec<usize> {
    let mut open = Vec::new();
    let mut found = Vec::new();
    for (at, (event, _)) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::List(_)) => open.push((at, false)),
            Event::Start(Tag::Item) if task(&events[at + 1..]).is_some() => {
                if let Some(list) = open.last_mut() {
                    list.1 = true;
                }
            }
            Event::End(TagEnd::List(_)) => {
                if let Some((at, true)) = open.pop() {
                    found.push(at);
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether what follows an item's start makes it a task, and if so, whether it is done.
fn task(after: &[Spot<'_>]) -> Option<bool> {
    match after {
        [(Event::TaskListMarker(done), _), ..]
        | [(Event::Start(Tag::Paragraph), _), (Event::TaskListMarker(done), _), ..] => Some(*done),
        _ => None,
    }
}

/// The table that is being written.
#[derive(Default)]
pub(super) struct Table {
    alignments: Vec<Alignment>,
    column: usize,
    head: bool,
    body: bool,
}

impl Writer<'_> {
    pub(super) fn start(&mut self, tag: &Tag<'_>, range: &Range<usize>, after: &[Spot<'_>], at: usize) {
        match tag {
            Tag::Image { dest_url, .. } => {
                self.seam_before(range.end);
                self.image = Some(Image { url: dest_url.to_string(), alt: String::new(), depth: 0 });
                return;
            }
            Tag::CodeBlock(_) => self.skip_seams_within(range),
            Tag::Link { .. } => self.seam_before(range.end),
            Tag::Table(alignments) => {
                self.table = Table { alignments: alignments.clone(), ..Table::default() };
            }
            _ => {}
        }
        // Rows and items are nothing without their table and list, and these nothing without them.
        let (room, needs_parent) = match tag {
            Tag::Table(_) => (3, false),
            Tag::List(_) => (2, false),
            Tag::TableHead | Tag::TableRow | Tag::TableCell | Tag::Item => (0, true),
            _ => (1, false),
        };
        if self.closers.len() + room > DEEPEST || needs_parent && self.closers.last() == Some(&"") {
            self.closers.push("");
            return;
        }
        let (open, close) = match tag {
            Tag::Paragraph => ("<p>", "</p>"),
            Tag::Heading { level, .. } => {
                if self.state.heading(*level as u8) {
                    ("<h3>", "</h3>")
                } else {
                    ("<h4>", "</h4>")
                }
            }
            Tag::BlockQuote(_) => ("<blockquote>", "</blockquote>"),
            Tag::CodeBlock(kind) => {
                self.out.push_str("<figure class=\"code\"><figcaption>");
                let name = if let CodeBlockKind::Fenced(info) = kind { code::name(info) } else { "Code" };
                escape(&mut self.out, name, false);
                self.out.push_str(COPY);
                self.out.push_str("</figcaption><pre tabindex=\"0\"><code>");
                self.end = Some(self.out.len());
                self.line = Line::Code(false);
                ("", "</code></pre></figure>")
            }
            Tag::HtmlBlock => {
                self.line = Line::Html(false);
                ("<p>", "</p>")
            }
            Tag::List(first) => self.list(*first, self.task_lists.contains(&at)),
            Tag::Item => self.item(after),
            Tag::FootnoteDefinition(label) => {
                self.note(label);
                ("", "</div></div>")
            }
            // A group, not a region: regions are landmarks, and no two may have the same name.
            Tag::Table(_) => (
                "<div class=\"table-scroll\" role=\"group\" aria-label=\"Table\" tabindex=\"0\"><table>",
                "</table></div>",
            ),
            Tag::TableHead => {
                self.table.head = true;
                ("<thead><tr>", "</tr></thead>")
            }
            Tag::TableRow => {
                self.table.column = 0;
                if std::mem::replace(&mut self.table.body, true) { ("<tr>", "</tr>") } else { ("<tbody><tr>", "</tr>") }
            }
            Tag::TableCell => self.cell(after),
            Tag::Emphasis => ("<em>", "</em>"),
            Tag::Strong => ("<strong>", "</strong>"),
            Tag::Strikethrough => ("<del>", "</del>"),
            Tag::Link { link_type, dest_url, .. } => {
                // A link can't hold another.
                let written = !self.link && url::link(&mut self.out, *link_type, dest_url);
                self.link |= written;
                ("", if written { "</a>" } else { "" })
            }
            // Not switched on, or dealt with above.
            _ => ("", ""),
        };
        self.out.push_str(open);
        self.closers.push(close);
    }

    pub(super) fn end(&mut self, tag: TagEnd) {
        let close = self.closers.pop().unwrap_or_default();
        match tag {
            TagEnd::CodeBlock | TagEnd::HtmlBlock => self.line = Line::Text,
            TagEnd::Link if !close.is_empty() => self.link = false,
            TagEnd::List(_) if !close.is_empty() => drop(self.lists.pop()),
            TagEnd::TableHead => self.table.head = false,
            TagEnd::Table if self.table.body && !close.is_empty() => self.out.push_str("</tbody>"),
            _ => {}
        }
        self.out.push_str(close);
    }

    fn list(&mut self, first: Option<u64>, tasks: bool) -> (&'static str, &'static str) {
        self.lists.push(tasks);
        match first {
            None if tasks => ("<ul class=\"tasks\">", "</ul>"),
            None => ("<ul>", "</ul>"),
            Some(_) if tasks => ("<ol class=\"tasks\">", "</ol>"),
            Some(1) => ("<ol>", "</ol>"),
            Some(first) => {
                self.out.push_str("<ol start=\"");
                self.out.push_str(&first.to_string());
                ("\">", "</ol>")
            }
        }
    }

    fn item(&mut self, after: &[Spot<'_>]) -> (&'static str, &'static str) {
        if self.lists.last() != Some(&true) {
            return ("<li>", "</li>");
        }
        self.out.push_str("<li>");
        if let Some(done) = task(after) {
            self.out.push_str(check_box(done));
            self.marker_written = true;
        }
        self.out.push_str("<div>");
        self.end = Some(self.out.len());
        ("", "</div></li>")
    }

    fn cell(&mut self, after: &[Spot<'_>]) -> (&'static str, &'static str) {
        let class = match self.table.alignments.get(self.table.column) {
            Some(Alignment::Right) => " class=\"num\">",
            Some(Alignment::Center) => " class=\"mid\">",
            _ => ">",
        };
        self.table.column += 1;
        // A heading that says nothing is none.
        let empty = matches!(after.first(), Some((Event::End(TagEnd::TableCell), _)));
        let (open, close) = if self.table.head && !empty { ("<th", "</th>") } else { ("<td", "</td>") };
        self.out.push_str(open);
        (class, close)
    }
}
