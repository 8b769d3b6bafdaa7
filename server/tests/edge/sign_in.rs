//! The access code: who is let past it, what a cookie carries, and what nobody learns by trying.

use app::api::ENDPOINTS;
use server::auth::{
    door::Door,
    password::{Hashed, generate},
};

use crate::support::{Server, header, json, session_id};

/// A server behind a code, and the code.
async fn guarded() -> (Server, String) {
    let (code, hash) = generate().unwrap();
    (Server::guarded(Door::new(Hashed::parse(&hash), None)).await, code)
}

/// `name=value` of the cookie that an answer sets.
fn cookie(res: &reqwest::Response) -> Option<String> {
    let set = res.headers().get_all("set-cookie").into_iter().find_map(|c| c.to_str().ok());
    set.filter(|c| c.starts_with("outlast_id=")).map(|c| c.split(';').next().unwrap().to_owned())
}

/// Signs in by form, with a cookie or without.
async fn sign_in(server: &Server, secret: &str, cookie: Option<&str>, next: &str) -> reqwest::Response {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("secret", secret)
        .append_pair("next", next)
        .finish();
    let mut form = server.form("/sign-in", &body, &format!("{}/sign-in", server.base));
    if let Some(cookie) = cookie {
        form = form.header("cookie", cookie);
    }
    form.send().await.unwrap()
}

#[tokio::test]
async fn nothing_is_to_be_had_without_the_code() {
    let (server, _) = guarded().await;
    let id = session_id(1);
    for (method, path) in ENDPOINTS {
        let req = server.client.request(method.parse().unwrap(), format!("{}{path}", server.base));
        let res = req.send().await.unwrap();
        assert_eq!(res.status(), 401, "{path}");
        assert_eq!(cookie(&res), None, "nobody is made somebody by knocking: {path}");
        assert_eq!(json(res).await["code"], "unauthorized", "{path}");
    }
    assert_eq!(server.get("/api/no-such").send().await.unwrap().status(), 401);
    for path in ["/", &format!("/c/{id}"), &format!("/c/{id}/live"), "/admin", "/no-such", "/c/x?via=y&z=1"] {
        let res = server.get(path).header("accept", "text/html").send().await.unwrap();
        assert_eq!(res.status(), 303, "{path}");
        assert_eq!(cookie(&res), None, "{path}");
        let to = url(&server, header(&res, "location"));
        assert_eq!(to.path(), "/sign-in");
        let next = to.query_pairs().find(|(n, _)| n == "next").map(|(_, v)| v.into_owned());
        assert_eq!(next.as_deref().unwrap_or("/"), path, "one comes back to where one wanted to go");
    }
    let theme = server.form("/theme", "theme=dark", &server.base).send().await.unwrap();
    assert_eq!((theme.status().as_u16(), header(&theme, "location")), (303, "/sign-in"));
    let form = server.form("/api/sessions/create", "", &server.base).send().await.unwrap();
    assert_eq!((form.status().as_u16(), header(&form, "location")), (303, "/sign-in"));
    assert!(server.asked().is_empty(), "the backend never heard of any of it");
    // What gives nothing away stays open.
    for path in ["/healthz", "/favicon.svg", "/pkg/0123abcd/outlast.css", "/sign-in"] {
        assert_eq!(server.get(path).send().await.unwrap().status(), 200, "{path}");
    }
}

/// The sign-in page with a way on.
async fn shown(server: &Server, next: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    server.get(&format!("/sign-in?{query}")).send().await.unwrap().text().await.unwrap()
}

fn url(server: &Server, location: &str) -> reqwest::Url {
    reqwest::Url::parse(&server.base).unwrap().join(location).unwrap()
}

