//! Faults of the store in mid-reply: time is all they may cost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use app::{
    domain::{Outcome, SessionId, TurnId},
    sse::EventStream,
};
use server::{
    storage::{Store, StoreConfig},
    turn::{TurnConfig, metrics::Counted},
};

use crate::{
    bad_store::{BadStore, Fate},
    rig::{Reader, Rig, Server, config, new_chat, splice},
};

/// As the runner has it: past so many unwritten bytes nothing more is read from Claude.
const UNWRITTEN: usize = 256 * 1024;

/// A server whose way to DynamoDB Local goes wrong when it is told to. Nobody else is there to take its turns.
async fn badly_stored(rig: &Rig) -> (BadStore, Server) {
    let bad = BadStore::start(&rig.endpoint).await;
    let store = Store::new(StoreConfig { endpoint: Some(bad.endpoint.clone()), ..rig.store_config() });
    let patient = TurnConfig { lease: Duration::from_secs(60), ..config(false) };
    let server = rig.server_on(store, patient);
    (bad, server)
}

/// What the simulator says of the calls with a script: how each ended.
async fn calls(rig: &Rig, script: &str) -> Vec<String> {
    let text = reqwest::get(format!("{}/sim/calls", rig.simulator)).await.unwrap().text().await.unwrap();
    let calls: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let of = calls.iter().filter(|call| call["script"] == script);
    of.map(|call| call["end"].as_str().unwrap().to_owned()).collect()
}

/// That the reply is whole, one call made it, nothing was taken back, and what was shown is stored.
async fn whole(rig: &Rig, server: &Server, reader: &Reader, session: SessionId, script: &str, words: usize) -> Counted {
    assert_eq!(reader.outcome(), Outcome::Complete, "{script}");
    assert_eq!((splice(&reader.text(), words), reader.rewinds), (1, 0), "{script}");
    assert_eq!(calls(rig, script).await, ["complete"], "{script}: Claude was asked once");
    let counted = server.turns.metrics().take();
    assert_eq!((counted.takeovers, counted.fenced), (0, 0), "{script}");
    // Past the bad way: what stands in the table.
    let elsewhere = rig.server(false).of(owner(rig, session).await);
    let page = elsewhere.get_session(session, None, None).await.unwrap();
    assert_eq!((page.messages.len(), page.active_turn), (2, None), "{script}");
    assert_eq!(page.messages[1].text, reader.text(), "{script}");
    counted
}

async fn owner(rig: &Rig, session: SessionId) -> app::domain::UserId {
    rig.server(false).store.session(session).await.unwrap().unwrap().owner
}

/// Sends, until the send is taken: the same one again is the same send.
async fn send(server: &Server, user: app::domain::UserId, session: SessionId, turn: TurnId, text: &str) -> EventStream {
    loop {
        match server.of(user).send(new_chat(session, turn, text)).await {
            Ok(stream) => return stream,
            Err(error) => assert!(error.retryable, "{error:?}"),
        }
    }
}

