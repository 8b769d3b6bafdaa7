//! What a runner appends and how it learns whether it still holds the turn: pure.

use app::domain::{Piece, PieceKind, Timestamp, Usage};

use super::content::Content;
use crate::storage::{By, End, Kind, SeamClass, Segment, segment::VERSION};

/// Most content of one segment, in bytes. A DynamoDB item may have 400 KB.
pub const SEGMENT: usize = 256 * 1024;

/// Who appends: the same for all segments of a runner.
#[derive(Debug, Clone)]
pub struct Author {
    pub by: By,
    /// A random id of the process's boot.
    pub boot: String,
    /// Gives a nonce, never the same twice: [`random_nonce`], but where a model counts them.
    pub nonce: fn() -> String,
}

/// A nonce that nobody else has.
#[must_use]
pub fn random_nonce() -> String {
    format!("{:032x}", crate::clock::random_u128())
}

impl Author {
    /// A segment without content.
    #[must_use]
    pub fn segment(&self, kind: Kind, claim: u32, at: u32, time: Timestamp) -> Segment {
        Segment {
            kind,
            claim,
            by: self.by,
            boot: self.boot.clone(),
            nonce: (self.nonce)(),
            at,
            pieces: Vec::new(),
            time,
            v: VERSION,
            seam: None,
            usage: None,
            end: None,
            chars: None,
            misfit: false,
        }
    }
}

/// Characters of text, thinking not counted.
fn text_chars(pieces: &[Piece]) -> u32 {
    pieces.iter().filter(|p| p.kind == PieceKind::Text).map(|p| p.text.chars().count() as u32).sum()
}

/// What became of the put in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// It stands in the log.
    Written(Kind),
    /// A `stop` stood there; the next key is free for what was to be written.
    Stop,
    /// Somebody else has claimed the turn: drop what is unwritten, cancel upstream.
    Fenced,
}

/// The runner's side of the log. One put in flight; a segment is immutable until its key is resolved.
#[derive(Debug, Clone)]
pub struct Writer {
    author: Author,
    claim: u32,
    next: u64,
    logged: u32,
    /// Characters of text in them; counted at the first put.
    chars: Option<u32>,
    pending: Option<Segment>,
    seam: Option<SeamClass>,
    usage: Option<Usage>,
}

impl Writer {
    /// The writer of claim number `claim`, which stands in the log just before `next`; `logged` bytes are kept.
    #[must_use]
    pub fn new(author: Author, claim: u32, next: u64, logged: u32) -> Self {
        Self { author, claim, next, logged, chars: None, pending: None, seam: None, usage: None }
    }

    /// Builds the next segment of `kind` with what of `content` is unwritten, and takes it to be in flight.
    /// An `end` that does not fit waits for a `text` with as much as fits. `None` while another is in flight.
    pub fn put(&mut self, kind: Kind, content: &Content, end: Option<End>, time: Timestamp) -> Option<(u64, Segment)> {
        if self.pending.is_some() {
            return None;
        }
        let (pieces, upto) = content.pieces(self.logged, SEGMENT);
        let kind = if upto < content.len() { Kind::Text } else { kind };
        let seam = self.seam.take();
        let chars = self.chars.unwrap_or_else(|| content.chars(self.logged)) + text_chars(&pieces);
        let chars = Some(chars);
        let mut segment = Segment { pieces, seam, chars, ..self.author.segment(kind, self.claim, self.logged, time) };
        if kind == Kind::End {
            segment.end = end.map(|e| End { total: content.len(), ..e });
        }
        if kind == Kind::Release {
            segment.usage = self.usage;
        }
        self.pending = Some(segment.clone());
        Some((self.next, segment))
    }

    /// Notes in the next segment how this claim's text was joined to what stood there.
    pub fn joined(&mut self, class: SeamClass) {
        self.seam = Some(class);
    }

    /// What the turn has used so far: a `release` says it to whoever comes next.
    pub fn used(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }

    /// What is in flight, for another try byte for byte.
    #[must_use]
    pub fn pending(&self) -> Option<(u64, &Segment)> {
        self.pending.as_ref().map(|s| (self.next, s))
    }

    /// The put's key is resolved: it was free (`None`), or this stands there.
    pub fn resolve(&mut self, met: Option<&Segment>) -> Resolved {
        let Some(pending) = self.pending.take() else { return Resolved::Fenced };
        match met {
            Some(met) if met.nonce != pending.nonce && met.kind == Kind::Stop => {
                self.next += 1;
                self.seam = pending.seam;
                Resolved::Stop
            }
            Some(met) if met.nonce != pending.nonce => Resolved::Fenced,
            _ => {
                self.next += 1;
                self.logged += pending.pieces.iter().map(|p| p.text.len() as u32).sum::<u32>();
                self.chars = pending.chars;
                Resolved::Written(pending.kind)
            }
        }
    }

