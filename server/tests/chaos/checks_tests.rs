//! Each check is shown what it must not let pass: a check that cannot fail finds nothing.

use std::collections::{BTreeMap, BTreeSet};

use app::domain::{Cursor, MessageId, Outcome, Piece, PieceKind, Role, Timestamp, Timing, TurnError, TurnEvent, Usage};
use app::sse::Frame;
use server::{
    clock::Clock,
    storage::{Base, By, End, Kind as SegmentKind, MessageItem, Segment, TurnItem, TurnState, segment::VERSION},
};

use crate::{
    checks::{Fold, calls, fold, outcome, shown, splice, stored},
    dice::Dice,
    ledger::Kind,
    options::Options,
    plan::{self, TurnPlan},
    reader::{Reader, Told},
};

fn plan(tokens: usize) -> TurnPlan {
    let mut chats = plan::chats(&Options::short(1), &mut Dice::new(1));
    let plan = chats.remove(0).remove(0);
    TurnPlan { index: 0, tokens, think: 0, utf8: false, fault: None, ..plan }
}

/// A segment of claim `claim`; the claim's number is its runner's name, too.
fn segment(kind: SegmentKind, claim: u32, at: usize, text: &str) -> Segment {
    let pieces = if text.is_empty() { vec![] } else { vec![Piece { kind: PieceKind::Text, text: text.to_owned() }] };
    Segment {
        kind,
        claim,
        by: By::Web,
        boot: format!("boot{claim}"),
        nonce: format!("{:032x}", server::clock::random_u128()),
        at: at as u32,
        pieces,
        time: Timestamp::from_millis(1),
        v: VERSION,
        end: None,
        seam: None,
        chars: None,
        misfit: false,
        usage: None,
    }
}

fn end(claim: u32, at: usize, text: &str, outcome: Outcome) -> Segment {
    let end = End {
        outcome,
        stop_reason: None,
        error: None,
        usage: Usage::default(),
        timing: Timing::default(),
        total: (at + text.len()) as u32,
        left_out: 0,
    };
    Segment { end: Some(end), ..segment(SegmentKind::End, claim, at, text) }
}

fn log(segments: Vec<Segment>) -> Vec<(u64, Segment)> {
    (0..).zip(segments).collect()
}

/// Two words of call 1, taken over, carried on with two of call 2.
fn carried_on() -> Vec<(u64, Segment)> {
    let (first, second) = ("w0·c1 w1·c1", " w2·c2 w3·c2");
    log(vec![
        segment(SegmentKind::Claim, 0, 0, ""),
        segment(SegmentKind::Text, 0, 0, first),
        segment(SegmentKind::Beat, 0, first.len(), ""),
        segment(SegmentKind::Claim, 1, first.len(), ""),
        end(1, first.len(), second, Outcome::Complete),
    ])
}

/// Two thoughts of call 1, which are dropped; all of it from call 2.
fn thought_anew() -> Vec<(u64, Segment)> {
    let mut all = log(vec![
        segment(SegmentKind::Claim, 0, 0, ""),
        segment(SegmentKind::Text, 0, 0, "t0·c1 t1·c1"),
        segment(SegmentKind::Claim, 1, 0, ""),
        segment(SegmentKind::Text, 1, 0, "t0·c2 t1·c2"),
        end(1, 13, "w0·c2 w1·c2 w2·c2 w3·c2", Outcome::Complete),
    ]);
    for place in [1, 3] {
        all[place].1.pieces[0].kind = PieceKind::Thinking;
    }
    all
}

/// One claim that says this and ends.
fn said(text: &str) -> Fold {
    fold(&log(vec![segment(SegmentKind::Claim, 0, 0, ""), end(0, 0, text, Outcome::Complete)])).unwrap()
}

