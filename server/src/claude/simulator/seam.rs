//! Carrying on: is this a request to go on with a reply that was cut off, and where does it go on?

use super::{
    prompt::Prompt,
    script::{self, Seam},
    text::Text,
    words,
};
use crate::claude::request::Role;

/// Characters of the partial reply that are repeated when the request does not say which.
const ANCHOR: usize = 40;
/// Longest quotation that is looked for.
const LONGEST_QUOTE: usize = 240;
/// Shortest quotation that is more than chance.
const SHORTEST_QUOTE: usize = 16;

/// A partial reply that may have to be carried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial<'a> {
    /// What there is of it.
    pub text: &'a str,
    /// The message that it answers.
    pub answers: usize,
    /// The request to go on; none where the request just ends in the partial reply.
    request: Option<&'a str>,
}

impl<'a> Partial<'a> {
    /// The partial reply in a prompt that has the shape of such a request.
    #[must_use]
    pub fn of(prompt: &'a Prompt) -> Option<Self> {
        let (last, before) = prompt.messages.split_last()?;
        if last.role == Role::Assistant {
            return Some(Self { text: &last.text, answers: before.len().checked_sub(1)?, request: None });
        }
        let (partial, before) = before.split_last()?;
        let fits = partial.role == Role::Assistant && !partial.text.trim().is_empty();
        let answers = before.len().checked_sub(1)?;
        (fits && script::find(&last.text).is_none()).then_some(Self {
            text: &partial.text,
            answers,
            request: Some(&last.text),
        })
    }

    /// Whether it is to be carried on; `unfinished` says whether there is more of it to come.
    #[must_use]
    pub fn wanted(&self, unfinished: bool) -> bool {
        const WORDS: [&str; 8] =
            ["continue", "go on", "carry on", "keep going", "left off", "cut off", "broke", "dropped"];
        let Some(request) = self.request else { return true };
        let lower = request.to_lowercase();
        self.quoted().is_some() || (unfinished && WORDS.iter().any(|word| lower.contains(word)))
    }

    /// The end of the partial reply that the request quotes, as long as it can be.
    fn quoted(&self) -> Option<&'a str> {
        let text = self.text.trim_end();
        let shortest = SHORTEST_QUOTE.min(text.chars().count());
        let mut begins: Vec<usize> = text.char_indices().rev().take(LONGEST_QUOTE).map(|(at, _)| at).collect();
        let enough = begins.split_off(shortest.saturating_sub(1).min(begins.len()));
        let request = self.request?;
        enough.into_iter().rev().filter_map(|at| text.get(at..)).find(|quote| request.contains(quote))
    }

    /// What an obedient answer repeats first.
    fn anchor(&self) -> &'a str {
        let last = || {
            let begin = self.text.char_indices().rev().take(ANCHOR).last().map_or(0, |(at, _)| at);
            self.text.get(begin..).unwrap_or(self.text)
        };
        self.quoted().unwrap_or_else(last)
    }

    /// Where the whole text goes on behind the partial one, if it belongs to it: where it ends as its beginning,
    /// or, after an earlier seam that did not quite hold, behind its last characters.
    #[must_use]
    pub fn place_in(&self, whole: &str) -> Option<usize> {
        let text = self.text.trim_end();
        if whole.starts_with(text) {
            return Some(text.len());
        }
        let begin = text.char_indices().rev().take(ANCHOR).last().map_or(0, |(at, _)| at);
        let tail = text.get(begin..).filter(|tail| tail.chars().count() >= SHORTEST_QUOTE)?;
        whole.rfind(tail).map(|at| at + tail.len())
    }

    /// The number of the next word of a numbered text.
    #[must_use]
    pub fn next_number(&self) -> Option<usize> {
        self.text.split_whitespace().rev().find_map(words::number_of).map(|number| number + 1)
    }

    /// The answer: `rest` is what is missing, `whole` the text from its beginning.
    #[must_use]
    pub fn carry_on(&self, seam: Seam, rest: &str, whole: &str) -> Text {
        let seam = if self.request.is_some() { seam } else { Seam::None };
        let mut text = match seam {
            Seam::Echo => Text::of(self.anchor()),
            Seam::Greet => Text::of(&format!("Of course, here is the rest of it:\n\n{}", self.anchor())),
            Seam::None | Seam::Restart | Seam::Space => Text::default(),
        };
        text.extend(match seam {
            Seam::Restart => whole,
            Seam::Space => rest.trim_start(),
            Seam::Echo | Seam::Greet | Seam::None => rest,
        });
        text
    }
}
