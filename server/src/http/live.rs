//! `/c/{id}/live`: the page that grows with the reply, for browsers without JavaScript.
//!
//! The page is rendered whole, cut at a marker, and sent in three parts: what is before it at once, the reply block by
//! block as it comes, and at the turn's end how it ended and the rest of the page.

use std::{collections::VecDeque, convert::Infallible};

use app::{
    domain::{Cursor, MessageId, Seam, SessionId, TurnEvent, TurnId},
    markdown,
    page::{Fixed, LIVE_MARKER, PageKind},
    shell,
    sse::{EventStream, Frame},
};
use axum::{
    body::Body,
    extract::{Extension, Path, Request, State},
    response::{Html, IntoResponse, Response},
};
use futures::{Stream, StreamExt};

use super::{access_log::Streams, errors, forms, headers::CspNonce, identify::Asker, pages::PageRequest};
use crate::state::SharedState;
use app::backend::SharedBackend;

/// Makes the browser load the page again: what was sent cannot be taken back.
const RELOAD: &str = "<meta http-equiv=\"refresh\" content=\"0\">";
/// Nothing to see, but a sign of life for proxies.
const SIGN_OF_LIFE: &str = "<!-- -->\n";
/// So often in a row a stream may end without having brought anything.
const MAX_IDLE: u32 = 3;

/// The handler. Without a running turn there is nothing to grow: 303 to the chat.
pub async fn handler(
    State(state): State<SharedState>,
    Extension(asker): Extension<Asker>,
    Extension(nonce): Extension<CspNonce>,
    Path(id): Path<String>,
    req: Request,
) -> Response {
    let page = PageRequest::new(state, asker, nonce, &req);
    let session = match page.newest(&id).await {
        Ok(session) => session,
        Err(error) => return page.refuse(error).await,
    };
    let session_id = session.session.session_id;
    let Some(turn) = session.active_turn else { return forms::see_other(&format!("/c/{session_id}")) };
    let (data, _) = page.data(PageKind::Live, Some(session)).await;
    let html = match page.render(data, &Fixed::default()).await {
        Ok(html) => html,
        Err(error) => return errors::page(&error, &page.asker.request_id, &page.state.assets),
    };
    // It may have ended between the two looks at it.
    let Some((head, tail)) = html.split_once(LIVE_MARKER) else { return forms::see_other(&format!("/c/{session_id}")) };
    let growing = grow(page.backend(), session_id, turn, head.to_owned(), tail.to_owned());
    let mut res = Html(Body::from_stream(growing)).into_response();
    res.extensions_mut().insert(Streams);
    res
}

/// The reply so far, as far as an HTML page can have it.
struct Reply {
    backend: SharedBackend,
    session: SessionId,
    turn: TurnId,
    cursor: Cursor,
    markdown: Option<markdown::Stream>,
    seams: Vec<Seam>,
    /// The last runner handed the reply over: the next one's text is no news.
    handed_over: bool,
    events: Option<EventStream>,
    /// Streams in a row that brought nothing.
    idle: u32,
    tail: String,
    /// What is to be sent.
    out: VecDeque<String>,
}

fn grow(
    backend: SharedBackend,
    session: SessionId,
    turn: TurnId,
    head: String,
    tail: String,
) -> impl Stream<Item = Result<String, Infallible>> {
    let markdown = Some(markdown::Stream::new());
    let (cursor, out) = (Cursor::default(), VecDeque::from([head]));
    let (seams, handed_over) = (Vec::new(), false);
    let reply =
        Reply { backend, session, turn, cursor, markdown, seams, handed_over, events: None, idle: 0, tail, out };
    futures::stream::unfold(reply, |mut reply| async move {
        loop {
            if let Some(html) = reply.out.pop_front() {
                return Some((Ok(html), reply));
            }
            reply.markdown.as_ref()?;
            reply.advance().await;
        }
    })
}

impl Reply {
    /// Takes the next event. Every stream that closes without `end` may be followed again.
    async fn advance(&mut self) {
        let Some(events) = &mut self.events else {
            if self.idle == MAX_IDLE {
                return self.lost();
            }
            self.idle += 1;
            match self.backend.follow(self.turn, self.cursor).await {
                Ok(events) => self.events = Some(events),
                Err(_) => self.lost(),
            }
            return;
        };
        match events.next().await {
            Some(Ok(Frame::Comment)) => self.out.push_back(SIGN_OF_LIFE.to_owned()),
            Some(Ok(Frame::Event { cursor, event })) => self.take(cursor, &event),
            Some(Err(_)) | None => self.events = None,
        }
    }

    fn take(&mut self, cursor: Option<Cursor>, event: &TurnEvent) {
        if cursor.is_some_and(|at| at.claim > self.cursor.claim) {
            self.meet();
        }
        match event {
            TurnEvent::Start { .. } => return,
            TurnEvent::Text { text } => {
                let html = self.markdown.as_mut().and_then(|markdown| markdown.push(text));
                self.out.extend(html.filter(|html| !html.is_empty()));
            }
            TurnEvent::Thinking { .. } | TurnEvent::Store { .. } => {}
            TurnEvent::Rewind { to } if to.offset < self.cursor.offset => return self.close(RELOAD),
            TurnEvent::Rewind { .. } => {}
            TurnEvent::Planned {} => self.handed_over = true,
            TurnEvent::Release {} => {
                self.handed_over = true;
                self.events = None;
            }
            TurnEvent::End { .. } => {
                let seams = std::mem::take(&mut self.seams);
                return self.close(&shell::live_end(event, self.session, MessageId::from(self.turn), seams));
            }
        }
        self.idle = 0;
        self.cursor = cursor.unwrap_or(self.cursor);
    }

    /// What comes is another runner's; it is shown where it took over, unless it was handed the reply.
    fn meet(&mut self) {
        let planned = std::mem::take(&mut self.handed_over);
        if let (false, 1.., Some(markdown)) = (planned, self.cursor.offset, &mut self.markdown) {
            let offset = markdown.seam();
            self.seams.push(Seam { offset, planned });
        }
    }

    /// The reply goes on without this page.
    fn lost(&mut self) {
        let html = shell::live_lost();
        self.close(&html);
    }

    /// Ends the page: the text that has come, `last`, and the tail. Nothing more is taken.
    fn close(&mut self, last: &str) {
        let rest = self.markdown.take().map(|mut m| m.finish()).unwrap_or_default();
        self.events = None;
        self.out.push_back(format!("{rest}{last}{}", self.tail));
    }
}