/// What goes wrong, on which operation, and in which of its calls.
type Row = (&'static str, &'static str, Fate, fn(u64) -> bool);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_calls_go_wrong_the_reply_is_whole() {
    const THROTTLED: Fate = Fate::Refused(400, "ProvisionedThroughputExceededException");
    const BROKEN: Fate = Fate::Refused(500, "InternalServerError");
    const MET: Fate = Fate::Refused(400, "TransactionConflictException");
    let rig = Rig::dynamodb_local().await;
    let rows: &[Row] = &[
        ("throttled", "PutItem", THROTTLED, |n| (2..10).contains(&n)),
        ("throttled reads", "GetItem", THROTTLED, |n| n % 2 == 0),
        ("broken", "PutItem", BROKEN, |n| (2..10).contains(&n)),
        ("closed", "PutItem", Fate::Closed, |n| (2..10).contains(&n)),
        ("a put that met a transaction", "PutItem", MET, |n| (2..30).contains(&n)),
        ("every other answer lost", "PutItem", Fate::Lost, |n| n % 2 == 1),
        ("no answer in time", "PutItem", Fate::Silent, |n| n == 3),
        ("transactions that meet others", "TransactWriteItems", Fate::Conflict, |n| n % 4 != 3),
        ("transactions throttled", "TransactWriteItems", THROTTLED, |n| n % 5 != 4),
        ("transactions whose answers are lost", "TransactWriteItems", Fate::Lost, |n| n % 2 == 0),
        ("transactions whose answers are all lost, but for the last attempt", "TransactWriteItems", Fate::Lost, |n| {
            n % 3 != 2
        }),
    ];
    for (number, (name, operation, fate, when)) in rows.iter().enumerate() {
        let (bad, server) = badly_stored(&rig).await;
        let hits = Arc::new(AtomicU64::new(0));
        let (seen, hit, operation, fate, when) = (AtomicU64::new(0), Arc::clone(&hits), *operation, *fate, *when);
        bad.set(move |called, _| {
            if called == operation && when(seen.fetch_add(1, Ordering::SeqCst)) {
                hit.fetch_add(1, Ordering::SeqCst);
                return fate;
            }
            Fate::Fine
        });
        let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
        let script = format!("vary tokens=60 rate=100 seed={number}");
        let mut reader = Reader::default();
        reader.read(send(&server, user, session, turn, &format!("q\n/sim {script}")).await).await;
        reader.follow(&server.of(user), turn).await;
        assert!(hits.load(Ordering::SeqCst) > 0, "{name}: nothing went wrong");
        println!("{name}: {} calls went wrong", hits.load(Ordering::SeqCst));
        whole(&rig, &server, &reader, session, &script, 60).await;
    }
}

/// A send whose write comes after its answer was given up: found standing by who sent it, it is run by them at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_comes_late_is_still_ones_own() {
    let rig = Rig::dynamodb_local().await;
    let (bad, server) = badly_stored(&rig).await;
    let (user, session) = (rig.user(), rig.session());
    let mut first = Reader::default();
    let stream = send(&server, user, session, rig.turn(), "q\n/sim tokens=3 rate=0").await;
    first.read(stream).await;
    let sent = AtomicU64::new(0);
    bad.set(move |called, _| match called {
        // The first attempt's; the others, of the SDK and of ours, get nowhere till that one stands.
        "TransactWriteItems" => match sent.fetch_add(1, Ordering::SeqCst) {
            0 => Fate::Late,
            1..6 => Fate::Closed,
            _ => Fate::Fine,
        },
        _ => Fate::Fine,
    });
    let turn = rig.turn();
    let mut reader = Reader::default();
    let script = "vary tokens=30 rate=0 seed=9";
    let again = crate::rig::request(session, turn, &format!("again\n/sim {script}"));
    reader.read(server.of(user).send(again).await.unwrap()).await;
    assert_eq!((reader.outcome(), splice(&reader.text(), 30)), (Outcome::Complete, 1));
    let counted = server.turns.metrics().take();
    assert_eq!((counted.takeovers, calls(&rig, script).await.len()), (0, 1));
}

/// The table is gone for a while: what comes is shown, and written once it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_goes_on_while_the_store_is_gone() {
    let rig = Rig::dynamodb_local().await;
    let (bad, server) = badly_stored(&rig).await;
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let script = "vary tokens=300 rate=60";
    let mut reader = Reader::default();
    let mut stream = send(&server, user, session, turn, &format!("q\n/sim {script}")).await;
    reader.read_more(&mut stream, |r| r.shown.len() > 100).await;
    bad.go();
    let shown = reader.shown.len();
    reader.read_more(&mut stream, |r| r.waited).await;
    assert!(reader.shown.len() > shown, "what comes is shown");
    assert!(reader.end.is_none());
    bad.come_back();
    reader.read_more(&mut stream, |r| !r.waiting).await;
    reader.read(stream).await;
    let counted = whole(&rig, &server, &reader, session, script, 300).await;
    assert!(counted.append_faults > 0, "{counted:?}");
}

