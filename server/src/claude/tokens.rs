//! How many tokens a text has, about: the API says it only once it has read or written it all.

/// The letters of a text, by how they become tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Letters {
    ascii: u64,
    other: u64,
}

impl Letters {
    /// Those of one text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut letters = Self::default();
        letters.add(text);
        letters
    }

    /// Those of `text` as well.
    pub fn add(&mut self, text: &str) {
        let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
        self.ascii += ascii;
        self.other += text.chars().count() as u64 - ascii;
    }

    /// Tokens, estimated on the safe side: about 3 letters a token, more than one for what is not ASCII.
    #[must_use]
    pub fn tokens(self) -> u64 {
        self.ascii.div_ceil(3) + self.other * 3 / 2
    }
}

/// What a message has around its text.
const MESSAGE: u64 = 8;

/// Tokens of a message, on the safe side.
#[must_use]
pub fn message(text: &str) -> u64 {
    Letters::of(text).tokens() + MESSAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_errs_to_the_safe_side() {
        assert_eq!(Letters::of("").tokens(), 0);
        assert_eq!(Letters::of("Hello, world").tokens(), 4);
        assert_eq!(Letters::of("日本語で").tokens(), 6);
        let mut letters = Letters::of("Hello");
        letters.add(", world");
        assert_eq!(letters, Letters::of("Hello, world"));
        assert_eq!(message("abc"), 9);
    }
}
