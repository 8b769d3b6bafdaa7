//! What a follower with a cursor is told: pure.

use app::domain::{Cursor, PieceKind, TurnEvent};

use super::content::Content;
use crate::storage::Base;

/// Past this a text event is cut, so that no single write to a slow reader is huge.
const EVENT: usize = 64 * 1024;

/// What a follower sees of a turn: the log, or a runner's own content in this process, or the stored message.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub bases: &'a [Base],
    pub content: &'a Content,
    /// No more content will come.
    pub over: bool,
}

/// The view does not show the claim of the cursor: read again, strongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownClaim;

/// Tells `cursor` what it lacks of `view`, and moves it there.
///
/// # Errors
/// [`UnknownClaim`] if the view has no such claim.
pub fn catch_up(cursor: &mut Cursor, view: View<'_>, out: &mut Vec<(Cursor, TurnEvent)>) -> Result<(), UnknownClaim> {
    // Before the first claim there is nothing to know.
    if cursor.claim as usize >= view.bases.len() && *cursor != Cursor::default() {
        return Err(UnknownClaim);
    }
    let later = view.bases.iter().skip(cursor.claim as usize + 1).map(|b| b.at).min();
    let kept = later.unwrap_or(u32::MAX).min(if view.over { view.content.len() } else { u32::MAX });
    if kept < cursor.offset {
        rewind(cursor, kept, out);
    }
    if cursor.offset > view.content.len() {
        // Past the log, without a later claim: wait for one, or for the text.
        return Ok(());
    }
    cursor.offset = view.content.floor(cursor.offset);
    for (claim, kind, text, _) in view.content.after(cursor.offset) {
        let planned = view.bases.get(claim as usize).is_some_and(|b| b.planned);
        if planned && claim > cursor.claim {
            out.push((*cursor, TurnEvent::Planned {}));
        }
        let mut rest = text;
        while !rest.is_empty() {
            let mut cut = rest.len().min(EVENT);
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            let (head, tail) = rest.split_at(cut);
            *cursor = Cursor::new(claim, cursor.offset + head.len() as u32);
            let text = head.to_owned();
            out.push((
                *cursor,
                match kind {
                    PieceKind::Text => TurnEvent::Text { text },
                    PieceKind::Thinking => TurnEvent::Thinking { text },
                },
            ));
            rest = tail;
        }
    }
    Ok(())
}

