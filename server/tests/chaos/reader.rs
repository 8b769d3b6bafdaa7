//! A reader, as a page is one: it appends, drops by offset, and follows again from its cursor.

use std::time::Instant;

use app::{
    domain::{Cursor, Outcome, TurnEvent},
    sse::Frame,
};

use crate::ledger::{Kind, Wrong};

/// How a turn ended, as its reader was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    /// The error's code.
    pub(crate) error: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Reader {
    /// Thinking and text, in order.
    pub(crate) shown: Vec<u8>,
    pub(crate) cursor: Cursor,
    pub(crate) rewinds: u64,
    pub(crate) end: Option<Told>,
    /// When it was first shown something of a claim.
    pub(crate) firsts: Vec<(u32, Instant)>,
    /// What it had earlier: a page that was put to sleep then, and wakes up now.
    pub(crate) earlier: Option<(Vec<u8>, Cursor)>,
}

impl Reader {
    pub(crate) fn take(&mut self, frame: Frame) -> Result<(), Wrong> {
        let Frame::Event { cursor, event } = frame else { return Ok(()) };
        match &event {
            TurnEvent::Start { .. } | TurnEvent::Store { .. } | TurnEvent::Planned {} | TurnEvent::Release {} => {}
            TurnEvent::Text { text } | TurnEvent::Thinking { text } => {
                self.shown.extend(text.as_bytes());
                if let Some(claim) = cursor.map(|c| c.claim).filter(|c| self.firsts.iter().all(|(f, _)| f != c)) {
                    self.firsts.push((claim, Instant::now()));
                }
            }
            TurnEvent::Rewind { to } => {
                self.rewinds += 1;
                self.shown.truncate(to.offset as usize);
            }
            TurnEvent::End { outcome, error, .. } => {
                self.end = Some(Told { outcome: *outcome, error: error.as_ref().map(|e| e.code.clone()) });
            }
        }
        let Some(cursor) = cursor else { return Ok(()) };
        self.cursor = cursor;
        if self.shown.len() == cursor.offset as usize {
            return Ok(());
        }
        let (name, offset, has) = (event.name(), cursor.offset, self.shown.len());
        Err(Wrong::new(Kind::Shown, format!("after `{name}` the cursor says {offset}, the reader has {has} bytes")))
    }

    /// Remembers this moment, to come back to it.
    pub(crate) fn remember(&mut self) {
        self.earlier = Some((self.shown.clone(), self.cursor));
    }

    /// Is as it was then; false if it never remembered.
    pub(crate) fn go_back(&mut self) -> bool {
        let Some((shown, cursor)) = self.earlier.take() else { return false };
        (self.shown, self.cursor) = (shown, cursor);
        true
    }
}