/// A store that is slower than the flushes gets fewer and larger ones, one after the other; the reader does not wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_store_is_not_given_more_than_it_can_take() {
    const PUT: Duration = Duration::from_millis(300);
    let rig = Rig::dynamodb_local().await;
    let (bad, server) = badly_stored(&rig).await;
    assert!(config(false).flush < PUT / 3);
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let script = "vary tokens=120 rate=40";
    let mut stream = send(&server, user, session, turn, &format!("q\n/sim {script}")).await;
    bad.set(|operation, _| if operation == "PutItem" { Fate::Slow(PUT) } else { Fate::Fine });
    let since = tokio::time::Instant::now();
    let mut reader = Reader::default();
    let steps = std::cell::Cell::new(0_u32);
    let step = |r: &Reader| {
        steps.set(steps.get() + u32::from(!r.shown.is_empty()));
        r.end.is_some()
    };
    reader.read_more(&mut stream, step).await;
    let took = since.elapsed();
    bad.come_back();
    let counted = whole(&rig, &server, &reader, session, script, 120).await;
    let puts = u32::try_from(counted.appends).unwrap();
    // The first may have been on its way before the store got slow.
    assert!(PUT * (puts - 1) <= took, "{puts} puts in {took:?}: never two at once");
    let steps = steps.get();
    assert!(steps > 3 * puts, "{steps} pieces were shown, {puts} written");
}

/// Past the bound nothing more is read from Claude, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_is_bounded() {
    const WORDS: usize = 80_000;
    let mut rig = Rig::dynamodb_local().await;
    rig.max_tokens = 100_000;
    let (bad, server) = badly_stored(&rig).await;
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    // Everything but the send fails, from the first segment on.
    bad.set(|operation, _| if operation == "PutItem" { Fate::Closed } else { Fate::Fine });
    let script = format!("vary tokens={WORDS} rate=0");
    let mut reader = Reader::default();
    let mut stream = send(&server, user, session, turn, &format!("q\n/sim {script}")).await;
    reader.read_more(&mut stream, |r| r.waited && r.shown.len() >= UNWRITTEN).await;
    // It is given the time of some more attempts to read on, had it a mind to.
    server.turns.metrics().take();
    let mut faults = 0;
    while faults < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        faults += server.turns.metrics().take().append_faults;
    }
    let live = server.turns.hub().get(turn).unwrap();
    let held = live.state().content.len() as usize;
    assert!((UNWRITTEN..UNWRITTEN + 16 * 1024).contains(&held), "{held} bytes are held");
    // Whether Claude still speaks is the network's affair: its buffers may hold all that is left.
    assert!(held < WORDS * 8, "there is more to come");
    bad.come_back();
    reader.read(stream).await;
    whole(&rig, &server, &reader, session, &script, WORDS).await;
}

/// A stop while the store is down: the connection to Claude closes at once, and the turn ends when the store returns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_the_store_is_gone_closes_the_connection_at_once() {
    let rig = Rig::dynamodb_local().await;
    let (bad, server) = badly_stored(&rig).await;
    let (user, session, turn) = (rig.user(), rig.session(), rig.turn());
    let script = "vary tokens=3000 rate=60";
    let mut reader = Reader::default();
    let mut stream = send(&server, user, session, turn, &format!("q\n/sim {script}")).await;
    reader.read_more(&mut stream, |r| r.shown.len() > 100).await;
    bad.go();
    let stopping = server.of(user);
    let pressed = tokio::time::Instant::now();
    let stop = tokio::spawn(async move { stopping.stop(turn).await });
    while calls(&rig, script).await != ["left"] {
        assert!(pressed.elapsed() < Duration::from_secs(1), "Claude is still heard");
    }
    // The store is still gone, and who pressed stop is told so.
    assert!(stop.await.unwrap().unwrap_err().retryable);
    assert!(reader.end.is_none());
    bad.come_back();
    reader.read(stream).await;
    assert_eq!((reader.outcome(), reader.rewinds), (Outcome::Stopped, 0));
    assert_eq!(calls(&rig, script).await, ["left"], "nobody is asked any more");
    let page = rig.server(false).of(user).get_session(session, None, None).await.unwrap();
    assert_eq!(page.messages[1].text, reader.text());
    let words = reader.text().split_whitespace().count();
    splice(&reader.text(), words);
}
