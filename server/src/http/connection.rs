//! Connections: accepted, served over HTTP/1.1, and let end.
//!
//! `axum::serve` sets no timer, so that a client could hold a connection open by sending half a header.

use std::{io, time::Duration};

use axum::{Router, http::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tower::ServiceExt;

use super::address::Peer;

/// How long is waited for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a request's head; an idle connection is closed after as long.
    pub head: Duration,
    /// After the shutdown began, for what is being answered.
    pub grace: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(60), grace: Duration::from_secs(10) }
    }
}

/// Bounds a request's head, and what is read ahead of a body.
const BUFFER: usize = 64 << 10;
/// After a failed accept that is not the client's doing (no file descriptors left, mostly).
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is done. Then nothing more is accepted, idle connections close, and what is being answered
/// has `patience.grace` to end.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>, patience: Patience) {
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            // Only so that those that ended are let go of.
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, Peer(peer), router.clone(), stopped.clone(), patience.head));
                }
                Err(error) if clients_own(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let _ = stop.send(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience.grace, all_ended).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were cut at the end");
    }
}

async fn connection(stream: TcpStream, peer: Peer, router: Router, mut stopped: watch::Receiver<bool>, head: Duration) {
    // A token is a small packet: none is to wait for another.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(BUFFER);
    let service = router.map_request(move |mut req: Request<Incoming>| {
        req.extensions_mut().insert(peer);
        req
    });
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn clients_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
