//! The day's cap and the limit to turns at once, over several servers.

use app::{
    domain::{Outcome, Usage, UserId},
    error::Code,
};
use server::{
    config::Caps,
    prices,
    storage::{Account, Store, StoreConfig, keys},
    turn::TurnConfig,
};
use std::time::Duration;

use crate::{Reader, Rig, new_chat, refused, request, rig::Server};

/// With about the flush that servers have.
fn config() -> TurnConfig {
    TurnConfig { flush: Duration::from_millis(250), lease: Duration::from_secs(10), ..crate::rig::config(false) }
}

fn server(rig: &Rig) -> Server {
    rig.server_with(config())
}

/// What a user's turns cost today, as the table has it.
async fn spent(rig: &Rig, server: &Server, user: UserId) -> u64 {
    server.store.day_totals(user, &keys::day(rig.clock.now())).await.unwrap().micros
}

/// Sends a first message in a new chat and reads to the end.
async fn say(rig: &Rig, server: &Server, user: UserId, script: &str) -> Reader {
    let turn = rig.turn();
    let backend = server.of(user);
    let stream = backend.send(new_chat(rig.session(), turn, &format!("Hello\n/sim {script}"))).await.unwrap();
    let mut reader = Reader::default();
    reader.read(stream).await;
    reader.follow(&backend, turn).await;
    reader
}

#[tokio::test]
async fn a_spent_budget_refuses_the_next_turn_and_says_when_there_is_one() {
    let mut rig = Rig::start().await;
    // Some hundred words of the default model.
    rig.caps = Caps { all: Some(4000), user: None };
    let server = self::server(&rig);
    let user = rig.user();
    let first = say(&rig, &server, user, "tokens=2000 rate=1000 seed=1").await;
    assert_eq!(first.error().as_deref(), Some("budget_spent"));
    let error = refused(server.of(user).send(new_chat(rig.session(), rig.turn(), "More")).await);
    assert_eq!((error.code, error.retryable), (Code::BudgetSpent, true));
    assert!(error.retry_after.is_some_and(|s| s > 0 && s <= 86_400));
    // So it is for everybody, and on a server that has just started.
    let other = self::server(&rig);
    assert_eq!(
        refused(other.of(rig.user()).send(new_chat(rig.session(), rig.turn(), "More")).await).code,
        Code::BudgetSpent
    );
    // Nor is a job taken.
    let submit = app::backend::SubmitRequest {
        job_id: rig.turn().to_string().parse().unwrap(),
        prompt: "x".into(),
        variants: 1,
        schema: None,
        model: None,
        webhook: None,
    };
    assert_eq!(refused(server.of(user).submit_job(submit).await).code, Code::BudgetSpent);
    // Tomorrow is another day.
    rig.clock.set_skew(86_400_000);
    for server in [&server, &other] {
        let reader = say(&rig, server, user, "tokens=5 rate=0").await;
        assert_eq!(reader.outcome(), Outcome::Complete);
    }
}

#[tokio::test]
async fn what_turns_cost_is_counted_once_and_without_a_cap_too() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let user = rig.user();
    for script in ["tokens=40 rate=0 seed=1", "tokens=40 rate=0 seed=1 times=1 fault=reset@20"] {
        let before = spent(&rig, &server, user).await;
        server.turns.metrics().take();
        say(&rig, &server, user, script).await;
        let cost = spent(&rig, &server, user).await - before;
        assert!(cost > 0);
        assert_eq!(server.turns.metrics().take().spent, cost, "{script}");
    }
}

#[tokio::test]
async fn a_reply_stops_where_the_budget_is_spent_and_what_was_written_is_kept() {
    let mut rig = Rig::start().await;
    rig.caps = Caps { all: Some(4000), user: None };
    let server = self::server(&rig);
    let reader = say(&rig, &server, rig.user(), "tokens=100000 rate=1000 seed=1").await;
    assert_eq!((reader.outcome(), reader.error().as_deref()), (Outcome::Stopped, Some("budget_spent")));
    assert!(reader.shown.len() > 100, "{}", reader.text());
}

