//! What a log adds up to: stretches of text and thinking, each of one claim.

use app::domain::{Piece, PieceKind};

/// A run of content of one kind that one claim wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub kind: PieceKind,
    pub claim: u32,
    /// Where it begins, in bytes of content.
    pub at: u32,
    pub text: String,
}

impl Stretch {
    /// Where it ends, in bytes of content.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.at + self.text.len() as u32
    }
}

/// A new stretch is begun past this, so that no event and no copy grows with the whole reply.
const STRETCH: usize = 16 * 1024;

/// Content in order. Offsets count UTF-8 bytes of text and thinking together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    stretches: Vec<Stretch>,
    len: u32,
}

impl Content {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends what `claim` wrote.
    pub fn push(&mut self, claim: u32, kind: PieceKind, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.stretches.last_mut() {
            Some(last) if last.claim == claim && last.kind == kind && last.text.len() < STRETCH => {
                last.text.push_str(text)
            }
            _ => self.stretches.push(Stretch { kind, claim, at: self.len, text: text.to_owned() }),
        }
        self.len += text.len() as u32;
    }

    /// Drops all past `to`, which is rounded down to the start of its character.
    pub fn truncate(&mut self, to: u32) {
        let to = self.floor(to);
        while let Some(last) = self.stretches.last_mut() {
            if last.at < to {
                last.text.truncate((to - last.at) as usize);
                break;
            }
            self.stretches.pop();
        }
        self.len = to;
    }

    /// `offset` or, inside a character, that character's start; never past the end.
    #[must_use]
    pub fn floor(&self, offset: u32) -> u32 {
        if offset >= self.len {
            return self.len;
        }
        let Some(stretch) = self.stretches.get(self.index(offset)) else { return self.len };
        let mut at = (offset - stretch.at) as usize;
        while !stretch.text.is_char_boundary(at) {
            at -= 1;
        }
        stretch.at + at as u32
    }

    /// The first stretch that ends past `offset`.
    fn index(&self, offset: u32) -> usize {
        self.stretches.partition_point(|s| s.end() <= offset)
    }

    /// All content past `offset`, cut at the borders of claims and kinds: claim, kind, text, and the offset after it.
    /// `offset` must be a character's start.
    pub fn after(&self, offset: u32) -> impl Iterator<Item = (u32, PieceKind, &str, u32)> {
        self.stretches.iter().skip(self.index(offset)).map(move |s| {
            let from = offset.saturating_sub(s.at) as usize;
            (s.claim, s.kind, s.text.get(from..).unwrap_or_default(), s.end())
        })
    }

    /// The content past `offset` as pieces, of at most about `limit` bytes, in whole characters; and where they end.
    #[must_use]
    pub fn pieces(&self, offset: u32, limit: usize) -> (Vec<Piece>, u32) {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut at = offset;
        let mut left = limit;
        for (_, kind, text, _) in self.after(offset) {
            let mut cut = text.len().min(left);
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            if cut == 0 {
                break;
            }
            let taken = &text[..cut];
            match pieces.last_mut() {
                Some(last) if last.kind == kind => last.text.push_str(taken),
                _ => pieces.push(Piece { kind, text: taken.to_owned() }),
            }
            at += cut as u32;
            left -= cut;
            if cut < text.len() {
                break;
            }
        }
        (pieces, at)
    }

    /// The whole, as a message stores it.
    #[must_use]
    pub fn all(&self) -> Vec<Piece> {
        self.pieces(0, usize::MAX).0
    }

    /// Where the next claim carries on: behind the last text, without the white space at its end, since what follows
    /// brings its own. Thinking cannot be carried on, so what stands behind the last text goes.
    #[must_use]
    pub fn resume_at(&self) -> u32 {
        let texts = self.stretches.iter().rev().filter(|s| s.kind == PieceKind::Text);
        let ends = texts.map(|s| (s.at, s.text.trim_end().len() as u32));
        ends.into_iter().find(|(_, len)| *len > 0).map_or(0, |(at, len)| at + len)
    }

    /// The text alone, without thinking.
    #[must_use]
    pub fn text(&self) -> String {
        self.stretches.iter().filter(|s| s.kind == PieceKind::Text).map(|s| s.text.as_str()).collect()
    }

