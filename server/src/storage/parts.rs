//! Cutting content into parts, and joining them again.

use app::domain::Piece;

/// What a piece takes beside its text: a list element holding a map of one key (the developer guide's "Item sizes
/// and formats": 3 bytes for a list or map, 1 for each element or pair).
const PIECE: usize = 6;

/// A part of a message's content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Part {
    pub pieces: Vec<Piece>,
    /// Its first piece goes on where the last part's last piece was cut.
    pub joins: bool,
}

/// The size of content as an attribute, in bytes.
pub(super) fn size(pieces: &[Piece]) -> usize {
    pieces.iter().map(|p| p.text.len() + PIECE).sum()
}

/// Cuts content into parts of at most `max` bytes, between characters; at least one part, be it empty.
pub(super) fn cut(pieces: &[Piece], max: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut part = Part::default();
    let mut room = max;
    for piece in pieces {
        let mut rest = piece.text.as_str();
        loop {
            // A character has at most 4 bytes; where not even one fits, a new part begins.
            if room < PIECE + 4 && !part.pieces.is_empty() {
                parts.push(std::mem::take(&mut part));
                room = max;
                part.joins = rest.len() < piece.text.len();
            }
            let end = rest.floor_char_boundary(room.saturating_sub(PIECE).max(4));
            let (head, tail) = rest.split_at(end);
            part.pieces.push(Piece { kind: piece.kind, text: head.to_owned() });
            room = room.saturating_sub(head.len() + PIECE);
            rest = tail;
            if rest.is_empty() {
                break;
            }
            parts.push(std::mem::take(&mut part));
            room = max;
            part.joins = true;
        }
    }
    parts.push(part);
    parts
}

/// Puts parts together again, in order.
pub(super) fn join(parts: impl IntoIterator<Item = Part>) -> Vec<Piece> {
    let mut whole: Vec<Piece> = Vec::new();
    for part in parts {
        let mut pieces = part.pieces.into_iter();
        if part.joins
            && let (Some(last), Some(first)) = (whole.last_mut(), pieces.next())
        {
            last.text.push_str(&first.text);
        }
        whole.extend(pieces);
    }
    whole
}

#[cfg(test)]
mod tests {
    use app::domain::PieceKind;
    use proptest::prelude::*;

    use super::*;

    fn piece() -> impl Strategy<Value = Piece> {
        (any::<bool>(), "\\PC{0,40}").prop_map(|(thinking, text)| Piece {
            kind: if thinking { PieceKind::Thinking } else { PieceKind::Text },
            text,
        })
    }

    proptest! {
        #[test]
        fn content_survives_being_cut(pieces in proptest::collection::vec(piece(), 0..8), max in 10usize..80) {
            let parts = cut(&pieces, max);
            prop_assert!(!parts.is_empty() && !parts[0].joins);
            for part in &parts {
                prop_assert!(size(&part.pieces) <= max, "{} > {max}", size(&part.pieces));
            }
            prop_assert_eq!(join(parts), pieces);
        }
    }

    #[test]
    fn small_content_is_one_part() {
        let text = |t: &str| Piece { kind: PieceKind::Text, text: t.to_owned() };
        assert_eq!(cut(&[text("ab"), text("")], 350_000).len(), 1);
        assert_eq!(cut(&[], 350_000), [Part::default()]);
        assert_eq!(cut(&[text(&"漢".repeat(200_000))], 350_000).len(), 2);
    }
}
