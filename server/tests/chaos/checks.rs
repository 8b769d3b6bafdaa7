//! What must be true of every turn, whatever happened: pure, over what was read from the table.

use std::collections::{BTreeMap, BTreeSet};

use app::domain::{Outcome, PieceKind};
use server::storage::{End, Kind as SegmentKind, MessageItem, Segment, TurnItem, TurnState};

use crate::{
    ledger::{Kind, Wrong},
    plan::TurnPlan,
    reader::Reader,
};

/// A log, folded by the rules.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fold {
    /// What is left, by the claim that wrote it.
    pub(crate) content: Vec<(u32, PieceKind, String)>,
    /// Where each claim began.
    pub(crate) bases: Vec<u32>,
    pub(crate) end: Option<End>,
    pub(crate) stop: bool,
    /// The most claims in a row that brought nothing the next one kept.
    pub(crate) in_vain: u32,
    fruitless: u32,
    /// Claims that may have called upstream: those that were made when no stop stood in the log.
    pub(crate) calling: u64,
    /// What each claim wrote, kept or not.
    pub(crate) wrote: Vec<String>,
}

impl Fold {
    pub(crate) fn len(&self) -> usize {
        self.content.iter().map(|(_, _, text)| text.len()).sum()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.content.iter().flat_map(|(_, _, text)| text.bytes()).collect()
    }

    /// A claim drops no text that was logged, but white space at its end: only thinking is begun anew.
    fn keeps_text(&self, to: usize) -> Result<(), Wrong> {
        let mut at = 0;
        for (_, kind, text) in &self.content {
            let dropped = text.get(to.saturating_sub(at).min(text.len())..).unwrap_or(text);
            if *kind == PieceKind::Text && !dropped.trim().is_empty() {
                return Err(Wrong::new(Kind::Lost, format!("a claim at {to} drops {dropped:?}, which was logged")));
            }
            at += text.len();
        }
        Ok(())
    }

    fn truncate(&mut self, to: usize) -> Result<(), Wrong> {
        let mut at = 0;
        for (_, _, text) in &mut self.content {
            let keep = to.saturating_sub(at).min(text.len());
            at += text.len();
            if !text.is_char_boundary(keep) {
                return Err(Wrong::new(Kind::Rule, format!("a claim at {to} is inside a character")));
            }
            text.truncate(keep);
        }
        self.content.retain(|(_, _, text)| !text.is_empty());
        Ok(())
    }
}

/// Folds a log, which must be one that its rules allow.
pub(crate) fn fold(log: &[(u64, Segment)]) -> Result<Fold, Wrong> {
    let mut fold = Fold::default();
    let mut holder = None;
    let mut nonces = BTreeSet::new();
    let mut released = false;
    for (place, (seq, segment)) in log.iter().enumerate() {
        let rule = |what: String| Wrong::new(Kind::Rule, format!("segment {seq} ({:?}): {what}", segment.kind));
        if *seq != place as u64 {
            return Err(rule(format!("it stands in place {place}")));
        }
        if fold.end.is_some() {
            return Err(rule("it follows the end".to_owned()));
        }
        if !nonces.insert(&segment.nonce) {
            return Err(rule("its nonce was used before".to_owned()));
        }
        match segment.kind {
            SegmentKind::Stop if fold.stop => return Err(rule("there is a stop already".to_owned())),
            SegmentKind::Stop => {
                fold.stop = true;
                continue;
            }
            SegmentKind::Claim => {
                if segment.claim as usize != fold.bases.len() {
                    return Err(rule(format!("it is claim {}, after {}", segment.claim, fold.bases.len())));
                }
                if segment.at as usize > fold.len() {
                    return Err(rule(format!("it begins at {}, of {}", segment.at, fold.len())));
                }
                if let Some(last) = fold.bases.last() {
                    fold.fruitless = if segment.at > *last { 0 } else { fold.fruitless + u32::from(!released) };
                    fold.in_vain = fold.in_vain.max(fold.fruitless);
                }
                fold.keeps_text(segment.at as usize)?;
                fold.truncate(segment.at as usize)?;
                fold.bases.push(segment.at);
                fold.wrote.push(String::new());
                fold.calling += u64::from(!fold.stop);
                holder = Some(&segment.boot);
            }
            SegmentKind::Text | SegmentKind::Beat | SegmentKind::Release | SegmentKind::End => {
                if segment.claim as usize + 1 != fold.bases.len() || holder != Some(&segment.boot) {
                    let newest = fold.bases.len() as i64 - 1;
                    return Err(Wrong::new(
                        Kind::Mixed,
                        format!(
                            "segment {seq} is of claim {} ({}), the newest is {newest}",
                            segment.claim, segment.boot
                        ),
                    ));
                }
                if segment.at as usize != fold.len() {
                    return Err(rule(format!("it begins at {}, of {}", segment.at, fold.len())));
                }
                for piece in &segment.pieces {
                    fold.wrote[segment.claim as usize].push_str(&piece.text);
                    match fold.content.last_mut() {
                        Some((claim, kind, text)) if (*claim, *kind) == (segment.claim, piece.kind) => {
                            text.push_str(&piece.text);
                        }
                        _ => fold.content.push((segment.claim, piece.kind, piece.text.clone())),
                    }
                }
            }
        }
        released = segment.kind == SegmentKind::Release;
        fold.end.clone_from(&segment.end);
        if let Some(end) = &fold.end
            && end.total as usize != fold.len()
        {
            return Err(rule(format!("it says that there are {} bytes, there are {}", end.total, fold.len())));
        }
    }
    Ok(fold)
}