#[tokio::test]
async fn one_users_budget_is_nobody_elses() {
    let mut rig = Rig::start().await;
    rig.caps = Caps { all: None, user: Some(4000) };
    let (server, other) = (self::server(&rig), self::server(&rig));
    let user = rig.user();
    let turn = rig.turn();
    let session = rig.session();
    let stream = server.of(user).send(new_chat(session, turn, "x\n/sim tokens=2000 rate=1000 seed=1")).await.unwrap();
    let mut reader = Reader::default();
    reader.read(stream).await;
    assert_eq!(reader.error().as_deref(), Some("budget_spent"));
    assert_eq!(refused(server.of(user).send(new_chat(rig.session(), rig.turn(), "x")).await).code, Code::BudgetSpent);
    // Another server learns it from the table, beside reading the session.
    assert_eq!(refused(other.of(user).send(request(session, rig.turn(), "x")).await).code, Code::BudgetSpent);
    assert_eq!(say(&rig, &other, rig.user(), "tokens=5 rate=0").await.outcome(), Outcome::Complete);
    // The turn that there is can still be followed, by the same send.
    let mut again = Reader::default();
    again.read(server.of(user).send(new_chat(session, turn, "x")).await.unwrap()).await;
    assert_eq!(again.shown, reader.shown);
}

#[tokio::test]
async fn what_is_left_is_told_when_it_gets_low() {
    let mut rig = Rig::start().await;
    rig.caps = Caps { all: None, user: Some(20_000) };
    let server = self::server(&rig);
    let user = rig.user();
    let budget = server.turns.budget().unwrap().clone();
    assert_eq!(budget.replies_left(user).await, None);
    let mut sent = 0;
    let left = loop {
        say(&rig, &server, user, "tokens=100 rate=0 seed=1").await;
        sent += 1;
        if let Some(left) = budget.replies_left(user).await {
            break left;
        }
    };
    assert!(sent > 5 && left <= 3, "{sent} sent, {left} left");
    for _ in 0..left {
        say(&rig, &server, user, "tokens=100 rate=0 seed=1").await;
    }
    assert!(budget.replies_left(user).await.unwrap() <= 1);
}

/// What the simulator was paid, by its own account; and how many calls that were.
async fn paid(rig: &Rig) -> (u64, usize) {
    let text = reqwest::get(format!("{}/sim/calls", rig.simulator)).await.unwrap().text().await.unwrap();
    let calls: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(calls.len() < 500, "it remembers no more");
    let cost = |call: &serde_json::Value| {
        let n = |v: &serde_json::Value| v.as_u64().unwrap();
        let usage = Usage {
            input_tokens: n(&call["prompt"][0]),
            cache_creation_input_tokens: n(&call["prompt"][1]),
            cache_read_input_tokens: n(&call["prompt"][2]),
            output_tokens: n(&call["tokens"]),
            estimated: false,
        };
        prices::micros(call["model"].as_str().unwrap(), &usage)
    };
    (calls.iter().map(cost).sum(), calls.len())
}

/// What so many replies say in one flush at a rate of tokens a second.
fn flush(replies: u64, rate: u64) -> u64 {
    let output_tokens = replies * rate * config().flush.as_millis() as u64 / 1000;
    prices::micros("claude-sonnet-5-5", &Usage { output_tokens, ..Usage::default() })
}

/// What the table has as taken of the day's budget, by all.
async fn taken(rig: &Rig, server: &Server) -> u64 {
    let now = rig.clock.now();
    server.store.shares(Account::All, &keys::day(now), "nobody").await.unwrap().firm()
}

