//! `turn <id>`: a turn's log in words.

use std::fmt::Write;

use app::domain::{Piece, PieceKind, Timestamp, TurnId, Usage};
use serde::Serialize;

use super::{
    reach::{Reached, reach},
    say,
    standing::{Standing, standing},
};
use crate::{
    config::Config,
    serve::StartError,
    storage::{Base, Seen, Segment, StoreError, TurnItem, TurnState, segment::VERSION},
    turn::log::Log,
};

/// Prints a turn's log. Its text only where it is asked for.
///
/// # Errors
/// If there is no such turn, or the store does not answer.
pub async fn turn(config: Config, id: TurnId, text: bool) -> Result<(), StartError> {
    let missing = || StartError::Part(format!("there is no turn {id}"));
    let reached = reach(&config).await.map_err(StartError::Part)?.ok_or_else(missing)?;
    let told = tell(&config, &reached, id, text).await;
    reached.close().await;
    say(told.map_err(|e| StartError::Part(e.to_string()))?.ok_or_else(missing)?.trim_end());
    Ok(())
}

async fn tell(config: &Config, reached: &Reached, id: TurnId, text: bool) -> Result<Option<String>, StoreError> {
    let item = reached.store.turn(id).await;
    let seen = reached.store.see_log(id).await?;
    let (item, unreadable) = match item {
        Ok(item) => (item, None),
        // Of a format that this version does not know: what else there is may still be told.
        Err(error) if error.kind() == crate::storage::StoreErrorKind::Corrupt => (None, Some(error)),
        Err(error) => return Err(error),
    };
    if item.is_none() && unreadable.is_none() && seen.is_empty() {
        return Ok(None);
    }
    let mut out = String::new();
    let began = item.as_ref().map(|turn| turn.created_at).or_else(|| first(&seen)).unwrap_or_default();
    match (&item, unreadable) {
        (Some(turn), _) => head(&mut out, turn),
        (None, Some(error)) => line(&mut out, format_args!("turn {id}, whose own item cannot be read here: {error}")),
        (None, None) => line(&mut out, format_args!("turn {id}, whose own item is gone")),
    }
    let log = segments(&mut out, &seen, began, text);
    state(&mut out, config, reached, item.as_ref(), &log);
    Ok(Some(out))
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(out, "{text}");
}

fn first(seen: &[Seen]) -> Option<Timestamp> {
    seen.iter().find_map(|seen| seen.segment.as_ref().ok()).map(|(_, segment)| segment.time)
}

/// A unit variant's name, as it is stored.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn head(out: &mut String, turn: &TurnItem) {
    line(out, format_args!("turn {}, sent {}", turn.id, turn.created_at));
    let (session, owner, parent) = (turn.session, turn.owner, turn.parent);
    line(out, format_args!("  in chat {session} of user {owner}, answers {parent} with {}", printable(&turn.model)));
    if let Some(continues) = turn.continues {
        line(out, format_args!("  goes on with the text of {continues}"));
    }
}

/// One line each, and the fold of what this version understands.
struct Told {
    log: Log,
    /// Why not all of it was folded.
    broken: Option<String>,
}

fn segments(out: &mut String, seen: &[Seen], began: Timestamp, text: bool) -> Told {
    let mut told = Told { log: Log::default(), broken: None };
    line(out, format_args!("log"));
    for seen in seen {
        match &seen.segment {
            Err(error) => {
                line(out, format_args!("  {}  cannot be read here: {error}", printable(&seen.key)));
                told.broken.get_or_insert_with(|| format!("{} cannot be read here", printable(&seen.key)));
            }
            Ok((seq, segment)) => {
                if told.broken.is_none()
                    && let Err(fault) = told.log.apply(*seq, segment)
                {
                    told.broken = Some(format!("{seq} cannot follow: {fault}"));
                    line(out, format_args!("  from here on not understood: {fault}"));
                }
                line(out, format_args!("  {}", described(*seq, segment, began)));
                if text {
                    segment.pieces.iter().for_each(|piece| quote(out, piece));
                }
            }
        }
    }
    told
}

