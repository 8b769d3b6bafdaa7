//! The table: keys and one file per kind of item.
//!
//! One adapter, the real DynamoDB client at a configurable endpoint: Amazon's, DynamoDB Local or the embedded engine.
//! Every update has the condition that its item exists and isn't deleted; apart from counters nothing upserts.

mod admin;
mod attr;
mod capacity;
mod client;
mod compact;
#[cfg(feature = "embedded")]
pub mod embedded;
mod error;
mod init;
pub mod items;
mod job;
pub mod keys;
mod log;
mod message;
mod open;
mod page;
mod parts;
mod purge;
mod request;
pub mod segment;
mod send;
mod session;
mod session_list;
mod spent;
mod turn;
mod usage;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_sdk_dynamodb::Client;

pub(crate) use self::client::{connector, http_client};
pub use self::{
    admin::{AdminSession, AuditEntry},
    capacity::CapacityTotals,
    compact::{CompactTx, Compacted},
    error::{StoreError, StoreErrorKind},
    items::{Base, DayTotals, Head, MessageItem, SessionItem, TurnItem, TurnState},
    job::{JobItem, Open, SubmitTx, VariantEnd, VariantItem},
    log::{Append, Seen},
    message::{Link, More},
    open::OpenWork,
    segment::{By, End, Kind, SeamClass, Segment},
    send::{SendOutcome, SendTx},
    session::RESTORE_SECONDS,
    session_list::SessionEntry,
    spent::{Account, Others, Share},
};
use crate::clock::Clock;

/// Credentials of AWS.
#[derive(Clone)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Keys {
    /// From `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; none if one of the first two is
    /// missing or empty.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let var = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        Some(Self {
            id: var("AWS_ACCESS_KEY_ID")?,
            secret: var("AWS_SECRET_ACCESS_KEY")?,
            token: var("AWS_SESSION_TOKEN"),
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Which table, and how to reach it.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// None: Amazon's, in that region.
    pub endpoint: Option<String>,
    pub region: String,
    pub table: String,
    /// None is enough for a loopback endpoint.
    pub keys: Option<Keys>,
    /// What has expired by this clock isn't there any more.
    pub clock: Clock,
    /// Correct that clock by the `Date` of DynamoDB's answers.
    pub correct_clock: bool,
    /// Count request units (see [`Store::consumed`]).
    pub count_capacity: bool,
}

impl StoreConfig {
    /// The usual settings: no credentials, nothing counted, and the clock corrected unless the endpoint is on this
    /// machine and so has the same one.
    #[must_use]
    pub fn new(endpoint: Option<String>, region: impl Into<String>, table: impl Into<String>, clock: Clock) -> Self {
        let correct_clock = client::place(endpoint.as_deref()) != client::Place::Loopback;
        Self {
            endpoint,
            region: region.into(),
            table: table.into(),
            keys: None,
            clock,
            correct_clock,
            count_capacity: false,
        }
    }
}

/// The table. Cheap to clone; its client is built at first use.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: StoreConfig,
    client: OnceLock<Client>,
    /// Set once the clock was corrected, or could not be.
    settled: tokio::sync::OnceCell<()>,
    meter: capacity::Meter,
}

impl Store {
    #[must_use]
    pub fn new(config: StoreConfig) -> Self {
        let meter = capacity::Meter::new(config.count_capacity);
        Self(Arc::new(Inner { config, client: OnceLock::new(), settled: tokio::sync::OnceCell::new(), meter }))
    }

    /// Request units used so far; zero unless they are counted.
    #[must_use]
    pub fn consumed(&self) -> CapacityTotals {
        self.0.meter.totals()
    }

    /// Whether the table answers.
    ///
    /// # Errors
    /// As every read; `Missing` where there is no such table.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.get("looking for the table", attr::key("PING".to_owned(), "PING")).await.map(|_| ())
    }

    /// Asks the table something, so that the clock is corrected before anything is stamped by it. Once a process, by
    /// whoever comes first, so that a process can start without its store. Nothing comes of it where the clock isn't
    /// to be corrected, or where there is no answer within two seconds.
    pub async fn settle_clock(&self) {
        let ask = async {
            if self.0.config.correct_clock {
                let _ = tokio::time::timeout(Duration::from_secs(2), self.ping()).await;
            }
        };
        self.0.settled.get_or_init(|| ask).await;
    }

    fn client(&self) -> Result<&Client, StoreError> {
        match self.0.client.get() {
            Some(client) => Ok(client),
            None => {
                let client = client::build(&self.0.config)?;
                Ok(self.0.client.get_or_init(|| client))
            }
        }
    }

    fn table(&self) -> &str {
        &self.0.config.table
    }

    /// Seconds since the epoch: an item whose `ttl` is less has expired, though DynamoDB may take two days over it.
    fn now_seconds(&self) -> u64 {
        self.0.config.clock.now().seconds()
    }

    fn meter(&self) -> &capacity::Meter {
        &self.0.meter
    }
}