#[test]
fn good_logs_pass() {
    for (log, think) in [(carried_on(), 0), (thought_anew(), 2)] {
        let plan = TurnPlan { think, ..plan(4) };
        let fold = fold(&log).unwrap();
        let words = splice(&plan, &fold).unwrap();
        assert_eq!(words[&1], 2);
        outcome(&fold, false).unwrap();
        calls(&plan, &fold, &words, &BTreeSet::from([1, 2])).unwrap();
    }
    assert_eq!(fold(&thought_anew()).unwrap().in_vain, 1);
}

#[test]
fn a_log_that_breaks_a_rule_is_found() {
    type Break = fn(&mut Vec<(u64, Segment)>);
    let broken: [(Kind, Break); 11] = [
        // A word that was logged is dropped.
        (Kind::Lost, |log| log[3].1.at = 6),
        (Kind::Rule, |log| log[3].0 = 9),
        (Kind::Rule, |log| log[3].1.claim = 2),
        (Kind::Rule, |log| log[3].1.at = 99),
        (Kind::Rule, |log| log[2].1.nonce = log[1].1.nonce.clone()),
        (Kind::Rule, |log| log[4].1.end.as_mut().unwrap().total = 3),
        (Kind::Rule, |log| log[2].1.at = 1),
        // Inside the `·`, of what may be dropped.
        (Kind::Rule, |log| {
            log[1].1.pieces[0].kind = PieceKind::Thinking;
            log[3].1.at = 3;
        }),
        // The zombie writes under its old claim, or under another's.
        (Kind::Mixed, |log| log.insert(4, (4, segment(SegmentKind::Text, 0, 13, " w2·c1")))),
        (Kind::Mixed, |log| log[4].1.boot = "boot0".to_owned()),
        (Kind::Rule, |log| log.push((5, segment(SegmentKind::Beat, 1, 27, "")))),
    ];
    for (number, (kind, spoil)) in broken.into_iter().enumerate() {
        let mut log = carried_on();
        spoil(&mut log);
        assert_eq!(fold(&log).unwrap_err().kind, kind, "{number}");
    }
    let stops = log(vec![
        segment(SegmentKind::Claim, 0, 0, ""),
        segment(SegmentKind::Stop, 0, 0, ""),
        segment(SegmentKind::Stop, 0, 0, ""),
    ]);
    assert_eq!(fold(&stops).unwrap_err().kind, Kind::Rule);
}

#[test]
fn a_reply_that_is_no_clean_splice_is_found() {
    for (text, kind) in [
        ("w0·c1 w1·c1 w3·c1", Kind::Lost),
        ("w0·c1 w1·c1 w2·c1", Kind::Lost),
        ("w1·c1 w2·c1 w3·c1", Kind::Lost),
        ("w0·c1 w1·c1 w1·c1 w2·c1 w3·c1", Kind::Repeated),
        ("w0·c1 w1·c1 w2·c1 w3·c1 w0·c1", Kind::Repeated),
        ("w0·c1 w1·c1 w2·c2 w3·c2", Kind::Mixed),
        ("w0·c1 w1·c1w2·c1 w3·c1", Kind::Mixed),
        ("w0·c1  w1·c1 w2·c1 w3·c1", Kind::Repeated),
        ("w0·c1 w1 w2·c1 w3·c1", Kind::Mixed),
        ("Of course: w0·c1 w1·c1 w2·c1 w3·c1", Kind::Mixed),
    ] {
        let wrong = splice(&plan(4), &said(text)).unwrap_err();
        // A gap too many is garbled, whatever it is called.
        assert!(wrong.kind == kind || text.contains("  "), "{text}: {wrong}");
    }
    splice(&plan(4), &said("w0·c1 w1·c1 w2·c1 w3·c1")).unwrap();
    // Words of one call under two claims: somebody went on writing.
    let mut log = carried_on();
    let same = " w2·c1 w3·c1";
    log[4].1 = end(1, log[3].1.at as usize, same, Outcome::Complete);
    assert_eq!(splice(&plan(4), &fold(&log).unwrap()).unwrap_err().kind, Kind::Mixed);
    // What nobody kept has to be of one call, too.
    let mut log = thought_anew();
    log[1].1.pieces[0].text = "t0·c1 t1·c7".to_owned();
    assert_eq!(splice(&TurnPlan { think: 2, ..plan(4) }, &fold(&log).unwrap()).unwrap_err().kind, Kind::Mixed);
    // No end.
    let mut log = carried_on();
    log.pop();
    assert_eq!(splice(&plan(4), &fold(&log).unwrap()).unwrap_err().kind, Kind::Stuck);
    // Thoughts count, too.
    let thinking = TurnPlan { think: 2, ..plan(4) };
    assert_eq!(splice(&thinking, &said("w0·c1 w1·c1 w2·c1 w3·c1")).unwrap_err().kind, Kind::Lost);
}

