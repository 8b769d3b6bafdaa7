//! What a page knows and can change: signals, made once from the data the server rendered.
//!
//! The views read them; everything that writes them is in [`crate::browser`].

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    components::words,
    domain::{Message, MessageId, Role, SessionId, SessionList, Timestamp, TurnId},
    error::Code,
    page::{Deleted, PageData, PageKind},
};

/// How far a reply that this page follows has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Asked, and too early to say anything about it.
    Quiet,
    /// Nothing has come for 400 ms; for so many seconds altogether.
    Waiting(u32),
    /// Thinking comes, no text yet.
    Thinking,
    /// Text comes.
    Writing,
    /// The connection has been gone for 2 s.
    Lost,
    /// Storage does not answer, so the server writes on when it does.
    Held,
    /// Stored; [`Live::ended`] says how.
    Ended,
}

impl Phase {
    /// Whether the reply's text has begun, as far as this page has seen.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended)
    }
}

/// A reply that this page has followed or follows.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// The turn, by whose id the reply's elements are named.
    pub turn: TurnId,
    pub phase: RwSignal<Phase>,
    /// Something was written, text or thinking.
    pub wrote: RwSignal<bool>,
    /// The summary over the thinking, empty while there is none.
    pub thought: RwSignal<String>,
    /// The message as it was stored, once it is.
    pub ended: RwSignal<Option<Arc<Message>>>,
    /// Other answers to the same question, before this one.
    pub before: StoredValue<Vec<MessageId>>,
}

impl Live {
    /// A reply of which nothing is known yet.
    #[must_use]
    pub fn new(turn: TurnId, before: Vec<MessageId>) -> Self {
        Self {
            turn,
            phase: RwSignal::new(Phase::Quiet),
            wrote: RwSignal::new(false),
            thought: RwSignal::new(String::new()),
            ended: RwSignal::new(None),
            before: StoredValue::new(before),
        }
    }
}

/// The answer to a question.
#[derive(Debug, Clone)]
pub enum Reply {
    Stored(Arc<Message>),
    Live(Live),
}

impl Reply {
    /// The message's id.
    #[must_use]
    pub fn id(&self) -> MessageId {
        match self {
            Self::Stored(message) => message.message_id,
            Self::Live(live) => live.turn.into(),
        }
    }
}

/// A question and its answer. At a page's edge one of them may be missing.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Names the turn among its neighbours; made here, never sent.
    pub key: MessageId,
    pub ask: Option<Arc<Message>>,
    pub reply: Option<Reply>,
    /// Another branch has taken its place; forgotten once the server has taken that.
    pub hidden: RwSignal<bool>,
}

impl Turn {
    #[must_use]
    pub fn new(key: MessageId, ask: Option<Arc<Message>>, reply: Option<Reply>) -> Self {
        Self { key, ask, reply, hidden: RwSignal::new(false) }
    }
}

/// Groups a branch's messages into turns.
#[must_use]
pub fn turns(messages: impl IntoIterator<Item = Message>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for message in messages {
        let message = Arc::new(message);
        let key = message.message_id;
        match message.role {
            Role::User => turns.push(Turn::new(key, Some(message), None)),
            Role::Assistant => match turns.last_mut() {
                Some(last) if last.reply.is_none() => last.reply = Some(Reply::Stored(message)),
                _ => turns.push(Turn::new(key, None, Some(Reply::Stored(message)))),
            },
        }
    }
    turns
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Too many at once; seconds until the next may come.
    Rate(u64),
    /// The chat is being answered already, in another tab.
    Active,
    /// In the server's words.
    Other(String),
}

impl Refusal {
    /// What a plain form was told, by the code in the page's address and how many seconds it was told to `wait`.
    #[must_use]
    pub fn from_code(code: Code, wait: u32, now: Timestamp) -> Self {
        Self::Other(
            match code {
                Code::TurnActive => return Self::Active,
                Code::RateLimited if wait > 0 => {
                    let wait = wait.to_string();
                    return Self::Other(["Too many messages at once. You can send again in ", &wait, " s."].concat());
                }
                Code::RateLimited => "Too many messages at once. Wait a moment, then send again.",
                Code::BudgetSpent => {
                    return Self::Other(["Today’s budget is spent. It ", &words::anew(now)].concat());
                }
                Code::TooLarge => "That is longer than one message can be. Shorten it, or send it in two.",
                Code::Invalid | Code::Malformed => "That could not be taken as it was. Look it over and send it again.",
                Code::NotFound => "What that was about does not exist any more, or it is not yours.",
                Code::Unavailable => "Storage is not answering just now. Try again in a moment.",
                _ => "That did not work. Nothing that was stored is lost. Try again in a moment.",
            }
            .to_owned(),
        )
    }
}

