//! Follows a turn to its end, through every broken connection. It never stops the turn: leaving the page only drops
//! the stream.

use std::{cell::Cell, pin::Pin};

use futures::{
    StreamExt,
    future::{Either, select},
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    dom, finish,
    painter::Painter,
    wake::{Woken, nap, pause},
};
use crate::{
    api,
    domain::{Cursor, PieceKind, Timestamp, TurnEvent, TurnId},
    error::{ApiError, Code},
    pages::state::{Live, Page, Phase},
    sse::{EventStream, Frame},
};

/// Silence after which a stream counts as dead: the server says something every 15 s.
const STALL_MS: u64 = 25_000;
/// How often that is looked at.
const LOOK_MS: u32 = 5_000;
/// How long a break may last before the person is told.
const LOST_MS: u32 = 2_000;
/// How long an answer to "follow" may take to begin.
const OPEN_MS: u32 = 10_000;
/// The same of a send, whose body may have a slow line before it.
const SEND_MS: u32 = 90_000;
/// So often a send is repeated of which one cannot know whether it was taken.
const UNSURE: u32 = 6;
const FIRST_PAUSE_MS: u32 = 250;
const LONGEST_PAUSE_MS: u32 = 5_000;

/// How a turn's stream is asked for the first time; after that it is followed.
#[derive(Debug, Clone)]
pub(crate) enum Opening {
    Send {
        session: String,
        text: String,
        model: String,
        parent: Option<String>,
        new: bool,
    },
    /// Another answer beside this one; or, with its HTML, one that begins with the same text.
    Retry {
        message: String,
        shown: Option<String>,
    },
    Follow,
}

type Asked = Pin<Box<dyn Future<Output = Result<EventStream, ApiError>>>>;

impl Opening {
    pub(crate) async fn open(&self, turn: TurnId, cursor: Cursor) -> Result<EventStream, ApiError> {
        let turn = turn.to_string();
        let mut patience = SEND_MS;
        let mut asked: Asked =
            match self.clone() {
                Self::Send { session, text, model, parent, new } => Box::pin(async move {
                    api::chat::send(session, turn, text, Some(model), parent, new.then_some(true)).await
                }),
                Self::Retry { message, shown: None } => Box::pin(api::chat::retry(turn, message)),
                Self::Retry { message, .. } => Box::pin(api::chat::carry_on(turn, message)),
                Self::Follow => {
                    patience = OPEN_MS;
                    Box::pin(api::chat::follow(turn, Some(cursor.to_string())))
                }
            };
        // A request may hang for minutes where the network went away without a word. Each may be asked again; to
        // follow costs so little that any reason to look will do.
        let cheap = matches!(self, Self::Follow);
        let began = dom::now();
        loop {
            let left = patience.saturating_sub(dom::now().since(began) as u32);
            match select(asked, Box::pin(nap(left))).await {
                Either::Left((answer, _)) => return answer,
                Either::Right((Woken::Early, rest)) if !cheap && !super::NETWORK_CHANGED.take() => asked = rest,
                Either::Right(_) => return Err(ApiError::new(Code::Network, "")),
            }
        }
    }
}

/// What one connection came to.
enum Leg {
    /// The message is stored.
    End,
    /// The runner changes: follow again at once.
    Again,
    /// The connection is gone.
    Broken,
}

/// Follows a turn from its beginning to its end, in the background. `taken` is told whether the first
/// request was, or why not.
pub(crate) fn follow(page: Page, live: Live, opening: Opening, taken: impl FnOnce(Option<ApiError>) + 'static) {
    wait(page, live);
    let painter = Painter::new(page, live);
    if let Opening::Retry { shown: Some(html), .. } = &opening {
        painter.carry(html.clone());
    }
    let follower = Follower { page, live, painter, cursor: Cursor::default(), failures: 0, handed_over: false };
    spawn_local(follower.run(opening, taken));
}

thread_local! {
    /// The turn whose connection is gone just now, and since when.
    static LOST: Cell<Option<(TurnId, Timestamp)>> = const { Cell::new(None) };
}

struct Follower {
    page: Page,
    live: Live,
    painter: Painter,
    cursor: Cursor,
    /// Connections in a row that brought nothing.
    failures: u32,
    /// The last runner handed the reply over: the next one's text is no news.
    handed_over: bool,
}

/// Whether this page still shows the reply: a chat that was deleted is followed no further.
fn is_shown(page: Page, live: Live) -> bool {
    page.live().is_some_and(|l| l.turn == live.turn)
}

/// Whether a refusal does not say that nothing was stored. Once that is open, a limit on how fast one may ask says
/// nothing about the turn.
fn leaves_open(e: &ApiError, open: bool) -> bool {
    matches!(e.code, Code::Unavailable | Code::Internal) || (open && e.code == Code::RateLimited)
}

