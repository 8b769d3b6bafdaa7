//! Carrying a reply on: what the next runner asks for, and where its words join those that are there. Pure.
//!
//! A model does not repeat itself, and none takes a request that ends in its own unfinished reply. So it is asked,
//! in a person's words, to repeat the end of what there is and to go on from there. What it sends first is held back
//! until it is known where the new text begins; what it repeats is dropped.

use crate::{
    claude::{Request, Turn as Said},
    storage::SeamClass,
};

/// Characters of the end of the text that the model is asked to repeat.
const ANCHOR: usize = 40;
/// Characters that are held back at most, before it is decided without the anchor.
const HOLD: usize = 240;
/// Shortest overlap that is more than chance, in characters.
const OVERLAP: usize = 8;
/// An anchor of fewer characters is looked for only where a line begins: anywhere else it may be chance.
const DISTINCT: usize = 12;
/// A repeated beginning of so many characters is a restart.
const RESTART: usize = 40;

/// What became of the text that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Not known yet where the new text begins.
    Hold,
    /// This is the new text; all that comes later follows it. Without a class there was nothing to join.
    Join(String, Option<SeamClass>),
    /// It may be a new beginning in other words: ask once more.
    Again,
}

/// One join that is being made.
#[derive(Debug)]
pub struct Seam {
    /// The text so far, without white space at its end.
    kept: String,
    held: String,
    /// How much of `held` was looked through.
    seen: usize,
    /// It was asked once more already: now it is joined whatever comes.
    second: bool,
}

/// The end of `kept` that is to be repeated.
fn anchor(kept: &str) -> &str {
    let begin = kept.char_indices().rev().take(ANCHOR).last().map_or(0, |(at, _)| at);
    kept[begin..].trim_start()
}

/// The request that carries `kept` on; `kept` has no white space at its end and is not empty.
#[must_use]
pub fn request(original: &Request, kept: &str) -> Request {
    let anchor = anchor(kept);
    let ask = format!(
        "Sorry, my connection dropped in the middle of your reply, so I only have it up to here. It ends with:\n\n\
         {anchor}\n\n\
         Could you repeat just those last characters exactly as they are, and then go straight on from there to the \
         end? No recap and no comment please, in the same language and formatting, so that I can join the two parts."
    );
    let mut request = original.clone();
    request.messages.push(Said::assistant(kept));
    request.messages.push(Said::user(ask));
    request
}

impl Seam {
    #[must_use]
    pub fn new(kept: &str, second: bool) -> Self {
        Self { kept: kept.to_owned(), held: String::new(), seen: 0, second }
    }

    /// Takes what came.
    pub fn push(&mut self, text: &str) -> Settled {
        self.held.push_str(text);
        // A long repetition is looked through now and then, not at every word.
        if self.held.len() > 8 * HOLD && self.held.len() < self.seen + self.seen / 16 {
            return Settled::Hold;
        }
        self.seen = self.held.len();
        if let Some((rest, class)) = self.behind_anchor(false) {
            return Settled::Join(rest.to_owned(), Some(class));
        }
        if self.held.chars().count() < HOLD {
            return Settled::Hold;
        }
        self.settle(false)
    }

    /// Nothing more will come.
    pub fn finish(&mut self) -> Settled {
        if self.held.trim().is_empty() {
            return Settled::Join(String::new(), None);
        }
        if let Some((rest, class)) = self.behind_anchor(true) {
            return Settled::Join(rest.to_owned(), Some(class));
        }
        self.settle(true)
    }

    /// Without the anchor.
    fn settle(&mut self, over: bool) -> Settled {
        if let Some(overlap) = overlap(&self.kept, &self.held) {
            return Settled::Join(self.held[overlap..].to_owned(), Some(SeamClass::Overlap));
        }
        match repeats(&self.kept, &self.held) {
            // It says the same again from its beginning: asked once more, it is let do so, and unheard until it is
            // past what there is.
            Repeats::SoFar if self.second && !over => return Settled::Hold,
            Repeats::SoFar if self.second => return Settled::Join(String::new(), Some(SeamClass::Restart)),
            Repeats::Past(at) => return Settled::Join(self.held[at..].to_owned(), Some(SeamClass::Restart)),
            Repeats::SoFar | Repeats::No => {}
        }
        if !self.second {
            return Settled::Again;
        }
        let glue = glue(&self.kept, &self.held);
        Settled::Join(format!("{glue}{}", self.held), Some(SeamClass::None))
    }