/// What stands above the composer; at most one of them is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Band {
    /// Characters of a text that is too long; 0 otherwise.
    pub length: u32,
    pub offline: bool,
    pub refused: Option<Refusal>,
}

/// A page's state. Copied freely: it holds handles only.
#[derive(Clone, Copy)]
pub struct Page {
    pub data: StoredValue<Arc<PageData>>,
    /// `None` on a new chat, until the first message is sent.
    pub session: RwSignal<Option<SessionId>>,
    pub title: RwSignal<String>,
    pub sessions: RwSignal<SessionList>,
    pub turns: RwSignal<Vec<Turn>>,
    /// Leads to earlier messages.
    pub older: RwSignal<Option<String>>,
    /// The turn that runs in this chat.
    pub running: RwSignal<Option<TurnId>>,
    pub band: RwSignal<Band>,
    /// The model that the next message goes to.
    pub model: RwSignal<String>,
    /// What the one `role=status` says.
    pub say: RwSignal<String>,
    pub toast: RwSignal<Option<Deleted>>,
    pub renaming: RwSignal<Option<SessionId>>,
    /// Chats whose reply was finished while nobody looked.
    pub unseen: RwSignal<Vec<SessionId>>,
    /// The moment that "today" is reckoned from.
    pub now: RwSignal<Timestamp>,
    /// Minutes east of UTC.
    pub tz: RwSignal<i32>,
    /// The pill that leads to the end is wanted.
    pub pill: RwSignal<bool>,
}

impl Page {
    /// The state of a page as the server rendered it.
    #[must_use]
    pub fn new(data: &Arc<PageData>) -> Self {
        let page = data.page.as_ref();
        let mut list = page.map(|p| turns(p.messages.iter().cloned())).unwrap_or_default();
        let running = page.and_then(|p| p.active_turn);
        // A running turn answers the question that has no answer yet; on another branch there is none.
        if let (Some(turn), Some(last)) = (running, list.last_mut())
            && last.reply.is_none()
        {
            last.reply = Some(Reply::Live(Live::new(turn, Vec::new())));
        }
        let title = match data.kind {
            PageKind::NotFound => "Not here".to_owned(),
            PageKind::Jobs => "Jobs".to_owned(),
            _ => page.map_or_else(|| "New chat".to_owned(), |p| p.session.title.clone()),
        };
        let elsewhere = running.is_some() && !list.iter().any(|t| matches!(t.reply, Some(Reply::Live(_))));
        let refused = match data.error {
            Some(code) => Some(Refusal::from_code(code, data.wait, data.now)),
            None => elsewhere.then_some(Refusal::Active),
        };
        let known = |id: &String| data.models.models.iter().any(|m| m.id == *id);
        let model =
            page.and_then(|p| p.session.model.clone()).filter(known).unwrap_or_else(|| data.models.default.clone());
        Self {
            data: StoredValue::new(data.clone()),
            session: RwSignal::new(page.map(|p| p.session.session_id)),
            title: RwSignal::new(title),
            sessions: RwSignal::new(data.sessions.clone()),
            turns: RwSignal::new(list),
            older: RwSignal::new(page.and_then(|p| p.next.clone())),
            running: RwSignal::new(running.filter(|_| !elsewhere)),
            band: RwSignal::new(Band { refused, ..Band::default() }),
            model: RwSignal::new(model),
            say: RwSignal::new(String::new()),
            toast: RwSignal::new(None),
            renaming: RwSignal::new(None),
            unseen: RwSignal::new(Vec::new()),
            now: RwSignal::new(data.now),
            tz: RwSignal::new(data.tz),
            pill: RwSignal::new(false),
        }
    }

    /// The data the page came with.
    #[must_use]
    pub fn data(self) -> Arc<PageData> {
        self.data.get_value()
    }

    /// The chat that is shown, read without following it.
    #[must_use]
    pub fn session(self) -> Option<SessionId> {
        self.session.get_untracked()
    }

    /// The answer this page follows.
    #[must_use]
    pub fn live(self) -> Option<Live> {
        self.turns.with_untracked(|turns| match turns.last()?.reply {
            Some(Reply::Live(live)) => Some(live),
            _ => None,
        })
    }

    /// The answer at the end of the branch shown, and of which a message sent now is the follower.
    #[must_use]
    pub fn leaf(self) -> Option<MessageId> {
        self.turns.with_untracked(|turns| Some(turns.last()?.reply.as_ref()?.id()))
    }
}