/// Takes back all past `offset`; the claim stays the follower's.
pub fn rewind(cursor: &mut Cursor, offset: u32, out: &mut Vec<(Cursor, TurnEvent)>) {
    *cursor = cursor.at(offset);
    out.push((*cursor, TurnEvent::Rewind { to: *cursor }));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::testing::*, *};
    use crate::turn::log::Log;

    /// A client as the browser is one: it appends, and drops by offset.
    #[derive(Default)]
    struct Client {
        shown: Vec<u8>,
        cursor: Cursor,
    }

    impl Client {
        fn take(&mut self, events: Vec<(Cursor, TurnEvent)>) {
            for (cursor, event) in events {
                match event {
                    TurnEvent::Text { text } | TurnEvent::Thinking { text } => self.shown.extend(text.as_bytes()),
                    TurnEvent::Rewind { to } => self.shown.truncate(to.offset as usize),
                    _ => {}
                }
                self.cursor = cursor;
            }
        }
        fn follow(&mut self, view: View<'_>) {
            let (mut cursor, mut out) = (self.cursor, Vec::new());
            if catch_up(&mut cursor, view, &mut out).is_err() {
                rewind(&mut cursor, 0, &mut out);
                cursor = Cursor::default();
                catch_up(&mut cursor, view, &mut out).unwrap();
            }
            self.take(out);
        }
    }

    fn bytes(content: &Content) -> Vec<u8> {
        content.all().iter().flat_map(|p| p.text.bytes()).collect()
    }

    #[test]
    fn text_that_was_shown_and_never_logged_is_taken_back() {
        let mut log = Log::default();
        log.apply(0, &claim(0, 0)).unwrap();
        log.apply(1, &text(0, 0, "logged ")).unwrap();
        let mut client = Client::default();
        let mut live = log.content().clone();
        live.push(0, PieceKind::Text, "shown only");
        client.follow(View { bases: log.bases(), content: &live, over: false });
        assert_eq!(client.cursor, Cursor::new(0, 17));
        log.apply(2, &claim(1, 6)).unwrap();
        log.apply(3, &end(1, 6, " and other words, longer")).unwrap();
        client.follow(View { bases: log.bases(), content: log.content(), over: true });
        assert_eq!(client.shown, b"logged and other words, longer");
        assert_eq!(client.cursor.claim, 1);
    }

    #[test]
    fn a_cursor_past_the_end_waits_while_the_turn_runs_and_rewinds_when_it_is_over() {
        let mut log = Log::default();
        log.apply(0, &claim(0, 0)).unwrap();
        log.apply(1, &text(0, 0, "aé")).unwrap();
        for (over, expected) in [(false, None), (true, Some(Cursor::new(0, 3)))] {
            let (mut cursor, mut out) = (Cursor::new(0, 50), Vec::new());
            catch_up(&mut cursor, View { bases: log.bases(), content: log.content(), over }, &mut out).unwrap();
            assert_eq!(out.first().map(|e| e.0), expected);
        }
        // Inside a character: rounded down, so the whole character comes.
        let (mut cursor, mut out) = (Cursor::new(0, 2), Vec::new());
        catch_up(&mut cursor, View { bases: log.bases(), content: log.content(), over: false }, &mut out).unwrap();
        assert_eq!(out, [(Cursor::new(0, 3), TurnEvent::Text { text: "é".into() })]);
        let mut unknown = Cursor::new(4, 0);
        assert!(
            catch_up(&mut unknown, View { bases: log.bases(), content: log.content(), over: false }, &mut out).is_err()
        );
    }

    #[test]
    fn it_is_said_where_a_reply_was_handed_over_on_purpose() {
        let mut log = Log::default();
        log.apply(0, &claim(0, 0)).unwrap();
        log.apply(1, &text(0, 0, "a")).unwrap();
        log.apply(2, &release(0, 1)).unwrap();
        log.apply(3, &claim(1, 1)).unwrap();
        log.apply(4, &text(1, 1, "b")).unwrap();
        log.apply(5, &claim(2, 2)).unwrap();
        log.apply(6, &text(2, 2, "c")).unwrap();
        let follow = |mut cursor| {
            let mut out = Vec::new();
            catch_up(&mut cursor, View { bases: log.bases(), content: log.content(), over: false }, &mut out).unwrap();
            out.into_iter().map(|(c, event)| (c.claim, c.offset, event.name())).collect::<Vec<_>>()
        };
        let rest = [(0, 1, "planned"), (1, 2, "text"), (2, 3, "text")];
        assert_eq!(follow(Cursor::new(0, 1)), rest);
        assert_eq!(follow(Cursor::default())[1..], rest);
        assert_eq!(follow(Cursor::new(1, 2)), rest[2..]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// The runner writes, and of that only the first part reaches the log.
        Write(String, usize),
        /// Another claim, keeping so many per mille of what is logged.
        Claim(u32),
        /// The client reads what the runner's process has, then what the log has.
        Live,
        Log,
        Drop(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => ("[aé€😀 ]{0,6}", 0usize..8).prop_map(|(s, n)| Step::Write(s, n)),
            1 => (0u32..=1000).prop_map(Step::Claim),
            2 => Just(Step::Live),
            1 => Just(Step::Log),
            1 => (0u32..4).prop_map(Step::Drop),
        ];
        proptest::collection::vec(step, 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// For random events, claims and truncations, any segmentation and any reader: what is shown is what is stored.
        #[test]
        fn what_is_shown_in_the_end_is_what_is_stored(steps in steps()) {
            let mut log = Log::default();
            log.apply(0, &claim(0, 0)).unwrap();
            let mut live = Content::default();
            let mut client = Client::default();
            for step in steps {
                match step {
                    Step::Write(s, n) => {
                        let c = log.bases().len() as u32 - 1;
                        live.push(c, PieceKind::Text, &s);
                        let (pieces, _) = live.pieces(log.content().len(), n);
                        let joined: String = pieces.iter().map(|p| p.text.as_str()).collect();
                        if !joined.is_empty() {
                            let at = log.content().len();
                            log.apply(log.next(), &text(c, at, &joined)).unwrap();
                        }
                    }
                    Step::Claim(keep) => {
                        let at = log.content().floor(log.content().len() * keep / 1000);
                        log.apply(log.next(), &claim(log.bases().len() as u32, at)).unwrap();
                        live = log.content().clone();
                    }
                    Step::Live => client.follow(View { bases: log.bases(), content: &live, over: false }),
                    Step::Log => {
                        // Only who stands on the log's own content may be served from it while the turn runs.
                        client.follow(View { bases: log.bases(), content: log.content(), over: false });
                    }
                    // The cursor that a client gives may be any that it was ever given; here also one it never was.
                    Step::Drop(back) => if back == 0 { client = Client::default() },
                }
            }
            log.apply(log.next(), &claim(log.bases().len() as u32, log.content().len())).unwrap();
            log.apply(log.next(), &end(log.bases().len() as u32 - 1, log.content().len(), "end")).unwrap();
            client.follow(View { bases: log.bases(), content: log.content(), over: true });
            prop_assert_eq!(&client.shown, &bytes(log.content()));
            // And once it is stored, from the message and its bases, any old cursor ends the same.
            let ats: Vec<u32> = log.bases().iter().map(|b| b.at).collect();
            let stored = super::super::content::from_message(&log.content().all(), &ats);
            let mut late = Client::default();
            late.follow(View { bases: log.bases(), content: &stored, over: true });
            prop_assert_eq!(&late.shown, &client.shown);
        }
    }
}