    /// What stands behind the anchor, if that has come.
    fn behind_anchor(&self, over: bool) -> Option<(&str, SeamClass)> {
        let anchor = anchor(&self.kept);
        let anywhere = anchor.chars().count() >= DISTINCT;
        let fits = |at: usize| anywhere || begins_line(&self.held, at);
        let exact = self.held.match_indices(anchor).map(|(at, _)| at).find(|&at| fits(at));
        let (at, end, class) = match exact {
            Some(at) => (at, at + anchor.len(), SeamClass::Exact),
            None => {
                let (at, end) = find_folded(&self.held, anchor, fits)?;
                (at, end, SeamClass::Fuzzy)
            }
        };
        let rest = &self.held[end..];
        let class = if at > HOLD { SeamClass::Restart } else { class };
        // Repeated in quotes that are not the text's own, the closing one is not part of it.
        let before = |text: &str| text.chars().next_back().filter(|c| is_quote(*c));
        let own = before(&self.kept[..self.kept.len() - anchor.len()]);
        let quoted = before(&self.held[..at]).is_some_and(|quote| own != Some(quote));
        if !quoted {
            return Some((rest, class));
        }
        match rest.chars().next() {
            Some(c) if is_quote(c) => Some((&rest[c.len_utf8()..], class)),
            Some(_) => Some((rest, class)),
            None => over.then_some((rest, class)),
        }
    }
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '“' | '”' | '„' | '‘' | '’' | '«' | '»' | '…')
}

/// Whether only white space and quotes stand before `at` on its line.
fn begins_line(text: &str, at: usize) -> bool {
    text[..at].chars().rev().take_while(|c| *c != '\n').all(|c| c.is_whitespace() || is_quote(c))
}

/// A character as it is compared: white space not at all, quotes alike.
fn fold(c: char) -> Option<char> {
    match c {
        c if c.is_whitespace() => None,
        '“' | '”' | '„' | '«' | '»' => Some('"'),
        '‘' | '’' | '‚' => Some('\''),
        c => Some(c),
    }
}

/// The folded characters of a text, each with where it begins and ends.
fn folded(text: &str) -> Vec<(char, usize, usize)> {
    text.char_indices().filter_map(|(at, c)| fold(c).map(|f| (f, at, at + c.len_utf8()))).collect()
}

/// Where `anchor` stands in `text`, white space and the kind of quotes not counted.
fn find_folded(text: &str, anchor: &str, fits: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    let wanted: Vec<char> = anchor.chars().filter_map(fold).collect();
    let there = folded(text);
    if wanted.is_empty() {
        return None;
    }
    there.windows(wanted.len()).find_map(|window| {
        let same = window.iter().map(|(c, _, _)| c).eq(wanted.iter());
        let (at, end) = (window.first()?.1, window.last()?.2);
        (same && fits(at)).then_some((at, end))
    })
}

/// The longest end of `kept` with which `next` begins: where in `next` it ends.
fn overlap(kept: &str, next: &str) -> Option<usize> {
    let lead = next.len() - next.trim_start().len();
    let body = &next[lead..];
    let ends: Vec<usize> = body.char_indices().map(|(at, c)| at + c.len_utf8()).skip(OVERLAP - 1).collect();
    ends.into_iter().rev().find(|&end| kept.ends_with(&body[..end])).map(|end| lead + end)
}

enum Repeats {
    No,
    /// All of it stands at the beginning of what there is.
    SoFar,
    /// It has repeated all there is; new text begins here.
    Past(usize),
}

/// Whether `next` begins again with what `kept` begins with.
fn repeats(kept: &str, next: &str) -> Repeats {
    let old: Vec<char> = kept.chars().filter_map(fold).collect();
    let new = folded(next);
    let same = old.iter().zip(&new).take_while(|(a, (b, _, _))| *a == b).count();
    if same == old.len() && new.len() >= old.len() {
        return Repeats::Past(new.get(same.wrapping_sub(1)).map_or(0, |(_, _, end)| *end));
    }
    if same == new.len() && same >= RESTART { Repeats::SoFar } else { Repeats::No }
}

