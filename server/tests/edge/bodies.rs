use server::{config::Limits, http::connection::Patience};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::*;

fn rename(title: usize) -> String {
    format!("session_id={}&title={}", session_id(1), "x".repeat(title))
}

#[tokio::test]
async fn the_longest_prompt_in_any_script_fits() {
    let server = Server::start().await;
    // 200,000 characters outside the basic plane: four bytes each, twelve once encoded.
    let text = "%F0%9F%98%80".repeat(200_000);
    let form = format!("session_id={}&turn_id={}&text={text}&new=true", session_id(1), turn_id(1));
    let res = server.post("/api/chat/send", &form).send().await.unwrap();
    assert_eq!(res.status(), 200);
    assert_eq!(server.asked(), [format!("send {} 800000", session_id(1))]);
}

#[tokio::test]
async fn one_byte_more_than_the_limit_is_413_however_it_comes() {
    let fixed = rename(0).len();
    let limits = Limits { max_body_bytes: 100_000, ..Limits::default() };
    let server = Server::with(limits, Patience::default()).await;
    let chunked = |form: String| {
        let chunks: Vec<_> = form.as_bytes().chunks(7_000).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect();
        server.post("/api/sessions/rename", "").body(reqwest::Body::wrap_stream(futures::stream::iter(chunks)))
    };
    for (length, status) in [(100_000, 200), (100_001, 413), (300_000, 413)] {
        let form = rename(length - fixed);
        for request in [server.post("/api/sessions/rename", &form), chunked(form)] {
            let res = request.send().await.unwrap();
            assert_eq!(res.status(), status, "{length}");
            let json = json(res).await;
            assert_eq!(json["code"].as_str(), (status == 413).then_some("too_large"));
        }
    }
    let form = rename(200_000);
    let res = server.form("/api/sessions/rename", &form, &format!("{}/", server.base)).send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "location")), (303, "/?error=too_large"));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_body_announced_as_far_too_large_is_not_waited_for() {
    let server = Server::start().await;
    let mut socket = TcpStream::connect(&server.host).await.unwrap();
    let head = format!(
        "POST /api/sessions/rename HTTP/1.1\r\nhost: {}\r\nexpect: 100-continue\r\ncontent-length: 4000000\r\n\r\n",
        server.host
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    soon(socket.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_nobody() {
    let server = Server::start().await;
    let mut socket = TcpStream::connect(&server.host).await.unwrap();
    let head = format!("POST /api/sessions/create HTTP/1.1\r\nhost: {}\r\ncontent-length: 10\r\n\r\nabc", server.host);
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = Vec::new();
    soon(socket.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert!(server.asked().is_empty());
}
