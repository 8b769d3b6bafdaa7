//! Bytes into lines, as the event-stream format wants them: ended by LF, CR LF or CR, wherever the chunks are cut.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>

/// The longest line that is read, in bytes. An event of the Messages API is far below it.
pub const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// A line went past [`LONGEST_LINE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Splits what is pushed into lines.
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// How far the next line was searched already, so that a long one is not searched again for each chunk.
    searched: usize,
    /// The last line ended in CR: an LF right behind it belongs to it.
    after_cr: bool,
    /// Nothing was read yet: a byte order mark may stand here.
    beginning: bool,
    longest: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self::with_longest(LONGEST_LINE)
    }
}

impl Lines {
    /// With another limit than [`LONGEST_LINE`].
    #[must_use]
    pub fn with_longest(longest: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, after_cr: false, beginning: true, longest }
    }

    /// Adds a chunk as it came from the network.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.searched = 0;
            self.start = 0;
        } else if self.start > 0 {
            // What is left over is the beginning of one line, so moving it is cheap and keeps the buffer small.
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line without its end, or `None` until more is pushed.
    ///
    /// # Errors
    /// When the line is longer than the limit.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, TooLong> {
        if self.beginning && !self.skip_mark() {
            return Ok(None);
        }
        if self.after_cr && self.start < self.buffer.len() {
            self.after_cr = false;
            if self.buffer[self.start] == b'\n' {
                self.start += 1;
                self.searched = self.start;
            }
        }
        let found = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n' || byte == b'\r');
        let end = found.map_or(self.buffer.len(), |at| self.searched + at);
        if end - self.start > self.longest {
            return Err(TooLong);
        }
        if found.is_none() {
            self.searched = end;
            return Ok(None);
        }
        self.after_cr = self.buffer[end] == b'\r';
        let begin = self.start;
        self.start = end + 1;
        self.searched = self.start;
        Ok(Some(&self.buffer[begin..end]))
    }

    /// Skips a byte order mark; false while it cannot be told yet whether there is one.
    fn skip_mark(&mut self) -> bool {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.buffer.len() < MARK.len() && MARK.starts_with(&self.buffer) {
            return false;
        }
        if self.buffer.starts_with(MARK) {
            self.start = MARK.len();
            self.searched = self.start;
        }
        self.beginning = false;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for chunk in chunks {
            lines.push(chunk);
            while let Some(line) = lines.next_line().unwrap() {
                out.push(String::from_utf8(line.to_vec()).unwrap());
            }
        }
        out
    }

    #[test]
    fn every_line_end_at_every_cut() {
        let text = "\u{feff}a\nbé\r\nc\r\n\rd\n\ne\r\n".as_bytes();
        let want = ["a", "bé", "c", "", "d", "", "e"];
        for cut in 0..=text.len() {
            assert_eq!(split(&[&text[..cut], &text[cut..]]), want, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(split(&bytes), want);
    }

    #[test]
    fn a_line_without_an_end_waits() {
        assert_eq!(split(&[b"abc", b"def"]), Vec::<String>::new());
        assert_eq!(split(&[b"abc", b"def", b"\n"]), ["abcdef"]);
    }

    #[test]
    fn a_line_past_the_limit_is_refused_before_its_end_comes() {
        let mut lines = Lines::with_longest(8);
        lines.push(b"12345678\n123456789");
        assert_eq!(lines.next_line(), Ok(Some(&b"12345678"[..])));
        assert_eq!(lines.next_line(), Err(TooLong));
    }
}
