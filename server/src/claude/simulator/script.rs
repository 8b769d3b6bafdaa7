//! The script language: what a test, or a person who plays, asks of the simulator.
//!
//! `tokens=N rate=N ttft=MS seed=N vary think=N fault=KIND@N status=N retry-after=S times=K stop=REASON utf8 bytes=N
//! markdown html echo seam=KIND misfit prefill unknown=N hold=NAME@N release=NAME`, in the header `x-sim` or in a line `/sim …` of a user message.

use std::{str::FromStr, time::Duration};

use super::refusal::Refusal;

/// Most tokens of one reply.
const MOST_TOKENS: usize = 1_000_000;
/// Most bytes of what nobody knows.
const MOST_UNKNOWN: usize = 64 * 1024 * 1024;

/// What breaks after some tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The connection is closed in the middle of the response.
    Reset,
    /// Nothing more comes; the connection stays open.
    Stall,
    /// An `error` event, `api_error`.
    Error,
    /// An `error` event, `overloaded_error`.
    Overloaded,
    /// Bytes that are nothing.
    Garbage,
    /// The response ends cleanly, without `message_stop`.
    Truncate,
    /// Nothing more comes but pings.
    Pings,
    /// The message ends with the stop reason `pause_turn`, though it is not whole.
    Pause,
}

/// How a partial reply is carried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seam {
    /// With the anchor it was asked to repeat.
    #[default]
    Echo,
    /// Without the anchor.
    None,
    /// With a greeting before the anchor.
    Greet,
    /// From the beginning.
    Restart,
    /// Without the anchor, and with the white space at the boundary lost.
    Space,
}

/// A script. Its default is what happens without one.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// As it was written; empty without one.
    pub source: String,
    /// Tokens of text. None: as many as the text has by itself.
    pub tokens: Option<usize>,
    /// Tokens a second; 0 is as fast as possible.
    pub rate: f64,
    /// From the request to the first token.
    pub ttft: Duration,
    pub seed: Option<u64>,
    /// Each word names the call.
    pub vary: bool,
    /// Tokens of thinking. None: a little, where the request asks the model to think.
    pub think: Option<usize>,
    /// What breaks, and after how many tokens of thinking and text.
    pub fault: Option<(Break, usize)>,
    /// Refuse with this status.
    pub status: Option<u16>,
    /// Seconds, with `status`.
    pub retry_after: Option<u32>,
    /// `fault` and `status` hold for so many calls of a conversation only.
    pub times: Option<u64>,
    pub stop: Option<String>,
    /// Words of many bytes.
    pub utf8: bool,
    /// Size of the chunks in which the body is written.
    pub bytes: Option<usize>,
    /// Headings, lists, tables, code.
    pub markdown: bool,
    /// A page in HTML.
    pub html: bool,
    /// The reply is the message itself, without the script.
    pub echo: bool,
    pub seam: Seam,
    /// A structured reply does not fit its schema; with `times` so many of a conversation.
    pub misfit: bool,
    /// A request may end in an assistant message, which is carried on.
    pub prefill: bool,
    /// Once, before the first token: an event, a block and a field that nobody knows, of so many bytes each.
    pub unknown: Option<usize>,
    /// Nothing but pings after so many tokens, until a call with `release` of this name has come.
    pub hold: Option<(String, usize)>,
    /// Lets go what is held under this name, now and later.
    pub release: Option<String>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            source: String::new(),
            tokens: None,
            rate: 50.0,
            ttft: Duration::from_millis(300),
            seed: None,
            vary: false,
            think: None,
            fault: None,
            status: None,
            retry_after: None,
            times: None,
            stop: None,
            utf8: false,
            bytes: None,
            markdown: false,
            html: false,
            echo: false,
            seam: Seam::default(),
            misfit: false,
            prefill: false,
            unknown: None,
            hold: None,
            release: None,
        }
    }
}

/// The script in a text: what follows `/sim` on the first line that begins with it.
#[must_use]
pub fn find(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("/sim")?;
        (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
    })
}

/// The text without its script.
#[must_use]
pub fn strip(text: &str) -> String {
    let kept: Vec<&str> = text.lines().filter(|line| find(line).is_none()).collect();
    kept.join("\n").trim().to_owned()
}

impl FromStr for Script {
    type Err = Refusal;

    /// Reads a script. Without `ttft` the first token comes at once.
    fn from_str(source: &str) -> Result<Self, Refusal> {
        let mut script = Self { source: source.to_owned(), ttft: Duration::ZERO, ..Self::default() };
        for word in source.split_whitespace() {
            script
                .word(word)
                .ok_or_else(|| Refusal::invalid(format!("sim: `{word}` is not in the script language")))?;
        }
        Ok(script)
    }
}

