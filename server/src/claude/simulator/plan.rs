//! What to say.

use serde_json::Value;

use super::{
    prompt::Prompt,
    script::{self, Script},
    seam::Partial,
    structured,
    text::{Text, hash},
    words,
};
use crate::claude::request::Role;

/// Tokens of a scripted text whose script does not say.
const TOKENS: usize = 120;
/// Tokens of thinking of a reply that nobody scripted.
const THINKING: usize = 24;

/// A reply, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub thinking: Text,
    pub text: Text,
    pub stop_reason: String,
    /// It carries on a partial one.
    pub carries_on: bool,
}

/// What identifies the conversation up to the message that is answered, under its script: the calls that are told
/// apart by `times` and by the usual reply's variants are counted under it.
#[must_use]
pub fn conversation(prompt: &Prompt) -> u64 {
    // Whether it is a request to carry on or just the next question does not matter when only counting, except
    // that both must be counted where they belong: a continuation with what it continues.
    let at = continued(prompt).map_or(prompt.messages.len().saturating_sub(1), |(partial, _)| partial.answers);
    let id = prompt.prefixes().get(at).map_or(0, |&(id, _)| id);
    hash(id, &[&prompt.script.source])
}

impl Plan {
    /// Plans the reply to a prompt. `call` is this call's number, `before` how often this was asked before.
    #[must_use]
    pub fn new(prompt: &Prompt, call: u64, before: u64) -> Self {
        let script = &prompt.script;
        if let Some(schema) = &prompt.schema {
            return Self::structured(prompt, schema, before);
        }
        let carried = continued(prompt);
        let carries_on = carried.is_some();
        let text = match carried {
            Some((partial, source)) => {
                let (rest, whole) = source.rest(&partial, call, script.utf8);
                partial.carry_on(script.seam, rest.as_str(), whole.as_str())
            }
            None => sources(prompt, prompt.messages.len().saturating_sub(1), before).0.whole(call, script.utf8),
        };
        let unasked = if prompt.thinks && script.source.is_empty() && !carries_on { THINKING } else { 0 };
        let thoughts = script.think.unwrap_or(unasked);
        let thinking = if script.vary {
            words::numbered('t', 0, thoughts, call, script.utf8)
        } else {
            words::prose(seed(prompt, 0) ^ 1, thoughts, script.utf8)
        };
        let stop_reason = script.stop.clone().unwrap_or_else(|| "end_turn".to_owned());
        let mut plan = Self { thinking, text, stop_reason, carries_on };
        plan.limit(prompt.max_tokens);
        plan
    }

    /// A reply that fits its schema; or does not, where the script wants it.
    fn structured(prompt: &Prompt, schema: &Value, before: u64) -> Self {
        let script = &prompt.script;
        // Each answer that did not fit stands in the conversation of the next request.
        let said = prompt.messages.iter().filter(|said| said.role == Role::Assistant).count() as u64;
        let seed = script.seed.unwrap_or(7).wrapping_add(before);
        let value = if script.misfit && script.times.is_none_or(|times| said < times) {
            structured::misfit(schema, seed)
        } else {
            structured::instance(schema, seed)
        };
        let text = Text::of(&serde_json::to_string_pretty(&value).unwrap_or_default());
        let stop_reason = script.stop.clone().unwrap_or_else(|| "end_turn".to_owned());
        let mut plan = Self { thinking: Text::default(), text, stop_reason, carries_on: false };
        plan.limit(prompt.max_tokens);
        plan
    }

    fn limit(&mut self, most: usize) {
        if self.tokens() > most {
            self.thinking.truncate(most);
            self.text.truncate(most - self.thinking.len());
            self.stop_reason = "max_tokens".to_owned();
        }
    }

    /// Tokens of thinking and text.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.thinking.len() + self.text.len()
    }
}

/// Where a text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// Words with numbers; so many.
    Numbered(usize),
    /// The same text for every call.
    Fixed(Text),
}

