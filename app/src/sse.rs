//! Server-sent events as an output encoding of server functions: `send` and `follow` are ordinary typed
//! server functions that give the browser a typed stream of events.
//!
//! The wire format is the WHATWG HTML standard's, section 9.2, "Server-sent events".

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::Method;
use server_fn::{
    ContentType,
    codec::{Encoding, FromRes, IntoRes},
    error::FromServerFnError,
    response::{ClientRes, TryRes},
};

use crate::{
    domain::{Cursor, TurnEvent, json::field},
    error::ApiError,
};

/// What goes over the wire: an event, with the cursor after it, or a sign of life.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    Event {
        cursor: Option<Cursor>,
        event: TurnEvent,
    },
    /// Keeps proxies from closing a silent stream.
    Comment,
}

/// The encoding's marker.
pub struct Sse;

impl ContentType for Sse {
    const CONTENT_TYPE: &'static str = "text/event-stream";
}

impl Encoding for Sse {
    // Of an output encoding the method is never used.
    const METHOD: Method = Method::POST;
}

/// A turn's events. Dropping it ends the request; it never stops the turn.
pub struct EventStream(Pin<Box<dyn Stream<Item = Result<Frame, ApiError>> + Send>>);

impl EventStream {
    pub fn new(stream: impl Stream<Item = Result<Frame, ApiError>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// For plain forms, whose answer is a redirect.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(futures::stream::empty())
    }
}

impl Stream for EventStream {
    type Item = Result<Frame, ApiError>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// One frame as bytes.
#[must_use]
pub fn encode(frame: &Frame) -> Bytes {
    use std::io::Write;
    let Frame::Event { cursor, event } = frame else { return Bytes::from_static(b":\n\n") };
    let mut out = Vec::with_capacity(96);
    // A `Vec` takes whatever is written.
    let _ = writeln!(out, "event: {}", event.name());
    if let Some(cursor) = cursor {
        let _ = writeln!(out, "id: {cursor}");
    }
    out.extend_from_slice(b"data: ");
    data(event, &mut out);
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// The event's `data`: one line, since JSON escapes line breaks.
fn data(event: &TurnEvent, out: &mut Vec<u8>) {
    match event {
        // Text is nearly all there is; it skips the detour over a JSON value.
        TurnEvent::Text { text } | TurnEvent::Thinking { text } => {
            out.extend_from_slice(b"{\"text\":");
            let _ = serde_json::to_writer(&mut *out, text);
            out.push(b'}');
        }
        other => {
            let json = serde_json::to_value(other).ok();
            let _ =
                serde_json::to_writer(out, json.as_ref().and_then(|v| v.get("data")).unwrap_or(&serde_json::json!({})));
        }
    }
}

impl<R: TryRes<ApiError>> IntoRes<Sse, R, ApiError> for EventStream {
    async fn into_res(self) -> Result<R, ApiError> {
        R::try_from_stream(Sse::CONTENT_TYPE, self.0.map(|frame| frame.map(|f| encode(&f)).map_err(|e| e.ser())))
    }
}

impl<R: ClientRes<ApiError> + Send> FromRes<Sse, R, ApiError> for EventStream {
    async fn from_res(res: R) -> Result<Self, ApiError> {
        let mut bytes = Box::pin(res.try_into_stream()?);
        let mut decoder = Decoder::default();
        let mut done = false;
        Ok(Self::new(futures::stream::poll_fn(move |cx| {
            loop {
                if let Some(frame) = decoder.next() {
                    return Poll::Ready(Some(Ok(frame)));
                }
                if done {
                    return Poll::Ready(None);
                }
                match ready!(bytes.as_mut().poll_next(cx)) {
                    Some(Ok(chunk)) => decoder.push(&chunk),
                    Some(Err(e)) => {
                        done = true;
                        return Poll::Ready(Some(Err(ApiError::de(e))));
                    }
                    None => done = true,
                }
            }
        })))
    }
}

/// Bytes in any pieces to frames. Events of unknown names or with unreadable data are skipped.
#[derive(Default)]
pub struct Decoder {
    line: Vec<u8>,
    /// A carriage return ended the last line: a line feed right behind it belongs to it.
    after_cr: bool,
    event: String,
    data: String,
    id: Option<Cursor>,
    frames: VecDeque<Frame>,
}

impl Decoder {
    /// Takes the next piece of the stream, wherever it was cut.
    pub fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.end_line(&String::from_utf8_lossy(&line));
                    self.line = line;
                    self.line.clear();
                }
                _ => self.line.push(byte),
            }
        }
    }

    fn end_line(&mut self, line: &str) {
        if line.is_empty() {
            return self.dispatch();
        }
        if line.starts_with(':') {
            return self.frames.push_back(Frame::Comment);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "id" => self.id = value.parse().ok(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let (event, data, cursor) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data), self.id.take());
        if data.is_empty() {
            return;
        }
        if let Some(event) = event_of(&event, data.as_bytes()) {
            self.frames.push_back(Frame::Event { cursor, event });
        }
    }
}

