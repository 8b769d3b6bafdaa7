//! The client against the simulator: what arrives, when, what breaks, and what the simulator saw of it.

#![cfg(feature = "simulator")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should fail")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::domain::Usage;
use axum::serve::ListenerExt;
use server::claude::{
    Claude, Config, Delta, Fault, FaultKind, Model, Models, Request, Thinking, Turn, built_in, simulator,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, timeout},
};

const LONG: Duration = Duration::from_secs(20);

async fn simulator() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(simulator::serve(listener, std::future::pending()));
    address
}

fn client(address: SocketAddr, key: Option<&str>, stall: Duration) -> Claude {
    Claude::new(Config { base_url: format!("http://{address}/"), api_key: key.map(str::to_owned), stall })
}

async fn claude() -> Claude {
    client(simulator().await, Some("key"), LONG)
}

fn request(messages: Vec<Turn>) -> Request {
    Request {
        model: "claude-sonnet-5-5".to_owned(),
        max_tokens: 100_000,
        messages,
        system: None,
        thinking: Thinking::Default,
        cache: false,
        schema: None,
    }
}

fn scripted(script: &str) -> Request {
    request(vec![Turn::user(format!("Hello there.\n/sim {script}"))])
}

/// A reply, as far as it came.
#[derive(Debug, Default)]
struct Heard {
    text: String,
    thinking: String,
    usage: Usage,
    stop_reason: Option<String>,
    fault: Option<Fault>,
    texts: usize,
}

async fn hear(claude: &Claude, request: &Request) -> Heard {
    let mut heard = Heard::default();
    let mut reply = match claude.stream(request).await {
        Ok(reply) => reply,
        Err(fault) => return Heard { fault: Some(fault), ..heard },
    };
    loop {
        match timeout(LONG, reply.next()).await.unwrap() {
            Ok(Some(Delta::Text(text))) => {
                heard.text.push_str(&text);
                heard.texts += 1;
            }
            Ok(Some(Delta::Thinking(text))) => heard.thinking.push_str(&text),
            Ok(Some(Delta::Started { usage, model })) => {
                assert_eq!(model, "claude-sonnet-5-5");
                heard.usage = usage;
            }
            Ok(Some(Delta::Usage(usage))) => heard.usage = usage,
            Ok(Some(Delta::Stopped { stop_reason })) => heard.stop_reason = stop_reason,
            Ok(Some(Delta::Ping)) => {}
            Ok(None) => return heard,
            Err(fault) => {
                // A reply that broke never looks like one that ended.
                assert_eq!(reply.next().await.unwrap_err().kind, FaultKind::Truncated);
                heard.fault = Some(fault);
                return heard;
            }
        }
    }
}

fn kind(heard: &Heard) -> Option<FaultKind> {
    heard.fault.as_ref().map(|fault| fault.kind)
}

