use super::support::*;

fn set(res: &reqwest::Response) -> Option<&str> {
    res.headers().get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).find(|v| v.starts_with("outlast_id="))
}

#[tokio::test]
async fn no_cookie_is_a_new_user_on_pages_answers_and_streams_alike() {
    let server = Server::start().await;
    let send = format!("session_id={}&turn_id={}&text=hi", session_id(1), turn_id(1));
    for request in [server.get("/"), server.get("/api/models"), server.post("/api/chat/send", &send)] {
        let res = request.send().await.unwrap();
        assert_eq!(res.status(), 200);
        let cookie = set(&res).expect("a cookie").to_owned();
        assert!(cookie.ends_with("; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    }
    let users = server.users();
    assert!(users.iter().collect::<std::collections::HashSet<_>>().len() >= 3, "each its own: {users:?}");
}

#[tokio::test]
async fn a_cookie_is_its_user_and_is_left_alone_for_a_day() {
    let server = Server::start().await;
    let cookie = server.cookie(user(1));
    let ask = || async { server.get("/api/models").header("cookie", &cookie).send().await.unwrap() };
    assert_eq!(set(&ask().await), None);
    server.clock.set_skew(86_400_000);
    let renewed = set(&ask().await).unwrap().split(';').next().unwrap().to_owned();
    assert_ne!(renewed, cookie);
    let res = server.get("/api/models").header("cookie", renewed).send().await.unwrap();
    assert_eq!(set(&res), None);
    assert_eq!(server.users(), [user(1); 3]);
}

#[tokio::test]
async fn a_bad_cookie_is_a_new_user() {
    let server = Server::start().await;
    let forged = server.cookie(user(1)).replace(&user(1).to_string(), &user(2).to_string());
    for bad in [forged.as_str(), "outlast_id=", "outlast_id=x.y.z"] {
        let res = server.get("/api/models").header("cookie", bad).send().await.unwrap();
        assert!(set(&res).is_some(), "{bad}");
    }
    assert!(server.users().iter().all(|u| ![user(1), user(2)].contains(u)));
}

#[tokio::test]
async fn away_from_loopback_it_is_for_https_alone() {
    let server = Server::start().await;
    let res = server.get("/").header("host", "outlast.example").send().await.unwrap();
    assert!(set(&res).unwrap().ends_with("; SameSite=Lax; Secure"));
}

#[tokio::test]
async fn health_and_files_know_nobody() {
    let server = Server::start().await;
    for path in ["/healthz", "/favicon.svg", "/pkg/0123abcd/outlast.js"] {
        let res = server.get(path).send().await.unwrap();
        assert_eq!((res.status().as_u16(), set(&res)), (200, None), "{path}");
    }
    assert_eq!(server.get("/healthz").send().await.unwrap().text().await.unwrap(), "ok");
    assert!(server.asked().is_empty(), "and ask nothing");
}
