//! How long the model thought before it wrote, as the runner saw it.

use app::domain::{PieceKind, Timestamp};

/// Of one runner. Who takes over a reply whose thinking is kept cannot know, and says nothing.
#[derive(Debug, Default)]
pub(super) struct Thought {
    since: Option<Timestamp>,
    ms: Option<u64>,
}

impl Thought {
    /// Some content came; `first`: there is none before it, so whatever was thought before was dropped.
    pub(super) fn saw(&mut self, kind: PieceKind, first: bool, now: Timestamp) {
        match kind {
            PieceKind::Thinking if first => *self = Self { since: Some(now), ms: None },
            PieceKind::Thinking => {}
            PieceKind::Text => {
                if let (Some(since), None) = (self.since, self.ms) {
                    self.ms = Some(now.since(since));
                }
            }
        }
    }

    /// In milliseconds; to now where no text has come.
    pub(super) fn ms(&self, now: Timestamp) -> Option<u64> {
        self.ms.or_else(|| Some(now.since(self.since?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_first_thinking_to_the_first_text() {
        let at = Timestamp::from_millis;
        let mut thought = Thought::default();
        assert_eq!(thought.ms(at(9)), None);
        thought.saw(PieceKind::Thinking, true, at(10));
        thought.saw(PieceKind::Thinking, false, at(20));
        assert_eq!(thought.ms(at(25)), Some(15), "stopped while it thought");
        thought.saw(PieceKind::Text, false, at(30));
        thought.saw(PieceKind::Thinking, false, at(40));
        thought.saw(PieceKind::Text, false, at(50));
        assert_eq!(thought.ms(at(60)), Some(20));
        thought.saw(PieceKind::Thinking, true, at(100));
        thought.saw(PieceKind::Text, false, at(107));
        assert_eq!(thought.ms(at(200)), Some(7), "it was begun again");
    }

    #[test]
    fn text_alone_is_no_thought() {
        let mut thought = Thought::default();
        thought.saw(PieceKind::Text, true, Timestamp::from_millis(5));
        assert_eq!(thought.ms(Timestamp::from_millis(9)), None);
    }
}
