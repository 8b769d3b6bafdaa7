//! A turn's log: facts, how its text grew, and what happened when.

use super::short;
use crate::{
    components::{
        html::{attribute, text},
        words,
    },
    domain::{Message, Timestamp, TurnId, UserId},
};

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Claim,
    Text,
    Beat,
    /// Nobody ran it, or it cannot be read.
    Gap,
    Stop,
    Release,
    End,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub mark: Mark,
    /// Milliseconds since the turn was sent.
    pub at: u64,
    pub what: String,
    pub size: String,
    pub note: String,
}

/// A turn and its log.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnLog {
    pub turn: TurnId,
    /// Which of the page's answers it is, from 1.
    pub number: usize,
    pub user: UserId,
    pub model: String,
    pub sent_at: Timestamp,
    /// Milliseconds.
    pub first_ms: Option<u64>,
    pub total_ms: Option<u64>,
    pub runners: usize,
    pub cost: Option<String>,
    pub entries: Vec<Entry>,
    /// Milliseconds since it was sent, and bytes of content.
    pub curve: Vec<(u64, u32)>,
    /// Spans that nobody ran it.
    pub gaps: Vec<(u64, u64)>,
}

/// The panel.
pub(super) fn panel(log: &TurnLog) -> String {
    let id = log.turn.to_string();
    let fact = |name: &str, value: &str| ["<div><dt>", name, "</dt><dd>", value, "</dd></div>"].concat();
    let span = |ms: Option<u64>| ms.map_or_else(|| "none yet".to_owned(), words::duration);
    [
        "<aside class=\"panel\" id=\"log\" aria-label=\"Log of the chosen turn\"><h2>Log of turn ",
        &log.number.to_string(),
        "<small class=\"mono\"",
        &attribute("title", &id),
        ">",
        id.get(..13).unwrap_or(&id),
        "</small></h2><dl class=\"facts\">",
        &fact("User", &["<span class=\"mono\">", &short(log.user), "</span>"].concat()),
        &fact("Model", &text(&log.model)),
        &fact("First token", &span(log.first_ms)),
        &fact("Whole turn", &span(log.total_ms)),
        &fact("Runners", &log.runners.to_string()),
        &fact("Cost", log.cost.as_deref().unwrap_or("not known yet")),
        "</dl>",
        &chart(log),
        "<ol class=\"log\">",
        &log.entries.iter().map(line).collect::<String>(),
        "</ol></aside>",
    ]
    .concat()
}

fn line(entry: &Entry) -> String {
    let dot = "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><circle cx=\"8\" cy=\"8\" r=\"6\" class=\"ground\"/>";
    let (class, mark) = match entry.mark {
        Mark::Claim => ("claim", [dot, "<circle cx=\"8\" cy=\"8\" r=\"3.75\" class=\"solid\"/></svg>"].concat()),
        Mark::Release => ("release", [dot, "<circle cx=\"8\" cy=\"8\" r=\"3.25\"/></svg>"].concat()),
        Mark::Stop => {
            ("stop", [dot, "<rect x=\"4.5\" y=\"4.5\" width=\"7\" height=\"7\" class=\"solid\"/></svg>"].concat())
        }
        Mark::End => (
            "end",
            "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><rect x=\"4\" y=\"9\" width=\"8\" height=\"9\" \
             class=\"ground\"/><path d=\"M8 0v8M3 8h10\"/></svg>"
                .to_owned(),
        ),
        Mark::Gap => ("gap", String::new()),
        Mark::Text => ("text", String::new()),
        Mark::Beat => ("beat", String::new()),
    };
    [
        "<li class=\"k-",
        class,
        "\">",
        &mark,
        "<time>",
        &format!("{}.{:03} s", entry.at / 1000, entry.at % 1000),
        "</time><strong>",
        &text(&entry.what),
        "</strong><span class=\"size\">",
        &text(&entry.size),
        "</span><p>",
        &text(&entry.note),
        "</p></li>",
    ]
    .concat()
}

/// Points of the curve that are drawn.
const POINTS: usize = 240;

