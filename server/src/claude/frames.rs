//! Lines into SSE frames: an event's name and its data.

use super::lines::{Lines, TooLong};

/// One dispatched event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event` field, empty when there was none.
    pub event: &'a [u8],
    /// The `data` fields, joined by line feeds.
    pub data: &'a [u8],
}

/// Collects fields until a blank line dispatches them. A frame that the stream's end cuts off is never given out.
#[derive(Debug, Default)]
pub struct Frames {
    lines: Lines,
    event: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The frame was given out: its buffers are to be emptied before the next one.
    given: bool,
}

impl Frames {
    /// Adds a chunk as it came from the network.
    pub fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    /// The next whole frame that has data, or `None` until more is pushed. Comments, `id` and `retry` are skipped.
    ///
    /// # Errors
    /// When a line, or the data of one event together, is too long.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, TooLong> {
        if self.given {
            self.clear();
        }
        loop {
            let Some(line) = self.lines.next_line()? else { return Ok(None) };
            if line.is_empty() {
                if self.has_data {
                    break;
                }
                self.event.clear();
                continue;
            }
            let (name, value) = match line.iter().position(|&byte| byte == b':') {
                Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
                None => (line, &[][..]),
            };
            match name {
                b"data" => {
                    if self.has_data {
                        self.data.push(b'\n');
                    }
                    self.data.extend_from_slice(value);
                    self.has_data = true;
                    if self.data.len() > super::lines::LONGEST_LINE {
                        return Err(TooLong);
                    }
                }
                b"event" => {
                    self.event.clear();
                    self.event.extend_from_slice(value);
                }
                _ => {}
            }
        }
        self.given = true;
        Ok(Some(Frame { event: &self.event, data: &self.data }))
    }

    fn clear(&mut self) {
        self.event.clear();
        self.data.clear();
        self.has_data = false;
        self.given = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(text: &str) -> Vec<(String, String)> {
        let mut frames = Frames::default();
        let mut out = Vec::new();
        for byte in text.as_bytes() {
            frames.push(&[*byte]);
            while let Some(frame) = frames.next_frame().unwrap() {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                out.push((text(frame.event), text(frame.data)));
            }
        }
        out
    }

    #[test]
    fn fields_comments_and_blank_lines() {
        let got =
            frames(": hello\n\nevent: a\ndata: 1\nid: 7\nretry: 5\n\nevent: dropped\n\ndata:2\ndata:  3\n\ndata\n\n");
        let want = [("a", "1"), ("", "2\n 3"), ("", "")];
        assert_eq!(got, want.map(|(event, data)| (event.to_owned(), data.to_owned())));
    }

    #[test]
    fn what_the_end_cuts_off_is_not_given_out() {
        assert_eq!(frames("event: a\ndata: 1\n"), []);
    }
}
