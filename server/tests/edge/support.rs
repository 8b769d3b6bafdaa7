//! A server on a port of its own, a backend that does what its test says, and a client.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::{
    backend::{Backend, Fut, SendRequest, SubmitRequest},
    domain::{
        Created, Cursor, Job, JobId, JobList, JobStatus, JobView, Message, MessageId, ModelInfo, Models, Outcome, Role,
        Session, SessionId, SessionList, SessionPage, SessionRow, Submitted, Timestamp, TurnEvent, TurnId, Usage,
        UserId,
    },
    error::ApiError,
    sse::{EventStream, Frame},
};
use server::{
    auth::{door::Door, identity::Identity},
    clock::Clock,
    config::{Limits, Pace, Secret},
    http::{
        assets,
        connection::{self, Patience},
        pace::Paces,
    },
    router::router,
    state::{AppState, RequestContext},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

pub(crate) const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

/// What the backend was asked, and what it shall say.
#[derive(Default)]
pub(crate) struct Script {
    /// Refuse every call with it.
    pub(crate) fails: Option<ApiError>,
    /// Where a plain form leads.
    pub(crate) leads_to: Option<String>,
    /// What a plain form deletes.
    pub(crate) deletes: Option<(SessionId, String)>,
    pub(crate) sessions: HashMap<SessionId, (UserId, SessionPage)>,
    pub(crate) jobs: HashMap<JobId, (UserId, JobView)>,
    /// One for each stream that is asked for; then there are none.
    pub(crate) streams: VecDeque<mpsc::UnboundedReceiver<Frame>>,
    pub(crate) asked: Vec<String>,
    pub(crate) users: Vec<UserId>,
}

pub(crate) type Shared = Arc<Mutex<Script>>;

struct Fake {
    script: Shared,
    context: RequestContext,
}

impl Fake {
    fn answer<T: Send + 'static>(
        &self,
        asked: String,
        value: impl FnOnce(&mut Script, UserId) -> Result<T, ApiError>,
    ) -> Fut<T> {
        let mut script = self.script.lock().unwrap();
        script.asked.push(asked);
        script.users.push(self.context.user);
        if let (Some(form), Some((id, title))) = (&self.context.form, &script.deletes) {
            form.set_deleted(*id, title.clone());
        }
        if let (Some(form), Some(to)) = (&self.context.form, &script.leads_to) {
            form.set(to.clone());
        }
        let answer = match &script.fails {
            Some(error) => Err(error.clone()),
            None => value(&mut script, self.context.user),
        };
        Box::pin(async { answer })
    }

    fn stream(&self, asked: String) -> Fut<EventStream> {
        self.answer(asked, |script, _| {
            let frames = script.streams.pop_front();
            Ok(EventStream::new(futures::stream::unfold(frames, |frames| async {
                let mut frames = frames?;
                let frame = frames.recv().await?;
                Some((Ok(frame), Some(frames)))
            })))
        })
    }
}