/// The white space that Markdown needs between two texts that are joined without knowing better.
fn glue(kept: &str, next: &str) -> &'static str {
    if next.starts_with(char::is_whitespace) {
        return "";
    }
    let fences = kept.lines().filter(|l| l.trim_start().starts_with("```")).count();
    let line = kept.rsplit('\n').next().unwrap_or_default();
    if fences % 2 == 1 {
        // Inside of code: only what closes it needs a line of its own.
        return if next.starts_with("```") && !line.trim().is_empty() { "\n" } else { "" };
    }
    let (old, new) = (block(line), block(next));
    match (old, new) {
        (Block::Text, Block::Text) | (_, Block::Text) => {
            let (Some(last), Some(first)) = (kept.chars().next_back(), next.chars().next()) else { return "" };
            let word = |c: char| c.is_alphanumeric() && (c as u32) < 0x2e80;
            let ends = matches!(last, '.' | ',' | ';' | ':' | '!' | '?' | ')' | '"' | '”' | '*');
            if (word(last) || ends) && word(first) { " " } else { "" }
        }
        (Block::Item, Block::Item) | (Block::Row, Block::Row) => "\n",
        _ => "\n\n",
    }
}

#[derive(Clone, Copy)]
enum Block {
    Text,
    Item,
    Row,
    Other,
}

