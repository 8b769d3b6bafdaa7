//! The day's cap and the limit to turns at once, over several servers.

use app::{
    backend::Backend,
    domain::{Outcome, TurnId, UserId},
    error::Code,
};
use server::{
    config::Caps,
    prices,
    storage::{Store, StoreConfig, StoreError, keys},
};
use std::sync::Arc;

use crate::{Reader, Rig, new_chat, refused, request, rig::Server};

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
    rig.caps = Caps { all: Some(1000), user: None };
    let server = rig.server(true);
    let user = rig.user();
    let first = say(&rig, &server, user, "tokens=300 rate=0 seed=1").await;
    assert!(spent(&rig, &server, user).await >= 1000, "{:?}", first.end);
    let error = refused(server.of(user).send(new_chat(rig.session(), rig.turn(), "More")).await);
    assert_eq!((error.code, error.retryable), (Code::BudgetSpent, true));
    assert!(error.retry_after.is_some_and(|s| s > 0 && s <= 86_400));
    // So it is for everybody, and on a server that has just started.
    let other = rig.server(true);
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
    rig.caps = Caps { all: Some(2000), user: None };
    let server = rig.server(true);
    let reader = say(&rig, &server, rig.user(), "tokens=100000 rate=1000 seed=1").await;
    assert_eq!((reader.outcome(), reader.error().as_deref()), (Outcome::Stopped, Some("budget_spent")));
    assert!(reader.shown.len() > 100, "{}", reader.text());
}

#[tokio::test]
async fn one_users_budget_is_nobody_elses() {
    let mut rig = Rig::start().await;
    rig.caps = Caps { all: None, user: Some(1000) };
    let (server, other) = (rig.server(true), rig.server(true));
    let user = rig.user();
    let turn = rig.turn();
    let session = rig.session();
    let stream = server.of(user).send(new_chat(session, turn, "x\n/sim tokens=300 rate=0 seed=1")).await.unwrap();
    let mut reader = Reader::default();
    reader.read(stream).await;
    assert!(spent(&rig, &server, user).await >= 1000);
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
    let server = rig.server(true);
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

/// What a turn's last `n` segments with content say, in bytes.
async fn tail(server: &Server, turn: TurnId, n: usize) -> Result<usize, StoreError> {
    let log = server.store.read_log(turn, 0, true).await?;
    let sizes = log.iter().map(|(_, s)| s.pieces.iter().map(|p| p.text.len()).sum::<usize>()).filter(|n| *n > 0);
    Ok(sizes.rev().take(n).sum())
}

#[tokio::test]
async fn fifty_senders_over_two_servers_pass_the_cap_by_no_more_than_a_flush() {
    const CAP: u64 = 100_000;
    let mut rig = Rig::dynamodb_local().await;
    rig.caps = Caps { all: Some(CAP), user: None };
    let servers = [rig.server(false), rig.server(false)];
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..50 {
        let server = servers[n % 2].clone();
        let (user, clock) = (rig.user(), rig.clock.clone());
        senders.spawn(async move {
            let mut turns = Vec::new();
            // One message after the other, until there is no budget for the next.
            loop {
                let turn = clock.turn_id();
                let backend: Arc<dyn Backend> = server.of(user);
                let send = new_chat(clock.session_id(), turn, "Hello\n/sim tokens=400 rate=200");
                match backend.send(send).await {
                    Ok(stream) => {
                        let mut reader = Reader::default();
                        reader.read(stream).await;
                        reader.follow(&backend, turn).await;
                        turns.push((turn, reader.error()));
                    }
                    Err(error) if error.code == Code::BudgetSpent => return (user, turns),
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let all = senders.join_all().await;
    let (mut total, mut flush, mut stopped) = (0, 0, 0);
    for (user, turns) in &all {
        total += spent(&rig, &servers[0], *user).await;
        for (turn, error) in turns {
            if error.as_deref() == Some("budget_spent") {
                stopped += 1;
                // Of text four bytes are a token, about; one flush may be two segments: the last text and the end.
                let bytes = tail(&servers[0], *turn, 2).await.unwrap();
                let usage = app::domain::Usage { output_tokens: bytes as u64 / 4, ..app::domain::Usage::default() };
                flush += prices::micros("claude-sonnet-5-5", &usage);
            }
        }
    }
    println!("spent {total} of {CAP}; {stopped} turns were stopped, which wrote {flush} in their last flush");
    assert!(total >= CAP, "{total}: it was never met");
    // Half as much again: what the turns were asked costs too, and on a busy machine a flush waits for the last one.
    assert!(total <= CAP + flush * 3 / 2, "{total} of {CAP}, and the last flush of {stopped} turns was {flush}");
    assert!(stopped > 0);
    let noted = servers[0].store.spent(&keys::day(rig.clock.now()), "nobody").await.unwrap();
    assert!(noted >= total, "the servers' own sums, {noted}, hold all that was spent");
}

/// What one short turn takes of the table, in write units.
async fn units(rig: &Rig) -> f64 {
    let store = Store::new(StoreConfig { count_capacity: true, ..rig.store_config() });
    let server = rig.server_on(store, crate::rig::config(true));
    let user = rig.user();
    // The first of a process may learn what it does not know yet.
    say(rig, &server, user, "tokens=20 rate=0 seed=1").await;
    let before = server.store.consumed();
    say(rig, &server, user, "tokens=20 rate=0 seed=1").await;
    (server.store.consumed() - before).write
}

#[tokio::test]
async fn a_cap_costs_a_turn_one_write_unit() {
    let mut rig = Rig::dynamodb_local().await;
    let without = units(&rig).await;
    rig.caps = Caps { all: Some(10_000_000), user: Some(10_000_000) };
    let with = units(&rig).await;
    assert!(with - without <= 1.0, "{with} with a cap, {without} without");
}

#[tokio::test]
async fn a_user_has_so_many_replies_written_at_once_whatever_the_server() {
    let mut rig = Rig::start().await;
    rig.running = Some(2);
    let (one, two) = (rig.server(false), rig.server(false));
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
