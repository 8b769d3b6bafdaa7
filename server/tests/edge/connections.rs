use std::{sync::atomic::Ordering, time::Duration};

use server::{config::Limits, http::connection::Patience};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::*;

#[tokio::test]
async fn half_a_head_does_not_hold_a_connection_open() {
    let patience = Patience { head: Duration::from_millis(50), ..Patience::default() };
    let server = Server::with(Limits::default(), patience).await;
    let mut socket = TcpStream::connect(&server.host).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    let mut rest = Vec::new();
    soon(socket.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"));
}

#[tokio::test]
async fn a_head_beyond_all_measure_is_refused() {
    let server = Server::start().await;
    let res = server.get("/").header("x-long", "x".repeat(1 << 20)).send().await.unwrap();
    assert_eq!(res.status(), 431);
}

#[tokio::test]
async fn a_stream_may_end_after_the_shutdown_began_and_nothing_new_begins() {
    let mut server = Server::start().await;
    let stream = server.stream();
    let mut res = server.get(&format!("/api/chat/follow?turn_id={}", turn_id(1))).send().await.unwrap();
    let mut idle = TcpStream::connect(&server.host).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok") {
        soon(idle.read_buf(&mut answer)).await.unwrap();
    }
    server.stop.take().unwrap().send(()).unwrap();
    // The idle connection closes, and with it the last sign that somebody listens.
    soon(idle.read_to_end(&mut Vec::new())).await.unwrap();
    assert!(TcpStream::connect(&server.host).await.is_err());
    stream.send(text(4, "last")).unwrap();
    read_until(&mut res, "last").await;
    drop(stream);
    assert_eq!(soon(res.chunk()).await.unwrap(), None);
    soon(server.ended).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_cut_after_the_grace() {
    let patience = Patience { grace: Duration::from_millis(50), ..Patience::default() };
    let mut server = Server::with(Limits::default(), patience).await;
    let stream = server.stream();
    let mut res = server.get(&format!("/api/chat/follow?turn_id={}", turn_id(1))).send().await.unwrap();
    server.stop.take().unwrap().send(()).unwrap();
    soon(&mut server.ended).await.unwrap();
    soon(stream.closed()).await;
    assert!(soon(res.chunk()).await.is_err());
}

/// What is done at the end of a request is done when a stream's client leaves, too.
#[tokio::test]
async fn a_stream_whose_client_leaves_has_ended() {
    let server = Server::start().await;
    let stream = server.stream();
    let mut res = server.get(&format!("/api/chat/follow?turn_id={}", turn_id(1))).send().await.unwrap();
    stream.send(text(4, "here")).unwrap();
    read_until(&mut res, "here").await;
    assert_eq!(server.requests.load(Ordering::SeqCst), 0, "it goes on");
    drop(res);
    soon(async {
        while server.requests.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
