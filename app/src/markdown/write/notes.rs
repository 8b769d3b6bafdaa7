//! Footnotes.

use pulldown_cmark::CowStr;

use super::{State, Writer, escape};

#[derive(Debug, Clone)]
pub(super) struct Note {
    label: String,
    /// Something leads to it, and back from it.
    cited: bool,
    /// It stands somewhere, with its `id`.
    stands: bool,
}

impl State {
    /// The place of a note in the order in which they came up.
    fn note(&mut self, label: &str) -> usize {
        let found = self.notes.iter().position(|note| note.label.eq_ignore_ascii_case(label));
        found.unwrap_or_else(|| {
            self.notes.push(Note { label: label.to_owned(), cited: false, stands: false });
            self.notes.len() - 1
        })
    }
}

impl Writer<'_> {
    fn id(&mut self, attribute: &str, kind: &str, number: usize) {
        self.out.push_str(attribute);
        if !self.prefix.is_empty() {
            escape(&mut self.out, self.prefix, true);
            self.out.push('-');
        }
        self.out.push_str(kind);
        self.out.push_str(&number.to_string());
        self.out.push('"');
    }

    pub(super) fn cite(&mut self, label: &CowStr<'_>) {
        let index = self.state.note(label);
        let number = index + 1;
        self.out.push_str("<sup class=\"fn\">");
        if self.link {
            // A link can't hold another.
            self.plain(&number.to_string());
        } else {
            self.id("<a href=\"#", "fn-", number);
            if !std::mem::replace(&mut self.state.notes[index].cited, true) {
                self.id(" id=\"", "ref-", number);
            }
            self.out.push_str(" aria-label=\"Note ");
            self.out.push_str(&number.to_string());
            self.out.push_str("\">");
            self.plain(&number.to_string());
            self.out.push_str("</a>");
        }
        self.out.push_str("</sup>");
        self.end = Some(self.out.len());
    }

    pub(super) fn note(&mut self, label: &CowStr<'_>) {
        let index = self.state.note(label);
        let number = index + 1;
        self.out.push_str("<div class=\"fn-note\"");
        if !std::mem::replace(&mut self.state.notes[index].stands, true) {
            self.id(" id=\"", "fn-", number);
        }
        self.out.push_str("><sup class=\"fn\">");
        let cited = self.state.notes[index].cited;
        if cited {
            self.id("<a href=\"#", "ref-", number);
            self.out.push_str(" aria-label=\"Note ");
            self.out.push_str(&number.to_string());
            self.out.push_str(", back to the text\">");
        }
        self.out.push_str(&number.to_string());
        self.out.push_str(if cited { "</a></sup><div>" } else { "</sup><div>" });
        self.end = Some(self.out.len());
    }
}
