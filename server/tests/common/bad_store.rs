//! A way to DynamoDB on which calls go wrong exactly as a test says.
#![allow(dead_code, clippy::unwrap_used, reason = "shared by test binaries, each of which uses a part")]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Fine,
    /// Applied and answered, after so long.
    Slow(Duration),
    /// Refused with an error of DynamoDB's, not applied.
    Refused(u16, &'static str),
    /// A transaction that met another one on its first item, not applied.
    Conflict,
    /// The connection closes, not applied.
    Closed,
    /// Nothing is ever answered, and nothing applied.
    Silent,
    /// Applied; the answer never comes.
    Lost,
    /// The connection closes; applied all the same, right after the next read that is answered.
    Late,
}

/// Decides about a call by its operation, such as `PutItem`, and its body.
type Decide = Box<dyn FnMut(&str, &str) -> Fate + Send>;

struct Shared {
    engine: String,
    http: reqwest::Client,
    decide: Mutex<Decide>,
    late: Mutex<Vec<(HeaderMap, Bytes)>>,
}

/// It lives as long as the test's runtime.
pub(crate) struct BadStore {
    pub(crate) endpoint: String,
    shared: Arc<Shared>,
}

impl BadStore {
    /// In front of an engine; nothing goes wrong yet.
    pub(crate) async fn start(engine: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let decide: Decide = Box::new(|_, _| Fate::Fine);
        let shared =
            Arc::new(Shared { engine: engine.to_owned(), http, decide: Mutex::new(decide), late: Mutex::default() });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                    // An error is a connection that closes without an answer, as is wanted.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { endpoint, shared }
    }

    /// From now on calls go as `decide` says.
    pub(crate) fn set(&self, decide: impl FnMut(&str, &str) -> Fate + Send + 'static) {
        *self.shared.decide.lock().unwrap() = Box::new(decide);
    }

    /// Nothing gets through any more.
    pub(crate) fn go(&self) {
        self.set(|_, _| Fate::Closed);
    }

    /// All is well again.
    pub(crate) fn come_back(&self) {
        self.set(|_, _| Fate::Fine);
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    // A task of its own: what was sent is applied, even by a caller that has gone.
    tokio::spawn(async move {
        let (head, body) = request.into_parts();
        let body = to_bytes(Body::new(body), 32 << 20).await.map_err(|_| closed())?;
        let target = head.headers.get("x-amz-target").and_then(|t| t.to_str().ok()).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let fate = (shared.decide.lock().unwrap())(operation, std::str::from_utf8(&body).unwrap_or_default());
        match fate {
            Fate::Fine if operation == "GetItem" => {
                let read = shared.forward(&head.headers, body).await;
                let late = std::mem::take(&mut *shared.late.lock().unwrap());
                for (headers, body) in late {
                    shared.forward(&headers, body).await?;
                }
                read
            }
            Fate::Fine => shared.forward(&head.headers, body).await,
            Fate::Slow(time) => {
                tokio::time::sleep(time).await;
                shared.forward(&head.headers, body).await
            }
            Fate::Refused(status, kind) => Ok(refusal(status, kind, "")),
            Fate::Conflict => {
                let reasons = r#","CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]"#;
                Ok(refusal(400, "TransactionCanceledException", reasons))
            }
            Fate::Closed => Err(closed()),
            Fate::Late => {
                shared.late.lock().unwrap().push((head.headers.clone(), body));
                Err(closed())
            }
            Fate::Silent => std::future::pending().await,
            Fate::Lost => {
                shared.forward(&head.headers, body).await?;
                Err(closed())
            }
        }
    })
    .await
    .map_err(|_| closed())?
}

fn closed() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

impl Shared {
    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> io::Result<Response<Body>> {
        let mut headers = headers.clone();
        for name in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let sent = self.http.post(&self.engine).headers(headers).body(body).send().await;
        let answer = sent.map_err(|_| closed())?;
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if ![header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING].contains(name) {
                response = response.header(name, value);
            }
        }
        let body = answer.bytes().await.map_err(|_| closed())?;
        response.body(Body::from(body)).map_err(|_| closed())
    }
}

fn refusal(status: u16, kind: &str, more: &str) -> Response<Body> {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}","message":"a bad day"{more}}}"#);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
