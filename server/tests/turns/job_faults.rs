//! Jobs when something around them goes wrong, or is slow, or comes twice.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use app::{
    backend::SubmitRequest,
    domain::{Job, JobId, JobStatus, PieceKind, TurnId, UserId},
};
use axum::{Router, http::StatusCode, routing::post};
use server::{
    jobs::{Handled, worker},
    queue::{Local, Note, Queue},
    storage::{Kind, Store, StoreConfig},
    turn::{Host, TurnConfig},
};
use tokio::sync::{Notify, mpsc};

use crate::{
    bad_store::{BadStore, Fate},
    rig::{Reader, Rig, Server, calls, config, splice},
};

fn job(rig: &Rig) -> JobId {
    JobId::from_parts(rig.clock.now(), server::clock::random_u128())
}

fn ask(job_id: JobId, variants: u32, script: &str) -> SubmitRequest {
    let prompt = format!("A landing page.\n/sim {script}");
    SubmitRequest { job_id, prompt, variants, schema: None, model: None, webhook: None }
}

fn local(server: &Server) -> Local {
    match &server.queue {
        Queue::Local(local) => local.clone(),
        Queue::Sqs(_) => panic!("another queue"),
    }
}

/// Workers on the server's own queue, as `serve` has them on a laptop.
fn work(server: &Server, at_once: usize) {
    tokio::spawn(worker::local(server.jobs.clone(), local(server), at_once, std::future::pending()));
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), looking).await.unwrap_or_else(|_| panic!("never: {what}"))
}

async fn finished(server: &Server, user: UserId, id: JobId) -> Job {
    let backend = server.of(user);
    until("the job ends", async || Some(backend.job_status(id).await.unwrap()).filter(|job| job.status.is_over())).await
}

async fn turns(server: &Server, id: JobId) -> Vec<TurnId> {
    server.store.job(id).await.unwrap().unwrap().variants.iter().map(|v| v.turn).collect()
}

/// Runs one variant to its end, in this task.
async fn run(server: &Server, turn: TurnId) {
    assert_eq!(server.jobs.handle(Note::Turn(turn), Host::default(), false).await, Handled::Done);
}

/// Ends a variant as failed: its message was delivered in vain too often.
async fn bury(server: &Server, turn: TurnId) {
    assert_eq!(server.jobs.handle(Note::Turn(turn), Host::default(), true).await, Handled::Done);
}

/// A receiver of webhooks, at `/hook`.
async fn receiver(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A job with a webhook is open until that is told: meanwhile nobody queues its turns again.
#[tokio::test]
async fn a_job_that_waits_for_its_webhook_is_queued_once() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let (user, id) = (rig.user(), job(&rig));
    let request = SubmitRequest { webhook: Some("http://127.0.0.1:9/".into()), ..ask(id, 2, "tokens=1") };
    server.of(user).submit_job(request).await.unwrap();
    let mut notes = local(&server).receiver().unwrap();
    rig.clock.set_skew(6_000);
    for _ in 0..3 {
        server.jobs.look_after(id).await.unwrap();
        server.of(user).job_status(id).await.unwrap();
    }
    let mut queued = Vec::new();
    while let Ok(note) = notes.try_recv() {
        queued.push(note);
    }
    let all: Vec<Note> = turns(&server, id).await.into_iter().map(Note::Turn).collect();
    assert_eq!(queued, all);
    assert!(server.store.job(id).await.unwrap().unwrap().open.unwrap().queued);
}

