use app::error::ApiError;

use super::support::*;

#[tokio::test]
async fn a_form_that_works_leads_where_the_backend_says() {
    let server = Server::start().await;
    let to = format!("/c/{}/live", session_id(1));
    server.script.lock().unwrap().leads_to = Some(to.clone());
    let form = format!("session_id={}&turn_id={}&text=hi&new=true&model=&parent_id=", session_id(1), turn_id(1));
    let res = server.form("/api/chat/send", &form, &format!("{}/", server.base)).send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "location")), (303, to.as_str()));
    assert!(!res.headers().contains_key("serverfnerror"));
    assert!(res.headers().contains_key("set-cookie"), "a new user, who must find it again");
    assert!(!res.bytes().await.unwrap().is_empty());
    assert_eq!(server.asked(), [format!("send {} 2", session_id(1))]);
}

#[tokio::test]
async fn otherwise_it_leads_back_to_its_page_and_never_to_another_site() {
    let server = Server::start().await;
    let (base, id, turn) = (server.base.clone(), session_id(1), format!("turn_id={}", turn_id(1)));
    let chat = format!("/c/{id}");
    for (from, to) in [
        (format!("{base}/"), "/"),
        (format!("{base}/c/{id}"), chat.as_str()),
        (format!("{base}/c/{id}?error=internal&via=x#top"), chat.as_str()),
        (format!("{base}/c/{id}/live"), chat.as_str()),
        (format!("{base}/jobs?page=x"), "/jobs"),
        (format!("{base}/jobs/new"), "/jobs/new"),
        (format!("{base}/jobs/elsewhere"), "/"),
        (format!("{base}/c/not-an-id"), "/"),
        (format!("{base}//evil.example"), "/"),
        (format!("{base}/\\evil.example"), "/"),
        (format!("{base}/c//evil.example"), "/"),
        (format!("{base}/api/chat/stop"), "/"),
        (format!("https://evil.example/c/{id}"), "/"),
        (format!("{base}.evil.example/c/{id}"), "/"),
        (format!("http://evil.example#{base}/c/{id}"), "/"),
        ("//evil.example".into(), "/"),
        ("javascript:alert(1)".into(), "/"),
        (String::new(), "/"),
    ] {
        let res = server.form("/api/chat/stop", &turn, &from).send().await.unwrap();
        assert_eq!((res.status().as_u16(), header(&res, "location")), (303, to), "from {from}");
    }
    server.fails(ApiError::turn_active(turn_id(2)));
    for (from, to) in [
        (format!("{base}{chat}?via=x"), format!("{chat}?error=turn_active")),
        (format!("https://evil.example{chat}"), "/?error=turn_active".to_owned()),
    ] {
        let res = server.form("/api/chat/stop", &turn, &from).send().await.unwrap();
        assert_eq!((res.status().as_u16(), header(&res, "location")), (303, to.as_str()));
        assert!(!res.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn not_even_the_backend_can_lead_elsewhere() {
    let server = Server::start().await;
    server.script.lock().unwrap().leads_to = Some("https://evil.example/".into());
    let from = format!("{}/", server.base);
    let res = server.form("/api/chat/stop", &format!("turn_id={}", turn_id(1)), &from).send().await.unwrap();
    assert_eq!(header(&res, "location"), "/");
}

#[tokio::test]
async fn a_malformed_form_leads_back_with_its_error() {
    let server = Server::start().await;
    let from = format!("{}/c/{}", server.base, session_id(1));
    for (form, code) in [("", "malformed"), ("turn_id=x", "invalid")] {
        let res = server.form("/api/chat/stop", form, &from).send().await.unwrap();
        let to = format!("/c/{}?error={code}", session_id(1));
        assert_eq!((res.status().as_u16(), header(&res, "location")), (303, to.as_str()));
    }
}

#[tokio::test]
async fn who_wants_data_gets_data() {
    let server = Server::start().await;
    let form = format!("turn_id={}", turn_id(1));
    for accept in ["*/*", "application/json", "application/json, text/html;q=0.5"] {
        let res = server.post("/api/chat/stop", &form).header("accept", accept).send().await.unwrap();
        assert_eq!((res.status().as_u16(), res.text().await.unwrap().as_str()), (200, "{}"), "{accept}");
    }
    // A person who opens it sees what a script would.
    let res = server.get("/api/models").header("accept", "text/html").send().await.unwrap();
    assert_eq!(res.status(), 200);
}

#[tokio::test]
async fn undo_is_offered_to_the_browser_that_deleted() {
    let server = Server::start().await;
    let id = session_id(1);
    server.script.lock().unwrap().deletes = Some((id, "Ünder; the <title>".into()));
    let from = format!("{}/c/{id}", server.base);
    let res = server.form("/api/sessions/delete", &format!("session_id={id}"), &from).send().await.unwrap();
    assert_eq!(header(&res, "location"), format!("/?deleted={id}"));
    let cookies: Vec<_> = res.headers().get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    let deleted = cookies.iter().find(|c| c.starts_with("outlast_deleted=")).unwrap();
    assert!(deleted.contains("Max-Age=60") && deleted.contains("HttpOnly"));
    let cookie = deleted.split(';').next().unwrap().to_owned();
    let page = |cookie: String| {
        let get = server.get(&format!("/?deleted={id}")).header("cookie", cookie);
        async { get.send().await.unwrap().text().await.unwrap() }
    };
    let html = page(cookie).await;
    assert!(html.contains("Ünder; the &lt;title&gt;") && html.contains(&id.to_string()));
    for other in [String::new(), "outlast_deleted=x".into(), format!("outlast_deleted={}.eA", session_id(2))] {
        assert!(!page(other).await.contains(&id.to_string()));
    }
}

#[tokio::test]
async fn the_theme_is_a_cookie() {
    let server = Server::start().await;
    let from = format!("{}/c/{}", server.base, session_id(1));
    for (form, cookie) in [
        ("theme=dark", "theme=dark; Max-Age=34560000; Path=/; SameSite=Lax"),
        ("theme=light", "theme=light; Max-Age=34560000; Path=/; SameSite=Lax"),
        ("theme=system", "theme=; Max-Age=0; Path=/; SameSite=Lax"),
    ] {
        let res = server.form("/theme", form, &from).send().await.unwrap();
        assert_eq!(res.status(), 303);
        assert_eq!(header(&res, "location"), format!("/c/{}", session_id(1)));
        assert!(res.headers().get_all("set-cookie").iter().any(|c| c == cookie), "{form}");
    }
    for bad in ["theme=%0d%0aset-cookie:x", "", "theme=neon"] {
        assert_eq!(server.form("/theme", bad, &from).send().await.unwrap().status(), 422);
    }
    assert_eq!(header(&server.get("/theme").send().await.unwrap(), "allow"), "POST");
}