/// An event by its name and data.
fn event_of(name: &str, data: &[u8]) -> Option<TurnEvent> {
    let json: serde_json::Value = serde_json::from_slice(data).ok()?;
    let text = || field(&json, "text");
    Some(match name {
        "text" => TurnEvent::Text { text: text()? },
        "thinking" => TurnEvent::Thinking { text: text()? },
        "start" => TurnEvent::Start {
            turn_id: field(&json, "turn_id")?,
            message_id: field(&json, "message_id")?,
            model: field(&json, "model")?,
        },
        "rewind" => TurnEvent::Rewind { to: field(&json, "to")? },
        "store" => TurnEvent::Store { waiting: field(&json, "waiting")? },
        "planned" => TurnEvent::Planned {},
        "release" => TurnEvent::Release {},
        "end" => TurnEvent::End {
            outcome: field(&json, "outcome")?,
            stop_reason: field(&json, "stop_reason")?,
            usage: field(&json, "usage")?,
            error: field(&json, "error")?,
            timing: field(&json, "timing")?,
        },
        _ => return None,
    })
}

impl Iterator for Decoder {
    type Item = Frame;
    fn next(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Outcome, Timestamp, TurnId, Usage};

    fn decode(chunks: &[&[u8]]) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        chunks.iter().for_each(|c| decoder.push(c));
        decoder.collect()
    }

    fn sample() -> Vec<Frame> {
        let turn = TurnId::from_parts(Timestamp::from_millis(1), 2);
        let event = |cursor, event| Frame::Event { cursor, event };
        vec![
            event(None, TurnEvent::Start { turn_id: turn, message_id: turn.into(), model: "m".into() }),
            event(Some(Cursor::new(0, 5)), TurnEvent::Text { text: "a\r\n\n\u{2028}\"é\\".into() }),
            Frame::Comment,
            event(Some(Cursor::new(1, 7)), TurnEvent::Thinking { text: "😀".into() }),
            event(Some(Cursor::new(1, 5)), TurnEvent::Rewind { to: Cursor::new(1, 5) }),
            event(None, TurnEvent::Store { waiting: true }),
            event(Some(Cursor::new(1, 5)), TurnEvent::Planned {}),
            event(None, TurnEvent::Release {}),
            event(
                None,
                TurnEvent::End {
                    outcome: Outcome::Complete,
                    stop_reason: None,
                    usage: Usage::default(),
                    error: None,
                    timing: None,
                },
            ),
        ]
    }

    #[test]
    fn frames_survive_the_wire_split_at_every_offset_and_byte_by_byte() {
        let frames = sample();
        let wire: Vec<u8> = frames.iter().flat_map(|f| encode(f).to_vec()).collect();
        for cut in 0..=wire.len() {
            assert_eq!(decode(&[&wire[..cut], &wire[cut..]]), frames, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        assert_eq!(decode(&bytes), frames);
        let crlf: Vec<u8> = String::from_utf8(wire).unwrap().replace('\n', "\r\n").into_bytes();
        assert_eq!(decode(&crlf.chunks(1).collect::<Vec<_>>()), frames);
    }

    #[test]
    fn the_wire_is_what_the_contract_says() {
        let text = |f: &Frame| String::from_utf8(encode(f).to_vec()).unwrap();
        assert_eq!(text(&Frame::Comment), ":\n\n");
        assert_eq!(
            text(&Frame::Event { cursor: Some(Cursor::new(0, 2)), event: TurnEvent::Text { text: "hi".into() } }),
            "event: text\nid: 2\ndata: {\"text\":\"hi\"}\n\n"
        );
        assert_eq!(
            text(&Frame::Event { cursor: Some(Cursor::new(0, 1)), event: TurnEvent::Rewind { to: Cursor::new(0, 1) } }),
            "event: rewind\nid: 1\ndata: {\"to\":1}\n\n"
        );
        assert_eq!(text(&Frame::Event { cursor: None, event: TurnEvent::Release {} }), "event: release\ndata: {}\n\n");
    }

    #[test]
    fn unknown_events_and_broken_data_are_skipped() {
        assert_eq!(decode(&[b"event: novelty\ndata: {}\n\nevent: text\ndata: {\n\nevent: text\ndata: {\"text\":\"x\"}\nretry: 5\n\n"]).len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes: Vec<u8>, cut in 0usize..64) {
            let cut = cut.min(bytes.len());
            let whole = decode(&[&bytes]);
            prop_assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]), whole);
        }
        #[test]
        fn any_text_survives(text: String, claim in 0u32..100, offset: u32) {
            let frame = Frame::Event { cursor: Some(Cursor::new(claim, offset)), event: TurnEvent::Text { text } };
            prop_assert_eq!(decode(&[&encode(&frame)]), vec![frame]);
        }
    }
}