/// A look at an unfinished job is one read, and one for each variant that runs; and small.
#[tokio::test]
async fn a_poll_is_cheap() {
    let rig = Rig::dynamodb_local().await;
    let bad = BadStore::start(&rig.endpoint).await;
    let config = StoreConfig { endpoint: Some(bad.endpoint.clone()), ..rig.store_config() };
    let server = rig.server_on(Store::new(config), crate::rig::config(false));
    let (user, id) = (rig.user(), job(&rig));
    let backend = server.of(user);
    let request =
        SubmitRequest { webhook: Some("http://127.0.0.1:9/".into()), ..ask(id, 10, "tokens=400 rate=20 vary") };
    let title = "\"".repeat(200);
    let prompt = format!("{title}\n{}", request.prompt);
    backend.submit_job(SubmitRequest { prompt, ..request }).await.unwrap();
    rig.clock.set_skew(6_000);
    assert_eq!(backend.list_jobs(None).await.unwrap().jobs[0].status, JobStatus::Queued);
    let turns = turns(&server, id).await;
    let mut running = Vec::new();
    for turn in &turns[..2] {
        let (jobs, turn) = (server.jobs.clone(), *turn);
        running.push(tokio::spawn(async move { jobs.handle(Note::Turn(turn), Host::default(), false).await }));
    }
    for turn in &turns[2..6] {
        bury(&server, *turn).await;
    }
    let statuses = |job: &Job| job.variants.iter().map(|v| v.status).collect::<Vec<_>>();
    use JobStatus::{Failed, Queued, Running};
    let expected = [Running, Running, Failed, Failed, Failed, Failed, Queued, Queued, Queued, Queued];
    until("two of them run", async || {
        let job = backend.job_status(id).await.unwrap();
        (statuses(&job) == expected && job.variants[..2].iter().all(|v| v.chars > 0)).then_some(())
    })
    .await;
    let row = backend.list_jobs(None).await.unwrap().jobs.remove(0);
    assert_eq!((row.status, row.variants.as_slice()), (Running, expected.as_slice()));

    let (asked, mut seen) = mpsc::unbounded_channel();
    bad.set(move |operation, body| {
        // The runners write meanwhile.
        if operation == "GetItem" && body.contains("JOB#") || operation == "Query" {
            let _ = asked.send(operation.to_owned());
        }
        Fate::Fine
    });
    let job = backend.job_status(id).await.unwrap();
    bad.come_back();
    let mut all = Vec::new();
    while let Some(operation) = seen.recv().await {
        all.push(operation);
    }
    all.sort();
    assert_eq!(all, ["GetItem", "Query", "Query"]);
    let error = job.variants[2].error.as_ref().unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("dead_letter", ""));
    let bytes = serde_json::to_string(&job).unwrap().len();
    assert!(bytes <= 4096, "{bytes} bytes");
    // What its page shows says why.
    let view = backend.view_job(id).await.unwrap();
    assert!(!view.job.variants[2].error.as_ref().unwrap().message.is_empty());
    backend.cancel_job(id).await.unwrap();
    for running in running {
        assert_eq!(running.await.unwrap(), Handled::Done);
    }
    assert!(!finished(&server, user, id).await.variants[2].error.as_ref().unwrap().message.is_empty());
}

/// `chars` is characters of text, of a variant that runs as of one that has ended.
#[tokio::test]
async fn characters_are_counted_and_not_bytes() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let (user, id) = (rig.user(), job(&rig));
    server.of(user).submit_job(ask(id, 1, "tokens=60 rate=40 utf8 think=10 seed=3")).await.unwrap();
    let turn = turns(&server, id).await[0];
    let (jobs, mut samples) = (server.jobs.clone(), BTreeSet::new());
    let running = tokio::spawn(async move { jobs.handle(Note::Turn(turn), Host::default(), false).await });
    let done = until("it ends", async || {
        let job = server.of(user).job_status(id).await.unwrap();
        if job.variants[0].status == JobStatus::Running && job.variants[0].chars > 0 {
            samples.insert(job.variants[0].chars);
        }
        job.status.is_over().then_some(job)
    })
    .await;
    running.await.unwrap();
    let text = done.variants[0].text.as_deref().unwrap();
    assert_eq!(done.variants[0].chars, text.chars().count() as u64);
    assert!(text.len() > text.chars().count());
    // What was said in between are characters up to where some segment ended.
    let mut ends = BTreeSet::new();
    let mut chars = 0;
    for (_, segment) in server.store.read_log(turn, 0, true).await.unwrap() {
        let texts = segment.pieces.iter().filter(|p| p.kind == PieceKind::Text);
        chars += texts.map(|p| p.text.chars().count() as u64).sum::<u64>();
        ends.insert(chars);
    }
    assert!(samples.len() > 1 && samples.is_subset(&ends), "{samples:?} {ends:?}");
}

