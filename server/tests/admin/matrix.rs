//! Who may ask what of whose: every endpoint and page, for everybody, of what exists, what does not, and what cannot.
//!
//! Made from the router's own lists: one that has no row here fails the test.

use app::{
    api::ENDPOINTS,
    domain::{JobId, SessionId, TurnId},
};
use server::{
    jobs::worker,
    queue::Queue,
    router::{ADMIN, PAGES},
    storage::{Store, StoreConfig},
};

use crate::{
    rig::{self, Reader, Rig, new_chat},
    support::Site,
};

/// What an id in a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Existing,
    Missing,
    Malformed,
}

const NAMED: [Named; 3] = [Named::Existing, Named::Missing, Named::Malformed];

/// A call: its path with the query, and its body. `None`: it names nothing.
struct Call {
    method: &'static str,
    path: String,
    body: String,
    /// Whether it names something that has an owner.
    names: bool,
}

struct Ids {
    session: String,
    turn: String,
    job: String,
    /// Not there yet.
    fresh: String,
}

impl Ids {
    fn of(rig: &Rig, (session, turn, job): (SessionId, TurnId, JobId), named: Named) -> Self {
        let [session, turn, job] = match named {
            Named::Existing => [session.to_string(), turn.to_string(), job.to_string()],
            Named::Missing => [(); 3].map(|()| rig.turn().to_string()),
            Named::Malformed => [(); 3].map(|()| "no-id".to_owned()),
        };
        Self { session, turn, job, fresh: rig.turn().to_string() }
    }
}

/// The row of an endpoint or a page.
fn call(path: &str, ids: &Ids) -> Call {
    let Ids { session, turn, job, fresh } = ids;
    let get = |query: String, names| Call { method: "GET", path: format!("{path}{query}"), body: String::new(), names };
    let post = |body: String, names| Call { method: "POST", path: path.to_owned(), body, names };
    let page = |path: String, names| Call { method: "GET", path, body: String::new(), names };
    match path {
        "/api/models" | "/api/sessions/list" | "/" | "/jobs" | "/jobs/new" | "/sign-in" | "/admin" | "/admin/jobs"
        | "/admin/audit" => get(String::new(), false),
        "/api/sessions/create" => post(String::new(), false),
        "/theme" => post("theme=dark".into(), false),
        "/api/sessions/get" => get(format!("?session_id={session}"), true),
        "/api/sessions/rename" => post(format!("session_id={session}&title=t"), true),
        "/api/sessions/delete" | "/api/sessions/restore" => post(format!("session_id={session}"), true),
        "/api/chat/send" => post(format!("session_id={session}&turn_id={fresh}&text=x"), true),
        "/api/chat/retry" | "/api/chat/continue" => post(format!("turn_id={fresh}&message_id={turn}"), true),
        "/api/chat/follow" => get(format!("?turn_id={turn}"), true),
        "/api/chat/stop" => post(format!("turn_id={turn}"), true),
        "/api/jobs/list" => get(String::new(), false),
        "/api/jobs/submit" => post(format!("job_id={fresh}&variants=1&prompt=x"), false),
        "/api/jobs/status" => get(format!("?job_id={job}"), true),
        "/api/jobs/cancel" | "/api/jobs/retry" => post(format!("job_id={job}"), true),
        "/c/{id}" => page(format!("/c/{session}"), true),
        "/c/{id}/live" => page(format!("/c/{session}/live"), true),
        "/jobs/{id}" => page(format!("/jobs/{job}"), true),
        "/jobs/{id}/zip" => page(format!("/jobs/{job}/zip"), true),
        "/jobs/{id}/{index}/text" => page(format!("/jobs/{job}/0/text"), true),
        "/jobs/{id}/{index}/preview" => page(format!("/jobs/{job}/0/preview"), true),
        "/admin/sessions/{id}" => page(format!("/admin/sessions/{session}"), true),
        "/admin/jobs/{id}" => page(format!("/admin/jobs/{job}"), true),
        "/admin/sign-out" | "/admin/sign-out-everywhere" => post(String::new(), false),
        "/admin/{*rest}" => page("/admin/else".into(), false),
        other => panic!("{other} has no row in the ownership matrix"),
    }
}

