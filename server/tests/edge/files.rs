use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::*;

#[tokio::test]
async fn hashed_files_are_precompressed_and_kept_for_ever() {
    let server = Server::start().await;
    let kinds = [("outlast.js", "text/javascript"), ("outlast.wasm", "application/wasm"), ("outlast.css", "text/css")];
    for (name, kind) in kinds {
        for (accept, encoding, body) in
            [("br, gzip", "br", "brotli"), ("gzip", "gzip", "gzip"), ("identity", "", "plain")]
        {
            let request = server.get(&format!("/pkg/0123abcd/{name}")).header("accept-encoding", accept);
            let res = request.send().await.unwrap();
            assert_eq!((res.status().as_u16(), header(&res, "content-encoding")), (200, encoding));
            assert_eq!(header(&res, "content-type"), kind);
            assert_eq!(header(&res, "cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(header(&res, "vary"), "accept-encoding");
            assert_eq!(res.text().await.unwrap(), format!("{body} {name}"));
        }
    }
}

#[tokio::test]
async fn other_public_files_are_kept_for_a_while_and_the_rest_is_not_there() {
    let server = Server::start().await;
    let res = server.get("/favicon.svg").send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "content-type")), (200, "image/svg+xml"));
    assert_eq!(header(&res, "cache-control"), "public, max-age=3600");
    for path in ["/assets.txt", "/.hidden.txt", "/pkg", "/pkg/", "/pkg/0123abcd", "/pkg/0123abcd/", "/pkg/x/outlast.js"]
    {
        let res = server.get(path).send().await.unwrap();
        assert_eq!((res.status().as_u16(), header(&res, "cache-control")), (404, "no-store"), "{path}");
        assert!(!res.text().await.unwrap().is_empty(), "{path}");
    }
    let res = server.post("/favicon.svg", "").send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "allow")), (405, "GET"));
}

#[tokio::test]
async fn no_path_leads_out_of_the_site() {
    let server = Server::start().await;
    let canary = server.site.path().parent().unwrap().join(format!("canary-{}", std::process::id()));
    std::fs::write(&canary, "canary").unwrap();
    let name = canary.file_name().unwrap().to_str().unwrap();
    let up = ["..", "%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e", ".%2e", "..%5c..", "0123abcd/../../.."];
    for path in up.iter().flat_map(|up| {
        let folders = [format!("/pkg/{up}"), format!("/pkg/{up}/.."), format!("/pkg/{up}/../.."), format!("/{up}")];
        folders.map(|f| format!("{f}/{name}"))
    }) {
        // By hand: a client would tidy the path up.
        let mut socket = TcpStream::connect(&server.host).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.host);
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(socket.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 4") && !answer.ends_with("canary"), "{path}: {answer}");
    }
    std::fs::remove_file(canary).unwrap();
}

#[tokio::test]
async fn a_second_request_may_be_answered_from_the_cache() {
    let server = Server::start().await;
    let res = server.get("/favicon.svg").send().await.unwrap();
    let since = header(&res, "last-modified").to_owned();
    let res = server.get("/favicon.svg").header("if-modified-since", since).send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "cache-control")), (304, "public, max-age=3600"));
}