impl Script {
    /// Whether it says what the text should be, so that the simulator's usual reply is not wanted.
    #[must_use]
    pub fn shapes_text(&self) -> bool {
        self.tokens.is_some() || self.seed.is_some() || self.vary || self.utf8 || self.markdown
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match (key, value) {
            ("vary", "") => self.vary = true,
            ("utf8", "") => self.utf8 = true,
            ("markdown", "") => self.markdown = true,
            ("html", "") => self.html = true,
            ("echo", "") => self.echo = true,
            ("prefill", "") => self.prefill = true,
            ("misfit", "") => self.misfit = true,
            ("tokens", _) => self.tokens = Some(number(value, MOST_TOKENS)?),
            ("rate", _) => self.rate = value.parse().ok().filter(|rate| (0.0..=1e9).contains(rate))?,
            ("ttft", _) => self.ttft = Duration::from_millis(number(value, 3_600_000)?),
            ("seed", _) => self.seed = Some(value.parse().ok()?),
            ("think", _) => self.think = Some(number(value, MOST_TOKENS)?),
            ("fault", _) => self.fault = Some(fault(value)?),
            ("status", _) => self.status = Some(number(value, 599_u16)?).filter(|&status| status >= 400),
            ("retry-after", _) => self.retry_after = Some(value.parse().ok()?),
            ("times", _) => self.times = Some(value.parse().ok()?),
            ("stop", "") => return None,
            ("stop", _) => self.stop = Some(value.to_owned()),
            ("bytes", _) => self.bytes = Some(number(value, usize::MAX)?).filter(|&size| size > 0),
            ("unknown", _) => self.unknown = Some(number(value, MOST_UNKNOWN)?),
            ("seam", _) => self.seam = seam(value)?,
            ("hold", _) => self.hold = Some(hold(value)?),
            ("release", "") => return None,
            ("release", _) => self.release = Some(value.to_owned()),
            _ => return None,
        }
        // A value out of range leaves nothing behind and is refused like one that is no number.
        match key {
            "status" => self.status.map(drop),
            "bytes" => self.bytes.map(drop),
            _ => Some(()),
        }
    }
}

fn number<N: FromStr + PartialOrd>(value: &str, most: N) -> Option<N> {
    value.parse().ok().filter(|number| *number <= most)
}

fn fault(value: &str) -> Option<(Break, usize)> {
    let (kind, after) = value.split_once('@').unwrap_or((value, "0"));
    let kind = match kind {
        "reset" => Break::Reset,
        "stall" => Break::Stall,
        "error" => Break::Error,
        "overloaded" => Break::Overloaded,
        "garbage" => Break::Garbage,
        "truncate" => Break::Truncate,
        "pings" => Break::Pings,
        "pause" => Break::Pause,
        _ => return None,
    };
    Some((kind, after.parse().ok()?))
}

fn hold(value: &str) -> Option<(String, usize)> {
    let (name, after) = value.split_once('@')?;
    Some((Some(name).filter(|name| !name.is_empty())?.to_owned(), after.parse().ok()?))
}

fn seam(value: &str) -> Option<Seam> {
    Some(match value {
        "echo" => Seam::Echo,
        "none" => Seam::None,
        "greet" => Seam::Greet,
        "restart" => Seam::Restart,
        "space" => Seam::Space,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word() {
        let source = "tokens=9 rate=0 ttft=20 seed=3 vary think=4 fault=reset@7 status=529 retry-after=2 times=1 \
                      stop=refusal utf8 bytes=5 markdown html echo seam=greet misfit prefill unknown=8 hold=a@5 release=b";
        let want = Script {
            source: source.to_owned(),
            tokens: Some(9),
            rate: 0.0,
            ttft: Duration::from_millis(20),
            seed: Some(3),
            vary: true,
            think: Some(4),
            fault: Some((Break::Reset, 7)),
            status: Some(529),
            retry_after: Some(2),
            times: Some(1),
            stop: Some("refusal".to_owned()),
            utf8: true,
            bytes: Some(5),
            markdown: true,
            html: true,
            echo: true,
            seam: Seam::Greet,
            misfit: true,
            prefill: true,
            unknown: Some(8),
            hold: Some(("a".to_owned(), 5)),
            release: Some("b".to_owned()),
        };
        assert_eq!(source.parse(), Ok(want));
    }

    #[test]
    fn what_is_no_word_is_refused() {
        for word in [
            "speed=9",
            "tokens=",
            "tokens=-1",
            "fault=fire@3",
            "status=200",
            "bytes=0",
            "seam",
            "vary=1",
            "rate=x",
            "unknown",
            "hold=a",
            "hold=@3",
            "release",
        ] {
            assert!(word.parse::<Script>().is_err(), "{word}");
        }
    }

    #[test]
    fn the_line_is_found_and_left_out() {
        assert_eq!(find("hello\n  /sim tokens=3 \nworld"), Some("tokens=3"));
        assert_eq!(find("/sim"), Some(""));
        assert_eq!(find("/simple\nsee /sim x"), None);
        assert_eq!(strip("hello\n/sim tokens=3\nworld"), "hello\nworld");
    }
}