impl Follower {
    async fn run(mut self, mut opening: Opening, taken: impl FnOnce(Option<ApiError>) + 'static) {
        let mut taken = Some(taken);
        let mut unsure = 0;
        while is_shown(self.page, self.live) {
            super::NETWORK_CHANGED.set(false);
            match opening.open(self.live.turn, self.cursor).await {
                Ok(stream) => {
                    opening = Opening::Follow;
                    if let Some(taken) = taken.take() {
                        taken(None);
                    }
                    match self.leg(stream).await {
                        Leg::End => return,
                        Leg::Again => continue,
                        Leg::Broken => {}
                    }
                }
                // Unreached is not refused: the same request again is the same turn.
                Err(e) if e.code == Code::Network => unsure = unsure.max(1),
                // Nor is an answer that leaves it open, and what comes of asking again.
                Err(e) if leaves_open(&e, unsure > 0) && !matches!(opening, Opening::Follow) && unsure < UNSURE => {
                    unsure += 1;
                    nap(e.retry_after.map_or(0, |s| 1000 * s.min(10) as u32)).await;
                }
                Err(e) if !matches!(opening, Opening::Follow) => {
                    if let Some(taken) = taken.take() {
                        taken(Some(e));
                    }
                    return;
                }
                Err(e) if e.code == Code::NotFound => return finish::gone(self.page, self.live, &self.painter),
                Err(_) => {}
            }
            if LOST.get().is_none_or(|(turn, _)| turn != self.live.turn) {
                self.tell_if_lost();
            }
            let pause = FIRST_PAUSE_MS.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE_MS);
            self.failures += 1;
            // Half of it is chance, so that many browsers do not come back at the same moment.
            nap(pause / 2 + (f64::from(pause / 2) * dom::chance()) as u32).await;
        }
    }

    fn tell_if_lost(&self) {
        let (page, live) = (self.page, self.live);
        let lost = Some((live.turn, dom::now()));
        LOST.set(lost);
        set_timeout(
            move || {
                if LOST.get() == lost && is_shown(page, live) && !live.phase.get_untracked().is_over() {
                    live.phase.set(Phase::Lost);
                    page.say.set("Reconnecting.".to_owned());
                }
            },
            std::time::Duration::from_millis(LOST_MS.into()),
        );
    }

    /// The connection is back, or the store.
    fn resume(&self) {
        let live = self.live;
        LOST.set(None);
        if !matches!(live.phase.get_untracked(), Phase::Lost | Phase::Held) {
            return;
        }
        if live.wrote.get_untracked() {
            live.phase.set(Phase::Writing);
            self.page.say.set("Claude is writing.".to_owned());
        } else {
            live.phase.set(Phase::Quiet);
            wait(self.page, live);
        }
    }

    async fn leg(&mut self, mut stream: EventStream) -> Leg {
        let mut heard = dom::now();
        let mut look = Box::pin(nap(LOOK_MS));
        loop {
            let frame = match select(stream.next(), look).await {
                Either::Left((frame, rest)) => {
                    look = rest;
                    frame
                }
                Either::Right((woken, _)) => {
                    look = Box::pin(nap(LOOK_MS));
                    // After a sleep the connection may be dead without a word; a lively one is left alone.
                    let silent = dom::now().since(heard) >= STALL_MS;
                    if silent || (woken == Woken::Early && super::NETWORK_CHANGED.take()) {
                        return Leg::Broken;
                    }
                    continue;
                }
            };
            let Some(Ok(frame)) = frame else { return Leg::Broken };
            heard = dom::now();
            let begins = matches!(&frame, Frame::Event { event: TurnEvent::Start { .. }, .. });
            if !begins && std::mem::take(&mut self.failures) > 0 {
                self.resume();
            }
            let Frame::Event { cursor, event } = frame else { continue };
            if let Some(at) = cursor {
                self.meet(at);
            }
            match event {
                TurnEvent::Start { model, .. } => {
                    self.painter.model(model);
                    // Whether the store answers is said anew on each connection. One that brings no more than this,
                    // again and again, is no connection.
                    if self.failures <= 2 {
                        self.resume();
                    }
                }
                TurnEvent::Text { text } => self.painter.push(PieceKind::Text, &text),
                TurnEvent::Thinking { text } => self.painter.push(PieceKind::Thinking, &text),
                TurnEvent::Rewind { to } => self.painter.rewind(to.offset),
                TurnEvent::Store { waiting: true } => {
                    self.live.phase.set(Phase::Held);
                    self.page.say.set("Storage is not answering.".to_owned());
                }
                TurnEvent::Store { .. } => self.resume(),
                TurnEvent::Planned {} => self.handed_over = true,
                TurnEvent::Release {} => {
                    self.handed_over = true;
                    return Leg::Again;
                }
                end @ TurnEvent::End { .. } => {
                    finish::end(self.page, self.live, &self.painter, end);
                    return Leg::End;
                }
            }
            if !is_shown(self.page, self.live) {
                return Leg::End;
            }
        }
    }

    /// Looks whether what comes is another runner's, who took over where the last one fell silent.
    fn meet(&mut self, at: Cursor) {
        let other = at.claim > self.cursor.claim;
        self.cursor = at;
        if other && !std::mem::take(&mut self.handed_over) && self.painter.seam() {
            self.page.say.set("Picked up.".to_owned());
        }
    }
}

/// Says that it is waiting, after 400 ms without a word, and for how long.
fn wait(page: Page, live: Live) {
    let asked = dom::now();
    spawn_local(async move {
        pause(400).await;
        if live.phase.get_untracked() == Phase::Quiet {
            live.phase.set(Phase::Waiting(0));
        }
        while matches!(live.phase.get_untracked(), Phase::Waiting(_)) && is_shown(page, live) {
            live.phase.set(Phase::Waiting((dom::now().since(asked) / 1000) as u32));
            pause(1000).await;
        }
    });
}