#[tokio::test]
async fn a_whole_reply() {
    let claude = claude().await;
    let heard = hear(&claude, &scripted("tokens=40 think=10 rate=0 seed=1")).await;
    assert_eq!(heard.fault, None);
    assert_eq!(heard.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!((heard.text.split_whitespace().count(), heard.thinking.split_whitespace().count()), (40, 10));
    assert_eq!((heard.texts, heard.usage.output_tokens), (40, 50));
    assert!(heard.usage.input_tokens > 5);
    let again = hear(&claude, &scripted("tokens=40 rate=0 seed=1")).await;
    assert_eq!(again.text, heard.text);
}

#[tokio::test]
async fn a_held_reply_goes_on_when_it_is_released() {
    let claude = claude().await;
    let mut reply = claude.stream(&scripted("tokens=9 rate=0 seed=1 hold=here@4")).await.unwrap();
    let mut words = 0;
    while words < 4 {
        words += usize::from(matches!(reply.next().await.unwrap(), Some(Delta::Text(_))));
    }
    // What is held under another name stays, and so does this.
    hear(&claude, &scripted("tokens=1 rate=0 release=elsewhere")).await;
    let more = async { while !matches!(reply.next().await.unwrap(), Some(Delta::Text(_))) {} };
    let mut more = std::pin::pin!(more);
    assert!(futures::poll!(more.as_mut()).is_pending());
    hear(&claude, &scripted("tokens=1 rate=0 release=here")).await;
    timeout(LONG, more).await.unwrap();
    // From then on nothing is held under it.
    assert_eq!(hear(&claude, &scripted("tokens=9 rate=0 seed=1 hold=here@4")).await.texts, 9);
}

#[tokio::test]
async fn unscripted_it_says_what_it_is() {
    let claude = claude().await;
    let heard = hear(&claude, &request(vec![Turn::user("What is a monad?")])).await;
    assert!(heard.text.contains("simulator") && heard.text.contains("What is a monad?"), "{}", heard.text);
    assert_eq!(heard.usage.output_tokens as usize, heard.texts);
}

#[tokio::test]
async fn stop_reasons() {
    let claude = claude().await;
    assert_eq!(hear(&claude, &scripted("tokens=3 stop=refusal")).await.stop_reason.as_deref(), Some("refusal"));
    let mut short = scripted("tokens=30 rate=0");
    short.max_tokens = 7;
    let heard = hear(&claude, &short).await;
    assert_eq!((heard.texts, heard.stop_reason.as_deref()), (7, Some("max_tokens")));
    let nothing = hear(&claude, &scripted("tokens=0")).await;
    assert_eq!((nothing.texts, nothing.stop_reason.as_deref()), (0, Some("end_turn")));
}

#[tokio::test]
async fn every_fault_comes_behind_its_tokens() {
    let claude = claude().await;
    let whole = hear(&claude, &scripted("tokens=20 rate=0 vary")).await;
    assert_eq!(whole.texts, 20);
    let faults = [
        ("reset", FaultKind::Reset),
        ("truncate", FaultKind::Truncated),
        ("garbage", FaultKind::Protocol),
        ("error", FaultKind::Server),
        ("overloaded", FaultKind::Overloaded),
    ];
    for (name, want) in faults {
        for rate in [0, 400] {
            for at in [0, 1, 7, 20] {
                let heard = hear(&claude, &scripted(&format!("tokens=20 rate={rate} vary fault={name}@{at}"))).await;
                assert_eq!(kind(&heard), Some(want), "{name}@{at}: {heard:?}");
                assert_eq!((heard.texts, heard.stop_reason), (at, None), "{name}@{at}");
            }
        }
        let heard = hear(&claude, &scripted(&format!("tokens=20 rate=0 fault={name}@21"))).await;
        assert_eq!((heard.texts, kind(&heard)), (20, None), "{name} past the end");
    }
}

#[tokio::test]
async fn a_stall_is_a_fault_and_what_came_before_it_arrived_at_once() {
    let address = simulator().await;
    let claude = client(address, Some("key"), Duration::from_millis(300));
    let began = Instant::now();
    let heard = hear(&claude, &scripted("tokens=20 rate=0 fault=stall@4")).await;
    assert_eq!((heard.texts, kind(&heard)), (4, Some(FaultKind::Stalled)));
    assert!(began.elapsed() >= Duration::from_millis(300));
    // Before the first token, too: the headers and `message_start` alone are no content.
    let heard = hear(&claude, &scripted("tokens=20 ttft=3600000")).await;
    assert_eq!((heard.texts, kind(&heard)), (0, Some(FaultKind::Stalled)));
}

#[tokio::test]
async fn pings_do_not_hide_a_stall() {
    let address = simulator().await;
    let claude = client(address, Some("key"), Duration::from_millis(1200));
    for at in [0, 4] {
        let heard = hear(&claude, &scripted(&format!("tokens=20 rate=0 fault=pings@{at}"))).await;
        assert_eq!((heard.texts, kind(&heard)), (at, Some(FaultKind::Stalled)));
    }
}

#[tokio::test]
async fn a_pause_is_an_end_and_what_nobody_knows_is_skipped() {
    let claude = claude().await;
    for at in [0, 4, 20] {
        let heard = hear(&claude, &scripted(&format!("tokens=20 rate=0 fault=pause@{at}"))).await;
        assert_eq!((heard.texts, kind(&heard), heard.stop_reason.as_deref()), (at, None, Some("pause_turn")));
    }
    let whole = hear(&claude, &scripted("tokens=20 rate=0 seed=1")).await;
    for size in [0, 1 << 20] {
        let heard = hear(&claude, &scripted(&format!("tokens=20 rate=0 seed=1 unknown={size}"))).await;
        assert_eq!((heard.text, heard.fault), (whole.text.clone(), None));
    }
}

#[tokio::test]
async fn no_token_comes_before_it_is_due() {
    let claude = claude().await;
    let began = Instant::now();
    let mut reply = claude.stream(&scripted("tokens=30 rate=100 ttft=100")).await.unwrap();
    let mut texts = 0;
    while let Some(delta) = reply.next().await.unwrap() {
        if let Delta::Text(_) = delta {
            let due = Duration::from_millis(100 + 10 * texts);
            assert!(began.elapsed() >= due, "token {texts} after {:?}", began.elapsed());
            texts += 1;
        }
    }
    assert_eq!(texts, 30);
}

#[tokio::test]
async fn statuses() {
    let claude = claude().await;
    let statuses = [
        (400, FaultKind::Invalid),
        (401, FaultKind::Unauthorized),
        (403, FaultKind::Forbidden),
        (404, FaultKind::NotFound),
        (413, FaultKind::TooLarge),
        (429, FaultKind::RateLimited),
        (500, FaultKind::Server),
        (503, FaultKind::Server),
        (529, FaultKind::Overloaded),
    ];
    for (status, want) in statuses {
        let fault = hear(&claude, &scripted(&format!("status={status} retry-after=3"))).await.fault.unwrap();
        assert_eq!((fault.kind, fault.status, fault.retry_after), (want, Some(status), Some(Duration::from_secs(3))));
        assert!(fault.detail.contains("req_sim"), "{fault}");
    }
}

#[tokio::test]
async fn only_the_first_calls_of_a_conversation_fail() {
    let claude = claude().await;
    let refused = scripted("status=529 times=2 tokens=5 rate=0");
    let other = request(vec![Turn::user("Another.\n/sim status=529 times=2 tokens=5 rate=0")]);
    let mut kinds = Vec::new();
    for request in [&refused, &refused, &other, &refused, &other, &other] {
        kinds.push(kind(&hear(&claude, request).await));
    }
    let overloaded = Some(FaultKind::Overloaded);
    assert_eq!(kinds, [overloaded, overloaded, overloaded, None, overloaded, None]);
}

#[tokio::test]
async fn a_broken_reply_is_carried_on() {
    let claude = claude().await;
    let script = "tokens=20 rate=0 vary fault=reset@8 times=1";
    let first = hear(&claude, &scripted(script)).await;
    assert_eq!((kind(&first), first.texts), (Some(FaultKind::Reset), 8));
    let go_on = request(vec![
        Turn::user(format!("Hello there.\n/sim {script}")),
        Turn::assistant(first.text.clone()),
        Turn::user("My connection dropped. Please repeat your last 40 characters exactly, then go on from there."),
    ]);
    let second = hear(&claude, &go_on).await;
    assert_eq!(second.fault, None);
    let anchor: String = first.text.chars().skip(first.text.chars().count() - 40).collect();
    let rest = second.text.strip_prefix(&anchor).unwrap();
    let words = format!("{}{rest}", first.text);
    let numbers: Vec<usize> = words
        .split(' ')
        .map(|word| word.strip_prefix('w').unwrap().split_once("·c").unwrap().0.parse().unwrap())
        .collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!((words.matches("·c1").count(), words.matches("·c2").count()), (8, 12));
}

#[tokio::test]
async fn small_chunks_and_many_bytes_change_nothing() {
    let claude = claude().await;
    for bytes in [1, 3, 1000] {
        let script = |bytes: &str| format!("tokens=120 markdown utf8 seed=5 rate=0{bytes}");
        let plain = hear(&claude, &scripted(&script(""))).await;
        let cut = hear(&claude, &scripted(&script(&format!(" bytes={bytes}")))).await;
        assert_eq!((cut.fault, cut.texts), (None, 120));
        assert_eq!(cut.text, plain.text);
        assert!(cut.text.len() > cut.text.chars().count());
    }
}

#[tokio::test]
async fn the_cache_is_counted() {
    let claude = claude().await;
    let mut first = scripted("tokens=5 rate=0 seed=1");
    first.cache = true;
    first.system = Some("Be brief. ".repeat(50));
    let one = hear(&claude, &first).await;
    assert!(one.usage.cache_creation_input_tokens > 100 && one.usage.cache_read_input_tokens == 0, "{:?}", one.usage);
    let mut second = first.clone();
    second.messages.extend([Turn::assistant(one.text.clone()), Turn::user("And now?")]);
    let two = hear(&claude, &second).await;
    let all = |usage: Usage| usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
    assert_eq!(two.usage.cache_read_input_tokens, all(one.usage));
    assert!(two.usage.cache_creation_input_tokens > 0 && all(two.usage) > all(one.usage), "{:?}", two.usage);
    second.cache = false;
    let three = hear(&claude, &second).await;
    assert_eq!((three.usage.cache_read_input_tokens, three.usage.input_tokens), (0, all(two.usage)));
}

/// Asks the simulator for its last call until it looks as wanted.
async fn last_call(address: SocketAddr, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let look = async {
        loop {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /sim/calls HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            let mut calls: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
            if let Some(last) = calls.pop().filter(|last| wanted(last)) {
                return last;
            }
        }
    };
    timeout(LONG, look).await.unwrap_or_else(|_| panic!("the call never looked as wanted"))
}

#[tokio::test]
async fn a_dropped_reply_ends_the_generation() {
    let address = simulator().await;
    let claude = client(address, Some("key"), LONG);
    let mut reply = claude.stream(&scripted("tokens=100000 rate=200")).await.unwrap();
    while !matches!(reply.next().await.unwrap(), Some(Delta::Text(_))) {}
    last_call(address, |call| call["end"] == "running").await;
    drop(reply);
    let call = last_call(address, |call| call["end"] == "left").await;
    assert!(call["tokens"].as_u64().unwrap() < 10_000, "{call}");
    // While it says nothing, too.
    let mut reply = claude.stream(&scripted("tokens=9 rate=0 fault=stall@2")).await.unwrap();
    while !matches!(reply.next().await.unwrap(), Some(Delta::Text(_))) {}
    drop(reply);
    last_call(address, |call| call["end"] == "fault" && call["tokens"] == 2).await;
}

#[tokio::test]
async fn a_cancelled_wait_loses_nothing() {
    let claude = claude().await;
    let whole = hear(&claude, &scripted("tokens=50 seed=3 rate=0")).await.text;
    let mut reply = claude.stream(&scripted("tokens=50 seed=3 rate=500 bytes=7")).await.unwrap();
    let mut text = String::new();
    loop {
        tokio::select! {
            biased;
            delta = reply.next() => match delta.unwrap() {
                Some(Delta::Text(piece)) => text.push_str(&piece),
                Some(_) => {}
                None => break,
            },
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(text, whole);
}

#[tokio::test]
async fn the_connection_is_used_again() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = listener.tap_io(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    tokio::spawn(async move { axum::serve(listener, simulator::router()).await });
    let claude = client(address, Some("key"), LONG);
    claude.connect().await;
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    let heard = hear(&claude, &scripted("tokens=5 rate=0")).await;
    assert_eq!(heard.texts, 5);
    claude.connect().await;
    assert_eq!(opened.load(Ordering::Relaxed), 1, "the reply used the connection that was opened for it");
}

#[tokio::test]
async fn refusals_and_no_connection() {
    let address = simulator().await;
    let unauthorized = hear(&client(address, None, LONG), &scripted("tokens=1")).await.fault.unwrap();
    assert_eq!((unauthorized.kind, unauthorized.status), (FaultKind::Unauthorized, Some(401)));
    let claude = client(address, Some("key"), LONG);
    let mut wrong = scripted("tokens=1");
    wrong.model = "claude-none".to_owned();
    assert_eq!(kind(&hear(&claude, &wrong).await), Some(FaultKind::NotFound));
    let prefill = request(vec![Turn::user("a"), Turn::assistant("b")]);
    assert_eq!(kind(&hear(&claude, &prefill).await), Some(FaultKind::Invalid));
    let long = request(vec![Turn::user("word ".repeat(900_000))]);
    assert_eq!(kind(&hear(&claude, &long).await), Some(FaultKind::TooLarge));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let fault = hear(&client(nobody, Some("key"), LONG), &scripted("tokens=1")).await.fault.unwrap();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(!fault.detail.is_empty());
}

#[tokio::test]
async fn an_answer_of_something_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let answers = ["HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi", ""];
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let claude = client(address, Some("key"), LONG);
    assert_eq!(kind(&hear(&claude, &scripted("tokens=1")).await), Some(FaultKind::Protocol));
    assert_eq!(kind(&hear(&claude, &scripted("tokens=1")).await), Some(FaultKind::Reset));
}

#[tokio::test]
async fn models_come_from_the_api_else_from_the_table() {
    let claude = claude().await;
    let listed = claude.models().await.unwrap();
    let ids = |models: &[Model]| models.iter().map(|model| model.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&listed), ids(&built_in()));
    assert_eq!(listed[0].supports(&["batch"]), Some(true), "an entry of the API's own, which the table lacks");
    assert_eq!(listed[0].supports(&["telepathy"]), None);
    assert_eq!(listed[0].thinking(Thinking::Off), Thinking::Off);
    let always = listed.iter().find(|model| model.id == "claude-opus-5-5").unwrap();
    assert_eq!(always.thinking(Thinking::Off), Thinking::Default);
    assert_eq!(Model::unlisted("x").thinking(Thinking::Adaptive), Thinking::Default);

    let models = Models::new(claude);
    assert_eq!(models.current()[0].supports(&["batch"]), None, "nobody waits for the first list");
    assert_eq!(models.list().await[0].supports(&["batch"]), Some(true));
    assert_eq!(models.find("claude-haiku-5-5").unwrap().display_name, "Claude Haiku 5.5");

    let refused = Models::new(client(simulator().await, None, LONG));
    assert_eq!(*refused.list().await, built_in());
}

#[tokio::test]
async fn thinking_is_asked_for() {
    let claude = claude().await;
    for (wanted, thinks) in [(Thinking::Adaptive, true), (Thinking::Off, false)] {
        let mut request = request(vec![Turn::user("Think first.")]);
        request.thinking = wanted;
        let mut reply = claude.stream(&request).await.unwrap();
        let first = loop {
            match reply.next().await.unwrap().unwrap() {
                Delta::Text(_) => break false,
                Delta::Thinking(_) => break true,
                _ => {}
            }
        };
        assert_eq!(first, thinks, "{wanted:?}");
    }
}
