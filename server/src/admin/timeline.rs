//! A turn's log as a list for people: what happened when, what it wrote, and where nobody ran it. Pure.

use app::{
    domain::Timestamp,
    pages::admin::{Entry, Mark},
};

use crate::{
    prices,
    storage::{By, Kind, SeamClass, Seen, Segment, TurnItem},
    turn::log::Log,
};

/// A log in words, and how far its text had come when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    pub entries: Vec<Entry>,
    /// Milliseconds since the turn was sent, and bytes of content.
    pub curve: Vec<(u64, u32)>,
    /// Spans that nobody ran, in the same milliseconds.
    pub gaps: Vec<(u64, u64)>,
    /// The text so far.
    pub text: String,
}

fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        _ => format!("{:.1} KB", bytes as f64 / 1000.0),
    }
}

fn who(by: By) -> &'static str {
    match by {
        By::Web => "a web request",
        By::Queue => "a queue message",
        By::Sweeper => "the sweep",
    }
}

fn boot(segment: &Segment) -> &str {
    segment.boot.get(..4).unwrap_or(&segment.boot)
}

fn seam(class: SeamClass) -> &'static str {
    match class {
        SeamClass::Exact => "joined exactly where it broke off",
        SeamClass::Fuzzy => "joined where it broke off, but for spaces or quotes",
        SeamClass::Overlap => "joined at what little overlapped",
        SeamClass::None => "joined as it came: nothing overlapped",
        SeamClass::Restart => "began again, and what was there already was dropped",
    }
}

/// Segments of one kind in a row, told as one.
struct Row {
    kind: Kind,
    since: u64,
    count: u64,
    bytes: usize,
    from: u32,
    to: u32,
    seam: Option<SeamClass>,
}

impl Row {
    fn entry(self) -> Entry {
        match self.kind {
            Kind::Beat => Entry {
                mark: Mark::Beat,
                at: self.since,
                what: counted(self.count, "beat", "beats"),
                size: String::new(),
                note: "while there was nothing to write".to_owned(),
            },
            _ => {
                let joined = self.seam.map(|class| format!("; {}", seam(class))).unwrap_or_default();
                Entry {
                    mark: Mark::Text,
                    at: self.since,
                    what: format!("Text, {}", counted(self.count, "segment", "segments")),
                    size: size(self.bytes),
                    note: format!("cursor {} to {}{joined}", self.from, self.to),
                }
            }
        }
    }
}

/// Tells a log. `lease` in milliseconds: a silence of that length before another claim is one.
#[must_use]
pub fn timeline(turn: &TurnItem, seen: &[Seen], lease: u64) -> Timeline {
    let mut out = Timeline::default();
    let mut log = Log::default();
    let mut row: Option<Row> = None;
    let since = |at: Timestamp| at.since(turn.created_at);
    let mut last: Option<(u64, String)> = None;
    for seen in seen {
        let Ok((seq, segment)) = &seen.segment else {
            let note = "a segment of a newer version, or a broken one".to_owned();
            out.entries.push(Entry {
                mark: Mark::Gap,
                at: last.as_ref().map_or(0, |l| l.0),
                what: "Not readable here".to_owned(),
                size: String::new(),
                note,
            });
            break;
        };
        let at = since(segment.time);
        let before = (log.content().len(), log.released());
        if let Err(fault) = log.apply(*seq, segment) {
            out.entries.extend(row.take().map(Row::entry));
            out.entries.push(Entry {
                mark: Mark::Gap,
                at,
                what: "Not understood".to_owned(),
                size: String::new(),
                note: fault.to_string(),
            });
            break;
        }
        let bytes: usize = segment.pieces.iter().map(|p| p.text.len()).sum();
        if bytes > 0 && out.curve.is_empty() {
            out.curve.push((at, segment.at));
        }
        let runs = matches!(segment.kind, Kind::Text | Kind::Beat);
        match &mut row {
            Some(r) if runs && r.kind == segment.kind => {
                r.count += 1;
                r.bytes += bytes;
                r.to = log.content().len();
                r.seam = r.seam.or(segment.seam);
            }
            _ => {
                out.entries.extend(row.take().map(Row::entry));
                if runs {
                    let (from, to) = (segment.at, log.content().len());
                    row = Some(Row { kind: segment.kind, since: at, count: 1, bytes, from, to, seam: segment.seam });
                }
            }
        }
        if segment.kind == Kind::Claim && segment.claim > 0 {
            silence(&mut out, last.as_ref(), at, before.1, lease);
        }
        if !runs {
            out.entries.push(plain(turn, segment, at, bytes, before, last.as_ref().map(|l| l.0)));
        }
        if segment.kind != Kind::Stop {
            last = Some((at, boot(segment).to_owned()));
        }
        out.curve.push((at, log.content().len()));
    }
    out.entries.extend(row.take().map(Row::entry));
    out.text = log.content().text();
    out
}

/// Before a claim that was not handed over: that nobody ran it.
fn silence(out: &mut Timeline, last: Option<&(u64, String)>, at: u64, released: bool, lease: u64) {
    let Some((from, boot)) = last else { return };
    let long = at.saturating_sub(*from);
    if released || long < lease.min(1_000) {
        return;
    }
    out.gaps.push((*from, at));
    out.entries.push(Entry {
        mark: Mark::Gap,
        at: *from,
        what: format!("Silence of {:.1} s", long as f64 / 1000.0),
        size: String::new(),
        note: format!("{boot} wrote no more"),
    });
}

fn plain(turn: &TurnItem, segment: &Segment, at: u64, bytes: usize, before: (u32, bool), last: Option<u64>) -> Entry {
    let (len, released) = before;
    let entry = |mark, what: String, note| Entry {
        mark,
        at,
        what,
        size: if bytes > 0 { size(bytes) } else { String::new() },
        note,
    };
    let by = format!("by {} on {}", who(segment.by), boot(segment));
    match segment.kind {
        Kind::Claim if segment.claim == 0 => entry(Mark::Claim, "Claimed".to_owned(), by),
        Kind::Claim => {
            let after =
                last.map(|l| format!(", after {:.1} s", at.saturating_sub(l) as f64 / 1000.0)).unwrap_or_default();
            let dropped = match len.saturating_sub(segment.at) {
                0 => String::new(),
                n => format!("; {n} bytes were dropped, so readers were set back to {}", segment.at),
            };
            let what = if released { "Handed over" } else { "Taken over" };
            entry(Mark::Claim, what.to_owned(), format!("{by}{after}{dropped}"))
        }
        Kind::Stop => entry(Mark::Stop, "Stop asked for".to_owned(), by),
        Kind::Release => entry(Mark::Release, "Released".to_owned(), by),
        Kind::Text | Kind::Beat | Kind::End => {
            let Some(end) = &segment.end else { return entry(Mark::End, "Ended".to_owned(), by) };
            let outcome = match end.outcome {
                app::domain::Outcome::Complete => "complete",
                app::domain::Outcome::Stopped => "stopped",
                app::domain::Outcome::Failed => "failed",
            };
            let u = end.usage;
            let read = u.input_tokens + u.cache_creation_input_tokens + u.cache_read_input_tokens;
            let about = if u.estimated { "about " } else { "" };
            let why = end.error.as_ref().map(|e| e.code.clone()).or_else(|| end.stop_reason.clone());
            let note = format!(
                "{}{about}{read} tokens read, {} written, {}",
                why.map(|w| format!("{w}; ")).unwrap_or_default(),
                u.output_tokens,
                prices::dollars(prices::micros(&turn.model, &u)),
            );
            entry(Mark::End, format!("Ended: {outcome}"), note)
        }
    }
}