/// One sender: a message after the other, until there is no budget for the next. Gives how many replies were stopped.
async fn send_on(rig: &Rig, server: Server, script: &'static str) -> u64 {
    let (user, mut stopped) = (rig.user(), 0);
    let backend = server.of(user);
    loop {
        let turn = rig.turn();
        match backend.send(new_chat(rig.session(), turn, script)).await {
            Ok(stream) => {
                let mut reader = Reader::default();
                reader.read(stream).await;
                reader.follow(&backend, turn).await;
                stopped += u64::from(reader.error().as_deref() == Some("budget_spent"));
            }
            Err(error) if error.code == Code::BudgetSpent => return stopped,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn fifty_senders_over_three_servers_do_not_pass_the_cap() {
    const CAP: u64 = 300_000;
    let mut rig = Rig::dynamodb_local().await;
    rig.caps = Caps { all: Some(CAP), user: None };
    let servers = [server(&rig), server(&rig), server(&rig)];
    let senders = (0..50).map(|n| send_on(&rig, servers[n % 3].clone(), "Hello\n/sim tokens=1500 rate=200"));
    let stopped: u64 = futures::future::join_all(senders).await.iter().sum();
    let (paid, calls) = paid(&rig).await;
    println!("paid {paid} of {CAP} for {calls} calls; {stopped} replies were stopped");
    assert!(stopped > 0);
    assert!(paid >= CAP / 10, "{paid}: it was hardly spent");
    assert!(paid <= CAP + flush(50, 200), "{paid} of {CAP}");
    let noted = taken(&rig, &servers[0]).await;
    assert!(noted >= paid, "{noted} was noted of {paid}");
}

#[tokio::test]
async fn long_prompts_over_twenty_servers_at_once_do_not_pass_the_cap() {
    // Three of them fit, by the length of what they ask.
    const CAP: u64 = 550_000;
    let mut rig = Rig::dynamodb_local().await;
    rig.caps = Caps { all: Some(CAP), user: None };
    let question = |n: usize| format!("{n} {}\n/sim tokens=20 rate=100", "abc ".repeat(49_900));
    let servers: Vec<Server> = (0..20).map(|_| server(&rig)).collect();
    let sends = servers.iter().enumerate().map(|(n, server)| {
        let (backend, turn, session) = (server.of(rig.user()), rig.turn(), rig.session());
        async move {
            let stream = match backend.send(new_chat(session, turn, &question(n))).await {
                Ok(stream) => stream,
                Err(error) => return assert_eq!(error.code, Code::BudgetSpent),
            };
            let mut reader = Reader::default();
            reader.read(stream).await;
            reader.follow(&backend, turn).await;
        }
    });
    futures::future::join_all(sends).await;
    let (paid_at_once, calls) = paid(&rig).await;
    println!("paid {paid_at_once} of {CAP} for {calls} calls of 20");
    assert!(paid_at_once <= CAP + flush(20, 100), "{paid_at_once} of {CAP}");
    // What is left is spent by who comes alone.
    for n in calls..4 {
        let error = servers[0].of(rig.user()).send(new_chat(rig.session(), rig.turn(), &question(100 + n))).await.err();
        if let Some(error) = error {
            assert_eq!(error.code, Code::BudgetSpent);
        }
    }
    let (paid, calls) = paid(&rig).await;
    assert!((1..=4).contains(&calls) && paid <= CAP + flush(20, 100), "{paid} for {calls}");
}

#[tokio::test]
async fn servers_that_die_do_not_pass_the_cap() {
    const CAP: u64 = 120_000;
    let mut rig = Rig::dynamodb_local().await;
    rig.caps = Caps { all: Some(CAP), user: None };
    let last = rig.server(false);
    let mut turns = Vec::new();
    for n in 0..4 {
        let (process, server) = (crate::rig::killable(), rig.server(false));
        for _ in 0..4 {
            let (user, turn, session) = (rig.user(), rig.turn(), rig.session());
            let backend = server.of(user);
            let text = format!("{n} {}\n/sim tokens=600 rate=100", "abc ".repeat(50));
            let send = async move { backend.send(new_chat(session, turn, &text)).await };
            match process.spawn(send).await.unwrap() {
                Ok(_) => turns.push((user, turn)),
                Err(error) => assert_eq!(error.code, Code::BudgetSpent),
            }
        }
        if let Some((user, turn)) = turns.last() {
            let mut reader = Reader::default();
            let stream = last.of(*user).follow(*turn, Default::default()).await.unwrap();
            reader.read_until(stream, |r| r.shown.len() > 200).await;
        }
        process.shutdown_background();
    }
    for (user, turn) in &turns {
        Reader::default().follow(&last.of(*user), *turn).await;
    }
    let (paid, calls) = paid(&rig).await;
    println!("paid {paid} of {CAP} for {calls} calls of {} turns", turns.len());
    assert!(calls > turns.len(), "none was taken over");
    assert!(paid <= CAP + flush(16, 200), "{paid} of {CAP}");
    assert!(taken(&rig, &last).await >= paid);
}

#[tokio::test]
async fn one_users_budget_holds_over_many_servers() {
    const CAP: u64 = 100_000;
    let mut rig = Rig::dynamodb_local().await;
    rig.caps = Caps { all: None, user: Some(CAP) };
    let user = rig.user();
    let servers: Vec<Server> = (0..8).map(|_| server(&rig)).collect();
    let sends = servers.iter().map(|server| {
        let (backend, turn, session) = (server.of(user), rig.turn(), rig.session());
        async move {
            let send = new_chat(session, turn, "Hello\n/sim tokens=4000 rate=400");
            let Ok(stream) = backend.send(send).await else { return };
            let mut reader = Reader::default();
            reader.read(stream).await;
            reader.follow(&backend, turn).await;
            assert_eq!(reader.error().as_deref(), Some("budget_spent"));
        }
    });
    futures::future::join_all(sends).await;
    let (paid, calls) = paid(&rig).await;
    println!("paid {paid} of {CAP} for {calls} calls");
    assert!(paid > 0 && paid <= CAP + flush(8, 400), "{paid} of {CAP}");
    assert!(spent(&rig, &servers[0], user).await >= paid);
}

#[tokio::test]
async fn who_stops_before_claude_says_anything_pays_for_what_was_asked() {
    let mut rig = Rig::start().await;
    rig.caps = Caps { all: Some(1_000_000), user: Some(1_000_000) };
    let silent = Silent::start().await;
    let (user, turn) = (rig.user(), rig.turn());
    let server = rig.server_at(&silent.address, Store::new(rig.store_config()), crate::rig::config(false));
    drop(server.of(user).send(new_chat(rig.session(), turn, &"abc ".repeat(1_000))).await.unwrap());
    silent.asked().await;
    server.of(user).stop(turn).await.unwrap();
    let cost = spent(&rig, &server, user).await;
    let least = Usage { input_tokens: 1_000, ..Usage::default() };
    assert!(cost >= prices::micros("claude-sonnet-5-5", &least), "{cost}");
    let day = keys::day(rig.clock.now());
    assert!(server.store.day_totals(user, &day).await.unwrap().usage.estimated);
}

/// Something in Claude's place that takes requests and never answers.
struct Silent {
    address: String,
    asked: std::sync::Arc<tokio::sync::Semaphore>,
}

impl Silent {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
        let heard = std::sync::Arc::clone(&asked);
        let silence = axum::Router::new().route(
            "/v1/messages",
            axum::routing::post(async move |_: axum::body::Bytes| {
                heard.add_permits(1);
                std::future::pending::<()>().await;
            }),
        );
        tokio::spawn(async move { axum::serve(listener, silence).await });
        Self { address, asked }
    }

    async fn asked(&self) {
        self.asked.acquire().await.unwrap().forget();
    }
}

#[tokio::test]
async fn what_a_runner_used_that_hands_over_or_dies_is_not_lost() {
    let mut rig = Rig::start().await;
    rig.caps = Caps { all: Some(1_000_000), user: None };
    let first = server(&rig);
    let (user, turn) = (rig.user(), rig.turn());
    let text = format!("{}\n/sim tokens=200 rate=100", "abc ".repeat(2_000));
    let stream = first.of(user).send(new_chat(rig.session(), turn, &text)).await.unwrap();
    let mut reader = Reader::default();
    reader.read_until(stream, |r| r.shown.len() > 100).await;
    first.turns.close().await;
    let second = rig.server(true);
    reader.follow(&second.of(user), turn).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
    let day = keys::day(rig.clock.now());
    let usage = second.store.day_totals(user, &day).await.unwrap().usage;
    // Claude read the question twice, and said so.
    let prompt = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
    assert!(prompt >= 2 * 2_000, "{usage:?}");
    let (paid, calls) = paid(&rig).await;
    assert_eq!(calls, 2);
    let noted = taken(&rig, &second).await;
    assert!(noted >= paid && noted < paid * 5 / 4, "{noted} was noted of {paid}: once, by one of the two");
}

#[tokio::test]
async fn a_server_that_knew_of_room_long_ago_asks_before_it_lets_anybody_in() {
    let mut rig = Rig::start().await;
    rig.caps = Caps { all: Some(20_000), user: None };
    let (idle, busy) = (server(&rig), server(&rig));
    say(&rig, &idle, rig.user(), "tokens=5 rate=0").await;
    // Nobody writes for longer than what it kept lasts.
    rig.clock.set_skew(200_000);
    assert!(send_on(&rig, busy, "Hello\n/sim tokens=2000 rate=1000").await > 0);
    let calls = crate::rig::calls(&rig).await;
    let error = refused(idle.of(rig.user()).send(new_chat(rig.session(), rig.turn(), "More")).await);
    assert_eq!(error.code, Code::BudgetSpent);
    assert_eq!(crate::rig::calls(&rig).await, calls);
}

#[tokio::test]
async fn a_server_that_ends_gives_back_what_it_kept() {
    let mut rig = Rig::start().await;
    rig.caps = Caps { all: Some(1_000_000), user: None };
    let server = self::server(&rig);
    say(&rig, &server, rig.user(), "tokens=5 rate=0").await;
    let now = rig.clock.now();
    let kept = async || server.store.shares(Account::All, &keys::day(now), "nobody").await.unwrap();
    let there = kept().await;
    assert!(there.taken(now) > there.firm(), "{there:?}");
    server.turns.close().await;
    let there = kept().await;
    assert_eq!(there.taken(now), there.firm());
}

/// What one turn takes of the table, in write units.
async fn units(rig: &Rig, script: &str) -> f64 {
    let store = Store::new(StoreConfig { count_capacity: true, ..rig.store_config() });
    let server = rig.server_on(store, crate::rig::config(true));
    let user = rig.user();
    // The first of a process may learn what it does not know yet.
    say(rig, &server, user, "tokens=20 rate=0 seed=1").await;
    let before = server.store.consumed();
    say(rig, &server, user, script).await;
    (server.store.consumed() - before).write
}

#[tokio::test]
async fn a_cap_costs_a_turn_one_write_unit() {
    let mut rig = Rig::dynamodb_local().await;
    let short = "tokens=20 rate=0 seed=1";
    let without = units(&rig, short).await;
    rig.caps = Caps { all: Some(10_000_000), user: Some(10_000_000) };
    let with = units(&rig, short).await;
    assert!(with - without <= 1.0, "{with} with a cap, {without} without");
}

#[tokio::test]
async fn a_cap_costs_a_very_long_reply_a_few_write_units() {
    let mut rig = Rig::dynamodb_local().await;
    rig.caps = Caps { all: Some(5_000_000), user: None };
    let server = rig.server_with(config());
    let (user, day) = (rig.user(), keys::day(rig.clock.now()));
    say(&rig, &server, user, "tokens=20 rate=0 seed=1").await;
    let seq = async || {
        let there = server.store.shares(Account::All, &day, "nobody").await.unwrap();
        there.shares.iter().map(|share| share.seq).max().unwrap()
    };
    // Each write of a share has a number of its own.
    let before = seq().await;
    say(&rig, &server, user, "tokens=32000 rate=8000 seed=1").await;
    let writes = seq().await - before;
    println!("{writes} writes for 32,000 tokens");
    assert!(writes <= 4, "{writes}");
}

#[tokio::test]
async fn twenty_new_chats_at_once_are_no_more_than_may_be_written() {
    let mut rig = Rig::start().await;
    rig.running = Some(5);
    let (server, user) = (rig.server(false), rig.user());
    let backend = server.of(user);
    let sends = (0..20).map(|_| backend.send(new_chat(rig.session(), rig.turn(), "x\n/sim tokens=4000 rate=20")));
    let sent = futures::future::join_all(sends).await;
    let (held, refused): (Vec<_>, Vec<_>) = sent.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (5, 15));
    for error in refused.into_iter().filter_map(Result::err) {
        assert_eq!((error.code, error.retry_after), (Code::RateLimited, Some(5)));
    }
}

#[tokio::test]
async fn a_user_has_so_many_replies_written_at_once_whatever_the_server() {
    let mut rig = Rig::start().await;
    rig.running = Some(2);
    let (one, two) = (server(&rig), server(&rig));
    let user = rig.user();
    let mut turns = Vec::new();
    for _ in 0..2 {
        let turn = rig.turn();
        let stream = one.of(user).send(new_chat(rig.session(), turn, "x\n/sim tokens=4000 rate=20")).await.unwrap();
        turns.push((turn, stream));
    }
    let error = refused(one.of(user).send(new_chat(rig.session(), rig.turn(), "x")).await);
    assert_eq!((error.code, error.retry_after), (Code::RateLimited, Some(5)));
    // Another server, in a chat that is there.
    let session = two.of(user).create_session().await.unwrap().session_id;
    let error = refused(two.of(user).send(request(session, rig.turn(), "x")).await);
    assert_eq!(error.code, Code::RateLimited);
    // Another user is not concerned; nor is following what runs.
    assert!(one.of(rig.user()).send(new_chat(rig.session(), rig.turn(), "x\n/sim tokens=2")).await.is_ok());
    assert!(one.of(user).follow(turns[0].0, app::domain::Cursor::default()).await.is_ok());
    for (turn, _) in &turns {
        one.of(user).stop(*turn).await.unwrap();
    }
    let mut reader = Reader::default();
    let turn = rig.turn();
    reader.read(two.of(user).send(request(session, turn, "x\n/sim tokens=2")).await.unwrap()).await;
    assert_eq!(reader.outcome(), Outcome::Complete);
}
