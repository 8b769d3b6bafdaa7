//! How fast one may send: by user, by address, and not with others' headers.

use server::config::Pace;

use crate::{
    jobs::job_id,
    support::{Server, header, json, session_id, turn_id, user},
};

const SEND: [&str; 3] = ["/api/chat/send", "/api/chat/retry", "/api/chat/continue"];

fn form() -> String {
    let (session, turn) = (session_id(1), turn_id(1));
    format!("session_id={session}&turn_id={turn}&message_id={turn}&text=x")
}

#[tokio::test]
async fn a_user_sends_so_many_messages_a_minute() {
    let server = Server::paced(Pace { user: Some(3), ..Pace::default() }).await;
    let send = |n, path: &'static str| server.post(path, &form()).header("cookie", server.cookie(user(n))).send();
    for path in SEND {
        assert_eq!(send(1, path).await.unwrap().status(), 200);
    }
    for path in SEND {
        let res = send(1, path).await.unwrap();
        assert_eq!(res.status(), 429);
        let wait: u64 = header(&res, "retry-after").parse().unwrap();
        assert!((1..=20).contains(&wait), "{wait}");
        let error = json(res).await;
        assert_eq!((error["code"].as_str(), error["retryable"].as_bool()), (Some("rate_limited"), Some(true)));
    }
    assert_eq!(send(2, SEND[0]).await.unwrap().status(), 200, "another user");
    // What begins nothing is not counted, and goes on.
    for _ in 0..10 {
        let list = server.get("/api/sessions/list").header("cookie", server.cookie(user(1)));
        assert_eq!(list.send().await.unwrap().status(), 200);
    }
    // A plain form comes back with the reason.
    let form = server.form(SEND[0], &form(), &server.base).header("cookie", server.cookie(user(1)));
    let res = form.send().await.unwrap();
    assert_eq!(res.status(), 303);
    let wait = header(&res, "location").strip_prefix("/?error=rate_limited&wait=").map(str::parse);
    assert!(matches!(wait, Some(Ok(1..=20_u64))), "{wait:?}");
}

/// A job begins turns too: handed in by a script or a form, or run again.
#[tokio::test]
async fn jobs_are_counted_whichever_way_they_are_handed_in() {
    let server = Server::paced(Pace { user: Some(3), ..Pace::default() }).await;
    let job = job_id(1);
    let cookie = server.cookie(user(1));
    let post = |path: &'static str| {
        let form = format!("job_id={job}&prompt=x&variants=1&model=&schema=&webhook=");
        server.post(path, &form).header("cookie", &cookie).send()
    };
    for (path, status) in [("/api/jobs/submit", 202), ("/api/jobs/retry", 200), ("/jobs", 303)] {
        assert_eq!(post(path).await.unwrap().status(), status, "{path}");
    }
    for path in ["/api/jobs/submit", "/api/jobs/retry", "/jobs"] {
        assert_eq!(post(path).await.unwrap().status(), 429, "{path}");
    }
    let html = post("/jobs").await.unwrap().text().await.unwrap();
    assert!(html.contains("Too many messages at once.") && html.contains(">\nx</textarea>"), "{html}");
}

#[tokio::test]
async fn an_address_is_the_connections_own_whatever_a_header_says() {
    let server = Server::paced(Pace { address: Some(3), ..Pace::default() }).await;
    let mut statuses = Vec::new();
    for n in 0..4 {
        let context = format!("{{\"http\":{{\"sourceIp\":\"192.0.2.{n}\"}}}}");
        let send = server.post(SEND[0], &form()).header("x-forwarded-for", format!("192.0.2.{n}"));
        let send = send.header("x-amzn-request-context", context).header("forwarded", format!("for=192.0.2.{n}"));
        statuses.push(send.send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429], "new users each, one address");
}
