use app::error::ApiError;

use super::support::*;

#[tokio::test]
async fn a_chat_is_its_owners() {
    let server = Server::start().await;
    let id = session_id(1);
    server.own(user(1), id, "A chat of my own", None);
    let get = |path: String, cookie: String| {
        let request = server.get(&path).header("cookie", cookie);
        async {
            let res = request.send().await.unwrap();
            assert_eq!(header(&res, "content-type"), "text/html; charset=utf-8");
            (res.status().as_u16(), res.text().await.unwrap())
        }
    };
    let (status, html) = get(format!("/c/{id}"), server.cookie(user(1))).await;
    assert!(status == 200 && html.starts_with("<!DOCTYPE html>") && html.contains("A chat of my own"), "{html}");
    for (path, cookie) in [
        (format!("/c/{id}"), server.cookie(user(2))),
        (format!("/c/{id}"), String::new()),
        (format!("/c/{id}/live"), server.cookie(user(2))),
        (format!("/c/{}", session_id(2)), server.cookie(user(1))),
        ("/c/nonsense".into(), server.cookie(user(1))),
        (format!("/c/{id}?via=nonsense"), server.cookie(user(2))),
        (format!("/c/{id}/else"), server.cookie(user(2))),
        ("/nothing".into(), server.cookie(user(2))),
    ] {
        let own = cookie.contains(&user(1).to_string());
        let (status, html) = get(path.clone(), cookie).await;
        // Their own list of chats a person sees here too.
        assert!(status == 404 && html.contains("A chat of my own") == own, "{path}");
    }
    let (_, html) = get("/".into(), server.cookie(user(1))).await;
    assert!(html.contains("A chat of my own"), "it is in the sidebar");
}

#[tokio::test]
async fn a_new_user_costs_no_look_into_the_store() {
    let server = Server::start().await;
    for path in ["/".to_owned(), format!("/c/{}", session_id(1)), "/nothing".to_owned()] {
        server.get(&path).send().await.unwrap();
        assert_eq!(server.asked(), ["models"], "{path}");
    }
}

#[tokio::test]
async fn the_address_chooses_branch_and_page() {
    let server = Server::start().await;
    let (id, via) = (session_id(1), turn_id(1));
    let path = format!("/c/{id}?via={via}&page=a%20b");
    server.get(&path).header("cookie", server.cookie(user(1))).send().await.unwrap();
    let asked = server.asked().remove(0);
    assert!(asked.starts_with(&format!("get {id} Some(\"a b\") Some(")) && asked.contains("MessageId"), "{asked}");
}

#[tokio::test]
async fn without_the_list_the_page_still_comes() {
    let server = Server::start().await;
    server.fails(ApiError::unavailable());
    let res = server.get("/").header("cookie", server.cookie(user(1))).send().await.unwrap();
    assert_eq!(res.status(), 503);
    let html = res.text().await.unwrap();
    assert!(html.contains("id=\"page-data\"") && html.contains("\"error\":\"unavailable\""));
}

#[tokio::test]
async fn pages_are_read_with_get_and_head() {
    let server = Server::start().await;
    let head = server.client.head(format!("{}/", server.base)).send().await.unwrap();
    assert_eq!(head.status(), 200);
    for path in ["/", "/c/x", "/c/x/live", "/healthz"] {
        let res = server.post(path, "").send().await.unwrap();
        assert_eq!((res.status().as_u16(), header(&res, "allow")), (405, "GET"), "{path}");
        assert_eq!(json(res).await["code"], "method_not_allowed");
    }
}