/// What a line begins.
fn block(line: &str) -> Block {
    let line = line.trim_start();
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    if ["- ", "* ", "+ "].iter().any(|m| line.starts_with(m))
        || (digits.len() < line.len() && (digits.starts_with(". ") || digits.starts_with(") ")))
    {
        Block::Item
    } else if line.starts_with('|') {
        Block::Row
    } else if ["# ", "## ", "### ", "#### ", "> ", "```"].iter().any(|m| line.starts_with(m)) {
        Block::Other
    } else {
        Block::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = "The first part of a reply, with “quotes” in it, that then broke off in the mid";

    /// Feeds `text` a character at a time; what the seam says, and what comes behind.
    fn feed(kept: &str, text: &str, second: bool) -> (Settled, String) {
        let mut seam = Seam::new(kept, second);
        let mut chars = text.chars();
        for c in chars.by_ref() {
            match seam.push(&c.to_string()) {
                Settled::Hold => {}
                settled => return (settled, chars.collect()),
            }
        }
        (seam.finish(), String::new())
    }

    fn joined(kept: &str, text: &str, second: bool) -> (String, Option<SeamClass>) {
        match feed(kept, text, second) {
            (Settled::Join(first, class), rest) => (format!("{kept}{first}{rest}"), class),
            (other, _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_anchor_and_what_stands_before_it_are_dropped() {
        let anchor = anchor(KEPT);
        assert_eq!(anchor.chars().count(), 40);
        let whole = format!("{KEPT}dle of a word, and goes on.");
        for before in ["", "Of course, here is the rest of it:\n\n", "Sure! "] {
            let text = format!("{before}{anchor}dle of a word, and goes on.");
            assert_eq!(joined(KEPT, &text, false), (whole.clone(), Some(SeamClass::Exact)), "{before}");
        }
        let quoted = format!("“{anchor}”dle of a word, and goes on.");
        assert_eq!(joined(KEPT, &quoted, false), (whole.clone(), Some(SeamClass::Exact)));
        // Repeated more than it was asked for.
        let more = format!("{}dle of a word, and goes on.", &KEPT[10..]);
        assert_eq!(joined(KEPT, &more, false), (whole.clone(), Some(SeamClass::Exact)));
        let fuzzy = format!("{}dle of a word, and goes on.", anchor.replace(' ', "\n"));
        assert_eq!(joined(KEPT, &fuzzy, false), (whole, Some(SeamClass::Fuzzy)));
    }

    #[test]
    fn quotes_of_another_kind_still_match() {
        let kept = "She said “yes, of course” and then “perhaps”";
        let text = "She said \"yes, of course\" and then \"perhaps\" and left.";
        assert_eq!(joined(kept, text, false), (format!("{kept} and left."), Some(SeamClass::Fuzzy)));
    }

    #[test]
    fn a_shorter_overlap_is_found_when_the_anchor_was_not_repeated_whole() {
        let text = format!("off in the middle{}", " and on".repeat(40));
        let (whole, class) = joined(KEPT, &text, false);
        assert_eq!((whole, class), (format!("{KEPT}dle{}", " and on".repeat(40)), Some(SeamClass::Overlap)));
    }

    #[test]
    fn other_words_are_asked_for_once_more_and_then_joined() {
        let text = "Quite another text. ".repeat(20);
        assert_eq!(feed(KEPT, &text, false).0, Settled::Again);
        assert_eq!(joined(KEPT, &text, true), (format!("{KEPT} {text}"), Some(SeamClass::None)));
        assert_eq!(feed(KEPT, "Short.", false).0, Settled::Again, "the end of the stream settles it too");
    }

    #[test]
    fn a_restart_in_the_same_words_is_unheard_until_it_is_past_what_there_is() {
        let kept = "word ".repeat(100).trim_end().to_owned() + " last";
        let kept = format!("First of all. {kept}");
        let text = format!("{kept} and then new.");
        // The end of what is repeated is the anchor, so it is exact in the end; before, it is a restart.
        assert_eq!(feed(&kept, &text, false).0, Settled::Again);
        let (whole, _) = joined(&kept, &text, true);
        assert_eq!(whole, text);
    }

    #[test]
    fn a_short_text_is_found_only_where_a_line_begins() {
        assert_eq!(joined("I", "Indeed I may", false).0, "Indeed I may");
        assert_eq!(feed("Th", "Of Thebes the rest is", false).0, Settled::Again);
        assert_eq!(joined("The", "Sure:\n\nThe capital", false), ("The capital".into(), Some(SeamClass::Exact)));
    }

    #[test]
    fn an_end_without_words_joins_nothing() {
        assert_eq!(feed(KEPT, " \n", false).0, Settled::Join(String::new(), None));
        let anchor = anchor(KEPT).to_owned();
        assert_eq!(feed(KEPT, &anchor, false).0, Settled::Join(String::new(), Some(SeamClass::Exact)));
    }

    #[test]
    fn markdown_gets_the_white_space_it_needs() {
        for (kept, next, wanted) in [
            ("A sentence.", "Another", " "),
            ("word", "word", " "),
            ("漢字", "漢字", ""),
            ("text", " text", ""),
            ("- one", "- two", "\n"),
            ("| a | b |", "| c | d |", "\n"),
            ("text", "## Heading", "\n\n"),
            ("text", "```rust", "\n\n"),
            ("```rust\nlet a = 1;", "```\n", "\n"),
            ("```rust\nlet a", " = 1;", ""),
            ("```rust\nlet a", "b = 1;", ""),
            ("text", "- item", "\n\n"),
        ] {
            assert_eq!(glue(kept, next), wanted, "{kept:?} + {next:?}");
        }
    }

    #[test]
    fn the_request_quotes_the_end_and_ends_in_a_persons_words() {
        let original = Request {
            model: "m".into(),
            max_tokens: 9,
            messages: vec![Said::user("q")],
            system: None,
            thinking: crate::claude::Thinking::Default,
            cache: true,
            schema: None,
        };
        let asked = request(&original, KEPT);
        assert_eq!(asked.messages.len(), 3);
        assert_eq!(asked.messages[1], Said::assistant(KEPT));
        assert!(asked.messages[2].text.contains(anchor(KEPT)));
    }

    proptest::proptest! {
        /// Wherever it is cut, a model that does as it is asked joins without a mark.
        #[test]
        fn an_obedient_model_joins_exactly(text in "[a-z \n\"“*|`é漢😀-]{2,300}", cut in 0usize..300, pieces in 1usize..9) {
            let chars: Vec<char> = text.chars().collect();
            let cut = cut.min(chars.len());
            let kept: String = chars[..cut].iter().collect();
            let kept = kept.trim_end();
            if !kept.is_empty() {
                let rest = &text[kept.len()..];
                let answer = format!("{}{rest}", anchor(kept));
                let mut seam = Seam::new(kept, false);
                let mut whole = kept.to_owned();
                let mut holding = true;
                let answer: Vec<char> = answer.chars().collect();
                for piece in answer.chunks(pieces) {
                    let piece: String = piece.iter().collect();
                    if !holding {
                        whole.push_str(&piece);
                        continue;
                    }
                    match seam.push(&piece) {
                        Settled::Hold => {}
                        Settled::Join(first, _) => { whole.push_str(&first); holding = false; }
                        Settled::Again => panic!("again"),
                    }
                }
                if holding {
                    match seam.finish() {
                        Settled::Join(first, _) => whole.push_str(&first),
                        other => panic!("{other:?}"),
                    }
                }
                proptest::prop_assert_eq!(whole, text);
            }
        }
    }
}