impl Source {
    fn whole(&self, call: u64, utf8: bool) -> Text {
        match self {
            Self::Numbered(tokens) => words::numbered('w', 0, *tokens, call, utf8),
            Self::Fixed(text) => text.clone(),
        }
    }

    /// What is missing of a partial text, and the whole of it.
    fn rest(&self, partial: &Partial<'_>, call: u64, utf8: bool) -> (Text, Text) {
        let whole = self.whole(call, utf8);
        let rest = match self {
            Self::Numbered(tokens) => words::numbered('w', partial.next_number().unwrap_or(0), *tokens, call, utf8),
            Self::Fixed(text) => {
                let at = partial.place_in(text.as_str()).unwrap_or(0);
                Text::of(text.as_str().get(at..).unwrap_or(""))
            }
        };
        (rest, whole)
    }

    /// How much of it is missing, if the partial text belongs to it.
    fn missing(&self, partial: &Partial<'_>) -> Option<usize> {
        match self {
            Self::Numbered(tokens) => Some(tokens.saturating_sub(partial.next_number()?)),
            Self::Fixed(text) => Some(text.as_str().len() - partial.place_in(text.as_str())?),
        }
    }
}

/// The partial reply that is to be carried on, and the text that it is a part of.
fn continued(prompt: &Prompt) -> Option<(Partial<'_>, Source)> {
    let partial = Partial::of(prompt)?;
    let (first, others) = sources(prompt, partial.answers, 0);
    let source = std::iter::once(first).chain(others).find(|source| source.missing(&partial).is_some())?;
    let unfinished = source.missing(&partial) > Some(0);
    partial.wanted(unfinished).then_some((partial, source))
}

/// The text that answers the message at `at` when it was answered `before` times already, and the others that may
/// have answered it.
fn sources(prompt: &Prompt, at: usize, before: u64) -> (Source, Vec<Source>) {
    let Script { tokens, utf8, .. } = prompt.script;
    if prompt.script.vary {
        return (Source::Numbered(tokens.unwrap_or(TOKENS)), Vec::new());
    }
    if prompt.script.shapes_text() {
        let seed = seed(prompt, at);
        let text = if prompt.script.markdown {
            words::markdown(seed, tokens, utf8)
        } else {
            words::prose(seed, tokens.unwrap_or(TOKENS), utf8)
        };
        return (Source::Fixed(text), Vec::new());
    }
    let said = prompt.messages.get(at).map(|said| script::strip(&said.text)).unwrap_or_default();
    if prompt.script.echo {
        return (Source::Fixed(Text::of(&said)), Vec::new());
    }
    let usual = |variant| {
        Source::Fixed(if prompt.script.html { words::page(&said, variant) } else { words::usual(&said, variant) })
    };
    (usual(before), (1..words::VARIANTS).map(|other| usual(before + other)).collect())
}