/// Six variants and two workers: two run at once, whoever sweeps, follows, or starts anew.
#[tokio::test]
async fn no_more_run_at_once_than_there_are_workers() {
    let rig = Rig::start().await;
    let short = TurnConfig { lease: Duration::from_secs(1), ..config(true) };
    let first = rig.server_with(short.clone());
    let (user, id) = (rig.user(), job(&rig));
    first.of(user).submit_job(ask(id, 6, "tokens=30 rate=30 vary")).await.unwrap();
    // Its process ends before it has begun any.
    let turns = turns(&first, id).await;
    drop(first);
    let server = rig.server_with(short);
    let sweeping = server.turns.clone();
    tokio::spawn(async move { sweeping.sweep_for_ever().await });
    work(&server, 2);
    let mut readers = Vec::new();
    for turn in turns {
        let backend = server.of(user);
        readers.push(tokio::spawn(async move {
            let mut reader = Reader::default();
            reader.follow(&backend, turn).await;
            splice(&reader.text(), 30)
        }));
    }
    let mut most = 0;
    let done = until("all have ended", async || {
        most = most.max(server.turns.now().running);
        let job = server.of(user).job_status(id).await.unwrap();
        job.status.is_over().then_some(job)
    })
    .await;
    assert_eq!((done.status, most), (JobStatus::Complete, 2));
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 1);
    }
    assert_eq!(calls(&rig).await, 6);
}

/// A cancel that comes after the last end cancels nothing.
#[tokio::test]
async fn a_cancel_that_comes_too_late_changes_nothing() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let (user, id) = (rig.user(), job(&rig));
    server.of(user).submit_job(ask(id, 1, "tokens=3 rate=0")).await.unwrap();
    let seen = server.store.job(id).await.unwrap().unwrap();
    run(&server, seen.variants[0].turn).await;
    assert_eq!(server.store.cancel_job(&seen).await.unwrap(), None);
    assert!(!server.store.job(id).await.unwrap().unwrap().cancelled);
    assert_eq!(finished(&server, user, id).await.status, JobStatus::Complete);
}

/// A receiver that is slow: what it is told of the first run does not settle the second.
#[tokio::test]
async fn a_job_that_is_run_again_while_its_webhook_is_told_is_told_again() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let rig = Rig::start().await;
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, wait) = (Arc::clone(&asked), Arc::clone(&go));
    let app = Router::new().route(
        "/hook",
        post(move || async move {
            if ASKED.fetch_add(1, Ordering::SeqCst) == 0 {
                told.notify_one();
                wait.notified().await;
            }
            StatusCode::NO_CONTENT
        }),
    );
    let address = receiver(app).await;
    let server = rig.server(true);
    let (user, id) = (rig.user(), job(&rig));
    let request = SubmitRequest { webhook: Some(address), ..ask(id, 1, "tokens=3 rate=0") };
    server.of(user).submit_job(request).await.unwrap();
    let (jobs, turn) = (server.jobs.clone(), turns(&server, id).await[0]);
    let first = tokio::spawn(async move { jobs.handle(Note::Turn(turn), Host::default(), true).await });
    asked.notified().await;
    server.of(user).retry_job(id).await.unwrap();
    go.notify_one();
    assert_eq!(first.await.unwrap(), Handled::Done);
    let open = server.store.job(id).await.unwrap().unwrap().open.unwrap();
    assert_eq!((open.tries, open.queued), (0, true));
    run(&server, turns(&server, id).await[0]).await;
    assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    assert_eq!(server.store.job(id).await.unwrap().unwrap().open, None);
}