#[test]
fn an_end_without_a_reason_is_found() {
    let ended = |stop: bool, how| {
        let mut all = vec![segment(SegmentKind::Claim, 0, 0, "")];
        if stop {
            all.push(segment(SegmentKind::Stop, 0, 0, ""));
        }
        all.push(end(0, 0, "w0·c1", how));
        fold(&log(all)).unwrap()
    };
    outcome(&ended(true, Outcome::Stopped), true).unwrap();
    outcome(&ended(false, Outcome::Stopped), true).unwrap();
    assert!(outcome(&ended(true, Outcome::Stopped), false).is_err());
    assert!(outcome(&ended(false, Outcome::Failed), false).is_err());
    let in_vain = log(vec![
        segment(SegmentKind::Claim, 0, 0, ""),
        segment(SegmentKind::Claim, 1, 0, ""),
        segment(SegmentKind::Claim, 2, 0, ""),
        end(2, 0, "", Outcome::Failed),
    ]);
    outcome(&fold(&in_vain).unwrap(), false).unwrap();
}

fn items(fold: &Fold) -> (TurnItem, MessageItem) {
    let clock = Clock::default();
    let (turn, session, parent) = (clock.turn_id(), clock.session_id(), clock.message_id());
    let bases: Vec<Base> = fold.bases.iter().map(|at| Base { at: *at, planned: false, seam: None }).collect();
    let at = Timestamp::from_millis(1);
    let message = MessageItem {
        id: MessageId::from(turn),
        session,
        parent: Some(parent),
        depth: 1,
        role: Role::Assistant,
        content: vec![Piece { kind: PieceKind::Text, text: String::from_utf8(fold.bytes()).unwrap() }],
        turn: Some(turn),
        model: None,
        outcome: Some(Outcome::Complete),
        stop_reason: None,
        error: None,
        usage: None,
        timing: None,
        bases: bases.clone(),
        left_out: None,
        created_at: at,
        ttl: 1,
    };
    let turn = TurnItem {
        id: turn,
        owner: clock.user_id(),
        session,
        parent,
        depth: 1,
        model: "m".to_owned(),
        state: TurnState::Done,
        claims: bases.len() as u32,
        continues: None,
        variant: None,
        created_at: at,
        bases,
        usage: Usage::default(),
        outcome: Some(Outcome::Complete),
        stop_reason: None,
        error: None,
        timing: None,
        total: fold.len() as u32,
        v: VERSION,
        ttl: 1,
    };
    (turn, message)
}

#[test]
fn a_message_that_is_not_its_log_is_found() {
    let fold = fold(&carried_on()).unwrap();
    let (turn, message) = items(&fold);
    stored(&fold, &turn, Some(&message), false).unwrap();
    stored(&fold, &turn, None, true).unwrap();
    let kind = |turn: &TurnItem, message: Option<&MessageItem>| stored(&fold, turn, message, false).unwrap_err().kind;
    assert_eq!(kind(&turn, None), Kind::Lost);
    assert_eq!(kind(&TurnItem { state: TurnState::Open, ..turn.clone() }, Some(&message)), Kind::Stuck);
    assert_eq!(kind(&TurnItem { claims: 3, ..turn.clone() }, Some(&message)), Kind::Rule);
    assert_eq!(kind(&TurnItem { outcome: Some(Outcome::Failed), ..turn.clone() }, Some(&message)), Kind::Rule);
    let mut other = message.clone();
    other.content[0].text.pop();
    assert_eq!(kind(&turn, Some(&other)), Kind::Lost);
    assert_eq!(kind(&turn, Some(&MessageItem { bases: vec![], ..message.clone() })), Kind::Rule);
    assert_eq!(kind(&turn, Some(&MessageItem { outcome: None, ..message })), Kind::Rule);
}

