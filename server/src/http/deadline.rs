//! When the platform ends an invocation, as the Lambda Web Adapter passes it on.

use std::time::Duration;

use app::domain::Timestamp;
use http::HeaderMap;
use serde_json::Value;
use tokio::time::Instant;

use crate::turn::Host;

/// JSON of the invocation's context; the adapter sets it on every request, whatever a client sent
/// (<https://github.com/awslabs/aws-lambda-web-adapter>, "Lambda Context").
const CONTEXT: &str = "x-amzn-lambda-context";
/// A runner hands over so long before the end.
const MARGIN: Duration = Duration::from_secs(30);
/// A stream that only reads what another instance writes ends after so long, and is followed again.
const FOLLOW: Duration = Duration::from_secs(60);

/// By when a runner that this request starts has to hand over: the deadline less 30 s; of a short time to live half.
/// And by when a stream that hosts none ends. `stamp` and `now` are the same moment.
#[must_use]
pub fn host(headers: &HeaderMap, stamp: Timestamp, now: Instant) -> Host {
    let until = context(headers).and_then(|context| {
        let deadline = Timestamp::from_millis(context.get("deadline")?.as_u64()?);
        let left = Duration::from_millis(deadline.since(stamp));
        Some(now + left.saturating_sub(MARGIN.min(left / 2)))
    });
    Host { until, follow: Some(now + FOLLOW) }
}

/// The platform's id of the invocation.
#[must_use]
pub fn invocation(headers: &HeaderMap) -> Option<String> {
    Some(context(headers)?.get("request_id")?.as_str()?.to_owned())
}

fn context(headers: &HeaderMap) -> Option<Value> {
    serde_json::from_slice(headers.get(CONTEXT)?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_the_invocations_less_a_margin() {
        let of = |context: &str| {
            let headers = HeaderMap::from_iter([(CONTEXT.parse().unwrap(), context.parse().unwrap())]);
            let now = Instant::now();
            host(&headers, Timestamp::from_millis(1_000_000), now).until.map(|u| u.duration_since(now))
        };
        assert_eq!(of(r#"{"request_id":"r","deadline":1900000}"#), Some(Duration::from_secs(870)));
        assert_eq!(of(r#"{"deadline":1010000}"#), Some(Duration::from_secs(5)));
        assert_eq!(of(r#"{"deadline":999000}"#), Some(Duration::ZERO));
        assert_eq!((of("{}"), of("no json"), of(r#"{"deadline":"x"}"#)), (None, None, None));
    }
}
