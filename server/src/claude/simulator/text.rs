//! Text in tokens, and text made up from a seed.

/// A text and where its tokens end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    all: String,
    ends: Vec<usize>,
}

impl Text {
    /// Words with the white space before each: near enough to what a model calls tokens.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut this = Self::default();
        this.extend(text);
        this
    }

    /// Adds a text, word by word.
    pub fn extend(&mut self, text: &str) {
        let mut in_word = false;
        for (at, c) in text.char_indices() {
            if c.is_whitespace() && in_word {
                self.ends.push(self.all.len() + at);
            }
            in_word = !c.is_whitespace();
        }
        self.all.push_str(text);
        if self.ends.last().copied().unwrap_or(0) < self.all.len() {
            self.ends.push(self.all.len());
        }
    }

    /// Adds one token.
    pub fn push(&mut self, token: &str) {
        self.all.push_str(token);
        self.ends.push(self.all.len());
    }

    /// How many tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.all
    }

    /// A token by its number, empty past the end.
    #[must_use]
    pub fn token(&self, number: usize) -> &str {
        let begin = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(number).and_then(|&end| self.all.get(begin..end)).unwrap_or("")
    }

    /// Keeps the first tokens only.
    pub fn truncate(&mut self, tokens: usize) {
        self.ends.truncate(tokens);
        self.all.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

/// A small generator of numbers (SplitMix64): the same seed gives the same text, on every machine.
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `below`, which is not 0.
    pub fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % below.max(1) as u64) as usize
    }

    /// One of `from`, which is not empty.
    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let at = self.below(from.len());
        from.get(at).copied().unwrap_or("")
    }
}

/// FNV-1a over parts, told apart from their concatenation.
#[must_use]
pub fn hash(seed: u64, parts: &[&str]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325 ^ seed;
    for part in parts {
        for byte in part.bytes().chain([0xFF]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_add_up_to_the_text() {
        for text in ["", "one", " a b\n\n- c  d é\n", "  "] {
            let tokens = Text::of(text);
            let all: String = (0..tokens.len()).map(|number| tokens.token(number)).collect();
            assert_eq!(all, text);
        }
        let mut text = Text::of("one two three");
        assert_eq!((text.len(), text.token(1), text.token(9)), (3, " two", ""));
        text.truncate(2);
        assert_eq!(text.as_str(), "one two");
        text.extend(" four");
        assert_eq!((text.len(), text.token(2)), (3, " four"));
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(hash(0, &["ab", "c"]), hash(0, &["a", "bc"]));
    }
}