/// Down, and an address that points elsewhere: tried again later; a message that comes too soon is replaced.
#[tokio::test]
async fn a_webhook_that_is_down_or_redirects_is_tried_again_in_time() {
    static REACHED: AtomicU32 = AtomicU32::new(0);
    let rig = Rig::start().await;
    let server = rig.server(true);
    let app = Router::new().route("/hook", post(|| async { axum::response::Redirect::temporary("/private") })).route(
        "/private",
        post(|| async {
            REACHED.fetch_add(1, Ordering::SeqCst);
            StatusCode::NO_CONTENT
        }),
    );
    for address in [receiver(app).await, "http://127.0.0.1:9/hook".to_owned()] {
        let (user, id) = (rig.user(), job(&rig));
        let request = SubmitRequest { webhook: Some(address), ..ask(id, 1, "tokens=3 rate=0") };
        server.of(user).submit_job(request).await.unwrap();
        run(&server, turns(&server, id).await[0]).await;
        let open = server.store.job(id).await.unwrap().unwrap().open.unwrap();
        assert_eq!(open.tries, 1);
        let (queue, note) = (local(&server), Note::Webhook(id));
        assert!(queue.holds(&note));
        queue.done(&note);
        assert!(!queue.holds(&note));
        // Too soon, by a clock that is behind perhaps.
        assert_eq!(server.jobs.handle(note, Host::default(), false).await, Handled::Done);
        assert!(queue.holds(&note));
        assert_eq!(server.store.job(id).await.unwrap().unwrap().open, Some(open));
    }
    assert_eq!(REACHED.load(Ordering::SeqCst), 0);
}

/// Many jobs, every third message more than once, and a Claude that breaks off: each variant ends, whole and once.
/// `OUTLAST_JOBS=200` for as many as may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variant_of_many_jobs_ends_once() {
    let many: u32 = std::env::var("OUTLAST_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let rig = Rig::start().await;
    let server = rig.server(true);
    work(&server, 10);
    let user = rig.user();
    let mut ids = Vec::new();
    for n in 0..many {
        // Three in ten meet a fault on their way, at their first call or at all.
        let fault = ["", " fault=reset@9 times=1", "", "", " fault=error@5 times=1", "", "", "", " fault=reset@2", ""];
        let id = job(&rig);
        let script = format!("tokens=20 rate=0 vary seed={n}{}", fault[n as usize % 10]);
        server.of(user).submit_job(ask(id, 6, &script)).await.unwrap();
        for (i, turn) in turns(&server, id).await.into_iter().enumerate() {
            if (i + n as usize).is_multiple_of(3) {
                server.queue.send(&[Note::Turn(turn), Note::Turn(turn)], Duration::ZERO).await.unwrap();
            }
        }
        ids.push((id, n % 10 == 8));
    }
    let written = AtomicU64::new(0);
    for (id, fails) in ids {
        let done = finished(&server, user, id).await;
        assert_eq!(done.status, if fails { JobStatus::Failed } else { JobStatus::Complete }, "{done:?}");
        for variant in &done.variants {
            match variant.status {
                JobStatus::Complete => assert!(splice(variant.text.as_deref().unwrap(), 20) <= 2),
                _ => assert!(!variant.error.as_ref().unwrap().message.is_empty()),
            }
            let log = server.store.read_log(variant.turn_id, 0, true).await.unwrap();
            let ends = log.iter().filter(|(_, s)| s.kind == Kind::End).count() as u64;
            assert_eq!(ends, 1);
            written.fetch_add(ends, Ordering::Relaxed);
        }
    }
    assert_eq!(written.into_inner(), u64::from(many) * 6);
}
