//! The end of a half-finished line of text: what is open counts as closed.

use super::{insert, write::BREAKS};

/// Longest text behind a `[` that is taken for a link's label, in bytes.
const LABEL: usize = 80;

/// What makes a text complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fix {
    /// How much of the text stays.
    pub(super) keep: usize,
    /// Places in it, in order, of the `[` that aren't shown.
    pub(super) hide: Vec<usize>,
    /// What to add.
    pub(super) close: String,
}

#[derive(Debug)]
struct Opener {
    mark: u8,
    at: usize,
    len: usize,
}

struct Bracket {
    at: usize,
    image: bool,
    /// How many openers stood before it.
    openers: usize,
}

#[derive(Default)]
struct Scan<'a> {
    text: &'a str,
    fix: Fix,
    openers: Vec<Opener>,
    brackets: Vec<Bracket>,
    /// The length of the backticks of a code span that is open.
    code: usize,
}

/// Completes the inline text of one block, which ends in the middle of being written.
pub(super) fn complete(text: &str) -> Fix {
    let mut scan = Scan { text, ..Scan::default() };
    scan.fix.keep = text.len();
    scan.run();
    scan.finish()
}

fn run_of(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| Some(*byte) == bytes.first()).count()
}

impl Scan<'_> {
    /// Goes through the text, and cuts it where something can't be shown yet.
    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let next = match byte {
                b'\\' if at + 1 == bytes.len() => None,
                b'\\' => Some(at + 2),
                b'`' => self.code(at),
                b'*' | b'_' | b'~' => self.mark(at),
                b'!' if bytes.get(at + 1) == Some(&b'[') => {
                    self.brackets.push(Bracket { at, image: true, openers: self.openers.len() });
                    Some(at + 2)
                }
                b'[' if bytes.get(at + 1) == Some(&b'^') => self.text[at..].find([']', '\n', ' ']).map(|end| at + end),
                b'[' => {
                    // `list[i]` is no link.
                    if !self.text[..at].ends_with(char::is_alphanumeric) {
                        self.brackets.push(Bracket { at, image: false, openers: self.openers.len() });
                    }
                    Some(at + 1)
                }
                b']' => self.bracket(at),
                // What may become a line break.
                b'<' if BREAKS.iter().any(|tag| tag.len() > bytes.len() - at && tag.starts_with(&self.text[at..])) => {
                    None
                }
                b'<' => Some(at + self.auto_link(at)),
                _ => Some(at + 1),
            };
            match next {
                Some(next) => at = next,
                None => {
                    self.fix.keep = self.fix.keep.min(at);
                    return;
                }
            }
        }
    }

    /// A code span: to its end, or `None` if it has no content yet.
    fn code(&mut self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let len = run_of(&bytes[at..]);
        let mut end = at + len;
        while let Some(found) = self.text[end..].find('`') {
            let close = end + found;
            let run = run_of(&bytes[close..]);
            end = close + run;
            if run == len {
                return Some(end);
            }
            if end == bytes.len() && run < len {
                // The first backticks of those that close it.
                self.fix.keep = close;
            }
        }
        if self.text[at + len..self.fix.keep].trim().is_empty() {
            return None;
        }
        self.code = len;
        Some(bytes.len())
    }

    /// A run of `*`, `_` or `~`: past it, or `None` if only what follows decides what it is.
    fn mark(&mut self, at: usize) -> Option<usize> {
        let mark = self.text.as_bytes()[at];
        let mut len = run_of(&self.text.as_bytes()[at..]);
        let end = at + len;
        let before = self.text[..at].chars().next_back().unwrap_or(' ');
        let last = end == self.text.len();
        let after = self.text[end..].chars().next().unwrap_or(' ');
        let (left, right) = flanks(before, after);
        let word = mark == b'_';
        if right && (!word || !left || punctuation(after)) {
            while len > 0 {
                let Some(open) = self.openers.iter().rposition(|opener| opener.mark == mark) else { break };
                let opener = &mut self.openers[open];
                let used = if mark == b'~' {
                    opener.len
                } else if len >= 2 && opener.len >= 2 {
                    2
                } else {
                    1
                };
                if used > len || mark == b'~' && used != len || last && len < opener.len.min(2) {
                    break;
                }
                opener.len -= used;
                len -= used;
                let gone = opener.len == 0;
                self.openers.truncate(if gone { open } else { open + 1 });
            }
        }
        if last {
            if len > 0 {
                self.fix.keep = self.fix.keep.min(end - len);
            }
        } else if len > 0 && left && (!word || !right || punctuation(before)) && (mark != b'~' || len <= 2) {
            self.openers.push(Opener { mark, at: end - len, len });
        }
        Some(end)
    }

    /// A `]`: past it and, if it is a link, past its address, or `None` if that is unfinished.
    fn bracket(&mut self, at: usize) -> Option<usize> {
        let Some(open) = self.brackets.pop() else { return Some(at + 1) };
        let rest = &self.text[at + 1..];
        let end = match rest.as_bytes().first() {
            None => None,
            Some(b'(') => match address(rest) {
                Address::Open => None,
                Address::Closed(len) => Some(at + 1 + len),
                Address::Not => return Some(at + 1),
            },
            Some(_) => return Some(at + 1),
        };
        if let Some(end) = end {
            // What is open within a label ends with it.
            self.openers.truncate(open.openers);
            return Some(end);
        }
        if open.image {
            self.openers.truncate(open.openers);
            self.fix.keep = open.at;
        } else if open.at + 1 == at {
            self.fix.keep = open.at;
        } else {
            insert(&mut self.fix.hide, open.at);
        }
        None
    }

    /// The length of `<https://…>`, in which nothing is a mark; of anything else, 1.
    fn auto_link(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        match rest.find(['>', ' ', '\n']) {
            Some(end) if rest.as_bytes()[end] == b'>' && rest[..end].contains([':', '@']) => end + 1,
            _ => 1,
        }
    }

    fn finish(mut self) -> Fix {
        while let Some(open) = self.brackets.pop() {
            if open.at >= self.fix.keep {
                continue;
            }
            if open.image {
                self.fix.keep = open.at;
                self.openers.truncate(open.openers);
                self.fix.hide.retain(|at| *at < open.at);
                self.code = 0;
            } else if self.fix.keep - open.at <= LABEL {
                insert(&mut self.fix.hide, open.at);
            }
        }
        // A mark can't close behind a space, and nothing shows what opens at the very end.
        loop {
            let kept = self.text[..self.fix.keep].trim_end().len();
            if self.code == 0 && self.fix.hide.last().is_some_and(|at| at + 1 == kept) {
                self.fix.hide.pop();
                self.fix.keep = kept - 1;
            } else if self.code == 0 && self.openers.last().is_some_and(|last| last.at + last.len >= kept) {
                if let Some(last) = self.openers.pop() {
                    self.fix.keep = last.at.min(kept);
                }
            } else {
                if self.code > 0 || !self.openers.is_empty() {
                    self.fix.keep = kept;
                }
                break;
            }
        }
        if self.code > 0 && self.text[..self.fix.keep].ends_with('`') {
            self.fix.close.push(' ');
        }
        for _ in 0..self.code {
            self.fix.close.push('`');
        }
        while let Some(opener) = self.openers.pop() {
            for _ in 0..opener.len {
                self.fix.close.push(char::from(opener.mark));
            }
        }
        self.fix
    }
}