#[tokio::test]
async fn the_code_lets_in_and_the_cookie_stays_who_it_is() {
    let (server, code) = guarded().await;
    let res = sign_in(&server, &format!(" {code}\n"), None, "/c/x?via=y").await;
    assert_eq!((res.status().as_u16(), header(&res, "location")), (303, "/c/x?via=y"));
    let set = header(&res, "set-cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    let mine = cookie(&res).unwrap();
    for _ in 0..2 {
        let list = server.get("/api/sessions/list").header("cookie", &mine).send().await.unwrap();
        assert_eq!(list.status(), 200);
        assert_eq!(cookie(&list), None);
    }
    // Signed in again, and a day later: the same user, still let in.
    let again = cookie(&sign_in(&server, &code, Some(&mine), "").await).unwrap();
    server.clock.set_skew(86_400_000);
    let list = server.get("/api/sessions/list").header("cookie", &again).send().await.unwrap();
    let renewed = cookie(&list).unwrap();
    assert_ne!(renewed, again);
    assert_eq!(server.get("/api/sessions/list").header("cookie", &renewed).send().await.unwrap().status(), 200);
    let users = server.users();
    assert!(users.len() >= 4 && users.iter().all(|u| *u == users[0]), "{users:?}");
    // Scripts get JSON.
    let res = server.post("/sign-in", &format!("secret={code}")).send().await.unwrap();
    assert_eq!((res.status().as_u16(), cookie(&res).is_some()), (200, true));
}

#[tokio::test]
async fn a_cookie_planted_before_the_sign_in_is_worth_nothing_after_it() {
    let (server, code) = guarded().await;
    // Well signed: had while access was open, or by whoever plants it.
    let planted = server.cookie(crate::support::user(7));
    let list = |cookie: String| server.get("/api/sessions/list").header("cookie", cookie).send();
    assert_eq!(list(planted.clone()).await.unwrap().status(), 401);
    let mine = cookie(&sign_in(&server, &code, Some(&planted), "").await).unwrap();
    assert_eq!(list(planted.clone()).await.unwrap().status(), 401, "being let in is the new cookie's alone");
    assert_eq!(list(mine).await.unwrap().status(), 200);
    assert_ne!(server.users(), [crate::support::user(7)], "nor is the user one that somebody else has a cookie of");
    // A mark cannot be glued on.
    let mark = cookie(&sign_in(&server, &code, None, "").await).unwrap();
    let mark = mark.split('.').nth(2).unwrap();
    let (signed, mac) = planted.rsplit_once('.').unwrap();
    assert_eq!(list(format!("{signed}.{mark}.{mac}")).await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_new_code_lets_nobody_in_who_has_only_the_old_one() {
    let (old, code) = guarded().await;
    let mine = cookie(&sign_in(&old, &code, None, "").await).unwrap();
    let (new, new_code) = guarded().await;
    let list = |cookie: String| new.get("/api/sessions/list").header("cookie", cookie).send();
    assert_eq!(list(mine.clone()).await.unwrap().status(), 401);
    assert_eq!(sign_in(&new, &code, Some(&mine), "").await.status(), 401);
    // With the new one, who was let in before is who they were: their chats are still theirs.
    let renewed = cookie(&sign_in(&new, &new_code, Some(&mine), "").await).unwrap();
    assert_eq!(list(renewed.clone()).await.unwrap().status(), 200);
    let user = |cookie: &str| cookie.split('.').next().unwrap().to_owned();
    assert_eq!(user(&renewed), user(&mine));
}

#[tokio::test]
async fn wrong_tries_are_told_apart_by_nothing_and_are_limited() {
    let (server, code) = guarded().await;
    let mut pages = Vec::new();
    for wrong in ["", "x", &code[1..], &code.to_uppercase(), &"y".repeat(2000)] {
        let res = sign_in(&server, wrong, None, "//evil.example").await;
        assert_eq!((res.status().as_u16(), cookie(&res)), (401, None));
        pages.push(res.text().await.unwrap());
    }
    assert!(pages.iter().all(|p| *p == pages[0]));
    assert!(pages[0].contains("That did not open") && !pages[0].contains("evil"), "{}", pages[0]);
    let mut last = sign_in(&server, "x", None, "").await;
    for _ in 0..10 {
        last = sign_in(&server, "x", None, "").await;
    }
    assert_eq!(last.status(), 429);
    assert!(header(&last, "retry-after").parse::<u64>().unwrap() > 0);
    assert!(last.text().await.unwrap().contains("Too many tries"));
    let script = server.post("/sign-in", "secret=x").send().await.unwrap();
    assert_eq!(json(script).await["code"], "rate_limited");
}

#[tokio::test]
async fn a_sign_in_leads_to_this_sites_pages_only() {
    let (server, code) = guarded().await;
    for bad in
        ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/api/models", "/\t/e"]
    {
        let res = sign_in(&server, &code, None, bad).await;
        assert_eq!((res.status().as_u16(), header(&res, "location")), (303, "/"), "{bad}");
        let page = shown(&server, bad).await;
        assert!(!page.contains("name=\"next\""), "{bad}");
    }
    let page = shown(&server, "/c/a\"><b>&c").await;
    assert!(page.contains("value=\"/c/a&quot;&gt;&lt;b&gt;&amp;c\""), "{page}");
}

#[tokio::test]
async fn another_site_cannot_sign_anybody_in_nor_frame_the_page() {
    let (server, code) = guarded().await;
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let res = server.post("/sign-in", &format!("secret={code}")).header(name, value).send().await.unwrap();
        assert_eq!((res.status().as_u16(), cookie(&res)), (403, None), "{name}: {value}");
    }
    let page = server.get("/sign-in").send().await.unwrap();
    assert!(header(&page, "content-security-policy").contains("frame-ancestors 'none'"));
    assert!(header(&page, "content-security-policy").contains("form-action 'self'"));
    assert_eq!(header(&page, "cache-control"), "no-store");
    assert!(!page.text().await.unwrap().contains("<script"));
}

#[tokio::test]
async fn a_cookie_is_for_https_wherever_that_is_not_this_machine() {
    let (server, code) = guarded().await;
    let res = server.post("/sign-in", &format!("secret={code}")).header("host", "chat.example").send().await.unwrap();
    assert!(header(&res, "set-cookie").contains("; Secure"), "{}", header(&res, "set-cookie"));
}

#[tokio::test]
async fn where_access_is_open_there_is_nothing_to_sign_in_to() {
    let server = Server::start().await;
    assert_eq!(server.get("/sign-in").send().await.unwrap().status(), 404);
    assert_eq!(server.post("/sign-in", "secret=").send().await.unwrap().status(), 401);
    assert_eq!(server.get("/").send().await.unwrap().status(), 200);
}