impl Backend for Fake {
    fn models(&self) -> Fut<Models> {
        self.answer("models".into(), |_, _| {
            let model = ModelInfo { id: "m".into(), name: "M".into(), context: 1, max_output: 1 };
            Ok(Models { default: "m".into(), models: vec![model] })
        })
    }
    fn create_session(&self) -> Fut<Created> {
        self.answer("create".into(), |_, _| Ok(Created { session_id: session_id(9) }))
    }
    fn list_sessions(&self, page: Option<String>) -> Fut<SessionList> {
        self.answer(format!("list {page:?}"), |script, user| {
            let own = script.sessions.values().filter(|(owner, _)| *owner == user);
            let row = |page: &SessionPage| SessionRow {
                session_id: page.session.session_id,
                title: page.session.title.clone(),
                updated_at: page.session.updated_at,
                active_turn: page.active_turn,
            };
            Ok(SessionList { sessions: own.map(|(_, page)| row(page)).collect(), next: None })
        })
    }
    fn get_session(&self, id: SessionId, page: Option<String>, via: Option<MessageId>) -> Fut<SessionPage> {
        self.answer(format!("get {id} {page:?} {via:?}"), |script, user| {
            let found = script.sessions.get(&id).filter(|(owner, _)| *owner == user);
            found.map(|(_, page)| page.clone()).ok_or_else(ApiError::not_found)
        })
    }
    fn rename_session(&self, id: SessionId, title: String) -> Fut<()> {
        self.answer(format!("rename {id} {title}"), |_, _| Ok(()))
    }
    fn delete_session(&self, id: SessionId) -> Fut<()> {
        self.answer(format!("delete {id}"), |_, _| Ok(()))
    }
    fn restore_session(&self, id: SessionId) -> Fut<()> {
        self.answer(format!("restore {id}"), |_, _| Ok(()))
    }
    fn send(&self, send: SendRequest) -> Fut<EventStream> {
        assert_ne!(send.text, "panic", "what a person wrote");
        self.stream(format!("send {} {}", send.session_id, send.text.len()))
    }
    fn retry(&self, turn: TurnId, message: MessageId) -> Fut<EventStream> {
        self.stream(format!("retry {turn} {message}"))
    }
    fn carry_on(&self, turn: TurnId, message: MessageId) -> Fut<EventStream> {
        self.stream(format!("continue {turn} {message}"))
    }
    fn submit_job(&self, submit: SubmitRequest) -> Fut<Submitted> {
        let answer = self.context.answer.clone();
        self.answer(format!("submit {submit:?}"), move |_, _| {
            answer.accepted(format!("/api/jobs/status?job_id={}", submit.job_id));
            Ok(Submitted { job_id: submit.job_id, status: JobStatus::Queued })
        })
    }
    fn job_status(&self, job: JobId) -> Fut<Job> {
        self.answer(format!("job {job}"), |_, _| Err(ApiError::not_found()))
    }
    fn list_jobs(&self, page: Option<String>) -> Fut<JobList> {
        self.answer(format!("jobs {page:?}"), |_, _| Ok(JobList::default()))
    }
    fn view_job(&self, job: JobId) -> Fut<JobView> {
        self.answer(format!("view {job}"), |script, user| {
            let found = script.jobs.get(&job).filter(|(owner, _)| *owner == user);
            found.map(|(_, view)| view.clone()).ok_or_else(ApiError::not_found)
        })
    }
    fn cancel_job(&self, job: JobId) -> Fut<()> {
        self.answer(format!("cancel {job}"), |_, _| Ok(()))
    }
    fn retry_job(&self, job: JobId) -> Fut<()> {
        self.answer(format!("retry job {job}"), |_, _| Ok(()))
    }
    fn follow(&self, turn: TurnId, cursor: Cursor) -> Fut<EventStream> {
        self.stream(format!("follow {turn} {cursor}"))
    }
    fn stop(&self, turn: TurnId) -> Fut<()> {
        self.answer(format!("stop {turn}"), |_, _| Ok(()))
    }
}

/// A running server. Its connections end with it.
pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) host: String,
    pub(crate) script: Shared,
    pub(crate) clock: Clock,
    pub(crate) client: reqwest::Client,
    pub(crate) site: tempfile::TempDir,
    /// That have ended.
    pub(crate) requests: Arc<AtomicUsize>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default(), Patience::default()).await
    }

    pub(crate) async fn with(limits: Limits, patience: Patience) -> Self {
        Self::behind(Door::new(None, None), Pace::default(), limits, patience).await
    }

    /// Behind an access code.
    pub(crate) async fn guarded(door: Door) -> Self {
        Self::behind(door, Pace::default(), Limits::default(), Patience::default()).await
    }

    /// With a limit to how fast one may send.
    pub(crate) async fn paced(pace: Pace) -> Self {
        Self::behind(Door::new(None, None), pace, Limits::default(), Patience::default()).await
    }

    async fn behind(door: Door, pace: Pace, limits: Limits, patience: Patience) -> Self {
        Self::made(limits, patience, |state| AppState { door, pace: Paces::new(pace), ..state }).await
    }

    /// With what is else than usual in `change`.
    pub(crate) async fn made(limits: Limits, patience: Patience, change: impl FnOnce(AppState) -> AppState) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let site = tempfile::tempdir().unwrap();
        build(site.path());
        let (clock, script) = (Clock::default(), Shared::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let behind = script.clone();
        let requests = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&requests);
        let state = AppState {
            identity: Identity::new(&Secret::new(SECRET), &[], clock.clone()),
            door: Door::new(None, None),
            pace: Paces::new(Pace::default()),
            admin: None,
            lease_ms: 10_000,
            clock: clock.clone(),
            limits,
            assets: Arc::new(assets::load(site.path()).unwrap()),
            site: site.path().to_owned(),
            backend: Arc::new(move |context| Arc::new(Fake { script: behind.clone(), context })),
            jobs: None,
            lambda: false,
            front: None,
            simulator: true,
            after_request: Some(Arc::new(move || {
                counting.fetch_add(1, Ordering::SeqCst);
            })),
        };
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let ended = tokio::spawn(connection::serve(listener, router(Arc::new(change(state))), shutdown, patience));
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base: format!("http://{host}"), host, script, clock, client, site, requests, stop: Some(stop), ended }
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    pub(crate) fn post(&self, path: &str, form: &str) -> reqwest::RequestBuilder {
        let post = self.client.post(format!("{}{path}", self.base));
        post.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned())
    }

    /// As a browser without JavaScript submits it, from the page named.
    pub(crate) fn form(&self, path: &str, form: &str, from: &str) -> reqwest::RequestBuilder {
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        self.post(path, form).header("accept", accept).header("referer", from).header("origin", &self.base)
    }

    /// The cookie of a user.
    pub(crate) fn cookie(&self, user: UserId) -> String {
        let identity = Identity::new(&Secret::new(SECRET), &[], self.clock.clone());
        format!("outlast_id={}", identity.sign(user, self.clock.now()))
    }

    /// Gives a user a session.
    pub(crate) fn own(&self, user: UserId, id: SessionId, title: &str, active_turn: Option<TurnId>) {
        let at = Timestamp::from_millis(1);
        let session = Session { session_id: id, title: title.into(), created_at: at, updated_at: at, model: None };
        // Where a turn is running, its question is there.
        let messages = active_turn.map(|_| question()).into_iter().collect();
        let page = SessionPage { session, messages, active_turn, next: None };
        self.script.lock().unwrap().sessions.insert(id, (user, page));
    }

    /// The next stream that is asked for gives what is sent here, and closes with it.
    pub(crate) fn stream(&self) -> mpsc::UnboundedSender<Frame> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.script.lock().unwrap().streams.push_back(receiver);
        sender
    }

    pub(crate) fn fails(&self, error: ApiError) {
        self.script.lock().unwrap().fails = Some(error);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.script.lock().unwrap().asked)
    }

    pub(crate) fn users(&self) -> Vec<UserId> {
        std::mem::take(&mut self.script.lock().unwrap().users)
    }
}

