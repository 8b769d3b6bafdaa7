//! The client: one attempt at a time, over connections that are kept open.

use std::{
    error::Error as _,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::{Instant, timeout};

use super::{
    fault::{Fault, FaultKind},
    models::{Model, Page},
    request::Request,
    stream::Reply,
};

/// The version of the API that is spoken: <https://platform.claude.com/docs/en/api/versioning>.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for what is not a reply: the list of models, an error's body.
const ASIDE: Duration = Duration::from_secs(10);
/// An error's body is read up to here.
const LONGEST_ERROR: usize = 64 * 1024;
/// For so long an unused connection is taken to be still open.
const WARM: Duration = Duration::from_secs(30);
/// Pages of the list of models that are read at most; one holds 1,000.
const MODEL_PAGES: usize = 10;

/// Where Claude is and how to speak to it.
#[derive(Clone)]
pub struct Config {
    /// Without a path, like `https://api.anthropic.com`.
    pub base_url: String,
    pub api_key: Option<String>,
    /// Content has to come within this time, from the request to the first and from each to the next.
    pub stall: Duration,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key never reaches a log, not even by accident.
        let key = self.api_key.as_ref().map(|_| "…");
        f.debug_struct("Config")
            .field("base_url", &self.base_url)
            .field("api_key", &key)
            .field("stall", &self.stall)
            .finish()
    }
}

/// The client. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Claude {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    /// Built when first used: it reads the system's certificates, which a process that only serves a page at
    /// start-up need not wait for.
    http: OnceLock<Result<reqwest::Client, String>>,
    last_used: Mutex<Option<Instant>>,
}

impl Claude {
    #[must_use]
    pub fn new(mut config: Config) -> Self {
        let trimmed = config.base_url.trim_end_matches('/').len();
        config.base_url.truncate(trimmed);
        Self { inner: Arc::new(Inner { config, http: OnceLock::new(), last_used: Mutex::new(None) }) }
    }

    /// Asks for a reply: one attempt, which the caller repeats if it likes. Resolves when the stream begins.
    ///
    /// # Errors
    /// A refusal by the API, no connection, a broken one, or no answer within the stall time.
    pub async fn stream(&self, request: &Request) -> Result<Reply, Fault> {
        let stall = self.inner.config.stall;
        let body = serde_json::to_vec(request).map_err(|error| Fault::new(FaultKind::Invalid, error.to_string()))?;
        let post = self
            .http()?
            .post(self.url("/v1/messages"))
            .headers(self.headers())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(body);
        let response = match timeout(stall, post.send()).await {
            Ok(response) => response.map_err(|error| transport(&error))?,
            Err(_) => return Err(Fault::new(FaultKind::Stalled, format!("no answer for {stall:?}"))),
        };
        self.used();
        let response = accepted(response).await?;
        let kind = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if !kind.starts_with(b"text/event-stream") {
            return Err(Fault::new(FaultKind::Protocol, "the answer is not an event stream"));
        }
        Ok(Reply::new(response, stall))
    }

    /// The models that the key may use, newest first, as the API lists them.
    ///
    /// # Errors
    /// As [`Claude::stream`].
    pub async fn models(&self) -> Result<Vec<Model>, Fault> {
        let mut models = Vec::new();
        let mut query = "?limit=1000".to_owned();
        for _ in 0..MODEL_PAGES {
            let get = self.http()?.get(self.url("/v1/models") + &query).headers(self.headers()).timeout(ASIDE);
            let response = accepted(get.send().await.map_err(|error| transport(&error))?).await?;
            self.used();
            let body = response.bytes().await.map_err(|error| transport(&error))?;
            let page: Page = serde_json::from_slice(&body)
                .map_err(|_| Fault::new(FaultKind::Protocol, "the list of models cannot be read"))?;
            let next = page.next();
            models.extend(page.into_models());
            match next {
                // An id may be anything; only what needs no escaping is followed.
                Some(id) if id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) => {
                    query = format!("?limit=1000&after_id={id}");
                }
                _ => break,
            }
        }
        Ok(models)
    }

    /// Opens a connection unless one was used a moment ago, so that a reply that is about to be asked for need
    /// not wait for it. Best effort.
    pub async fn connect(&self) {
        let warm = |at: &Instant| at.elapsed() < WARM;
        if self.inner.last_used.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(warm) {
            return;
        }
        let Ok(http) = self.http() else { return };
        if http.head(self.url("/")).timeout(CONNECT).send().await.is_ok() {
            self.used();
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.inner.config.base_url)
    }

    fn used(&self) {
        *self.inner.last_used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(HeaderName::from_static("anthropic-version"), VERSION);
        let key = self.inner.config.api_key.as_deref().and_then(|key| HeaderValue::from_str(key.trim()).ok());
        if let Some(mut key) = key {
            key.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-api-key"), key);
        }
        headers
    }

    fn http(&self) -> Result<&reqwest::Client, Fault> {
        let built = self.inner.http.get_or_init(|| build(&self.inner.config.base_url).map_err(|error| chain(&error)));
        built.as_ref().map_err(|detail| Fault::new(FaultKind::Unreachable, detail.clone()))
    }
}

fn build(base_url: &str) -> Result<reqwest::Client, reqwest::Error> {
    // Done at start as well; whoever comes second is told so, and it does not matter.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("outlast/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(300))
        // Pings find a connection that died silently before a reply is asked of it.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .http2_keep_alive_while_idle(true)
        .redirect(reqwest::redirect::Policy::none());
    let host = base_url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    if host == "localhost" || host.starts_with("127.") || host == "[::1]" {
        // A proxy would look for the simulator on its own machine.
        builder = builder.no_proxy();
    }
    builder.build()
}

/// The response if it is a success, else the fault in it.
async fn accepted(mut response: reqwest::Response) -> Result<reqwest::Response, Fault> {
    let status = response.status();
    if status == http::StatusCode::OK {
        return Ok(response);
    }
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(&bytes);
            if body.len() > LONGEST_ERROR {
                break;
            }
        }
    };
    // What came until then will do.
    let _ = timeout(ASIDE, reading).await;
    Err(Fault::refused(status.as_u16(), retry_after, &body))
}

/// `retry-after-ms`, or `retry-after` in (decimal) seconds. A date, which the API does not send, is ignored.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The fault in a failed exchange.
pub(super) fn transport(error: &reqwest::Error) -> Fault {
    let kind = if error.is_connect() || error.is_builder() || error.is_timeout() {
        FaultKind::Unreachable
    } else {
        FaultKind::Reset
    };
    Fault::new(kind, chain(error))
}

/// The causes of an error in one line. None of them holds a header or a body.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() { "the exchange failed".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_both_spellings() {
        let parse = |name: &'static str, value: &'static str| {
            retry_after(&HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]))
        };
        assert_eq!(parse("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(parse("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(parse("retry-after", "-1"), None);
        assert_eq!(parse("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn the_key_is_not_in_the_debug_text() {
        let config = Config {
            base_url: "http://h/".to_owned(),
            api_key: Some("sk-secret".to_owned()),
            stall: Duration::from_secs(1),
        };
        let claude = Claude::new(config);
        assert!(!format!("{claude:?}").contains("secret"));
        assert_eq!(claude.url("/v1/models"), "http://h/v1/models");
    }
}
