//! Jobs and turns over a real queue.

use std::time::Duration;

use app::{
    backend::SubmitRequest,
    domain::{Job, JobId, JobStatus, UserId},
};
use server::{
    jobs::worker,
    queue::{Queue, Sqs, SqsConfig},
    storage::Store,
};
use tokio::sync::watch;

use crate::{
    ministack,
    rig::{Reader, Rig, Server, config, killable, new_chat, splice},
};

fn sqs(endpoint: &str, name: &str) -> Sqs {
    sqs_in("us-east-1", endpoint, name)
}

fn sqs_in(region: &str, endpoint: &str, name: &str) -> Sqs {
    let url = format!("{endpoint}/000000000000/{name}");
    Sqs::new(SqsConfig { endpoint: Some(endpoint.to_owned()), region: region.into(), keys: None, url })
}

fn name() -> String {
    format!("turns-{:016x}", server::clock::random_u128() as u64)
}

fn server(rig: &Rig, queue: &Sqs) -> Server {
    rig.server_of(&rig.simulator, Store::new(rig.store_config()), Queue::Sqs(queue.clone()), config(false))
}

/// A worker, until it is told to stop.
fn work(server: &Server, queue: &Sqs) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let (stop, mut stopped) = watch::channel(false);
    let (jobs, queue, turns) = (server.jobs.clone(), queue.clone(), server.turns.clone());
    let stopping = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
        turns.close_to_new();
    };
    (stop, tokio::spawn(worker::sqs(jobs, queue, 4, stopping)))
}

async fn finished(server: &Server, user: UserId, id: JobId) -> Job {
    let backend = server.of(user);
    let looking = async {
        loop {
            let job = backend.job_status(id).await.unwrap();
            if job.status.is_over() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), looking).await.expect("the job ends")
}

/// Two workers at once; one of them is told to end in the middle, and hands over what it runs.
#[tokio::test]
async fn a_job_is_worked_on_over_sqs_and_outlives_a_worker() {
    let rig = Rig::start().await;
    let queue = sqs(ministack::endpoint(), &name());
    let (url, dead) = queue.init().await.unwrap();
    assert!(dead.ends_with("-dead") && !url.is_empty());
    queue.init().await.unwrap();
    let (one, two) = (server(&rig, &queue), server(&rig, &queue));
    let (user, job_id) = (rig.user(), JobId::from_parts(rig.clock.now(), server::clock::random_u128()));
    let prompt = "A page.\n/sim tokens=100 rate=25 vary".to_owned();
    let request = SubmitRequest { job_id, prompt, variants: 3, schema: None, model: None, webhook: None };
    let (stop, first) = work(&one, &queue);
    one.of(user).submit_job(request).await.unwrap();
    let turn = one.of(user).job_status(job_id).await.unwrap().variants[0].turn_id;
    let mut reader = Reader::default();
    let stream = one.of(user).follow(turn, app::domain::Cursor::default()).await.unwrap();
    reader.read_until(stream, |r| r.shown.len() > 100).await;
    let (_stop, _second) = work(&two, &queue);
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(30), first).await.expect("it ends in order").unwrap();
    let job = finished(&two, user, job_id).await;
    assert_eq!(job.status, JobStatus::Complete);
    for variant in &job.variants {
        assert!(splice(variant.text.as_deref().unwrap(), 100) <= 3);
    }
}