enum Address {
    /// Unfinished so far.
    Open,
    /// So long, with its parentheses.
    Closed(usize),
    /// It can't be one.
    Not,
}

/// What stands in parentheses behind a label.
fn address(text: &str) -> Address {
    let mut depth = 0;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Address::Closed(at + 1);
                }
            }
            b' ' | b'\n' => {
                // Only a title may follow.
                let title = text[at..].trim_start();
                if !title.is_empty() && !title.starts_with(['"', '\'', '(', ')']) && !text[1..].starts_with('<') {
                    return Address::Not;
                }
                if title.starts_with(['"', '\'']) {
                    let end = title[1..]
                        .find(char::from(title.as_bytes()[0]))
                        .and_then(|end| Some(end + title[end..].find(')')?));
                    return end.map_or(Address::Open, |end| Address::Closed(text.len() - title.len() + end + 1));
                }
            }
            _ => {}
        }
    }
    Address::Open
}

fn punctuation(c: char) -> bool {
    // Nearly what CommonMark says; the difference shows for the moment of a half-finished line only.
    !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control()
}

fn flanks(before: char, after: char) -> (bool, bool) {
    let (before_space, after_space) = (before.is_whitespace(), after.is_whitespace());
    let (before_punctuation, after_punctuation) = (punctuation(before), punctuation(after));
    let left = !after_space && (!after_punctuation || before_space || before_punctuation);
    let right = !before_space && (!before_punctuation || after_space || after_punctuation);
    (left, right)
}