fn described(seq: u64, segment: &Segment, began: Timestamp) -> String {
    let after = segment.time.millis() as f64 - began.millis() as f64;
    let (kind, by) = (word(&segment.kind), word(&segment.by));
    let mut text = format!("{seq:>4}  {:>+10.3} s  {kind:<7}  claim {}", after / 1000.0, segment.claim);
    let _ = write!(text, "  by {by:<7}  boot {}  at {}", printable(&segment.boot), segment.at);
    let bytes = |kind| segment.pieces.iter().filter(|p| p.kind == kind).map(|p| p.text.len()).sum::<usize>();
    for (kind, of) in [(PieceKind::Text, "text"), (PieceKind::Thinking, "thinking")] {
        match bytes(kind) {
            0 => {}
            n => {
                let _ = write!(text, ", {n} bytes of {of}");
            }
        }
    }
    if let Some(seam) = &segment.seam {
        let _ = write!(text, ", seam {}", word(seam));
    }
    if let Some(end) = &segment.end {
        let error = end.error.as_ref().map(|e| e.code.as_str());
        let _ = write!(text, ", {}", ended(&word(&end.outcome), end.stop_reason.as_deref(), error));
    }
    if segment.v > VERSION {
        let _ = write!(text, ", format {}, of which this version knows no more than this", segment.v);
    }
    text
}

fn ended(outcome: &str, stop_reason: Option<&str>, error: Option<&str>) -> String {
    match error.or(stop_reason) {
        Some(why) => format!("{outcome} ({})", printable(why)),
        None => outcome.to_owned(),
    }
}

fn state(out: &mut String, config: &Config, reached: &Reached, turn: Option<&TurnItem>, told: &Told) {
    let Told { log, broken } = told;
    let (mut bases, mut usage) = (log.bases(), log.end().map(|end| end.usage));
    let state = match turn {
        None => "unknown".to_owned(),
        Some(turn) if turn.state == TurnState::Done => {
            (bases, usage) = (&turn.bases, Some(turn.usage));
            let outcome = turn.outcome.as_ref().map(word).unwrap_or_default();
            let error = turn.error.as_ref().map(|e| e.code.as_str());
            format!("done: {}, {} bytes", ended(&outcome, turn.stop_reason.as_deref(), error), turn.total)
        }
        Some(_) if broken.is_some() => "open; servers of this version leave it alone".to_owned(),
        Some(turn) => match standing(turn, log, reached.clock.now(), config.turn.lease_ms, reached.alone) {
            Standing::Runs => "open; it runs".to_owned(),
            Standing::Ended => "open; its log has ended, its message is not stored yet".to_owned(),
            Standing::Abandoned(why) => format!("open; nobody runs it: {why}"),
        },
    };
    line(out, format_args!("state  {state}"));
    if let Some(broken) = broken {
        line(out, format_args!("note   the log is not understood as a whole: {broken}"));
    }
    for (number, base) in bases.iter().enumerate() {
        line(out, format_args!("claim {number}  {}", base_in_words(base)));
    }
    if let Some(usage) = usage {
        line(out, format_args!("usage  {}", used(usage)));
    }
}

fn base_in_words(base: &Base) -> String {
    let planned = if base.planned { ", planned" } else { "" };
    let seam = base.seam.as_ref().map(|seam| format!(", seam {}", word(seam))).unwrap_or_default();
    format!("from {}{planned}{seam}", base.at)
}

fn used(usage: Usage) -> String {
    format!(
        "{} tokens in, {} written to the cache, {} read from it, {} out{}",
        usage.input_tokens,
        usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
        usage.output_tokens,
        if usage.estimated { ", partly estimated" } else { "" }
    )
}

fn quote(out: &mut String, piece: &Piece) {
    let mark = match piece.kind {
        PieceKind::Text => '|',
        PieceKind::Thinking => '~',
    };
    for text in piece.text.split('\n') {
        line(out, format_args!("        {mark} {}", printable(text)));
    }
}

/// What came from a model or a table must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