    /// What stands at the next key, when nothing is in flight and the runner looks.
    pub fn looked(&mut self, met: &Segment) -> Resolved {
        if met.kind == Kind::Stop {
            self.next += 1;
            Resolved::Stop
        } else {
            Resolved::Fenced
        }
    }

    /// The number of the next segment.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }
    #[must_use]
    pub fn claim(&self) -> u32 {
        self.claim
    }
    /// Bytes of content that stand in the log.
    #[must_use]
    pub fn logged(&self) -> u32 {
        self.logged
    }
    #[must_use]
    pub fn author(&self) -> &Author {
        &self.author
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    fn author() -> Author {
        Author { by: By::Web, boot: "b".into(), nonce: random_nonce }
    }

    fn writer() -> (Writer, Content) {
        let mut content = Content::default();
        content.push(0, PieceKind::Text, "hello");
        (Writer::new(author(), 0, 1, 0), content)
    }

    #[test]
    fn a_segment_in_flight_is_never_rebuilt() {
        let (mut w, mut content) = writer();
        let (seq, first) = w.put(Kind::Text, &content, None, Timestamp::default()).unwrap();
        content.push(0, PieceKind::Text, " more");
        assert!(w.put(Kind::Text, &content, None, Timestamp::default()).is_none());
        assert_eq!(w.pending(), Some((seq, &first)));
        assert_eq!(w.resolve(None), Resolved::Written(Kind::Text));
        let (seq, second) = w.put(Kind::Beat, &content, None, Timestamp::default()).unwrap();
        assert_eq!((seq, second.at, second.pieces[0].text.as_str()), (2, 5, " more"));
        assert_ne!(first.nonce, second.nonce);
        // The answer was lost, and what stands there is mine.
        assert_eq!(w.resolve(Some(&second)), Resolved::Written(Kind::Beat));
        assert_eq!(w.logged(), 10);
    }

    #[test]
    fn a_stop_moves_to_the_next_key_and_anything_else_fences() {
        let (mut w, content) = writer();
        w.put(Kind::Text, &content, None, Timestamp::default()).unwrap();
        assert_eq!(w.resolve(Some(&testing::stop(0))), Resolved::Stop);
        let (seq, again) = w.put(Kind::End, &content, testing::end(0, 0, "").end, Timestamp::default()).unwrap();
        assert_eq!((seq, again.at, again.end.unwrap().total), (2, 0, 5));
        assert_eq!(w.resolve(Some(&testing::claim(1, 0))), Resolved::Fenced);
        assert_eq!(w.looked(&testing::stop(0)), Resolved::Stop);
        assert_eq!(w.looked(&testing::claim(1, 0)), Resolved::Fenced);
    }

    #[test]
    fn segments_count_the_characters_of_text() {
        let mut content = Content::default();
        content.push(0, PieceKind::Thinking, "hm…");
        content.push(0, PieceKind::Text, "zwölf");
        let mut w = Writer::new(author(), 0, 1, 0);
        let mut put = |content: &Content| {
            let (_, s) = w.put(Kind::Text, content, None, Timestamp::default()).unwrap();
            w.resolve(None);
            s.chars
        };
        assert_eq!(put(&content), Some(5));
        content.push(0, PieceKind::Text, " Bücher");
        assert_eq!((put(&content), put(&content)), (Some(12), Some(12)));
        // Whoever carries on counts what is kept too, and not what a claim has dropped.
        let kept = content.floor(content.len() - 3);
        content.truncate(kept);
        let mut next = Writer::new(author(), 1, 9, content.len());
        content.push(1, PieceKind::Text, "é");
        let (_, s) = next.put(Kind::Text, &content, None, Timestamp::default()).unwrap();
        assert_eq!(s.chars, Some(10));
    }

    #[test]
    fn an_end_that_does_not_fit_waits_for_its_text() {
        let mut content = Content::default();
        content.push(0, PieceKind::Text, &"é".repeat(SEGMENT / 2 + 10));
        let mut w = Writer::new(author(), 0, 1, 0);
        let (_, s) = w.put(Kind::End, &content, testing::end(0, 0, "").end, Timestamp::default()).unwrap();
        assert_eq!((s.kind, s.end), (Kind::Text, None));
        w.resolve(None);
        let (_, s) = w.put(Kind::End, &content, testing::end(0, 0, "").end, Timestamp::default()).unwrap();
        assert_eq!((s.kind, s.end.unwrap().total), (Kind::End, content.len()));
    }
}
