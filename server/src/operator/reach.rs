//! The store, from beside the server: an embedded one's file is locked by the server that has it, so it is reached
//! through that server's port.

#[cfg(feature = "embedded")]
use std::time::Duration;

#[cfg(feature = "embedded")]
use crate::storage::embedded::{self, Embedded, EmbeddedError};
use crate::{
    clock::Clock,
    compose::store_config,
    config::{Config, StoreKind},
    storage::Store,
};

/// How often a directory is tried that is in use and whose server cannot be reached: it may be just starting.
#[cfg(feature = "embedded")]
const ATTEMPTS: u32 = 20;
#[cfg(feature = "embedded")]
const PAUSE: Duration = Duration::from_millis(100);

/// A store that answers, or may.
pub(super) struct Reached {
    pub store: Store,
    pub clock: Clock,
    /// In words, for a line that begins with what was found.
    pub how: String,
    /// No server has this store: this process opened its file itself.
    pub alone: bool,
    #[cfg(feature = "embedded")]
    own: Option<Embedded>,
}

impl Reached {
    /// Closes what was opened.
    pub(super) async fn close(self) {
        #[cfg(feature = "embedded")]
        if let Some(own) = self.own {
            own.stop().await;
        }
    }
}

/// Finds the configured store; `None` if there is none yet. An embedded one is not made.
pub(super) async fn reach(config: &Config) -> Result<Option<Reached>, String> {
    let clock = Clock::default();
    if config.store.kind == StoreKind::Embedded {
        return reach_embedded(config, clock).await;
    }
    let endpoint = config.store.endpoint.clone();
    let place = endpoint.clone().unwrap_or_else(|| format!("DynamoDB, {}", config.store.region));
    Ok(Some(Reached {
        store: Store::new(store_config(&config.store, endpoint, clock.clone())),
        clock,
        how: format!("at {place}"),
        alone: false,
        #[cfg(feature = "embedded")]
        own: None,
    }))
}

#[cfg(feature = "embedded")]
async fn reach_embedded(config: &Config, clock: Clock) -> Result<Option<Reached>, String> {
    let dir = &config.store.data_dir;
    if !embedded::exists(dir) {
        return Ok(None);
    }
    let store = |endpoint: &str| Store::new(store_config(&config.store, Some(endpoint.to_owned()), clock.clone()));
    for _ in 0..ATTEMPTS {
        match embedded::start(dir).await {
            Ok(own) => {
                let store = store(own.endpoint());
                let how = format!("in {}, which no server has open", dir.display());
                return Ok(Some(Reached { store, clock, how, alone: true, own: Some(own) }));
            }
            Err(EmbeddedError::InUse(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
        // A server has the file. Its note may be missing or of an earlier one, while it starts or ends.
        if let Some(endpoint) = embedded::running(dir) {
            let store = store(&endpoint);
            if store.ping().await.is_ok() {
                let how = format!("in {}, through the running server", dir.display());
                return Ok(Some(Reached { store, clock, how, alone: false, own: None }));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("the data directory {} is in use by a process that does not answer", dir.display()))
}

#[cfg(not(feature = "embedded"))]
async fn reach_embedded(_: &Config, _: Clock) -> Result<Option<Reached>, String> {
    Err("this build has no embedded store; set OUTLAST_STORE=dynamodb".to_owned())
}
