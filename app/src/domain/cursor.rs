//! A position in a turn's log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Claim and offset in one integer, `claim × 2^32 + offset`, so that it is an SSE `id` and fits a JavaScript number.
///
/// The claim is in it because a browser may have been shown text that its runner never logged: the offset alone
/// could not tell whose bytes the browser holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct Cursor {
    /// Whose text the follower has seen last: the claim's number, from 0.
    pub claim: u32,
    /// How many UTF-8 bytes of content (text and thinking) the follower has.
    pub offset: u32,
}

/// The text is no cursor: not an integer, or beyond 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorError;

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a cursor")
    }
}

impl std::error::Error for CursorError {}

impl Cursor {
    #[must_use]
    pub const fn new(claim: u32, offset: u32) -> Self {
        Self { claim, offset }
    }

    /// The same claim at another offset.
    #[must_use]
    pub const fn at(self, offset: u32) -> Self {
        Self { claim: self.claim, offset }
    }
}

impl From<Cursor> for u64 {
    fn from(c: Cursor) -> u64 {
        (u64::from(c.claim) << 32) + u64::from(c.offset)
    }
}

impl TryFrom<u64> for Cursor {
    type Error = CursorError;
    fn try_from(n: u64) -> Result<Self, CursorError> {
        if n >= 1 << 53 {
            return Err(CursorError);
        }
        Ok(Self { claim: (n >> 32) as u32, offset: n as u32 })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u64::from(*self).fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(s: &str) -> Result<Self, CursorError> {
        if s.is_empty() || !s.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CursorError);
        }
        s.parse::<u64>().map_err(|_| CursorError)?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claim_and_offset_share_one_integer() {
        assert_eq!(Cursor::new(0, 17).to_string(), "17");
        assert_eq!(Cursor::new(3, 5).to_string(), (3 * (1u64 << 32) + 5).to_string());
        assert_eq!("12884901893".parse(), Ok(Cursor::new(3, 5)));
        for bad in ["", "-1", "+1", "1.5", "9007199254740992", "99999999999999999999", "x"] {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_cursor_or_an_error(s in "\\PC*") {
            if let Ok(c) = s.parse::<Cursor>() {
                proptest::prop_assert_eq!(c.to_string().parse(), Ok(c));
            }
        }
        #[test]
        fn cursors_round_trip(claim in 0u32..1 << 21, offset: u32) {
            let c = Cursor::new(claim, offset);
            proptest::prop_assert_eq!(Cursor::try_from(u64::from(c)), Ok(c));
        }
    }
}