/// The script's seed, else one that the conversation up to `at` gives.
fn seed(prompt: &Prompt, at: usize) -> u64 {
    prompt.script.seed.unwrap_or_else(|| prompt.prefixes().get(at).map_or(0, |&(id, _)| id))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::claude::simulator::prompt::{Purpose, Version};

    fn plan(messages: Value, call: u64) -> Plan {
        let body = json!({"model": "claude-sonnet-5-5", "max_tokens": 10_000, "messages": messages});
        let prompt = Prompt::read(body.to_string().as_bytes(), None, Version::Of2023, Purpose::Reply).unwrap();
        Plan::new(&prompt, call, 0)
    }

    fn first(script: &str) -> String {
        plan(json!([{"role": "user", "content": format!("Tell me.\n/sim {script}")}]), 1).text.as_str().to_owned()
    }

    fn carry_on(script: &str, partial: &str, request: &str) -> Plan {
        let user = format!("Tell me.\n/sim {script}");
        plan(
            json!([{"role": "user", "content": user}, {"role": "assistant", "content": partial},
                {"role": "user", "content": request}]),
            2,
        )
    }

    const REQUEST: &str = "The connection dropped. Repeat your last 40 characters exactly, then go on.";

    #[test]
    fn a_seeded_text_goes_on_exactly_there_at_every_cut() {
        for script in ["tokens=30 seed=4", "tokens=30 utf8", "markdown seed=2", ""] {
            let whole = first(script);
            for (cut, _) in whole.char_indices().skip(1) {
                let partial = whole[..cut].trim_end();
                if partial.is_empty() {
                    continue;
                }
                let plan = carry_on(&format!("{script} seam=none"), partial, REQUEST);
                // The script is part of the conversation that an unseeded text is made from.
                if script.contains("seed") || script.is_empty() {
                    assert_eq!(format!("{partial}{}", plan.text.as_str()), whole, "{script} at {cut}");
                }
                let plan = carry_on(script, partial, REQUEST);
                let text = plan.text.as_str();
                assert!(plan.carries_on && whole.ends_with(text.trim_start()), "{script} at {cut}: {text}");
                let begin = partial.char_indices().rev().take(40).last().map_or(0, |(at, _)| at);
                assert!(text.starts_with(&partial[begin..]), "{script} at {cut}: {text}");
            }
        }
    }

    #[test]
    fn the_seams() {
        let whole = first("tokens=30 seed=4");
        let cut = whole.match_indices(' ').nth(14).unwrap().0;
        let (partial, rest) = whole.split_at(cut);
        let seam = |kind: &str| {
            let plan = carry_on(&format!("tokens=30 seed=4 seam={kind}"), partial, REQUEST);
            plan.text.as_str().to_owned()
        };
        let anchor: String = partial.chars().skip(partial.chars().count() - 40).collect();
        assert_eq!(seam("echo"), format!("{anchor}{rest}"));
        assert_eq!(seam("none"), rest);
        assert_eq!(seam("restart"), whole);
        assert_eq!(seam("space"), rest.trim_start());
        let greeted = seam("greet");
        assert!(greeted.ends_with(&format!("{anchor}{rest}")) && greeted.starts_with("Of course"), "{greeted}");
        // The anchor that the request quotes wins over the usual one.
        let quote = &partial[partial.len() - 25..];
        let quoted = carry_on("tokens=30 seed=4", partial, &format!("Go on behind this:\n\n{quote}"));
        assert_eq!(quoted.text.as_str(), format!("{quote}{rest}"));
    }

    #[test]
    fn numbered_words_go_on_under_the_new_call() {
        let plan = carry_on("tokens=5 vary", "w0·c1 w1·c1 w2·c1", REQUEST);
        assert_eq!(plan.text.as_str(), "w0·c1 w1·c1 w2·c1 w3·c2 w4·c2");
        assert_eq!(
            carry_on("tokens=5 vary seam=restart", "w0·c1 w1·c1", REQUEST).text.as_str(),
            "w0·c2 w1·c2 w2·c2 w3·c2 w4·c2"
        );
    }

    #[test]
    fn the_next_question_is_no_continuation() {
        let whole = first("tokens=30 seed=4");
        for (reply, question) in [(whole.as_str(), "go on"), (&whole[..60], "What is the time?")] {
            let plan = carry_on("tokens=30 seed=4", reply, question);
            assert_eq!((plan.carries_on, plan.text.as_str()), (false, whole.as_str()), "{question}");
        }
    }

    #[test]
    fn the_limit() {
        let messages = json!([{"role": "user", "content": "/sim tokens=9 think=5"}]);
        let body = json!({"model": "claude-sonnet-5-5", "max_tokens": 8, "messages": messages});
        let prompt = Prompt::read(body.to_string().as_bytes(), None, Version::Of2023, Purpose::Reply).unwrap();
        let plan = Plan::new(&prompt, 1, 0);
        assert_eq!((plan.thinking.len(), plan.text.len(), plan.stop_reason.as_str()), (5, 3, "max_tokens"));
    }
}