#[test]
fn a_reader_that_has_something_else_is_found() {
    let fold = fold(&carried_on()).unwrap();
    let good = Reader {
        shown: fold.bytes(),
        end: Some(Told { outcome: Outcome::Complete, error: None }),
        ..Reader::default()
    };
    shown(&fold, &good).unwrap();
    let mut short = good.clone();
    short.shown.pop();
    let mut other = good.clone();
    other.shown[1] = b'7';
    let mut misled = good.clone();
    misled.end = Some(Told { outcome: Outcome::Stopped, error: None });
    for bad in [short, other, misled] {
        assert_eq!(shown(&fold, &bad).unwrap_err().kind, Kind::Shown);
    }
    assert_eq!(shown(&fold, &Reader { end: None, ..good }).unwrap_err().kind, Kind::Stuck);
}

#[test]
fn a_reader_follows_by_offset_and_notices_when_it_does_not_fit() {
    let event = |claim, offset, event| Frame::Event { cursor: Some(Cursor::new(claim, offset)), event };
    let text = |text: &str| TurnEvent::Text { text: text.to_owned() };
    let mut reader = Reader::default();
    reader.take(event(0, 4, text("abcd"))).unwrap();
    reader.remember();
    reader.take(event(0, 2, TurnEvent::Rewind { to: Cursor::new(0, 2) })).unwrap();
    reader.take(event(1, 4, text("XY"))).unwrap();
    assert_eq!((reader.shown.as_slice(), reader.rewinds), (&b"abXY"[..], 1));
    assert!(reader.go_back() && reader.cursor == Cursor::new(0, 4) && reader.shown == b"abcd");
    assert!(!reader.go_back());
    assert_eq!(reader.take(event(1, 9, text("XY"))).unwrap_err().kind, Kind::Shown);
    let failed = TurnEvent::End {
        outcome: Outcome::Failed,
        stop_reason: None,
        usage: Usage::default(),
        error: Some(TurnError { code: "interrupted".to_owned(), message: String::new(), retryable: true }),
        timing: None,
    };
    reader.take(Frame::Event { cursor: None, event: failed }).unwrap();
    assert_eq!(reader.end.unwrap().error.as_deref(), Some("interrupted"));
}

#[test]
fn calls_that_nothing_explains_are_found() {
    let fold = fold(&carried_on()).unwrap();
    let words = BTreeMap::from([(0, 1), (1, 2)]);
    let kind = |plan: &TurnPlan, made: &[u64]| {
        calls(plan, &fold, &words, &made.iter().copied().collect()).map_err(|wrong| wrong.kind)
    };
    assert_eq!(kind(&plan(4), &[1, 2, 3]), Err(Kind::Calls));
    assert_eq!(kind(&plan(4), &[1, 3]), Err(Kind::Mixed));
    let faulty = TurnPlan { fault: Some("status=529".to_owned()), ..plan(4) };
    assert_eq!(kind(&faulty, &[1, 2, 3]), Ok(()));
    assert_eq!(kind(&faulty, &[1, 2, 3, 4]), Err(Kind::Calls));
    // A claim behind a stop calls nobody.
    let stopped = log(vec![
        segment(SegmentKind::Claim, 0, 0, ""),
        segment(SegmentKind::Stop, 0, 0, ""),
        segment(SegmentKind::Claim, 1, 0, ""),
        end(1, 0, "", Outcome::Stopped),
    ]);
    let fold = crate::checks::fold(&stopped).unwrap();
    assert!(calls(&plan(4), &fold, &BTreeMap::new(), &BTreeSet::from([1, 2])).is_err());
}