    /// Characters of text before `offset`, which must be a character's start.
    #[must_use]
    pub fn chars(&self, offset: u32) -> u32 {
        let texts = self.stretches.iter().filter(|s| s.kind == PieceKind::Text && s.at < offset);
        let before = |s: &Stretch| s.text.get(..(offset - s.at) as usize).unwrap_or(&s.text).chars().count() as u32;
        texts.map(before).sum()
    }

    /// Whether it holds any text (not only thinking).
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.stretches.iter().any(|s| s.kind == PieceKind::Text)
    }
}

/// Content of one claim, from a message's pieces and where its claims began.
#[must_use]
pub fn from_message(pieces: &[Piece], bases: &[u32]) -> Content {
    let mut content = Content::default();
    // Which claim's byte it is: the last claim that began at or before it and was not truncated away since.
    let owner = |at: u32| {
        let mut owner = 0;
        for (claim, base) in bases.iter().enumerate() {
            if *base <= at {
                owner = claim as u32;
            }
        }
        owner
    };
    for piece in pieces {
        let mut rest = piece.text.as_str();
        while !rest.is_empty() {
            let at = content.len();
            let next = bases.iter().filter(|b| **b > at).min().map_or(usize::MAX, |b| (*b - at) as usize);
            let mut cut = rest.len().min(next);
            while !rest.is_char_boundary(cut) {
                cut += 1;
            }
            let (head, tail) = rest.split_at(cut);
            content.push(owner(at), piece.kind, head);
            rest = tail;
        }
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use PieceKind::{Text, Thinking};

    fn sample() -> Content {
        let mut c = Content::default();
        c.push(0, Thinking, "hm");
        c.push(0, Text, "añb");
        c.push(1, Text, "€");
        c
    }

    #[test]
    fn offsets_count_bytes_and_events_never_span_claims_or_kinds() {
        let c = sample();
        assert_eq!(c.len(), 2 + 4 + 3);
        let got: Vec<_> = c.after(0).collect();
        assert_eq!(got, [(0, Thinking, "hm", 2), (0, Text, "añb", 6), (1, Text, "€", 9)]);
        assert_eq!(c.after(5).collect::<Vec<_>>(), [(0, Text, "b", 6), (1, Text, "€", 9)]);
        assert_eq!(c.after(9).count(), 0);
        assert_eq!((c.floor(4), c.floor(5), c.floor(7), c.floor(99)), (3, 5, 6, 9));
    }

    #[test]
    fn truncation_keeps_whole_characters() {
        for to in 0..=10 {
            let mut c = sample();
            let floor = c.floor(to);
            c.truncate(to);
            assert_eq!(c.len(), floor);
            assert_eq!(c.after(0).map(|x| x.2.len() as u32).sum::<u32>(), floor);
        }
    }

    #[test]
    fn a_reply_is_carried_on_behind_its_last_words() {
        let mut c = Content::default();
        assert_eq!(c.resume_at(), 0);
        c.push(0, Thinking, "hm ");
        assert_eq!(c.resume_at(), 0, "thinking cannot be carried on");
        c.push(0, Text, " \n");
        assert_eq!(c.resume_at(), 0, "nor can white space");
        c.push(0, Text, "añ b \n");
        assert_eq!(c.resume_at(), 3 + 2 + 5);
        c.push(1, Text, "  ");
        c.push(1, Thinking, "and");
        assert_eq!(c.resume_at(), 10);
        assert_eq!(c.text(), " \nañ b \n  ");
    }

    #[test]
    fn pieces_merge_over_claims_and_respect_the_limit() {
        let c = sample();
        assert_eq!(c.all(), [Piece { kind: Thinking, text: "hm".into() }, Piece { kind: Text, text: "añb€".into() }]);
        assert_eq!(c.pieces(2, 2), (vec![Piece { kind: Text, text: "a".into() }], 3));
        assert_eq!(c.pieces(3, 3), (vec![Piece { kind: Text, text: "ñb".into() }], 6));
    }

    #[test]
    fn a_message_gives_back_the_claims_of_its_bytes() {
        let c = from_message(&sample().all(), &[0, 6]);
        assert_eq!(c, sample());
        // Claim 1 began at 6, claim 2 truncated to 3.
        let c = from_message(&[Piece { kind: Text, text: "abcdef".into() }], &[0, 6, 3]);
        assert_eq!(c.after(0).map(|x| (x.0, x.2)).collect::<Vec<_>>(), [(0, "abc"), (2, "def")]);
    }
}
