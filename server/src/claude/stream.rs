//! A streamed reply, as it arrives.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::{
    client::transport,
    decode::{Decoder, Delta},
    fault::{Fault, FaultKind},
};

/// How long a finished response may take to end, so that its connection can be used again.
const DRAIN: Duration = Duration::from_secs(2);

/// A reply that is being streamed. Dropping it closes its stream, which ends the generation upstream.
#[derive(Debug)]
pub struct Reply {
    /// Gone once the reply is over, well or badly.
    response: Option<reqwest::Response>,
    decoder: Decoder,
    stall: Duration,
    /// By when content has to come; a ping does not move it.
    deadline: Instant,
}

impl Reply {
    pub(super) fn new(response: reqwest::Response, stall: Duration) -> Self {
        Self { response: Some(response), decoder: Decoder::default(), stall, deadline: Instant::now() + stall }
    }

    /// Reading goes on after a pause that was the reader's own: the time to wait for content begins anew.
    pub fn resumed(&mut self) {
        self.deadline = Instant::now() + self.stall;
    }

    /// The next step of the reply; `None` only after it was whole ([`Delta::Stopped`]).
    /// Safe to cancel: nothing that arrived is lost.
    ///
    /// # Errors
    /// A broken, truncated or unreadable stream, an `error` event, or no content for the configured time. The
    /// reply is over then, and asking again gives `Truncated`.
    pub async fn next(&mut self) -> Result<Option<Delta>, Fault> {
        let result = self.read().await;
        if result.is_err() {
            self.response = None;
        }
        result
    }

    async fn read(&mut self) -> Result<Option<Delta>, Fault> {
        loop {
            if let Some(delta) = self.decoder.next_delta()? {
                match &delta {
                    Delta::Text(_) | Delta::Thinking(_) | Delta::Started { .. } => {
                        self.deadline = Instant::now() + self.stall;
                    }
                    Delta::Stopped { .. } => self.drain(),
                    Delta::Ping | Delta::Usage(_) => {}
                }
                return Ok(Some(delta));
            }
            if self.decoder.stopped() {
                return Ok(None);
            }
            let truncated = || Fault::new(FaultKind::Truncated, "the stream ended without message_stop");
            let response = self.response.as_mut().ok_or_else(truncated)?;
            match timeout_at(self.deadline, response.chunk()).await {
                Ok(Ok(Some(bytes))) => self.decoder.push(&bytes),
                Ok(Ok(None)) => return Err(truncated()),
                Ok(Err(error)) => return Err(transport(&error)),
                Err(_) => return Err(Fault::new(FaultKind::Stalled, format!("no content for {:?}", self.stall))),
            }
        }
    }

    /// Reads the few bytes behind `message_stop` on the side: only a response read to its end gives its
    /// connection back, and nobody should wait for that.
    fn drain(&mut self) {
        if let Some(mut response) = self.response.take() {
            tokio::spawn(timeout(DRAIN, async move { while let Ok(Some(_)) = response.chunk().await {} }));
        }
    }
}
