use app::{
    domain::{Cursor, Message, Outcome, Role, TurnEvent},
    sse::Frame,
};

use super::support::*;

async fn open(server: &Server) -> reqwest::Response {
    server.own(user(1), session_id(1), "A growing chat", Some(turn_id(1)));
    let path = format!("/c/{}/live", session_id(1));
    let res = soon(server.get(&path).header("cookie", server.cookie(user(1))).send()).await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!((header(&res, "x-accel-buffering"), header(&res, "cache-control")), ("no", "no-store"));
    assert!(header(&res, "content-security-policy").contains("script-src"));
    res
}

fn followed(server: &Server) -> Vec<String> {
    server.asked().into_iter().filter(|asked| asked.starts_with("follow")).collect()
}

fn rewind(to: Cursor) -> Frame {
    Frame::Event { cursor: Some(to), event: TurnEvent::Rewind { to } }
}

#[tokio::test]
async fn it_grows_with_the_reply_and_ends_with_the_page() {
    let server = Server::start().await;
    let stream = server.stream();
    let mut res = open(&server).await;
    let head = read_until(&mut res, "A growing chat").await;
    assert!(head.starts_with("<!DOCTYPE html>") && !head.contains("</html>"));
    stream.send(start(turn_id(1))).unwrap();
    stream.send(text(14, "First <b>.\n\nS")).unwrap();
    let first = read_until(&mut res, "First").await;
    assert!(!first.contains("<b>"), "what a model writes is not HTML: {first}");
    stream.send(Frame::Comment).unwrap();
    read_until(&mut res, "<!-- -->").await;
    stream.send(text(22, "econd.\n\nThird")).unwrap();
    read_until(&mut res, "Second").await;
    stream.send(end()).unwrap();
    let tail = read_until(&mut res, "</html>").await;
    assert!(tail.contains("Third") && tail.contains(&turn_id(1).to_string()) && !tail.contains("refresh"), "{tail}");
    assert_eq!(soon(res.chunk()).await.unwrap(), None);
    assert_eq!(followed(&server), [format!("follow {} 0", turn_id(1))]);
}

#[tokio::test]
async fn a_stream_that_closes_without_an_end_is_followed_again_from_where_it_was() {
    let server = Server::start().await;
    let (first, second, third) = (server.stream(), server.stream(), server.stream());
    let mut res = open(&server).await;
    first.send(start(turn_id(1))).unwrap();
    first.send(text(5, "One\n\n")).unwrap();
    read_until(&mut res, "One").await;
    drop(first);
    second.send(start(turn_id(1))).unwrap();
    // It takes nothing back that was shown.
    second.send(rewind(Cursor::new(1, 5))).unwrap();
    second.send(text(10, "Two\n\n")).unwrap();
    read_until(&mut res, "Two").await;
    second.send(Frame::Event { cursor: None, event: TurnEvent::Release {} }).unwrap();
    third.send(end()).unwrap();
    let tail = read_until(&mut res, "</html>").await;
    assert!(!tail.contains("One") && !tail.contains("refresh"), "{tail}");
    let turn = turn_id(1);
    assert_eq!(
        followed(&server),
        [format!("follow {turn} 0"), format!("follow {turn} 5"), format!("follow {turn} 10")]
    );
}

#[tokio::test]
async fn what_is_taken_back_makes_the_page_load_again() {
    let server = Server::start().await;
    let stream = server.stream();
    let mut res = open(&server).await;
    stream.send(text(5, "One\n\n")).unwrap();
    read_until(&mut res, "One").await;
    stream.send(rewind(Cursor::new(1, 3))).unwrap();
    let tail = read_until(&mut res, "</html>").await;
    assert!(tail.contains("http-equiv=\"refresh\" content=\"0\""), "{tail}");
    assert_eq!(soon(res.chunk()).await.unwrap(), None);
}

#[tokio::test]
async fn streams_that_bring_nothing_end_the_page_which_loads_again_later() {
    let server = Server::start().await;
    let mut res = open(&server).await;
    let page = read_until(&mut res, "</html>").await;
    assert!(page.contains("http-equiv=\"refresh\" content=\"10\""), "{page}");
    assert!(page.contains("<strong>Reconnecting.</strong>") && page.contains(">Look again</a>"), "{page}");
    assert_eq!(followed(&server).len(), 3);
}

#[tokio::test]
async fn it_shows_where_another_runner_took_over_and_not_where_it_was_handed_on() {
    let server = Server::start().await;
    let (first, second) = (server.stream(), server.stream());
    let mut res = open(&server).await;
    let by = |claim, end, text: &str| Frame::Event {
        cursor: Some(Cursor::new(claim, end)),
        event: TurnEvent::Text { text: text.into() },
    };
    first.send(by(0, 4, "One ")).unwrap();
    first.send(Frame::Event { cursor: None, event: TurnEvent::Release {} }).unwrap();
    second.send(by(1, 8, "two ")).unwrap();
    second.send(Frame::Event { cursor: Some(Cursor::new(1, 8)), event: TurnEvent::Planned {} }).unwrap();
    second.send(by(2, 14, "three ")).unwrap();
    second.send(by(3, 18, "four")).unwrap();
    second.send(end()).unwrap();
    let page = read_until(&mut res, "</html>").await;
    assert_eq!(page.matches("seam-note").count(), 1, "{page}");
    assert!(page.contains("One two three <span class=\"seam\">"), "{page}");
    assert!(page.contains("Picked up once where it left off. Nothing is missing."), "{page}");
}

#[tokio::test]
async fn with_no_turn_running_it_is_the_chat() {
    let server = Server::start().await;
    server.own(user(1), session_id(1), "Done", None);
    let path = format!("/c/{}/live", session_id(1));
    let res = server.get(&path).header("cookie", server.cookie(user(1))).send().await.unwrap();
    assert_eq!(res.status(), 303);
    assert_eq!(header(&res, "location"), format!("/c/{}", session_id(1)));
    assert!(!res.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_stored_meanwhile_is_in_the_chat() {
    let server = Server::start().await;
    let id = session_id(1);
    server.own(user(1), id, "Just done", Some(turn_id(1)));
    let answer = Message { message_id: turn_id(1).into(), parent_id: Some(question().message_id), ..question() };
    let answer =
        Message { role: Role::Assistant, turn_id: Some(turn_id(1)), outcome: Some(Outcome::Complete), ..answer };
    server.script.lock().unwrap().sessions.get_mut(&id).unwrap().1.messages.push(answer);
    let res = server.get(&format!("/c/{id}/live")).header("cookie", server.cookie(user(1))).send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "location")), (303, format!("/c/{id}").as_str()));
}

#[tokio::test]
async fn it_shows_the_newest_branch_whatever_the_address_says() {
    let server = Server::start().await;
    server.own(user(1), session_id(1), "A chat", Some(turn_id(1)));
    let path = format!("/c/{}/live?via={}&page=x", session_id(1), turn_id(2));
    server.get(&path).header("cookie", server.cookie(user(1))).send().await.unwrap();
    assert_eq!(server.asked().remove(0), format!("get {} None None", session_id(1)));
}

#[tokio::test]
async fn who_leaves_stops_following() {
    let server = Server::start().await;
    let stream = server.stream();
    let mut res = open(&server).await;
    stream.send(text(5, "One\n\n")).unwrap();
    read_until(&mut res, "One").await;
    drop(res);
    soon(stream.closed()).await;
}