/// Whether the reply is a clean splice of the calls that made it: each word in its place, of one call for each
/// claim, of no two claims the same call; whole, if it is said to be complete. Gives the calls, by claim.
pub(crate) fn splice(plan: &TurnPlan, fold: &Fold) -> Result<BTreeMap<u32, u64>, Wrong> {
    let Some(end) = &fold.end else { return Err(Wrong::new(Kind::Stuck, "its log has no end")) };
    let mut calls = BTreeMap::new();
    let mut words = BTreeMap::new();
    for (letter, kind) in [('t', PieceKind::Thinking), ('w', PieceKind::Text)] {
        let text: String = fold.content.iter().filter(|(_, k, _)| *k == kind).map(|(.., text)| text.as_str()).collect();
        // Whose each byte is.
        let owners: Vec<u32> = fold
            .content
            .iter()
            .filter(|(_, k, _)| *k == kind)
            .flat_map(|(claim, _, text)| std::iter::repeat_n(*claim, text.len()))
            .collect();
        let mut at = 0;
        let mut number = 0;
        while at < text.len() {
            let (length, call) = word(&text[at..], letter, number, plan.utf8)?;
            let owner = owners[at];
            if owners[at + length - 1] != owner {
                return Err(Wrong::new(Kind::Mixed, format!("{letter}{number} is of two claims")));
            }
            if *calls.entry(owner).or_insert(call) != call {
                return Err(Wrong::new(
                    Kind::Mixed,
                    format!("claim {owner} has {letter}{number} of call {call} and words of another"),
                ));
            }
            at += length;
            number += 1;
        }
        words.insert(letter, number);
    }
    let distinct: BTreeSet<_> = calls.values().collect();
    if distinct.len() != calls.len() {
        return Err(Wrong::new(Kind::Mixed, format!("two claims have words of one call: {calls:?}")));
    }
    for (claim, wrote) in fold.wrote.iter().enumerate() {
        let of: BTreeSet<_> = wrote
            .split('·')
            .skip(1)
            .map(|rest| rest.trim_start_matches('c').split(|c: char| !c.is_ascii_digit()).next())
            .collect();
        if of.len() > 1 {
            return Err(Wrong::new(Kind::Mixed, format!("claim {claim} wrote words of the calls {of:?}")));
        }
    }
    let (thoughts, tokens) = (words[&'t'], words[&'w']);
    if end.outcome == Outcome::Complete && (thoughts, tokens) != (plan.think, plan.tokens) {
        let (think, whole) = (plan.think, plan.tokens);
        return Err(Wrong::new(
            Kind::Lost,
            format!("complete with {thoughts} of {think} thoughts, {tokens} of {whole} words"),
        ));
    }
    Ok(calls)
}

/// Reads the word of that number; gives its length and its call.
fn word(text: &str, letter: char, number: usize, utf8: bool) -> Result<(usize, u64), Wrong> {
    let gap = match number {
        0 => "",
        n if n % 60 == 0 => "\n\n",
        _ => " ",
    };
    let read = || {
        let rest =
            text.strip_prefix(gap)?.strip_prefix(letter)?.strip_prefix(&number.to_string())?.strip_prefix("·c")?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let call = rest[..digits].parse().ok()?;
        let rest = &rest[digits..];
        let rest = if utf8 { rest.strip_prefix("é🙂")? } else { rest };
        // Nothing may be between this word and the next.
        (rest.is_empty() || rest.starts_with([' ', '\n'])).then_some((text.len() - rest.len(), call))
    };
    read().ok_or_else(|| {
        let found: String = text.chars().take(24).collect();
        let next: Option<usize> =
            text.trim_start().strip_prefix(letter).and_then(|t| t.split('·').next()?.parse().ok());
        let kind = match next {
            Some(next) if next < number => Kind::Repeated,
            Some(next) if next > number => Kind::Lost,
            _ => Kind::Mixed,
        };
        Wrong::new(kind, format!("in the place of {letter}{number} stands {found:?}"))
    })
}

