//! Jobs: handed in, worked on by whoever takes a message, looked at, cancelled, run again.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use app::{
    backend::SubmitRequest,
    domain::{Cursor, Job, JobId, JobStatus, Timestamp, TurnId, UserId},
    error::Code,
};
use axum::{Router, routing::post};
use server::{
    jobs::{Handled, worker},
    queue::{Note, Queue},
    turn::{Host, TurnConfig},
};

use crate::rig::{Reader, Rig, Server, calls, config, killable, refused, splice};

fn job(rig: &Rig) -> JobId {
    JobId::from_parts(rig.clock.now(), server::clock::random_u128())
}

fn ask(job_id: JobId, variants: u32, script: &str) -> SubmitRequest {
    let prompt = format!("A landing page.\n/sim {script}");
    SubmitRequest { job_id, prompt, variants, schema: None, model: None, webhook: None }
}

/// Works on what the server's own queue holds, as `serve` does on a laptop.
fn work(server: &Server) {
    let Queue::Local(queue) = server.queue.clone() else { return };
    tokio::spawn(worker::local(server.jobs.clone(), queue, 10, std::future::pending()));
}

async fn finished(server: &Server, user: UserId, id: JobId) -> Job {
    let backend = server.of(user);
    let looking = async {
        loop {
            let job = backend.job_status(id).await.unwrap();
            if job.status.is_over() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("the job ends")
}

on_both!(six_variants_are_worked_on_at_once);
async fn six_variants_are_worked_on_at_once(rig: Rig) {
    let server = rig.server(true);
    work(&server);
    let (user, id) = (rig.user(), job(&rig));
    let backend = server.of(user);
    let submitted = backend.submit_job(ask(id, 6, "tokens=40 rate=40 vary")).await.unwrap();
    assert_eq!((submitted.job_id, submitted.status), (id, JobStatus::Queued));
    // The same again is the same job.
    assert_eq!(backend.submit_job(ask(id, 3, "other")).await.unwrap().job_id, id);
    let begun = backend.job_status(id).await.unwrap();
    assert!(begun.variants.len() == 6 && begun.variants.iter().all(|v| v.text.is_none()));
    // One of them is watched like any turn.
    let mut reader = Reader::default();
    reader.follow(&backend, begun.variants[2].turn_id).await;
    let done = finished(&server, user, id).await;
    assert_eq!(done.status, JobStatus::Complete);
    assert!(done.finished_at.is_some());
    for variant in &done.variants {
        let text = variant.text.as_deref().unwrap();
        assert_eq!((splice(text, 40), variant.chars as usize), (1, text.chars().count()));
    }
    assert_eq!(done.variants[2].text.as_deref(), Some(reader.text().as_str()));
    let texts: std::collections::BTreeSet<_> = done.variants.iter().map(|v| v.text.clone()).collect();
    assert_eq!(texts.len(), 6, "each is an answer of its own");
    assert_eq!(calls(&rig).await, 6);

    let list = backend.list_jobs(None).await.unwrap();
    assert_eq!(list.jobs.iter().map(|j| (j.job_id, j.status)).collect::<Vec<_>>(), [(id, JobStatus::Complete)]);
    assert_eq!(list.jobs[0].title, "A landing page.");
    // No chat shows it, and it is nobody else's.
    assert_eq!(backend.list_sessions(None).await.unwrap().sessions.len(), 0);
    assert_eq!(refused(backend.get_session(id.into(), None, None).await).code, Code::NotFound);
    assert_eq!(refused(backend.delete_session(id.into()).await).code, Code::NotFound);
    let stranger = server.of(rig.user());
    assert_eq!(refused(stranger.job_status(id).await).code, Code::NotFound);
    assert_eq!(refused(stranger.cancel_job(id).await).code, Code::NotFound);
    assert_eq!(refused(stranger.submit_job(ask(id, 1, "x")).await).code, Code::NotFound);
    assert_eq!(refused(stranger.follow(done.variants[0].turn_id, Cursor::default()).await).code, Code::NotFound);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_field() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let backend = server.of(rig.user());
    let base = ask(job(&rig), 1, "tokens=1");
    for (request, field, code) in [
        (SubmitRequest { variants: 0, ..base.clone() }, "variants", Code::Invalid),
        (SubmitRequest { variants: 11, ..base.clone() }, "variants", Code::Invalid),
        (SubmitRequest { prompt: " ".into(), ..base.clone() }, "prompt", Code::Invalid),
        (SubmitRequest { prompt: "x".repeat(200_001), ..base.clone() }, "prompt", Code::TooLarge),
        (SubmitRequest { model: Some("none".into()), ..base.clone() }, "model", Code::Invalid),
        (SubmitRequest { schema: Some(r#"{"type":"x"}"#.into()), ..base.clone() }, "schema", Code::Invalid),
        (SubmitRequest { webhook: Some("ftp://x".into()), ..base.clone() }, "webhook", Code::Invalid),
    ] {
        let error = refused(backend.submit_job(request).await);
        assert_eq!((error.code, error.field.as_deref()), (code, Some(field)));
    }
    assert_eq!(backend.list_jobs(None).await.unwrap().jobs.len(), 0);
}

/// Each message three times, two workers at once, one of them killed in the middle: every variant whole and once.
#[tokio::test]
async fn messages_may_come_again_and_workers_may_die() {
    let rig = Rig::start().await;
    let (user, id) = (rig.user(), job(&rig));
    let first = killable();
    // Longer than a busy machine may hold a runner up: the one take-over is to be the kill's.
    let patient = || TurnConfig { lease: Duration::from_secs(5), ..config(false) };
    let doomed = rig.server_with(patient());
    doomed.of(user).submit_job(ask(id, 3, "tokens=120 rate=60 vary")).await.unwrap();
    let turns: Vec<TurnId> = doomed.of(user).job_status(id).await.unwrap().variants.iter().map(|v| v.turn_id).collect();
    for _ in 0..3 {
        for turn in turns.clone() {
            let jobs = doomed.jobs.clone();
            first.spawn(async move { jobs.handle(Note::Turn(turn), Host::default(), false).await });
        }
    }
    let mut reader = Reader::default();
    let stream = doomed.of(user).follow(turns[0], Cursor::default()).await.unwrap();
    reader.read_until(stream, |r| r.shown.len() > 150).await;
    first.shutdown_background();
    let other = rig.server_with(patient());
    work(&other);
    // Redelivered, three times over.
    let mut handling = Vec::new();
    for _ in 0..3 {
        for turn in turns.clone() {
            let jobs = other.jobs.clone();
            handling.push(tokio::spawn(async move { jobs.handle(Note::Turn(turn), Host::default(), false).await }));
        }
    }
    for handled in handling {
        assert_eq!(handled.await.unwrap(), Handled::Done);
    }
    let done = finished(&other, user, id).await;
    assert_eq!(done.status, JobStatus::Complete);
    for variant in &done.variants {
        assert!(splice(variant.text.as_deref().unwrap(), 120) <= 2);
    }
    assert!(calls(&rig).await <= 6, "no more calls than the one crash explains");
}

/// A worker that is slow and alive, whose message ends as a dead letter: one result, never failed.
#[tokio::test]
async fn a_dead_letter_ends_what_nobody_runs_and_nothing_else() {
    let rig = Rig::start().await;
    let server = rig.server(false);
    let (user, id) = (rig.user(), job(&rig));
    server.of(user).submit_job(ask(id, 2, "tokens=100 rate=50 vary")).await.unwrap();
    let turns: Vec<TurnId> = server.of(user).job_status(id).await.unwrap().variants.iter().map(|v| v.turn_id).collect();
    let (jobs, first) = (server.jobs.clone(), turns[0]);
    let slow = tokio::spawn(async move { jobs.handle(Note::Turn(first), Host::default(), false).await });
    let mut reader = Reader::default();
    let stream = server.of(user).follow(turns[0], Cursor::default()).await.unwrap();
    reader.read_until(stream, |r| !r.shown.is_empty()).await;
    let elsewhere = rig.server(false);
    for turn in &turns {
        assert_eq!(elsewhere.jobs.handle(Note::Turn(*turn), Host::default(), true).await, Handled::Done);
    }
    assert_eq!(slow.await.unwrap(), Handled::Done);
    let done = finished(&server, user, id).await;
    assert_eq!((done.variants[0].status, done.variants[1].status), (JobStatus::Complete, JobStatus::Failed));
    assert_eq!(done.variants[1].error.as_ref().unwrap().code, "dead_letter");
    assert_eq!(done.status, JobStatus::Failed);
    // Only what failed is run again, as a new turn.
    let before = calls(&rig).await;
    work(&server);
    server.of(user).retry_job(id).await.unwrap();
    let again = finished(&server, user, id).await;
    assert_eq!(again.status, JobStatus::Complete);
    assert_eq!((again.variants[0].turn_id, calls(&rig).await), (turns[0], before + 1));
    assert_ne!(again.variants[1].turn_id, turns[1]);
    assert_eq!(refused(server.of(user).retry_job(id).await).code, Code::Invalid);
}

on_both!(a_cancelled_job_stops_what_runs_and_never_begins_the_rest);
async fn a_cancelled_job_stops_what_runs_and_never_begins_the_rest(rig: Rig) {
    let server = rig.server(true);
    let (user, id) = (rig.user(), job(&rig));
    let backend = server.of(user);
    backend.submit_job(ask(id, 3, "tokens=500 rate=20 vary")).await.unwrap();
    let turns: Vec<TurnId> = backend.job_status(id).await.unwrap().variants.iter().map(|v| v.turn_id).collect();
    let jobs = server.jobs.clone();
    let first = turns[0];
    tokio::spawn(async move { jobs.handle(Note::Turn(first), Host::default(), false).await });
    let mut reader = Reader::default();
    let stream = backend.follow(first, Cursor::default()).await.unwrap();
    reader.read_until(stream, |r| !r.shown.is_empty()).await;
    backend.cancel_job(id).await.unwrap();
    let done = finished(&server, user, id).await;
    assert_eq!(done.status, JobStatus::Cancelled);
    assert!(done.variants.iter().all(|v| v.status == JobStatus::Cancelled));
    assert!(!done.variants[0].text.as_ref().unwrap().is_empty(), "what was written is kept");
    for turn in turns {
        assert_eq!(server.jobs.handle(Note::Turn(turn), Host::default(), false).await, Handled::Done);
    }
    assert_eq!(calls(&rig).await, 1, "what waited was never begun");
    backend.cancel_job(id).await.unwrap();
}

/// A job whose process dies between the transaction and the queue is worked on by the next one.
#[tokio::test]
async fn a_crash_between_store_and_queue_loses_nothing() {
    let rig = Rig::start().await;
    let first = rig.server(true);
    let (user, id) = (rig.user(), job(&rig));
    // Its queue is never worked on, and dies with it.
    first.of(user).submit_job(ask(id, 2, "tokens=10 rate=0 vary")).await.unwrap();
    drop(first);
    let second = rig.server_with(TurnConfig { lease: Duration::from_secs(1), ..config(true) });
    let turns = second.turns.clone();
    tokio::spawn(async move { turns.sweep_for_ever().await });
    work(&second);
    assert_eq!(finished(&second, user, id).await.status, JobStatus::Complete);
}

const HERO: &str = r#"{"type":"object","required":["title","count"],"additionalProperties":false,
    "properties":{"title":{"type":"string"},"count":{"type":"integer","minimum":1}}}"#;

#[tokio::test]
async fn structured_results_fit_their_schema_or_say_what_does_not() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    work(&server);
    let user = rig.user();
    for (script, status, asked) in [
        ("seed=1 rate=0", JobStatus::Complete, 1),
        // The first answers do not fit: asked again, at most twice.
        ("seed=1 rate=0 misfit times=1", JobStatus::Complete, 2),
        ("seed=1 rate=0 misfit times=2", JobStatus::Complete, 3),
        ("seed=1 rate=0 misfit", JobStatus::Failed, 3),
        // Whatever it stopped for.
        ("seed=1 rate=0 misfit stop=max_tokens", JobStatus::Failed, 3),
        ("seed=1 rate=0 misfit stop=refusal times=1", JobStatus::Complete, 2),
        ("seed=1 rate=0 stop=stop_sequence", JobStatus::Complete, 1),
        // Interrupted, it begins anew.
        ("seed=1 rate=0 fault=reset@2 times=1", JobStatus::Complete, 2),
    ] {
        let before = calls(&rig).await;
        let id = job(&rig);
        let request = SubmitRequest { schema: Some(HERO.into()), ..ask(id, 1, script) };
        server.of(user).submit_job(request).await.unwrap();
        let done = finished(&server, user, id).await;
        assert_eq!(done.status, status, "{script}: {done:?}");
        assert_eq!(calls(&rig).await - before, asked, "{script}");
        let variant = &done.variants[0];
        if status == JobStatus::Complete {
            let json = variant.json.as_ref().unwrap();
            assert!(json["title"].is_string() && json["count"].as_i64() >= Some(1), "{json}");
        } else {
            let error = variant.error.as_ref().unwrap();
            assert_eq!(error.code, "schema_mismatch");
            assert!(error.message.contains("\"count\" is missing"), "{}", error.message);
            assert_eq!(error.message.contains("cut off"), script.contains("max_tokens"));
        }
    }
}

#[tokio::test]
async fn a_webhook_is_told_again_until_it_takes_it() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let rig = Rig::start().await;
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let app = Router::new().route(
        "/hook",
        post(move |headers: axum::http::HeaderMap, body: String| async move {
            if ASKED.fetch_add(1, Ordering::SeqCst) == 0 {
                return axum::http::StatusCode::INTERNAL_SERVER_ERROR;
            }
            told.send((headers, body)).unwrap();
            axum::http::StatusCode::NO_CONTENT
        }),
    );
    tokio::spawn(async move { axum::serve(listener, app).await });
    let server = rig.server(true);
    let (user, id) = (rig.user(), job(&rig));
    let request = SubmitRequest { webhook: Some(address), ..ask(id, 1, "tokens=3 rate=0") };
    server.of(user).submit_job(request).await.unwrap();
    let turn = server.of(user).job_status(id).await.unwrap().variants[0].turn_id;
    assert_eq!(server.jobs.handle(Note::Turn(turn), Host::default(), false).await, Handled::Done);
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    // Not before its time; then by whichever message or sweep comes first, and once.
    assert_eq!(server.jobs.handle(Note::Webhook(id), Host::default(), false).await, Handled::Done);
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    rig.clock.set_skew(11_000);
    let (a, b) = tokio::join!(
        server.jobs.handle(Note::Webhook(id), Host::default(), false),
        server.jobs.handle(Note::Webhook(id), Host::default(), false)
    );
    assert_eq!((a, b), (Handled::Done, Handled::Done));
    let (headers, body) = heard.recv().await.unwrap();
    assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((json["job_id"].as_str(), json["status"].as_str()), (Some(id.to_string().as_str()), Some("COMPLETE")));
    assert!(json["finished_at"].as_str().unwrap().parse::<Timestamp>().is_ok());
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    assert!(header("outlast-signature").starts_with("v1=") && header("outlast-timestamp").parse::<u64>().is_ok());
    assert_eq!(server.store.job(id).await.unwrap().unwrap().open, None);
}
