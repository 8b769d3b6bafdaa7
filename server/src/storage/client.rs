//! The SDK's client: lean, quick to build, and honest about time.

use std::time::Duration;

use app::domain::Timestamp;
use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents, SharedHttpClient,
        StalledStreamProtectionConfig,
        interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
        retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::BoxError,
};
use aws_smithy_http_client::{
    Builder, Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

use aws_smithy_types::config_bag::{Storable, StoreReplace};

use super::{Keys, StoreConfig, StoreError, StoreErrorKind};
use crate::clock::Clock;

/// To connect; within a region this takes a few milliseconds.
const CONNECT: Duration = Duration::from_secs(2);
/// One attempt, answer included.
const ATTEMPT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 3;

/// Amazon Trust Services' four roots (https://www.amazontrust.com/repository/). Loading the system's some 140
/// takes 15–70 ms of every cold start, these 0.7.
const ROOTS: [&[u8]; 4] = [
    include_bytes!("roots/amazon-root-ca-1.pem"),
    include_bytes!("roots/amazon-root-ca-2.pem"),
    include_bytes!("roots/amazon-root-ca-3.pem"),
    include_bytes!("roots/amazon-root-ca-4.pem"),
];

/// Where the table is, by host: decides about TLS, roots and credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Loopback,
    /// DynamoDB itself.
    Amazon,
    /// An endpoint of somebody's own.
    Other,
}

pub(super) fn place(endpoint: Option<&str>) -> Place {
    let Some(url) = endpoint else { return Place::Amazon };
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match host {
        "localhost" | "::1" => Place::Loopback,
        _ if host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()) => Place::Loopback,
        _ if host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn") => Place::Amazon,
        _ => Place::Other,
    }
}

pub(super) fn build(config: &StoreConfig) -> Result<Client, StoreError> {
    const DOING: &str = "setting up the DynamoDB client";
    let place = place(config.endpoint.as_deref());
    let keys = match (&config.keys, place) {
        (Some(keys), _) => keys.clone(),
        (None, Place::Loopback) => Keys { id: "local".to_owned(), secret: "local".to_owned(), token: None },
        (None, _) => {
            let detail = "no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set";
            return Err(StoreError::new(StoreErrorKind::Denied, DOING, detail));
        }
    };
    let plain = config.endpoint.as_deref().is_some_and(|e| e.starts_with("http://"));
    let http = http_client(plain, place == Place::Amazon)?;
    let mut sdk = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(config.region.clone()))
        .credentials_provider(Credentials::new(keys.id, keys.secret, keys.token, None, "environment"))
        .http_client(http)
        // No answer here is a stream.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(
            RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(50)),
        )
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build());
    sdk.set_endpoint_url(config.endpoint.clone());
    if config.correct_clock {
        sdk = sdk.interceptor(DateWatch { clock: config.clock.clone() });
    }
    Ok(Client::from_conf(sdk.build()))
}

/// What the SDK speaks HTTP with: plain, or over TLS with Amazon's roots or the system's.
pub(crate) fn http_client(plain: bool, amazon: bool) -> Result<SharedHttpClient, StoreError> {
    if plain {
        return Ok(Builder::new().build_http());
    }
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls(amazon)?).build_https())
}

/// The same for a single call without the SDK.
pub(crate) fn connector(plain: bool, amazon: bool) -> Result<Connector, StoreError> {
    if plain {
        return Ok(Connector::builder().build_http());
    }
    Ok(Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls(amazon)?).build())
}

fn tls(amazon: bool) -> Result<TlsContext, StoreError> {
    let roots = if amazon {
        ROOTS.iter().fold(TrustStore::empty(), |store, pem| store.with_pem_certificate(*pem))
    } else {
        TrustStore::empty().with_native_roots(true)
    };
    TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|e| StoreError::new(StoreErrorKind::Other, "setting up TLS", e.to_string()))
}

/// Corrects our clock by DynamoDB's: every response says what time it is there.
#[derive(Debug)]
struct DateWatch {
    clock: Clock,
}

/// When the attempt under way was sent, by the local clock: the correction may change meanwhile.
#[derive(Debug)]
struct SentAt(Timestamp);

impl Storable for SentAt {
    type Storer = StoreReplace<Self>;
}

impl Intercept for DateWatch {
    fn name(&self) -> &'static str {
        "DateWatch"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(SentAt(self.clock.local()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(http_date);
        if let (Some(date), Some(SentAt(sent))) = (date, bag.load::<SentAt>()) {
            self.clock.correct(*sent, self.clock.local(), |sent, received| correction(date, sent, received));
        }
        Ok(())
    }
}

/// What to add to a clock, in milliseconds, that said `sent` and `received` around an answer stamped `date`.
///
/// The stamp has whole seconds, so the answer was made in `date..date + 1 s`, and between the two. Only a clock
/// that cannot be reconciled with that is moved, and only as far as it takes: it never jumps about.
fn correction(date: Timestamp, sent: Timestamp, received: Timestamp) -> i64 {
    if received < date { date.since(received) as i64 } else { -(sent.since(date.plus_millis(1000)) as i64) }
}

/// An IMF-fixdate (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|m| *m == month)? + 1;
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_decides_about_tls_and_credentials() {
        for url in ["http://127.0.0.1:8000", "http://localhost:1/", "http://[::1]:8000", "https://127.9.9.9"] {
            assert_eq!(place(Some(url)), Place::Loopback, "{url}");
        }
        assert_eq!(place(None), Place::Amazon);
        assert_eq!(place(Some("https://dynamodb.eu-central-1.amazonaws.com")), Place::Amazon);
        for url in ["https://dynamo.example", "http://127.0.0.1.example:80", "https://amazonaws.com.example/"] {
            assert_eq!(place(Some(url)), Place::Other, "{url}");
        }
    }

    #[test]
    fn a_client_for_amazon_can_be_built_and_needs_credentials() {
        let config = StoreConfig::new(None, "eu-central-1", "t", Clock::default());
        assert_eq!(build(&config).unwrap_err().kind(), StoreErrorKind::Denied);
        let keys = Keys { id: "a".into(), secret: "b".into(), token: None };
        build(&StoreConfig { keys: Some(keys), ..config }).unwrap();
    }

    #[test]
    fn only_an_irreconcilable_clock_is_moved_and_no_further_than_needed() {
        let t = Timestamp::from_millis;
        let date = t(1_000_000);
        for (sent, received, by) in [
            (1_000_100, 1_000_200, 0),
            (999_900, 1_000_000, 0),
            (1_000_999, 1_001_400, 0),
            (990_000, 990_100, 9_900),
            (1_005_000, 1_005_100, -4_000),
        ] {
            assert_eq!(correction(date, t(sent), t(received)), by, "{sent}");
        }
    }

    #[test]
    fn http_dates_are_read() {
        let at = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(at.to_string(), "1994-11-06T08:49:37.000Z");
        for bad in ["", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Foo 1994 08:49:37 GMT"] {
            assert_eq!(http_date(bad), None, "{bad}");
        }
    }
}
