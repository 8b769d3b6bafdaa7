//! Follows a turn to its end, through every broken connection. It never stops the turn: leaving the page only drops
//! the stream.

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
    domain::{Cursor, PieceKind, TurnEvent, TurnId},
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
const FIRST_PAUSE_MS: u32 = 250;
const LONGEST_PAUSE_MS: u32 = 5_000;

/// How a turn's stream is asked for the first time; after that it is followed.
#[derive(Debug, Clone)]
pub(crate) enum Opening {
    Send { session: String, text: String, model: String, parent: Option<String>, new: bool },
    Retry { message: String },
    Follow,
}

impl Opening {
    async fn open(&self, turn: TurnId, cursor: Cursor) -> Result<EventStream, ApiError> {
        let turn = turn.to_string();
        match self.clone() {
            Self::Send { session, text, model, parent, new } => {
                api::chat::send(session, turn, text, Some(model), parent, new.then_some(true)).await
            }
            Self::Retry { message } => api::chat::retry(turn, message).await,
            Self::Follow => api::chat::follow(turn, Some(cursor.to_string())).await,
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

/// Whether this page still shows the reply: a chat that was deleted is followed no further.
fn is_shown(page: Page, live: Live) -> bool {
    page.live().is_some_and(|l| l.turn == live.turn)
}

/// Follows a turn from its beginning to its end, in the background. `taken` is told whether the first
/// request was, or why not.
pub(crate) fn follow(page: Page, live: Live, opening: Opening, taken: impl FnOnce(Option<ApiError>) + 'static) {
    wait(page, live);
    spawn_local(run(page, live, opening, taken));
}

async fn run(page: Page, live: Live, mut opening: Opening, taken: impl FnOnce(Option<ApiError>) + 'static) {
    let painter = Painter::new(page, live);
    let mut cursor = Cursor::default();
    let mut failures = 0;
    let mut taken = Some(taken);
    loop {
        if !is_shown(page, live) {
            return;
        }
        match opening.open(live.turn, cursor).await {
            Ok(stream) => {
                opening = Opening::Follow;
                if let Some(taken) = taken.take() {
                    taken(None);
                }
                match leg(page, live, &painter, stream, &mut cursor, &mut failures).await {
                    Leg::End => return,
                    Leg::Again => continue,
                    Leg::Broken => {}
                }
            }
            // Unreached is not refused: the same request again is the same turn.
            Err(e) if e.code == Code::Network => {}
            Err(e) if !matches!(opening, Opening::Follow) => {
                if let Some(taken) = taken.take() {
                    taken(Some(e));
                }
                return;
            }
            Err(e) if e.code == Code::NotFound => return finish::gone(page, live, &painter),
            Err(_) => {}
        }
        if failures == 0 {
            tell_if_lost(page, live);
        }
        failures += 1;
        LOST.set(Some(live.turn));
        let pause = FIRST_PAUSE_MS.saturating_mul(1 << (failures - 1).min(5)).min(LONGEST_PAUSE_MS);
        // Half of it is chance, so that many browsers do not come back at the same moment.
        nap(pause / 2 + (f64::from(pause / 2) * dom::chance()) as u32).await;
    }
}

thread_local! {
    /// The turn whose connection is gone just now.
    static LOST: std::cell::Cell<Option<TurnId>> = const { std::cell::Cell::new(None) };
}

fn found(live: Live, page: Page, failures: &mut u32) {
    if *failures == 0 {
        return;
    }
    *failures = 0;
    LOST.set(None);
    if live.phase.get_untracked() == Phase::Lost {
        live.phase.set(if live.wrote.get_untracked() { Phase::Writing } else { Phase::Quiet });
        if !live.wrote.get_untracked() {
            wait(page, live);
        }
    }
}

fn tell_if_lost(page: Page, live: Live) {
    set_timeout(
        move || {
            if LOST.get() == Some(live.turn) && is_shown(page, live) && !live.phase.get_untracked().is_over() {
                live.phase.set(Phase::Lost);
                page.say.set("Reconnecting.".to_owned());
            }
        },
        std::time::Duration::from_millis(LOST_MS.into()),
    );
}

async fn leg(
    page: Page,
    live: Live,
    painter: &Painter,
    mut stream: EventStream,
    cursor: &mut Cursor,
    failures: &mut u32,
) -> Leg {
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
        found(live, page, failures);
        let Frame::Event { cursor: at, event } = frame else { continue };
        match event {
            TurnEvent::Start { model, .. } => painter.model(model),
            TurnEvent::Text { text } => painter.push(PieceKind::Text, &text),
            TurnEvent::Thinking { text } => painter.push(PieceKind::Thinking, &text),
            TurnEvent::Rewind { to } => painter.rewind(to.offset),
            TurnEvent::Store { .. } => {}
            TurnEvent::Release {} => return Leg::Again,
            end @ TurnEvent::End { .. } => {
                finish::end(page, live, painter, end);
                return Leg::End;
            }
        }
        if let Some(at) = at {
            *cursor = at;
        }
        if !is_shown(page, live) {
            return Leg::End;
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
