//! A format that this version does not know: hands off, and say so.

use std::{sync::LazyLock, time::Duration};

use app::domain::{Cursor, TurnId};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use server::{config::LogFormat, telemetry, turn::TurnConfig};

use crate::{
    fixture::all,
    lines::Lines,
    raw::{client, item},
    rig::{Reader, Rig, calls, config, new_chat},
};

/// What this process logs.
static LINES: LazyLock<Lines> = LazyLock::new(|| {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(telemetry::subscriber(LogFormat::Json, lines.clone())).unwrap();
    lines
});

/// How much was logged.
fn logged() -> usize {
    LazyLock::force(&LINES).0.lock().unwrap().len()
}

/// Levels and messages of the lines about a turn, behind what was logged before.
fn said(turn: TurnId, before: usize) -> Vec<(String, String)> {
    let text = String::from_utf8(LINES.0.lock().unwrap()[before..].to_vec()).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let of = lines.filter(|line| line["turn"] == turn.to_string());
    of.map(|line| (line["level"].as_str().unwrap().to_owned(), line["message"].as_str().unwrap().to_owned())).collect()
}

fn left_alone() -> (String, String) {
    ("ERROR".to_owned(), "left alone: its log cannot be read here".to_owned())
}

/// How many segments stand in the table, whatever they are.
async fn segments(rig: &Rig, turn: TurnId) -> usize {
    let answer = client(&rig.endpoint, "local")
        .query()
        .table_name(&rig.table)
        .consistent_read(true)
        .key_condition_expression("pk = :pk AND begins_with(sk, :log)")
        .expression_attribute_values(":pk", AttributeValue::S(format!("TURN#{turn}")))
        .expression_attribute_values(":log", AttributeValue::S("LOG#".to_owned()))
        .send();
    answer.await.unwrap().count() as usize
}

/// One engine after the other: the fixtures' turns have the same ids on both, and so have the lines about them.
#[tokio::test]
async fn a_turn_that_a_later_version_holds_is_left_alone_and_that_is_said_once() {
    left_alone_on(Rig::start().await).await;
    left_alone_on(Rig::dynamodb_local().await).await;
}

async fn left_alone_on(rig: Rig) {
    let fixtures = all("newer");
    assert!(fixtures.len() >= 3);
    for fixture in fixtures {
        let (name, turn) = (&fixture.name, fixture.turn);
        fixture.put(&rig).await;
        let start = logged();
        // One that would claim at once whatever is not its own.
        let server = rig.server_with(TurnConfig { longest: Duration::from_secs(u64::from(u32::MAX)), ..config(true) });
        let before = calls(&rig).await;
        let mut reader = Reader::default();
        let following = server.of(fixture.owner).follow(turn, Cursor::default()).await.unwrap();
        let said_so = async {
            while said(turn, start).is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = reader.read(following) => panic!("{name}: the stream has ended: {reader:?}"),
            () = said_so => {}
        }
        for _ in 0..3 {
            assert_eq!(server.turns.sweep().await.unwrap(), 0, "{name}");
        }
        // Another reader comes, and somebody presses stop.
        let mut second = Reader::default();
        let backend = server.of(fixture.owner);
        let following = backend.follow(turn, Cursor::default()).await.unwrap();
        tokio::select! {
            () = second.read(following) => panic!("{name}: the stream has ended: {second:?}"),
            stopped = backend.stop(turn) => assert!(stopped.is_err(), "{name}"),
        }
        for reader in [&reader, &second] {
            assert!(fixture.text("before").unwrap().starts_with(&reader.text()), "{name}: {reader:?}");
            assert!(reader.end.is_none() && reader.rewinds == 0, "{name}");
        }
        assert_eq!(said(turn, start), [left_alone()], "{name}");
        assert_eq!(segments(&rig, turn).await, fixture.number("segments"), "{name}: nothing is written");
        assert_eq!(server.store.turn(turn).await.unwrap().unwrap().claims, 1, "{name}: nothing is claimed");
        assert_eq!(calls(&rig).await, before, "{name}: Claude is not asked");
    }
}

on_both!(a_runner_gives_its_turn_up_to_a_later_version);
async fn a_runner_gives_its_turn_up_to_a_later_version(rig: Rig) {
    let start = logged();
    let server = rig.server(false);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let backend = server.of(user);
    let mut stream = backend.send(new_chat(session, turn, "x\n/sim tokens=3000 rate=50 vary")).await.unwrap();
    let mut reader = Reader::default();
    reader.read_more(&mut stream, |r| r.shown.len() > 50).await;
    // At whatever key is free, as any claim.
    let client = client(&rig.endpoint, "local");
    let mut seq = 0;
    loop {
        let leap = json!({
            "pk": {"S": format!("TURN#{turn}")}, "sk": {"S": format!("LOG#{seq:010}")}, "v": {"N": "2"},
            "kind": {"S": "leap"}, "ttl": {"N": "9999999999"},
        });
        let put = client.put_item().table_name(&rig.table).set_item(Some(item(&leap)));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => break,
            Err(error) => assert!(error.into_service_error().is_conditional_check_failed_exception()),
        }
        seq += 1;
    }
    let reading = async {
        while !said(turn, start).contains(&left_alone()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = reader.read(stream) => panic!("the stream has ended: {reader:?}"),
        () = reading => {}
    }
    assert_eq!(server.turns.metrics().take().fenced, 1);
    assert_eq!(segments(&rig, turn).await, seq + 1, "nothing is written behind it");
    let held = ("ERROR".to_owned(), "another version holds the turn".to_owned());
    assert_eq!(said(turn, start).iter().filter(|line| **line == held).count(), 1, "{:?}", said(turn, start));
    assert!(reader.end.is_none());
}
