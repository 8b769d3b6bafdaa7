//! What has come of a reply: text and thinking, in the order of the turn's log.

use crate::domain::{Piece, PieceKind};

/// Pieces as they came. An offset counts the UTF-8 bytes of both kinds together, as cursors do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    pieces: Vec<Piece>,
}

impl Content {
    /// Appends.
    pub fn push(&mut self, kind: PieceKind, text: &str) {
        match self.pieces.last_mut() {
            Some(last) if last.kind == kind => last.text.push_str(text),
            _ if text.is_empty() => {}
            _ => self.pieces.push(Piece { kind, text: text.to_owned() }),
        }
    }

    /// Drops everything past an offset. One inside a character drops the whole character.
    pub fn rewind(&mut self, offset: u32) {
        let mut left = offset as usize;
        let mut kept = 0;
        for piece in &mut self.pieces {
            if left == 0 {
                break;
            }
            kept += 1;
            if piece.text.len() >= left {
                while !piece.text.is_char_boundary(left) {
                    left -= 1;
                }
                piece.text.truncate(left);
                left = 0;
            } else {
                left -= piece.text.len();
            }
        }
        self.pieces.truncate(kept);
        self.pieces.retain(|p| !p.text.is_empty());
    }

    /// How many bytes there are, of both kinds.
    #[must_use]
    pub fn offset(&self) -> u32 {
        self.pieces.iter().map(|p| p.text.len() as u32).sum()
    }

    /// All of one kind.
    #[must_use]
    pub fn of(&self, kind: PieceKind) -> String {
        self.pieces.iter().filter(|p| p.kind == kind).map(|p| p.text.as_str()).collect()
    }

    /// Whether there is any of a kind.
    #[must_use]
    pub fn has(&self, kind: PieceKind) -> bool {
        self.pieces.iter().any(|p| p.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rewind_cuts_across_kinds() {
        let mut c = Content::default();
        c.push(PieceKind::Thinking, "héy");
        c.push(PieceKind::Text, "abc");
        c.push(PieceKind::Text, "def");
        assert_eq!(c.offset(), 10);
        c.rewind(6);
        assert_eq!((c.of(PieceKind::Thinking).as_str(), c.of(PieceKind::Text).as_str()), ("héy", "ab"));
        c.rewind(2);
        assert_eq!((c.of(PieceKind::Thinking).as_str(), c.has(PieceKind::Text)), ("h", false));
        c.rewind(0);
        assert_eq!(c, Content::default());
        c.rewind(99);
        assert_eq!(c.offset(), 0);
    }

    proptest! {
        #[test]
        fn any_pieces_and_rewinds_leave_a_prefix(steps: Vec<(bool, String, Option<u16>)>) {
            let mut content = Content::default();
            let mut model: Vec<(bool, char)> = Vec::new();
            for (thinking, text, back) in steps {
                let kind = if thinking { PieceKind::Thinking } else { PieceKind::Text };
                content.push(kind, &text);
                model.extend(text.chars().map(|c| (thinking, c)));
                if let Some(back) = back {
                    let to = content.offset().saturating_sub(u32::from(back));
                    content.rewind(to);
                    let mut at = 0;
                    model.retain(|(_, c)| {
                        at += c.len_utf8() as u32;
                        at <= to
                    });
                }
                let of = |t: bool| model.iter().filter(|(k, _)| *k == t).map(|(_, c)| c).collect::<String>();
                prop_assert_eq!(content.of(PieceKind::Text), of(false));
                prop_assert_eq!(content.of(PieceKind::Thinking), of(true));
                prop_assert_eq!(content.offset() as usize, model.iter().map(|(_, c)| c.len_utf8()).sum::<usize>());
            }
        }
    }
}
