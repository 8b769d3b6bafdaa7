//! A whole server on a port of its own, with the real parts behind it: the embedded engine and the simulator.

use std::{path::Path, sync::Arc};

use app::domain::UserId;
use server::{
    admin::Admin,
    auth::{
        door::Door,
        identity::Identity,
        password::{Hashed, generate},
    },
    backend::RequestBackend,
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
use tokio::net::TcpListener;

use crate::rig::{self, Rig};

pub(crate) const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

/// A server, and what opens it.
pub(crate) struct Site {
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    pub(crate) password: String,
    pub(crate) code: String,
    identity: Identity,
    clock: Clock,
    _files: tempfile::TempDir,
}

/// A site as the build leaves it.
fn build(site: &Path) {
    let mut manifest = String::new();
    for (key, name) in [("js", "a.js"), ("wasm", "a.wasm"), ("boot", "boot.js"), ("css", "a.css"), ("desk", "desk.css")]
    {
        manifest += &format!("{key} pkg/0/{name}\n");
    }
    std::fs::create_dir_all(site.join("pkg")).unwrap();
    std::fs::write(site.join("assets.txt"), manifest).unwrap();
}

impl Site {
    /// In front of one of the rig's servers; behind an access code or not. `password` is a hash of an earlier one.
    pub(crate) async fn start(rig: &Rig, behind: &rig::Server, guarded: bool) -> Self {
        let files = tempfile::tempdir().unwrap();
        build(files.path());
        let (password, hash) = generate().unwrap();
        let (code, code_hash) = generate().unwrap();
        let door = Door::new(guarded.then(|| Hashed::parse(&code_hash).unwrap()), Hashed::parse(&hash));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let identity = Identity::new(&Secret::new(SECRET), &[], rig.clock.clone());
        let (chat, jobs) = (behind.chat.clone(), behind.jobs.clone());
        let state = AppState {
            identity: identity.clone(),
            door,
            pace: Paces::new(Pace::default()),
            admin: Some(Admin::new(behind.store.clone(), rig.clock.clone(), 365)),
            lease_ms: 1000,
            clock: rig.clock.clone(),
            limits: Limits::default(),
            assets: Arc::new(assets::load(files.path()).unwrap()),
            site: files.path().to_owned(),
            backend: Arc::new(move |c: RequestContext| Arc::new(RequestBackend::new(chat.clone(), jobs.clone(), c))),
            jobs: None,
            lambda: false,
            front: None,
            simulator: true,
            after_request: None,
        };
        tokio::spawn(connection::serve(listener, router(Arc::new(state)), std::future::pending(), Patience::default()));
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base, client, password, code, identity, clock: rig.clock.clone(), _files: files }
    }

    /// The cookie of a user.
    pub(crate) fn cookie(&self, user: UserId) -> String {
        format!("outlast_id={}", self.identity.sign(user, self.clock.now()))
    }

    /// One that was issued so many days ago.
    pub(crate) fn old_cookie(&self, user: UserId, days: u64) -> String {
        let issued = self.clock.now().millis() - days * 86_400_000;
        format!("outlast_id={}", self.identity.sign(user, app::domain::Timestamp::from_millis(issued)))
    }

    /// Signs in, and gives all the cookies that come of it.
    pub(crate) async fn sign_in(&self, secret: &str) -> String {
        let res = self.post("/sign-in", &format!("secret={secret}"), "").await;
        assert_eq!(res.status(), 200);
        let set = res.headers().get_all("set-cookie").into_iter();
        set.map(|c| c.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
    }

    pub(crate) async fn admin(&self) -> String {
        self.sign_in(&self.password).await
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.base)).header("cookie", cookie).send().await.unwrap()
    }

    /// A page's status and text.
    pub(crate) async fn page(&self, path: &str, cookie: &str) -> (u16, String) {
        let res = self.get(path, cookie).await;
        (res.status().as_u16(), res.text().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, form: &str, cookie: &str) -> reqwest::Response {
        let post = self.client.post(format!("{}{path}", self.base)).header("cookie", cookie);
        post.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned()).send().await.unwrap()
    }
}
