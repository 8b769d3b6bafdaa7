//! A server's inside on real parts: the embedded engine, the simulator on the wire, and a reader like the browser's.
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "shared by several test binaries, each of which uses a part"
)]

use std::{sync::Arc, time::Duration};

use app::{
    backend::{Backend, Parent, SendRequest},
    domain::{Cursor, SessionId, TurnEvent, TurnId, UserId},
    error::ApiError,
    sse::{EventStream, Frame},
};
use futures::StreamExt;
use server::{
    backend::RequestBackend,
    chat::{Chat, ChatConfig},
    claude::{Claude, Config, Models, Thinking, simulator},
    clock::Clock,
    config::{Caps, Secret},
    http::forms::FormReply,
    jobs::{Jobs, JobsConfig},
    queue::{Local, Queue},
    state::{Answer, RequestContext, RequestId},
    storage::{Store, StoreConfig, embedded::Embedded},
    turn::{Host, TurnConfig, Turns, budget::Budget},
};

/// Short times.
pub fn config(sole_owner: bool) -> TurnConfig {
    TurnConfig {
        lease: Duration::from_secs(1),
        flush: Duration::from_millis(50),
        longest: Duration::from_secs(600),
        run: None,
        sole_owner,
        resident: true,
    }
}

/// What all "processes" of a test share.
pub struct Rig {
    _dir: tempfile::TempDir,
    _embedded: Option<Embedded>,
    pub endpoint: String,
    pub table: String,
    pub simulator: String,
    pub clock: Clock,
    /// Of one reply.
    pub max_tokens: u64,
    /// Most turns of one user at once.
    pub running: Option<u32>,
    pub caps: Caps,
    /// No content from Claude for so long is a fault.
    pub stall: Duration,
}

/// One "process".
#[derive(Clone)]
pub struct Server {
    pub chat: Chat,
    pub turns: Turns,
    pub jobs: Jobs,
    pub queue: Queue,
    pub store: Store,
}

impl Rig {
    /// On the embedded engine.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let embedded = server::storage::embedded::start(dir.path()).await.unwrap();
        let endpoint = embedded.endpoint().to_owned();
        Self::on(dir, Some(embedded), endpoint).await
    }

    /// On DynamoDB Local, in a table of its own.
    pub async fn dynamodb_local() -> Self {
        Self::on(tempfile::tempdir().unwrap(), None, super::dynamodb::endpoint().to_owned()).await
    }

    async fn on(dir: tempfile::TempDir, embedded: Option<Embedded>, endpoint: String) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let table = format!("turns-{:016x}", server::clock::random_u128() as u64);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(simulator::serve(listener, std::future::pending()));
        let rig = Self {
            _dir: dir,
            _embedded: embedded,
            endpoint,
            table,
            simulator,
            clock: Clock::default(),
            max_tokens: 32_000,
            running: None,
            caps: Caps::default(),
            stall: Duration::from_secs(3),
        };
        rig.server(true).store.init().await.unwrap();
        rig
    }

    /// Another process on the same table. With `sole_owner`, like on a laptop: whatever another boot left is taken
    /// up at once.
    pub fn server(&self, sole_owner: bool) -> Server {
        self.server_with(config(sole_owner))
    }

    pub fn server_with(&self, config: TurnConfig) -> Server {
        self.server_on(Store::new(self.store_config()), config)
    }

    pub fn store_config(&self) -> StoreConfig {
        StoreConfig::new(Some(self.endpoint.clone()), "local", self.table.clone(), self.clock.clone())
    }

    /// On another store than the rig's own.
    pub fn server_on(&self, store: Store, config: TurnConfig) -> Server {
        self.server_of(&self.simulator, store, Queue::Local(Local::default()), config)
    }

    /// With Claude at another address than the simulator's.
    pub fn server_at(&self, claude: &str, store: Store, config: TurnConfig) -> Server {
        self.server_of(claude, store, Queue::Local(Local::default()), config)
    }

    /// With a queue of its own too.
    pub fn server_of(&self, claude: &str, store: Store, queue: Queue, config: TurnConfig) -> Server {
        let claude =
            Claude::new(Config { base_url: claude.to_owned(), api_key: Some("sk-test".into()), stall: self.stall });
        let turns = Turns::new(store.clone(), claude.clone(), self.clock.clone(), queue.clone(), config);
        if let Some(budget) = Budget::new(store.clone(), self.clock.clone(), self.caps) {
            turns.set_budget(budget);
        }
        let chat = ChatConfig {
            model: "claude-sonnet-5-5".into(),
            max_tokens: self.max_tokens,
            thinking: Thinking::Off,
            retention_days: 365,
            prompt_chars: 200_000,
            title_chars: 200,
            running: self.running,
        };
        let chat = Chat::new(store.clone(), turns.clone(), Models::new(claude), self.clock.clone(), chat);
        let hooks = JobsConfig { secret: Some(Secret::new("webhooks")), private_webhooks: true };
        let (clock, kept) = (self.clock.clone(), queue.clone());
        let jobs = Jobs::new(store.clone(), turns.clone(), chat.clone(), kept, clock, &hooks);
        Server { chat, turns, jobs, queue, store }
    }

    pub fn user(&self) -> UserId {
        self.clock.user_id()
    }
    pub fn session(&self) -> SessionId {
        self.clock.session_id()
    }
    pub fn turn(&self) -> TurnId {
        self.clock.turn_id()
    }
}