/// A chat whose runner is killed with its tab closed is finished by whoever gets its delayed message.
#[tokio::test]
async fn a_chat_that_nobody_watches_is_finished_by_its_message() {
    let rig = Rig::start().await;
    let queue = sqs(ministack::endpoint(), &name());
    queue.init().await.unwrap();
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let doomed = killable();
    let first = server(&rig, &queue);
    let backend = first.of(user);
    let script = "x\n/sim tokens=200 rate=50 vary";
    let stream =
        doomed.spawn(async move { backend.send(new_chat(session, turn, script)).await.unwrap() }).await.unwrap();
    let mut reader = Reader::default();
    reader.read_until(stream, |r| r.shown.len() > 100).await;
    // Its message is in the queue by now, to be seen in half a minute.
    doomed.shutdown_background();
    let second = server(&rig, &queue);
    let (_stop, _working) = work(&second, &queue);
    let done = async {
        loop {
            let page = second.of(user).get_session(session, None, None).await.unwrap();
            if page.messages.len() == 2 {
                return page.messages[1].text.clone();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(120), done).await.expect("the turn ends");
    assert_eq!(splice(&text, 200), 2);
}

/// A queue that is down when a job is handed in: accepted, and delivered once it is there.
#[tokio::test]
async fn a_job_handed_in_while_the_queue_is_down_is_delivered_later() {
    let rig = Rig::start().await;
    let name = name();
    let down = server(&rig, &sqs("http://127.0.0.1:9", &name));
    let (user, job_id) = (rig.user(), JobId::from_parts(rig.clock.now(), server::clock::random_u128()));
    let prompt = "A page.\n/sim tokens=10 rate=0 vary".to_owned();
    let request = SubmitRequest { job_id, prompt, variants: 2, schema: None, model: None, webhook: None };
    down.of(user).submit_job(request).await.unwrap();
    assert!(down.store.job(job_id).await.unwrap().unwrap().open.is_some());
    let queue = sqs(ministack::endpoint(), &name);
    queue.init().await.unwrap();
    let up = server(&rig, &queue);
    let (_stop, _working) = work(&up, &queue);
    assert_eq!(finished(&up, user, job_id).await.status, JobStatus::Complete);
}

/// A message that is received and not deleted comes again once it may be seen; at last it is a dead letter, and what
/// nobody could begin has failed, with its reason.
#[tokio::test]
async fn what_is_delivered_in_vain_becomes_a_dead_letter_and_says_so() {
    let rig = Rig::start().await;
    let queue = sqs(ministack::endpoint(), &name());
    queue.init().await.unwrap();
    let server = server(&rig, &queue);
    let (user, job_id) = (rig.user(), JobId::from_parts(rig.clock.now(), server::clock::random_u128()));
    let prompt = "A page.\n/sim tokens=3".to_owned();
    let request = SubmitRequest { job_id, prompt, variants: 1, schema: None, model: None, webhook: None };
    server.of(user).submit_job(request).await.unwrap();
    let note = server::queue::Note::Turn(server.of(user).job_status(job_id).await.unwrap().variants[0].turn_id);
    let mut deliveries = Vec::new();
    while deliveries.len() < 5 {
        for message in queue.receive(false, 10, Duration::from_secs(1)).await.unwrap() {
            assert_eq!(message.note, Some(note));
            deliveries.push(message.deliveries);
        }
    }
    assert_eq!(deliveries, [1, 2, 3, 4, 5]);
    // The next look at the queue moves it; the worker takes from both.
    let (_stop, _working) = work(&server, &queue);
    let job = finished(&server, user, job_id).await;
    assert_eq!(job.status, JobStatus::Failed);
    assert_eq!(job.variants[0].error.as_ref().unwrap().code, "dead_letter");
    assert_eq!(crate::rig::calls(&rig).await, 0);
}

/// A queue that never answers does not hold up who hands a job in.
#[tokio::test]
async fn a_silent_queue_holds_nobody_up() {
    let rig = Rig::start().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let server = server(&rig, &sqs(&endpoint, &name()));
    let (user, job_id) = (rig.user(), JobId::from_parts(rig.clock.now(), server::clock::random_u128()));
    let request = SubmitRequest { job_id, prompt: "x".into(), variants: 1, schema: None, model: None, webhook: None };
    let submitted = tokio::time::timeout(Duration::from_secs(20), server.of(user).submit_job(request)).await;
    assert_eq!(submitted.expect("it is answered").unwrap().status, JobStatus::Queued);
    assert!(!server.store.job(job_id).await.unwrap().unwrap().open.unwrap().queued);
    drop(silent);
}

/// How many messages a queue holds that nobody may see yet.
async fn delayed(queue: &Sqs) -> u32 {
    let name = "ApproximateNumberOfMessagesDelayed";
    let ask = serde_json::json!({"QueueUrl": queue.url(), "AttributeNames": [name]}).to_string();
    let asked = reqwest::Client::new()
        .post(ministack::endpoint())
        .header("x-amz-target", "AmazonSQS.GetQueueAttributes")
        .header("content-type", "application/x-amz-json-1.0")
        .body(ask);
    let got = asked.send().await.unwrap().text().await.unwrap();
    let got: serde_json::Value = serde_json::from_str(&got).unwrap();
    got["Attributes"][name].as_str().unwrap_or_else(|| panic!("{got}")).parse().unwrap()
}

/// Sent by a plain form whose next page is never asked for: a message stands for it before the form is answered.
#[tokio::test]
async fn a_turn_sent_by_a_plain_form_is_looked_after_too() {
    let rig = Rig::start().await;
    let queue = sqs(ministack::endpoint(), &name());
    queue.init().await.unwrap();
    let server = server(&rig, &queue);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let form = || server.asked(user, Some(server::http::forms::FormReply::default()), server::turn::Host::default());
    form().send(new_chat(session, turn, "x\n/sim tokens=3")).await.unwrap();
    assert_eq!(delayed(&queue).await, 1);
    let handled = server.jobs.handle(server::queue::Note::Turn(turn), server::turn::Host::default(), false).await;
    assert_eq!(handled, server::jobs::Handled::Done);
    let (again, message) = (rig.turn(), turn.into());
    form().retry(again, message).await.unwrap();
    assert_eq!(delayed(&queue).await, 2);
    // The same form once more is the same turn.
    form().retry(again, message).await.unwrap();
    assert_eq!(delayed(&queue).await, 2);
}

/// A worker as a program of its own, on the rig's table and queue.
struct Program(std::process::Child);

impl Program {
    fn start(rig: &Rig, queue: &Sqs) -> Self {
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_outlast"))
            .arg("worker")
            .env_clear()
            .envs([
                ("OUTLAST_STORE", "dynamodb"),
                ("OUTLAST_TABLE", &rig.table),
                ("AWS_ENDPOINT_URL_DYNAMODB", &rig.endpoint),
                ("AWS_ENDPOINT_URL_SQS", ministack::endpoint()),
                // DynamoDB Local has its tables by region.
                ("AWS_REGION", "local"),
                ("OUTLAST_QUEUE_URL", queue.url()),
                ("ANTHROPIC_BASE_URL", &rig.simulator),
                ("ANTHROPIC_API_KEY", "sk-test"),
                ("OUTLAST_LEASE_MS", "1000"),
                ("OUTLAST_FLUSH_MS", "100"),
            ])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // As `kill -9`.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A worker's process is killed in mid-reply: its messages come again after their visibility, and another process
/// carries each variant on.
#[tokio::test]
async fn a_worker_that_is_killed_loses_nothing() {
    let rig = Rig::dynamodb_local().await;
    let queue = sqs_in("local", ministack::endpoint(), &name());
    queue.init().await.unwrap();
    let server = server(&rig, &queue);
    let (user, job_id) = (rig.user(), JobId::from_parts(rig.clock.now(), server::clock::random_u128()));
    let prompt = "A page.\n/sim tokens=300 rate=60 vary".to_owned();
    let request = SubmitRequest { job_id, prompt, variants: 2, schema: None, model: None, webhook: None };
    let first = Program::start(&rig, &queue);
    server.of(user).submit_job(request).await.unwrap();
    let both_run = async {
        while !server.of(user).job_status(job_id).await.unwrap().variants.iter().all(|v| v.chars > 100) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), both_run).await.expect("both run");
    drop(first);
    let _second = Program::start(&rig, &queue);
    let job = finished(&server, user, job_id).await;
    assert_eq!(job.status, JobStatus::Complete);
    for variant in &job.variants {
        assert_eq!(splice(variant.text.as_deref().unwrap(), 300), 2);
    }
    assert_eq!(crate::rig::calls(&rig).await, 4);
}
