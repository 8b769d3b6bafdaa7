//! Events into what the runner wants to know: text, thinking, signs of life, usage, the end.

use app::domain::Usage;

use super::{
    fault::{Fault, FaultKind},
    frames::Frames,
    wire::{Counts, Event, EventKind, Part, PartKind},
};

/// One step of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// The reply begins. `usage` holds what the input costs.
    Started {
        usage: Usage,
        /// The model that answers, which an alias may resolve to; empty if it was not told.
        model: String,
    },
    Text(String),
    Thinking(String),
    /// A sign of life without content: a ping, a block's beginning or end, an event that is not known.
    Ping,
    /// All that was used so far; it replaces the last one.
    Usage(Usage),
    /// The reply is whole. Nothing but the stream's end follows.
    Stopped {
        stop_reason: Option<String>,
    },
}

/// Decodes one streamed reply, however its bytes are cut.
#[derive(Debug, Default)]
pub struct Decoder {
    frames: Frames,
    usage: Usage,
    stop_reason: Option<String>,
    stopped: bool,
}

impl Decoder {
    /// Adds a chunk as it came from the network.
    pub fn push(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    /// Whether `message_stop` came, so that the end of the stream is the end of the reply.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// The next step, or `None` until more is pushed. Nothing comes after [`Delta::Stopped`].
    ///
    /// # Errors
    /// An `error` event, or bytes that are not the Messages API.
    pub fn next_delta(&mut self) -> Result<Option<Delta>, Fault> {
        if self.stopped {
            return Ok(None);
        }
        let Some(frame) = self.frames.next_frame().map_err(|_| protocol("an event past the longest length"))? else {
            return Ok(None);
        };
        let event = match Event::parse(frame.data) {
            Ok(event) => event,
            // An error that a proxy wrote may be no JSON; it is an error all the same.
            Err(_) if frame.event == b"error" => {
                return Err(Fault::new(FaultKind::Server, "an error event, unreadable"));
            }
            Err(_) if !frame.event.is_empty() && !EventKind::is_content(frame.event) => Event::default(),
            Err(_) => return Err(protocol("an event that is not JSON of the Messages API")),
        };
        self.step(event).map(Some)
    }

    fn step(&mut self, event: Event) -> Result<Delta, Fault> {
        Ok(match event.kind {
            EventKind::ContentBlockDelta => event.delta.map_or(Delta::Ping, content),
            EventKind::ContentBlockStart => event.content_block.map_or(Delta::Ping, content),
            EventKind::MessageStart => {
                let start = event.message.unwrap_or_default();
                self.count(start.usage);
                Delta::Started { usage: self.usage, model: start.model.unwrap_or_default() }
            }
            EventKind::MessageDelta => {
                if let Some(reason) = event.delta.and_then(|delta| delta.stop_reason) {
                    self.stop_reason = Some(reason);
                }
                self.count(event.usage);
                Delta::Usage(self.usage)
            }
            EventKind::MessageStop => {
                self.stopped = true;
                Delta::Stopped { stop_reason: self.stop_reason.take() }
            }
            EventKind::Error => return Err(Fault::event(&event.error.unwrap_or_default())),
            EventKind::Ping | EventKind::ContentBlockStop | EventKind::Unknown => Delta::Ping,
        })
    }

    fn count(&mut self, counts: Option<Counts>) {
        let Some(counts) = counts else { return };
        let take = |field: &mut u64, count: Option<u64>| *field = count.unwrap_or(*field);
        take(&mut self.usage.input_tokens, counts.input_tokens);
        take(&mut self.usage.output_tokens, counts.output_tokens);
        take(&mut self.usage.cache_creation_input_tokens, counts.cache_creation_input_tokens);
        take(&mut self.usage.cache_read_input_tokens, counts.cache_read_input_tokens);
    }
}

/// What a block or a delta brings. An empty one is a sign of life.
fn content(part: Part) -> Delta {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    match part.kind {
        PartKind::Text => some(part.text).map_or(Delta::Ping, Delta::Text),
        PartKind::Thinking => some(part.thinking).map_or(Delta::Ping, Delta::Thinking),
        PartKind::Other => Delta::Ping,
    }
}

fn protocol(detail: &str) -> Fault {
    Fault::new(FaultKind::Protocol, detail)
}
