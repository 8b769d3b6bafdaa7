//! When to say it: the stream's body, token by token, and what breaks in it.

use std::{io, time::Duration};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    calls::{End, Running},
    events::{self, Names, Used},
    plan::Plan,
    script::{Break, Script},
};

/// Tokens written at once when there is no pace to keep.
const BATCH: usize = 64;
/// How often there is one where nothing else comes.
const OFTEN: Duration = Duration::from_millis(500);
/// A longer silence has a ping in it.
const PING: Duration = Duration::from_secs(5);

/// A reply under way. Dropping it ends the generation.
#[derive(Debug)]
pub struct Speech {
    pub plan: Plan,
    pub script: Script,
    pub names: Names,
    pub used: Used,
    pub running: Running,
    /// When the request came: the schedule counts from it, so that no delay adds up.
    pub since: Instant,
    /// What breaks, if this call is one of those that break.
    pub fault: Option<(Break, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Start,
    Tokens,
    Broken,
    Over,
}

impl Speech {
    /// When a token, counted from 0, is due.
    #[must_use]
    pub fn due(&self, token: usize) -> Instant {
        let pace = if self.script.rate > 0.0 { token as f64 / self.script.rate } else { 0.0 };
        self.since + self.script.ttft + Duration::try_from_secs_f64(pace).unwrap_or(Duration::MAX / 4)
    }

    /// How many tokens are due now, at least one more than were sent.
    fn due_now(&self, sent: usize) -> usize {
        if self.script.rate == 0.0 {
            return sent + BATCH;
        }
        let after = (self.since + self.script.ttft).elapsed().as_secs_f64();
        ((after * self.script.rate) as usize + 1).max(sent + 1)
    }

    /// The response's body.
    pub fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let size = self.script.bytes;
        let chunks = stream::unfold((self, Step::Start), |(mut speech, step)| async move {
            let (item, step) = speech.step(step).await?;
            Some((item, (speech, step)))
        });
        stream::unfold((Box::pin(chunks), Bytes::new()), move |(mut chunks, mut rest)| async move {
            if rest.is_empty() {
                match futures::StreamExt::next(&mut chunks).await? {
                    Ok(bytes) => rest = bytes,
                    Err(error) => return Some((Err(error), (chunks, rest))),
                }
            } else {
                // Lets the server write what it has, so that each piece is a write of its own.
                tokio::task::yield_now().await;
            }
            let piece = rest.split_to(size.unwrap_or(usize::MAX).min(rest.len()));
            Some((Ok(piece), (chunks, rest)))
        })
    }

    async fn step(&mut self, step: Step) -> Option<(io::Result<Bytes>, Step)> {
        let mut out = Vec::new();
        let next = match step {
            Step::Start => {
                let begins = matches!(self.fault, Some((Break::Pings | Break::Pause, _)));
                if self.breaks_now() && !begins {
                    return self.fail().await;
                }
                events::start(&mut out, &self.names, Used { output: 1, ..self.used });
                events::ping(&mut out);
                if let Some(size) = self.script.unknown {
                    events::unknown(&mut out, size);
                }
                Step::Tokens
            }
            Step::Tokens => {
                let sent = self.running.tokens;
                // Behind the last token, too: the fault comes before the end.
                if self.breaks_now() {
                    return self.fail().await;
                }
                if sent < self.plan.tokens() {
                    if !self.wait().await {
                        events::ping(&mut out);
                    } else {
                        self.speak(&mut out);
                    }
                    Step::Tokens
                } else {
                    self.finish(&mut out);
                    Step::Over
                }
            }
            Step::Broken => {
                self.running.end(End::Fault);
                return None;
            }
            Step::Over => return None,
        };
        Some((Ok(Bytes::from(out)), next))
    }

    /// Waits for the next token; false if the silence gets so long that a ping is due first.
    async fn wait(&mut self) -> bool {
        let ping = Instant::now() + PING;
        if let Some(name) = self.held() {
            tokio::select! {
                () = self.running.release(name) => {}
                () = sleep_until(ping) => return false,
            }
            // The pace goes on from here.
            self.since += self.due(self.running.tokens).elapsed();
        }
        let due = self.due(self.running.tokens);
        sleep_until(due.min(ping)).await;
        due <= ping
    }

    /// The name under which the next token is held.
    fn held(&self) -> Option<&str> {
        let (name, at) = self.script.hold.as_ref()?;
        (*at == self.running.tokens && !self.running.released(name)).then_some(name)
    }

    /// Whether so many tokens were sent that it is time to break. A fault past the last token never comes.
    fn breaks_now(&self) -> bool {
        self.fault.is_some_and(|(_, at)| at == self.running.tokens)
    }

    fn speak(&mut self, out: &mut Vec<u8>) {
        let thoughts = self.plan.thinking.len();
        let breaks = self.fault.map_or(usize::MAX, |(_, at)| at);
        let held = self.script.hold.as_ref().map_or(usize::MAX, |&(_, at)| at).max(self.running.tokens + 1);
        let until = self.due_now(self.running.tokens).min(self.plan.tokens()).min(breaks).min(held);
        while self.running.tokens < until {
            let number = self.running.tokens;
            if number < thoughts {
                if number == 0 {
                    events::block_start(out, 0, true);
                }
                events::token(out, 0, true, self.plan.thinking.token(number));
                if number + 1 == thoughts {
                    events::block_stop(out, 0, true);
                }
            } else {
                let index = usize::from(thoughts > 0);
                if number == thoughts {
                    events::block_start(out, index, false);
                }
                events::token(out, index, false, self.plan.text.token(number - thoughts));
            }
            self.running.tokens += 1;
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let thoughts = self.plan.thinking.len();
        if self.running.tokens > thoughts {
            events::block_stop(out, usize::from(thoughts > 0), false);
        }
        // An empty reply costs something too.
        let output = self.running.tokens.max(1);
        events::end(out, &self.plan.stop_reason, Used { output, thinking: thoughts, ..self.used });
        self.running.end(End::Complete);
    }

    async fn fail(&mut self) -> Option<(io::Result<Bytes>, Step)> {
        // What was said before is written out first.
        tokio::task::yield_now().await;
        let mut out = Vec::new();
        let (kind, _) = self.fault?;
        let next = match kind {
            Break::Reset => {
                self.running.end(End::Fault);
                return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), Step::Over));
            }
            Break::Stall => {
                self.running.end(End::Fault);
                return std::future::pending().await;
            }
            Break::Truncate => {
                self.running.end(End::Fault);
                return None;
            }
            Break::Pings => {
                self.running.end(End::Fault);
                sleep(OFTEN).await;
                events::ping(&mut out);
                Step::Tokens
            }
            Break::Pause => {
                self.plan.stop_reason = "pause_turn".to_owned();
                self.finish(&mut out);
                self.running.end(End::Fault);
                Step::Over
            }
            Break::Error => {
                events::error(&mut out, "api_error", "Internal server error");
                Step::Broken
            }
            Break::Overloaded => {
                events::error(&mut out, "overloaded_error", "Overloaded");
                Step::Broken
            }
            Break::Garbage => {
                out.extend_from_slice(b"\x00\xff\xfe<<<<\n\nevent: content_block_delta\ndata: {\"type\":\xff\n\n");
                Step::Broken
            }
        };
        Some((Ok(Bytes::from(out)), next))
    }
}