/// Whether it ended as it may: complete, stopped by somebody, or failed for a reason that the log shows.
pub(crate) fn outcome(fold: &Fold, stopped: bool) -> Result<(), Wrong> {
    let Some(end) = &fold.end else { return Err(Wrong::new(Kind::Stuck, "its log has no end")) };
    let code = end.error.as_ref().map(|e| e.code.as_str());
    match end.outcome {
        Outcome::Complete => Ok(()),
        // Not by a segment, if whoever stopped it and its runner were in one process.
        Outcome::Stopped if stopped => Ok(()),
        Outcome::Stopped => Err(Wrong::new(Kind::Lost, "stopped by nobody")),
        // Three claims in a row brought nothing; the third may be its own, by the runner that gave up.
        Outcome::Failed if fold.in_vain >= 2 || fold.bases.len() >= 50 => Ok(()),
        Outcome::Failed => Err(Wrong::new(
            Kind::Lost,
            format!(
                "failed ({code:?}) after {} claims, of which {} in a row in vain",
                fold.bases.len(),
                fold.fruitless
            ),
        )),
    }
}

/// Whether what is stored is what the log says, and the turn is done.
pub(crate) fn stored(fold: &Fold, turn: &TurnItem, message: Option<&MessageItem>, deleted: bool) -> Result<(), Wrong> {
    if turn.state != TurnState::Done {
        return Err(Wrong::new(Kind::Stuck, "it is open"));
    }
    if turn.claims as usize != fold.bases.len() {
        let what = format!("{} claims are counted, {} stand in the log", turn.claims, fold.bases.len());
        return Err(Wrong::new(Kind::Rule, what));
    }
    let Some(message) = message else {
        return if deleted { Ok(()) } else { Err(Wrong::new(Kind::Lost, "there is no message")) };
    };
    let content: Vec<u8> = message.content.iter().flat_map(|piece| piece.text.bytes()).collect();
    if content != fold.bytes() {
        let (has, should) = (content.len(), fold.len());
        return Err(Wrong::new(Kind::Lost, format!("the message has {has} bytes, the log {should}, or others")));
    }
    let bases: Vec<u32> = message.bases.iter().map(|base| base.at).collect();
    if bases != fold.bases {
        return Err(Wrong::new(Kind::Rule, format!("the message has the bases {bases:?}, the log {:?}", fold.bases)));
    }
    let outcome = fold.end.as_ref().map(|end| end.outcome);
    if message.outcome != outcome || turn.outcome != outcome {
        let what = format!("log {outcome:?}, message {:?}, turn {:?}", message.outcome, turn.outcome);
        return Err(Wrong::new(Kind::Rule, what));
    }
    Ok(())
}

/// Whether a reader has what is stored, and was told how it ended.
pub(crate) fn shown(fold: &Fold, reader: &Reader) -> Result<(), Wrong> {
    let Some(told) = &reader.end else { return Err(Wrong::new(Kind::Stuck, "a reader saw no end")) };
    if told.error.as_deref() == Some("deleted") {
        return Ok(());
    }
    let should = fold.bytes();
    if reader.shown != should {
        let same = reader.shown.iter().zip(&should).take_while(|(a, b)| a == b).count();
        let what = format!(
            "a reader has {} bytes, {} are stored, the first {same} are the same",
            reader.shown.len(),
            should.len()
        );
        return Err(Wrong::new(Kind::Shown, what));
    }
    if Some(told.outcome) != fold.end.as_ref().map(|end| end.outcome) {
        return Err(Wrong::new(Kind::Shown, format!("a reader was told {:?}", told.outcome)));
    }
    Ok(())
}

/// Whether no more calls went upstream than the faults explain: one for each claim that could make one, and one more
/// where something broke upstream before the first content. And none of the words are another turn's.
pub(crate) fn calls(
    plan: &TurnPlan,
    fold: &Fold,
    words: &BTreeMap<u32, u64>,
    made: &BTreeSet<u64>,
) -> Result<(), Wrong> {
    let most = fold.calling + u64::from(plan.fault.is_some());
    if made.len() as u64 > most {
        return Err(Wrong::new(Kind::Calls, format!("{} calls, {} claims that could call", made.len(), fold.calling)));
    }
    match words.values().find(|call| !made.contains(call)) {
        Some(call) => Err(Wrong::new(Kind::Mixed, format!("words of call {call}, which was another turn's"))),
        None => Ok(()),
    }
}

/// A log in words, for whoever has to find out what went wrong.
pub(crate) fn print(log: &[(u64, Segment)]) -> String {
    let mut out = String::new();
    for (seq, s) in log {
        let added: usize = s.pieces.iter().map(|p| p.text.len()).sum();
        let boot = s.boot.get(..6).unwrap_or_default();
        let first: String = s.pieces.iter().flat_map(|p| p.text.chars()).take(12).collect();
        let end = s
            .end
            .as_ref()
            .map(|e| format!(" {:?} {:?} total {}", e.outcome, e.error.as_ref().map(|e| &e.code), e.total));
        out.push_str(&format!(
            "    {seq:>4} {:<8} claim {} at {:>5} +{added:<5} {boot} {} {first:?}{}\n",
            format!("{:?}", s.kind),
            s.claim,
            s.at,
            s.time,
            end.unwrap_or_default()
        ));
    }
    out
}
