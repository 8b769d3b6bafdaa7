//! A way to DynamoDB Local on which calls go wrong, as they do on a bad day.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, time::sleep};

use crate::{dice::Dice, ledger::Ledger};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    /// Refused for its rate, not applied.
    Throttled,
    /// Refused with 500, not applied.
    Broken,
    /// The connection closes, not applied.
    Refused,
    /// Applied at once; the answer is late.
    SlowAnswer,
    /// Applied late, perhaps after its caller has gone.
    SlowWrite,
    /// Applied; the answer never comes.
    Lost,
    /// The connection closes, and only then it is applied.
    Ghost,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::Fine => "store: fine",
            Self::Throttled => "store: throttled",
            Self::Broken => "store: broken (500)",
            Self::Refused => "store: refused",
            Self::SlowAnswer => "store: slow answer",
            Self::SlowWrite => "store: slow write",
            Self::Lost => "store: answer lost",
            Self::Ghost => "store: written after the caller gave up",
        }
    }
}

const FAULTS: &[(u64, Fate)] = &[
    (6, Fate::Throttled),
    (4, Fate::Broken),
    (3, Fate::Refused),
    (4, Fate::SlowAnswer),
    (4, Fate::SlowWrite),
    (6, Fate::Lost),
    (3, Fate::Ghost),
];

struct Shared {
    engine: String,
    http: reqwest::Client,
    dice: Mutex<Dice>,
    /// Per cent of calls that go wrong.
    faults: AtomicU64,
    /// Nothing gets through.
    gone: AtomicBool,
    ledger: Arc<Ledger>,
}

/// One server's way to the store.
pub(crate) struct StoreProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

impl StoreProxy {
    pub(crate) async fn start(engine: &str, dice: Dice, faults: u64, ledger: Arc<Ledger>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            engine: engine.to_owned(),
            http: reqwest::Client::new(),
            dice: Mutex::new(dice),
            faults: AtomicU64::new(faults),
            gone: AtomicBool::new(false),
            ledger,
        });
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
        Self { addr, shared }
    }

    /// By an address that is no loopback name, though it is this machine: so the server does with its clock what it
    /// does with a store elsewhere.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://0.0.0.0:{}", self.addr.port())
    }

    pub(crate) fn set_faults(&self, percent: u64) {
        self.shared.faults.store(percent, Ordering::SeqCst);
    }

    pub(crate) fn set_gone(&self, gone: bool) {
        self.shared.gone.store(gone, Ordering::SeqCst);
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    // Whatever was sent is looked at, as by a store that does not know that its caller has gone.
    tokio::spawn(async move {
        let (head, body) = request.into_parts();
        let body = to_bytes(Body::new(body), 32 << 20).await.map_err(|_| gone())?;
        shared.answer(&head.headers, body).await
    })
    .await
    .map_err(|_| gone())?
}

fn gone() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

impl Shared {
    fn fate(&self) -> (Fate, Duration) {
        let mut dice = self.dice.lock().unwrap();
        let fate = if dice.chance(self.faults.load(Ordering::SeqCst)) { dice.weighted(FAULTS) } else { Fate::Fine };
        // Mostly short; sometimes longer than a lease.
        let longest = if dice.chance(15) { 4000 } else { 400 };
        (fate, Duration::from_millis(dice.between(20, longest)))
    }

    async fn answer(&self, headers: &HeaderMap, body: Bytes) -> io::Result<Response<Body>> {
        if self.gone.load(Ordering::SeqCst) {
            self.ledger.count("store: gone");
            return Err(gone());
        }
        let (fate, wait) = self.fate();
        self.ledger.count(fate.name());
        match fate {
            Fate::Fine => self.forward(headers, body).await,
            Fate::Throttled => Ok(refusal(StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException")),
            Fate::Broken => Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError")),
            Fate::Refused => Err(gone()),
            Fate::SlowAnswer => {
                let answer = self.forward(headers, body).await;
                sleep(wait).await;
                answer
            }
            Fate::SlowWrite => {
                sleep(wait).await;
                self.forward(headers, body).await
            }
            Fate::Lost => {
                self.forward(headers, body).await?;
                Err(gone())
            }
            Fate::Ghost => {
                let forward = self.request(headers, body);
                tokio::spawn(async move {
                    sleep(wait).await;
                    let _ = forward.send().await;
                });
                Err(gone())
            }
        }
    }

    fn request(&self, headers: &HeaderMap, body: Bytes) -> reqwest::RequestBuilder {
        let mut headers = headers.clone();
        for name in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        self.http.post(&self.engine).headers(headers).body(body)
    }

    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> io::Result<Response<Body>> {
        let answer = self.request(headers, body).send().await.map_err(|_| gone())?;
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if name != header::CONTENT_LENGTH && name != header::CONNECTION && name != header::TRANSFER_ENCODING {
                response = response.header(name, value);
            }
        }
        let body = answer.bytes().await.map_err(|_| gone())?;
        response.body(Body::from(body)).map_err(|_| gone())
    }
}

fn refusal(status: StatusCode, kind: &str) -> Response<Body> {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}","message":"chaos"}}"#);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