fn all() -> Vec<&'static str> {
    let pages = PAGES.iter().chain(ADMIN).copied();
    ENDPOINTS.iter().map(|(_, path)| *path).chain(pages).collect()
}

/// An answer, without what differs from one to the next.
async fn ask(site: &Site, call: &Call, cookie: &str) -> (u16, String) {
    let method: reqwest::Method = call.method.parse().unwrap();
    let mut req = site.client.request(method, format!("{}{}", site.base, call.path)).header("cookie", cookie);
    if call.method == "POST" {
        req = req.header("content-type", "application/x-www-form-urlencoded").body(call.body.clone());
    }
    let res = req.send().await.unwrap();
    let (status, location) = (res.status().as_u16(), res.headers().get("location").cloned());
    let mut text = res.text().await.unwrap();
    if let Some(to) = location {
        text = format!("to {}", to.to_str().unwrap());
    }
    // Ids of requests, forms and nonces.
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')));
    let new: Vec<&str> = words.filter(|w| w.len() >= 22).collect();
    let mut plain = text.clone();
    for word in new {
        plain = plain.replace(word, "…");
    }
    let now = plain.find("\"now\":").map_or(plain.len(), |at| at);
    plain.truncate(now);
    (status, plain)
}

#[tokio::test]
async fn nobody_gets_what_is_not_theirs_nor_learns_whether_it_is_there() {
    let rig = Rig::start().await;
    let store = Store::new(StoreConfig { count_capacity: true, ..rig.store_config() });
    let server = rig.server_on(store, rig::config(true));
    let open = Site::start(&rig, &server, false).await;
    let guarded = Site::start(&rig, &server, true).await;
    let (owner, other) = (rig.user(), rig.user());
    let (session, turn) = (rig.session(), rig.turn());
    let backend = server.of(owner);
    let stream = backend.send(new_chat(session, turn, "Mine\n/sim tokens=5 rate=0")).await.unwrap();
    let mut reader = Reader::default();
    reader.read(stream).await;
    let job: JobId = rig.turn().to_string().parse().unwrap();
    let submitted = open
        .post(
            "/api/jobs/submit",
            &format!("job_id={job}&variants=1&prompt=Mine%0A/sim+html+rate=0"),
            &open.cookie(owner),
        )
        .await;
    assert_eq!(submitted.status(), 202);
    let existing = (session, turn, job);

    let forged = open.cookie(owner).replace(&owner.to_string()[..20], &other.to_string()[..20]);
    let strangers = [
        ("another user", open.cookie(other)),
        ("nobody", String::new()),
        ("a forged cookie", forged),
        ("an expired cookie", open.old_cookie(owner, 401)),
        ("a cookie whose signature is cut", open.cookie(owner)[..40].to_owned()),
    ];
    let admin = open.admin().await;
    let spent = || server.store.consumed();
    for path in all() {
        let is_admin = ADMIN.contains(&path);
        for named in NAMED {
            // Each with ids of its own for what is to be made.
            let row = || call(path, &Ids::of(&rig, existing, named));
            let about = |who: &str| format!("{who} at {path} of what is {named:?}");
            for (who, cookie) in &strangers {
                let asked = row();
                let before = spent();
                let (status, text) = ask(&open, &asked, cookie).await;
                let cost = spent() - before;
                let about = about(who);
                assert_ne!(status, 500, "{about}: {text}");
                assert!(!text.contains("Mine"), "{about}: {text}");
                match (is_admin, asked.names, named) {
                    (true, ..) => assert_eq!(status, 403, "{about}"),
                    (_, false, _) => assert!(status < 400, "{about}: {status} {text}"),
                    (_, true, Named::Malformed) if path.starts_with("/api/") => assert_eq!(status, 422, "{about}"),
                    (_, true, _) => assert_eq!(status, 404, "{about}: {text}"),
                }
                if named == Named::Existing && asked.names {
                    // What is somebody else's looks like what is not there, and costs the same to find out.
                    let missing = call(path, &Ids::of(&rig, existing, Named::Missing));
                    let before = spent();
                    assert_eq!(ask(&open, &missing, cookie).await, (status, text), "{about}");
                    assert_eq!(spent() - before, cost, "{about}");
                }
            }
            // Who is an admin owns no more than anybody else, but on the admins' pages.
            let asked = row();
            let ends = path.starts_with("/admin/sign-out");
            let (status, text) = if ends { (303, String::new()) } else { ask(&open, &asked, &admin).await };
            match (is_admin, asked.names, named) {
                (true, true, Named::Existing) => assert!(status == 200 && text.contains("Mine"), "{}", about("admin")),
                (true, true, _) => assert_eq!(status, 404, "{}", about("an admin")),
                (true, false, _) if path == "/admin/{*rest}" => assert_eq!(status, 404),
                (_, false, _) => assert!(status < 400, "{}: {status}", about("an admin")),
                (_, true, Named::Malformed) if path.starts_with("/api/") => assert_eq!(status, 422),
                (_, true, _) => assert_eq!(status, 404, "{}", about("an admin")),
            }
            // Without the access code there is nothing, even for the owner.
            for cookie in [open.cookie(owner), open.cookie(other), String::new(), admin.clone()] {
                let (status, text) = ask(&guarded, &row(), &cookie).await;
                let expected = match path {
                    "/sign-in" => 200,
                    _ if path.starts_with("/api/") => 401,
                    _ => 303,
                };
                assert_eq!(status, expected, "{}: {text}", about("without the code"));
                assert!(!text.contains("Mine"));
            }
        }
    }
    // What a variant says can be had once it is written.
    let Queue::Local(queue) = server.queue.clone() else { panic!("the rig's queue is in the process") };
    tokio::spawn(worker::local(server.jobs.clone(), queue, 1, std::future::pending()));
    let status = format!("/api/jobs/status?job_id={job}");
    let status = open.get(&status, &open.cookie(owner)).await.json_value().await;
    let variant = status["variants"][0]["turn_id"].as_str().unwrap();
    let follow = format!("/api/chat/follow?turn_id={variant}");
    let written = open.get(&follow, &open.cookie(owner)).await.text().await.unwrap();
    assert!(written.contains("event: end"), "{written}");
    // Nothing of all that has changed anything: the owner has it still. Last what takes it away.
    let mut rows = all();
    rows.retain(|path| !ADMIN.contains(path));
    rows.sort_by_key(|path| matches!(*path, "/api/sessions/delete" | "/api/sessions/restore" | "/api/jobs/retry"));
    for path in rows {
        let asked = call(path, &Ids::of(&rig, existing, Named::Existing));
        let (status, text) = ask(&open, &asked, &open.cookie(owner)).await;
        // A whole answer cannot be continued, and of a job in which nothing failed there is nothing to retry.
        let nothing = matches!(path, "/api/chat/continue" | "/api/jobs/retry") && matches!(status, 409 | 422);
        let fine = status < 400 || nothing
            // What is no page has no preview.
            || (path.ends_with("/preview") && status == 404);
        assert!(fine, "the owner at {path}: {status} {text}");
    }
}

#[tokio::test]
async fn with_the_code_it_is_the_owners_again_and_nobody_elses() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let site = Site::start(&rig, &server, true).await;
    let (mine, theirs) = (site.sign_in(&site.code).await, site.sign_in(&site.code).await);
    let made: serde_json::Value = site.post("/api/sessions/create", "", &mine).await.json_value().await;
    let path = format!("/api/sessions/get?session_id={}", made["session_id"].as_str().unwrap());
    assert_eq!(site.get(&path, &mine).await.status(), 200);
    assert_eq!(site.get(&path, &theirs).await.status(), 404);
    assert_eq!(site.get("/admin", &mine).await.status(), 403, "the code makes nobody an admin");
    assert_eq!(site.get("/admin", &site.admin().await).await.status(), 200);
}

trait Json {
    async fn json_value(self) -> serde_json::Value;
}

impl Json for reqwest::Response {
    async fn json_value(self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes().await.unwrap()).unwrap()
    }
}
