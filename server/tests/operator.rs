//! What an operator is told by the real binary, beside a server that runs and without one.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/dynamodb.rs"]
mod dynamodb;
#[path = "common/raw.rs"]
mod raw;
#[path = "rig/mod.rs"]
mod rig;

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rig::{Reader, Rig, killable, new_chat};
use serde_json::json;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a command said.
#[derive(Debug)]
struct Said {
    out: String,
    err: String,
    ok: bool,
}

impl Said {
    /// The line that begins with a word.
    fn line(&self, word: &str) -> &str {
        self.out.lines().find(|l| l.trim_start().starts_with(word)).unwrap_or_else(|| panic!("no {word}: {self:?}"))
    }
}

fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
    command.args(args).env_clear().envs(env.iter().copied());
    command
}

fn run(args: &[&str], env: &[(&str, &str)]) -> Said {
    let output = command(args, env).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { out: text(output.stdout), err: text(output.stderr), ok: output.status.success() }
}

/// A server of its own process, on the embedded store.
struct Serving {
    child: Child,
    base: String,
    /// Reads its log to the end.
    log: Option<std::thread::JoinHandle<Vec<String>>>,
}

impl Serving {
    fn start(data: &Path, site: &Path) -> Self {
        let (data, site) = (data.display().to_string(), site.display().to_string());
        let env = [
            ("OUTLAST_ADDR", "127.0.0.1:0"),
            ("OUTLAST_DATA_DIR", &data),
            ("OUTLAST_SITE", &site),
            ("OUTLAST_LOG", "json"),
        ];
        let mut child = command(&["serve"], &env).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let addr = lines.by_ref().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            line["message"].as_str()?.starts_with("Outlast is at").then(|| line["addr"].as_str().unwrap().to_owned())
        });
        let log = Some(std::thread::spawn(move || lines.map(Result::unwrap).collect()));
        Self { child, base: format!("http://{}", addr.expect("it starts")), log }
    }

    /// Gives what it logged.
    fn end(&mut self, signal: &str) -> Vec<String> {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A built site, as far as a server looks at it when it starts.
fn site(dir: &Path) {
    std::fs::write(dir.join("assets.txt"), "js a.js\nwasm a.wasm\nboot b.js\ncss a.css\ndesk desk.css\n").unwrap();
}

// The commands are waited for, and a part of what they ask is in this process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_is_looked_at_beside_its_server_and_without_it() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    site(dir.path());
    let data = dir.path().join("data");
    let place = data.display().to_string();
    let env = [("OUTLAST_DATA_DIR", place.as_str())];

    let before = run(&["doctor"], &env);
    assert!(before.ok && before.line("store").contains("there is none yet"), "{before:?}");
    assert!(!data.exists(), "looking makes nothing");

    let mut server = Serving::start(&data, dir.path());
    let mode = std::fs::metadata(data.join("port")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the port is for its owner");
    let clock = server::clock::Clock::default();
    let (session, turn, long) = (clock.session_id(), clock.turn_id(), clock.turn_id());
    let client = reqwest::Client::builder().build().unwrap();
    let send = async |turn: &str, new: &str, script: &str| {
        let body = format!("session_id={session}&turn_id={turn}{new}&text=hello%0A/sim+{script}");
        let post = client.post(format!("{}/api/chat/send", server.base));
        let form = "application/x-www-form-urlencoded";
        post.header("content-type", form).body(body).send().await.unwrap()
    };
    let (turn, long) = (turn.to_string(), long.to_string());
    let mut reply = send(&turn, "&new=true", "tokens=20+rate=0+vary").await;
    let cookie = reply.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut stream = String::new();
    while let Some(chunk) = reply.chunk().await.unwrap() {
        stream.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(stream.contains("event: end"), "{stream}");

    let said = run(&["doctor"], &env);
    assert!(said.ok && said.err.is_empty(), "{said:?}");
    let names: Vec<_> = said.out.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert_eq!(names, ["configuration", "store", "queue", "claude", "turns"]);
    assert!(said.line("store").contains("through the running server"), "{said:?}");
    assert!(said.line("turns").ends_with("0 open, 0 abandoned"), "{said:?}");

    let said = run(&["turn", &turn], &env);
    assert!(said.ok, "{said:?}");
    assert!(said.line("0 ").contains("claim") && said.line("0 ").contains("by web"), "{said:?}");
    assert!(said.out.contains("bytes of text") && said.line("state").contains("done: complete (end_turn)"), "{said:?}");
    assert!(said.line("usage").contains("20 out") && said.line("claim 0").ends_with("from 0"), "{said:?}");
    assert!(!said.out.contains("w0·c"), "not a word of the reply: {said:?}");
    assert!(run(&["turn", &turn, "--text"], &env).out.contains("| w0·c1 w1·c1"));

    // A queue that is not there, or is.
    assert!(said.out.contains("state") && run(&["doctor"], &env).line("queue").ends_with("in-process"));
    let gone = [("OUTLAST_QUEUE_URL", "http://127.0.0.1:9/0/outlast"), ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")];
    let said = run(&["doctor"], &[&env[..], &gone].concat());
    assert!(!said.ok && said.line("queue").contains("failed  http://127.0.0.1:9/0/outlast"), "{said:?}");

    let unknown = run(&["turn", "01ARZ3NDEKTSV4RRFFQ69G5FAV"], &env);
    assert_eq!((unknown.ok, unknown.out.as_str()), (false, ""));
    assert_eq!(unknown.err, "outlast: there is no turn 01ARZ3NDEKTSV4RRFFQ69G5FAV\n");

    // Killed in the middle of a reply: its port stays noted, and nobody is there.
    let body = format!("session_id={session}&turn_id={long}&text=hello%0A/sim+tokens=2000+rate=50");
    let post = client.post(format!("{}/api/chat/send", server.base)).header("cookie", &cookie);
    let mut reply = post.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
    while !stream.contains("event: text") || stream.contains("event: end") {
        stream = String::from_utf8_lossy(&reply.chunk().await.unwrap().expect("it goes on")).into_owned();
    }
    server.end("-9");
    assert!(data.join("port").exists());
    let said = run(&["doctor"], &env);
    assert!(said.ok && said.line("store").contains("no server has open"), "{said:?}");
    assert!(said.line("turns").ends_with("1 open, 1 abandoned"), "{said:?}");
    assert!(said.line(&long).contains("abandoned: silent for") && said.line(&long).contains("1 claim"), "{said:?}");
    assert!(!data.join("port").exists(), "its own note went with it");
    let said = run(&["turn", &long], &env);
    assert!(said.line("state").contains("open; nobody runs it: silent for"), "{said:?}");

    // The next server takes it up, and a server that ends by itself takes its note along.
    let mut server = Serving::start(&data, dir.path());
    let until = Instant::now() + PATIENCE;
    while !run(&["turn", &long], &env).out.contains("claim 1 ") {
        assert!(Instant::now() < until);
    }
    let log = server.end("-TERM");
    assert!(!data.join("port").exists());
    assert!(run(&["turn", &long], &env).line("state").contains("nobody runs it: released"));

    // The last of its lines is what it counted, for CloudWatch to read.
    let lines: Vec<serde_json::Value> = log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counted: Vec<_> = lines.iter().filter(|line| line.get("_aws").is_some()).collect();
    assert_eq!(counted.len(), 1, "{log:?}");
    let figure = |name: &str| counted[0][name].as_f64().unwrap();
    assert_eq!(counted[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Outlast");
    assert_eq!([figure("Claims"), figure("Takeovers"), figure("RunningTurns")], [1.0, 1.0, 0.0]);
    assert!(figure("Appends") >= 1.0 && figure("AppendMean") > 0.0);
}

// The commands are waited for, and a part of what they ask is in this process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_dynamodb_each_fault_is_one_line_and_abandoned_turns_are_listed() {
    let rig = Rig::dynamodb_local().await;
    let env = [
        ("OUTLAST_STORE", "dynamodb"),
        ("OUTLAST_TABLE", &rig.table),
        ("AWS_ENDPOINT_URL_DYNAMODB", &rig.endpoint),
        ("AWS_REGION", "local"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("ANTHROPIC_BASE_URL", &rig.simulator),
        ("ANTHROPIC_API_KEY", "sk-test"),
        ("OUTLAST_LEASE_MS", "1000"),
        ("OUTLAST_FLUSH_MS", "50"),
    ];
    let with = |name: &str, value: &str| -> Said {
        let changed: Vec<_> = env.iter().map(|(n, v)| (*n, if *n == name { value } else { *v })).collect();
        run(&["doctor"], &changed)
    };
    let well = run(&["doctor"], &env);
    assert!(well.ok, "{well:?}");
    assert!(well.line("claude").contains("lists") && !well.out.contains("sk-test"), "{well:?}");

    for (name, value, line, why) in [
        ("OUTLAST_LEASE_MS", "5", "configuration", "OUTLAST_LEASE_MS"),
        ("OUTLAST_TABLE", "nowhere", "store", "`outlast init` makes it"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1", "store", "no connection"),
        ("ANTHROPIC_API_KEY", "invalid", "claude", "Claude did not accept this server's API key."),
        ("ANTHROPIC_BASE_URL", "http://127.0.0.1:1", "claude", "Claude could not be reached."),
    ] {
        let said = with(name, value);
        assert!(!said.ok && said.line(line).contains(" failed "), "{name}: {said:?}");
        assert!(said.line(line).contains(why), "{name}: {said:?}");
        assert_eq!(said.out.matches(" failed ").count(), 1, "{name}: {said:?}");
        assert_eq!(said.err, "outlast: 1 check failed\n", "{name}");
    }

    // A runner that dies.
    let first = killable();
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = rig.server(false).of(user);
    let script = "x\n/sim tokens=500 rate=50";
    let stream =
        first.spawn(async move { backend.send(new_chat(session, turn, script)).await.unwrap() }).await.unwrap();
    let mut reader = Reader::default();
    reader.read_until(stream, |r| r.shown.len() > 50).await;
    first.shutdown_background();
    let id = turn.to_string();
    let until = Instant::now() + PATIENCE;
    let said = loop {
        let said = run(&["doctor"], &env);
        assert!(Instant::now() < until, "{said:?}");
        if said.line("turns").ends_with("1 open, 1 abandoned") {
            break said;
        }
    };
    assert!(said.ok, "abandoned turns are work, not a fault: {said:?}");
    assert!(said.line(&id).contains("abandoned: silent for"), "{said:?}");

    // And then a server of a later version takes it.
    let log = rig.server(false).store.read_log(turn, 0, true).await.unwrap();
    let newer = json!({
        "pk": {"S": format!("TURN#{turn}")}, "sk": {"S": format!("LOG#{:010}", log.len())}, "v": {"N": "2"},
        "kind": {"S": "leap"}, "ttl": {"N": "9999999999"},
    });
    raw::put(&raw::client(&rig.endpoint, "local"), &rig.table, raw::item(&newer)).await;
    let said = run(&["doctor"], &env);
    assert!(said.ok && said.line(&id).contains("left alone") && said.line(&id).contains("format 2"), "{said:?}");
    let said = run(&["turn", &id], &env);
    assert!(said.ok && said.out.contains("bytes of text"), "what can be read is: {said:?}");
    assert!(said.line("LOG#").contains("it has format 2, known is 1"), "{said:?}");
    assert!(said.line("state").contains("servers of this version leave it alone"), "{said:?}");
}