/// A round step that divides `most` into a few.
fn step(most: u64) -> u64 {
    let mut step = 1;
    while most / step > 4 {
        step = match step.to_string().as_bytes().first() {
            Some(b'1') => step * 2,
            Some(b'2') => step / 2 * 5,
            _ => step * 2,
        };
    }
    step
}

fn bytes(n: u64) -> String {
    if n >= 1000 { format!("{} KB", n as f64 / 1000.0) } else { format!("{n} B") }
}

/// How the text grew, and when nobody ran it.
fn chart(log: &TurnLog) -> String {
    let (Some(last), most) = (log.curve.last(), log.curve.iter().map(|(_, n)| *n).max().unwrap_or(0)) else {
        return String::new();
    };
    if most == 0 {
        return String::new();
    }
    let (width, most) = (last.0.max(1), u64::from(most));
    let x = |ms: u64| 40.0 + 440.0 * ms.min(width) as f64 / width as f64;
    let y = |n: u64| 146.0 - 130.0 * n.min(most) as f64 / most as f64;
    let mut inside = String::new();
    for (from, to) in &log.gaps {
        let (from, to) = (x(*from), x(*to));
        inside.push_str(&format!(
            "<rect class=\"gap\" x=\"{from:.1}\" y=\"12\" width=\"{:.1}\" height=\"134\"/>",
            to - from
        ));
        if to - from > 70.0 {
            let middle = f64::midpoint(from, to);
            inside.push_str(&format!(
                "<text class=\"gap-label\" x=\"{middle:.1}\" y=\"87\" text-anchor=\"middle\">nobody ran it</text>"
            ));
        }
    }
    inside.push_str("<path class=\"base\" d=\"M40 146H480\"/>");
    let each = step(most);
    for n in (1..=4).map(|i| i * each).filter(|n| *n <= most) {
        let y = y(n);
        let label = bytes(n);
        inside.push_str(&format!(
            "<path class=\"grid\" d=\"M40 {y:.1}H480\"/><text x=\"34\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            y + 3.6
        ));
    }
    let each = step(width);
    for ms in (0..=4).map(|i| i * each).filter(|ms| *ms <= width) {
        let (x, s) = (x(ms), ms as f64 / 1000.0);
        inside.push_str(&format!("<text x=\"{x:.1}\" y=\"162\" text-anchor=\"middle\">{s} s</text>"));
    }
    let every = log.curve.len().div_ceil(POINTS).max(1);
    let points = log.curve.iter().enumerate().filter(|(i, _)| i % every == 0 || *i + 1 == log.curve.len());
    let path: String = points
        .map(|(i, (ms, n))| format!("{}{:.1} {:.1} ", if i == 0 { "M" } else { "L" }, x(*ms), y(u64::from(*n))))
        .collect();
    inside.push_str(&format!("<path class=\"l1\" d=\"{}\"/>", path.trim_end()));
    let gaps: u64 = log.gaps.iter().map(|(from, to)| to - from).sum();
    let idle = if gaps > 0 { format!(", of which nobody ran it for {}", words::duration(gaps)) } else { String::new() };
    let label = format!("{} of content in {}{idle}", bytes(most), words::duration(width));
    [
        "<svg class=\"chart\" viewBox=\"0 0 480 170\" role=\"img\"",
        &attribute("aria-label", &label),
        ">",
        &inside,
        "</svg>",
    ]
    .concat()
}

/// The line under an answer: the way to its log.
pub(super) fn way(message: &Message, href: &str, chosen: bool) -> String {
    let timing = message.timing.map_or_else(String::new, |t| words::duration(t.total_ms) + ", ");
    let runners = message.seams.iter().filter(|s| !s.planned).count() as u64 + 1;
    let current = if chosen { " aria-current=\"true\"" } else { "" };
    [
        "<p class=\"stack-row ro-foot\"><a class=\"btn\"",
        &attribute("href", href),
        current,
        ">Show its log</a><span class=\"quiet\">",
        &timing,
        &words::counted(runners, "runner", "runners"),
        "</span></p>",
    ]
    .concat()
}