/// A site as the build leaves it.
fn build(site: &Path) {
    let pkg = site.join("pkg/0123abcd");
    std::fs::create_dir_all(&pkg).unwrap();
    let mut manifest = String::new();
    for (key, name) in [
        ("js", "outlast.js"),
        ("wasm", "outlast.wasm"),
        ("boot", "boot.js"),
        ("css", "outlast.css"),
        ("desk", "desk.css"),
    ] {
        std::fs::write(pkg.join(name), format!("plain {name}")).unwrap();
        std::fs::write(pkg.join(format!("{name}.br")), format!("brotli {name}")).unwrap();
        std::fs::write(pkg.join(format!("{name}.gz")), format!("gzip {name}")).unwrap();
        manifest += &format!("{key} pkg/0123abcd/{name}\n");
    }
    std::fs::write(site.join("assets.txt"), manifest).unwrap();
    std::fs::write(site.join("favicon.svg"), "<svg/>").unwrap();
    std::fs::write(site.join(".hidden.txt"), "hidden").unwrap();
}

pub(crate) fn user(n: u128) -> UserId {
    UserId::from_parts(Timestamp::from_millis(1), n)
}
pub(crate) fn session_id(n: u128) -> SessionId {
    SessionId::from_parts(Timestamp::from_millis(2), n)
}
pub(crate) fn turn_id(n: u128) -> TurnId {
    TurnId::from_parts(Timestamp::from_millis(3), n)
}

pub(crate) fn question() -> Message {
    let at = Timestamp::from_millis(1);
    Message {
        message_id: MessageId::from_parts(at, 5),
        parent_id: None,
        depth: Some(0),
        role: Role::User,
        text: "A question".into(),
        thinking: None,
        turn_id: None,
        model: None,
        outcome: None,
        stop_reason: None,
        error: None,
        usage: None,
        timing: None,
        seams: Vec::new(),
        left_out: None,
        siblings: None,
        created_at: at,
    }
}

pub(crate) fn start(turn: TurnId) -> Frame {
    let event = TurnEvent::Start { turn_id: turn, message_id: turn.into(), model: "m".into() };
    Frame::Event { cursor: None, event }
}
pub(crate) fn text(end: u32, text: &str) -> Frame {
    Frame::Event { cursor: Some(Cursor::new(0, end)), event: TurnEvent::Text { text: text.into() } }
}
pub(crate) fn end() -> Frame {
    let (outcome, usage) = (Outcome::Complete, Usage::default());
    let event = TurnEvent::End { outcome, stop_reason: None, usage, error: None, timing: None };
    Frame::Event { cursor: None, event }
}

/// Bounds a wait for something that must happen: it fails a broken test, and slows no good one.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("it never happened")
}

/// Reads a body on until `wanted` has come, and gives all that has.
pub(crate) async fn read_until(res: &mut reqwest::Response, wanted: &str) -> String {
    let mut all = String::new();
    while !all.contains(wanted) {
        let chunk = soon(res.chunk()).await.unwrap();
        all += std::str::from_utf8(&chunk.unwrap_or_else(|| panic!("{wanted:?} never came: {all}"))).unwrap();
    }
    all
}

pub(crate) async fn json(res: reqwest::Response) -> serde_json::Value {
    serde_json::from_slice(&res.bytes().await.unwrap()).unwrap()
}

pub(crate) fn header<'a>(res: &'a reqwest::Response, name: &str) -> &'a str {
    res.headers().get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
}