impl Server {
    pub fn of(&self, user: UserId) -> Arc<dyn Backend> {
        self.asked(user, None, Host::default())
    }

    /// As [`Server::of`], for a plain form or a request with a deadline.
    pub fn asked(&self, user: UserId, form: Option<FormReply>, host: Host) -> Arc<dyn Backend> {
        let (request_id, answer) = (RequestId("test".into()), Answer::default());
        let context = RequestContext { user, request_id, form, host, answer };
        Arc::new(RequestBackend::new(self.chat.clone(), self.jobs.clone(), context))
    }
}

pub fn request(session: SessionId, turn: TurnId, text: &str) -> SendRequest {
    SendRequest {
        session_id: session,
        turn_id: turn,
        text: text.into(),
        model: None,
        parent: Parent::Newest,
        new: false,
    }
}

pub fn new_chat(session: SessionId, turn: TurnId, text: &str) -> SendRequest {
    SendRequest { new: true, ..request(session, turn, text) }
}

/// What a reader has: as the browser keeps it.
#[derive(Debug, Default, Clone)]
pub struct Reader {
    pub shown: Vec<u8>,
    pub cursor: Cursor,
    pub rewinds: u32,
    pub end: Option<TurnEvent>,
    pub started: u32,
    pub releases: u32,
    /// It was told that the store does not answer.
    pub waited: bool,
    /// And not yet that it does again.
    pub waiting: bool,
}

impl Reader {
    pub fn text(&self) -> String {
        String::from_utf8(self.shown.clone()).unwrap()
    }

    pub fn take(&mut self, frame: Frame) {
        let Frame::Event { cursor, event } = frame else { return };
        match &event {
            TurnEvent::Start { .. } => self.started += 1,
            TurnEvent::Text { text } | TurnEvent::Thinking { text } => self.shown.extend(text.as_bytes()),
            TurnEvent::Rewind { to } => {
                self.shown.truncate(to.offset as usize);
                self.rewinds += 1;
            }
            TurnEvent::Release {} => self.releases += 1,
            TurnEvent::Planned {} => {}
            TurnEvent::Store { waiting } => {
                self.waiting = *waiting;
                self.waited |= waiting;
            }
            TurnEvent::End { .. } => self.end = Some(event),
        }
        if let Some(cursor) = cursor {
            self.cursor = cursor;
            assert_eq!(self.shown.len(), cursor.offset as usize, "a cursor counts what was shown");
        }
    }

    /// Reads to the stream's end.
    pub async fn read(&mut self, stream: EventStream) {
        self.read_until(stream, |_| false).await;
    }

    /// Reads until there is enough, or the stream ends; then the stream is dropped.
    pub async fn read_until(&mut self, mut stream: EventStream, enough: impl Fn(&Self) -> bool) {
        self.read_more(&mut stream, enough).await;
    }

    /// Reads until there is enough, or the stream ends.
    pub async fn read_more(&mut self, stream: &mut EventStream, enough: impl Fn(&Self) -> bool) {
        while let Some(frame) = stream.next().await {
            self.take(frame.unwrap());
            if enough(self) {
                return;
            }
        }
    }

    /// Follows to the end, however often the stream closes.
    pub async fn follow(&mut self, backend: &Arc<dyn Backend>, turn: TurnId) {
        let patience = std::time::Duration::from_secs(60);
        tokio::time::timeout(patience, async {
            while self.end.is_none() {
                let stream = backend.follow(turn, self.cursor).await.unwrap();
                self.read(stream).await;
            }
        })
        .await
        .expect("the turn ends");
    }

    pub fn outcome(&self) -> app::domain::Outcome {
        match &self.end {
            Some(TurnEvent::End { outcome, .. }) => *outcome,
            other => panic!("no end: {other:?}"),
        }
    }

    pub fn error(&self) -> Option<String> {
        match &self.end {
            Some(TurnEvent::End { error, .. }) => error.as_ref().map(|e| e.code.clone()),
            other => panic!("no end: {other:?}"),
        }
    }
}

/// A process that can be killed: its tasks end wherever they are, like with `kill -9`.
pub fn killable() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// How often the simulator was asked for a reply.
pub async fn calls(rig: &Rig) -> usize {
    let text = reqwest::get(format!("{}/sim/calls", rig.simulator)).await.unwrap().text().await.unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap().as_array().map_or(0, Vec::len)
}

/// Of a reply in `vary` mode: that its words count up from 0 without a gap or a repetition, and how many calls made it.
pub fn splice(text: &str, words: usize) -> usize {
    let mut calls: Vec<&str> = Vec::new();
    let mut count = 0;
    for (i, word) in text.split_whitespace().enumerate() {
        let (number, call) =
            word.strip_prefix('w').and_then(|w| w.split_once("·c")).unwrap_or_else(|| panic!("{word}: {text}"));
        assert_eq!(number, i.to_string(), "{text}");
        if calls.last() != Some(&call) {
            assert!(!calls.contains(&call), "{call} comes twice: {text}");
            calls.push(call);
        }
        count += 1;
    }
    assert_eq!(count, words, "{text}");
    calls.len()
}

/// The error of a call that must be refused.
pub fn refused<T>(result: Result<T, ApiError>) -> ApiError {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}
