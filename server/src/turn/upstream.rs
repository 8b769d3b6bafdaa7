//! The runner's side of Claude: asking, reading, waiting for another attempt, as one step at a time.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::time::Sleep;

use crate::{
    claude::{Claude, Delta, Fault, Reply, Request},
    clock::jitter,
};

/// Attempts a claim, before the first content.
const ATTEMPTS: u32 = 4;
/// Nobody waits longer than this for another attempt, whatever the API asks.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What happened upstream.
pub(super) enum Step {
    Delta(Delta),
    /// It will be asked again after a while; for the log.
    Retry(Fault),
    /// No attempt is left, or none would help.
    Failed(Fault),
    /// The stream is over after [`Delta::Stopped`].
    Over,
}

type Asking = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

enum State {
    Asking(Asking),
    Reading(Box<Reply>),
    Waiting(Pin<Box<Sleep>>),
    Over,
}

/// One claim's generation. Dropping it closes the connection upstream.
pub(super) struct Upstream {
    claude: Claude,
    request: Request,
    state: State,
    attempt: u32,
    content: bool,
}

impl Upstream {
    /// One that asks nothing.
    pub(super) fn idle(claude: &Claude) -> Self {
        let request = Request::default();
        Self { claude: claude.clone(), request, state: State::Over, attempt: 0, content: false }
    }

    pub(super) fn new(claude: &Claude, request: Request) -> Self {
        let mut upstream = Self { claude: claude.clone(), request, state: State::Over, attempt: 0, content: false };
        upstream.ask();
        upstream
    }

    fn ask(&mut self) {
        let (claude, request) = (self.claude.clone(), self.request.clone());
        self.attempt += 1;
        self.state = State::Asking(Box::pin(async move { claude.stream(&request).await }));
    }

    /// Ends it: the connection closes, nothing more comes.
    pub(super) fn cancel(&mut self) {
        self.state = State::Over;
    }

    /// Reading goes on after a pause.
    pub(super) fn resumed(&mut self) {
        if let State::Reading(reply) = &mut self.state {
            reply.resumed();
        }
    }

    /// Whether nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The next step. Safe to cancel. Pends for ever once it is over.
    pub(super) async fn next(&mut self) -> Step {
        loop {
            match &mut self.state {
                State::Asking(asking) => match asking.await {
                    Ok(reply) => self.state = State::Reading(Box::new(reply)),
                    Err(fault) => return self.fault(fault),
                },
                State::Waiting(sleep) => {
                    sleep.await;
                    self.ask();
                }
                State::Reading(reply) => match reply.next().await {
                    Ok(Some(delta)) => {
                        self.content |= matches!(delta, Delta::Text(_) | Delta::Thinking(_));
                        return Step::Delta(delta);
                    }
                    Ok(None) => {
                        self.state = State::Over;
                        return Step::Over;
                    }
                    Err(fault) => return self.fault(fault),
                },
                State::Over => std::future::pending().await,
            }
        }
    }

    fn fault(&mut self, fault: Fault) -> Step {
        if self.content || self.attempt >= ATTEMPTS || !fault.kind.retryable_before_first_byte() {
            self.state = State::Over;
            return Step::Failed(fault);
        }
        let backoff = 500u64 << (self.attempt - 1);
        let wait = fault.retry_after.unwrap_or_else(|| Duration::from_millis(backoff / 2 + jitter(backoff / 2)));
        if wait > LONGEST_WAIT {
            self.state = State::Over;
            return Step::Failed(fault);
        }
        self.state = State::Waiting(Box::pin(tokio::time::sleep(wait)));
        Step::Retry(fault)
    }
}
