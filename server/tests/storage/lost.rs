//! Answers that are lost: the write was applied, its writer hears nothing, and the SDK tries again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use server::storage::{Append, Compacted, Kind, SendOutcome, Store, StoreConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::fixtures::Table;

on_both!(a_write_whose_answer_was_lost_is_applied_once);

/// A way to the engine that loses the next answer when it is told to.
async fn lossy(t: &Table) -> (Store, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let engine = t.config.endpoint.clone().unwrap().replace("http://", "");
    let lose = Arc::new(AtomicBool::new(false));
    let losing = Arc::clone(&lose);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = TcpStream::connect(&engine).await.unwrap();
            let lose = Arc::clone(&losing);
            tokio::spawn(async move {
                let (mut from, mut to) = client.into_split();
                let (mut answers, mut requests) = upstream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from, &mut requests).await });
                let mut buffer = vec![0; 65536];
                while let Ok(n @ 1..) = answers.read(&mut buffer).await {
                    if lose.swap(false, Ordering::SeqCst) || to.write_all(&buffer[..n]).await.is_err() {
                        // Dropping both halves closes the connection without a word.
                        return;
                    }
                }
            });
        }
    });
    (Store::new(StoreConfig { endpoint: Some(endpoint), ..t.config.clone() }), lose)
}

async fn a_write_whose_answer_was_lost_is_applied_once(t: &Table) {
    let (store, lose) = lossy(t).await;
    let lost = || assert!(!lose.swap(true, Ordering::SeqCst), "the last answer was not lost");

    let session = t.session(t.clock.user_id());
    lost();
    assert!(store.create_session(&session).await.unwrap());
    let tx = t.ask(&session, false, "Q");
    lost();
    assert_eq!(store.send(&tx).await.unwrap(), SendOutcome::Sent);
    let text = t.segment(Kind::Text, 0, 0, "x");
    lost();
    let met = store.append(tx.turn.id, 1, &text, t.ttl()).await.unwrap();
    assert_eq!(met, Append::Met(Box::new(text)), "by its nonce it is known");
    lost();
    assert!(store.claim(tx.turn.id, 2, &t.segment(Kind::Claim, 1, 0, ""), 1, t.ttl()).await.unwrap());
    let answer = t.answer(&tx, "A");
    lost();
    assert_eq!(store.compact(&answer).await.unwrap(), Compacted::Now);
    assert_eq!(store.day_totals(session.owner, &answer.day).await.unwrap().turns, 1);
    let now = t.clock.now();
    lost();
    let gone = store.tombstone(session.id, session.owner, now).await.unwrap();
    assert_eq!(gone.unwrap().deleted_at, Some(now));
    assert!(store.restore(session.id, session.owner, now).await.unwrap());
    assert!(!lose.load(Ordering::SeqCst));
}
