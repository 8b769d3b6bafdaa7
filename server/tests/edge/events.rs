//! Jobs over HTTP with all that is behind them, and `/events`, where the platform delivers the queue's messages.

use std::sync::Arc;

use app::domain::{JobId, JobStatus, UserId};
use server::{
    backend::RequestBackend,
    config::Limits,
    http::connection::Patience,
    queue::Note,
    state::{AppState, RequestContext},
};

use crate::{
    rig::{self, Rig, calls},
    support::{Server, header, json, user},
};

/// A server as a platform runs it, with real jobs behind it.
async fn real(rig: &Rig, lambda: bool) -> (Server, rig::Server) {
    let parts = rig.server(true);
    let (chat, jobs) = (parts.chat.clone(), parts.jobs.clone());
    let backend = move |context: RequestContext| -> Arc<dyn app::backend::Backend> {
        Arc::new(RequestBackend::new(chat.clone(), jobs.clone(), context))
    };
    let jobs = parts.jobs.clone();
    let change = |state| AppState { backend: Arc::new(backend), jobs: Some(jobs), lambda, ..state };
    (Server::made(Limits::default(), Patience::default(), change).await, parts)
}

fn job(rig: &Rig) -> JobId {
    JobId::from_parts(rig.clock.now(), server::clock::random_u128())
}

async fn submit(server: &Server, own: &str, id: JobId, script: &str) -> reqwest::Response {
    let form = format!("job_id={id}&variants=1&prompt=A+page.%0A/sim+{}", script.replace(' ', "+"));
    server.post("/api/jobs/submit", &form).header("cookie", own).send().await.unwrap()
}

fn event(source: &str, bodies: &[String]) -> String {
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{source}");
    let record = |body: &String| serde_json::json!({"messageId": "m", "body": body, "eventSource": "aws:sqs", "eventSourceARN": arn});
    serde_json::json!({"Records": bodies.iter().map(record).collect::<Vec<_>>()}).to_string()
}

async fn deliver(server: &Server, context: &[&str], body: String) -> u16 {
    let mut request = server.client.post(format!("{}/events", server.base)).body(body);
    for context in context {
        request = request.header("x-amzn-request-context", *context);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_job_is_accepted_looked_at_and_over() {
    let rig = Rig::start().await;
    let (server, parts) = real(&rig, false).await;
    let (own, id) = (server.cookie(user(1)), job(&rig));
    let res = submit(&server, &own, id, "tokens=3 rate=0").await;
    let at = format!("/api/jobs/status?job_id={id}");
    assert_eq!((res.status().as_u16(), header(&res, "location")), (202, at.as_str()));
    assert_eq!(json(res).await, serde_json::json!({"job_id": id, "status": "QUEUED"}));
    let look = || server.get(&at).header("cookie", &own).send();
    let res = look().await.unwrap();
    assert_eq!(res.status(), 200);
    assert!(header(&res, "retry-after").parse::<u32>().unwrap() >= 1);
    // Outside Lambda there is no such route, whatever is said of the request.
    assert_eq!(deliver(&server, &["null"], event("outlast", &[])).await, 404);
    let turn = parts.store.job(id).await.unwrap().unwrap().variants[0].turn;
    parts.jobs.handle(Note::Turn(turn), server::turn::Host::default(), false).await;
    let res = look().await.unwrap();
    assert!(res.headers().get("retry-after").is_none());
    assert_eq!(json(res).await["status"], "COMPLETE");
    // What has to be there is, and what is there makes sense.
    for (form, status, field) in [
        (format!("job_id={id}&prompt=x"), 400, None),
        (format!("job_id={id}&variants=1"), 400, None),
        (format!("job_id={id}&prompt=x&variants=many"), 422, Some("variants")),
        (format!("job_id={id}&prompt=x&variants=11"), 422, Some("variants")),
        ("job_id=x&prompt=x&variants=1".to_owned(), 422, Some("job_id")),
    ] {
        let res = server.post("/api/jobs/submit", &form).header("cookie", &own).send().await.unwrap();
        assert_eq!(res.status(), status, "{form}");
        assert_eq!(json(res).await["field"].as_str(), field, "{form}");
    }
}

/// An event runs its turn before it is answered; what is none gets 404, and what cannot be dealt with comes again.
#[tokio::test]
async fn only_a_real_event_is_taken() {
    let rig = Rig::start().await;
    let (server, parts) = real(&rig, true).await;
    let (own, id) = (server.cookie(user(1)), job(&rig));
    assert_eq!(submit(&server, &own, id, "tokens=3 rate=0").await.status(), 202);
    let turn = parts.store.job(id).await.unwrap().unwrap().variants[0].turn;
    let body = || event("outlast", &[Note::Turn(turn).encode()]);
    let http = r#"{"http":{"method":"POST"}}"#;
    for forged in [&[][..], &[http], &["null", http], &[http, "null"], &["null", "null"], &[""], &["NULL"]] {
        assert_eq!(deliver(&server, forged, body()).await, 404, "{forged:?}");
    }
    assert_eq!(calls(&rig).await, 0);
    assert_eq!(deliver(&server, &["null"], body()).await, 200);
    let status = async |user: UserId| parts.of(user).job_status(id).await.unwrap().status;
    assert_eq!((status(user(1)).await, calls(&rig).await), (JobStatus::Complete, 1));
    // Delivered twice.
    assert_eq!(deliver(&server, &["null"], body()).await, 200);
    assert_eq!(calls(&rig).await, 1);

    // What is no note is delivered until somebody finds it among the dead letters, as a worker has it.
    assert_eq!(deliver(&server, &["null"], event("outlast", &["something".into()])).await, 598);
    assert_eq!(deliver(&server, &["null"], event("outlast-dead", &["something".into()])).await, 200);
    assert!(deliver(&server, &["null"], "something".into()).await >= 400);
}
