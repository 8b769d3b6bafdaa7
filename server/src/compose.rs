//! The one place where store, Claude, simulator, turns and chats are put together.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "embedded")]
use crate::storage::embedded;
use crate::{
    backend::RequestBackend,
    chat::{Chat, ChatConfig},
    claude::{self, Claude, Models},
    clock::Clock,
    config::{self, Config, StoreKind},
    jobs::{Jobs, JobsConfig},
    queue::{Local, Queue, Sqs, SqsConfig},
    serve::StartError,
    state::{BackendFactory, RequestContext},
    storage::{Keys, Store, StoreConfig},
    turn::{TurnConfig, Turns, budget::Budget},
};

/// Most tokens of a reply, unless the configuration or the model says less.
const MAX_TOKENS: u64 = 32_000;
/// How long runners have to hand over when the process is to end.
const HAND_OVER: Duration = Duration::from_secs(5);

/// The parts behind the router.
pub struct Composed {
    pub backend: BackendFactory,
    pub turns: Turns,
    pub store: Store,
    pub jobs: Jobs,
    pub queue: Queue,
    /// This process answers with its own simulator.
    pub simulator: bool,
    /// The store, where it is in this process: it ends last.
    #[cfg(feature = "embedded")]
    embedded: Option<embedded::Embedded>,
}

impl Composed {
    /// Turns are handed over, followers close.
    pub async fn close(&self) {
        if tokio::time::timeout(HAND_OVER, self.turns.close()).await.is_err() {
            tracing::warn!("not all turns could be handed over; they are taken up at the next start");
        }
    }

    /// The store closes.
    pub async fn end(self) {
        #[cfg(feature = "embedded")]
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

fn part(e: impl std::fmt::Display) -> StartError {
    StartError::Part(e.to_string())
}

fn keys(config: &config::Store) -> Option<Keys> {
    config.credentials.as_ref().map(|c| Keys {
        id: c.access_key_id.clone(),
        secret: c.secret_access_key.expose().to_owned(),
        token: c.session_token.as_ref().map(|t| t.expose().to_owned()),
    })
}

/// The table's settings, at an endpoint that may be the embedded engine's.
pub(crate) fn store_config(config: &config::Store, endpoint: Option<String>, clock: Clock) -> StoreConfig {
    StoreConfig { keys: keys(config), ..StoreConfig::new(endpoint, config.region.clone(), config.table.clone(), clock) }
}

/// Opens what the configuration names. With the embedded engine the table is made, if it is not there.
///
/// # Errors
/// If a part cannot be set up.
pub async fn compose(config: &Config, clock: &Clock) -> Result<Composed, StartError> {
    let mut endpoint = config.store.endpoint.clone();
    let sole_owner = config.store.kind == StoreKind::Embedded;
    #[cfg(feature = "embedded")]
    let embedded = if sole_owner {
        let embedded = embedded::start(&config.store.data_dir).await.map_err(part)?;
        endpoint = Some(embedded.endpoint().to_owned());
        Some(embedded)
    } else {
        None
    };
    #[cfg(not(feature = "embedded"))]
    if sole_owner {
        return Err(part("this build has no embedded store; set OUTLAST_STORE=dynamodb"));
    }
    let store = Store::new(store_config(&config.store, endpoint.take(), clock.clone()));
    if sole_owner {
        store.init().await.map_err(part)?;
    }
    let (claude, simulator) = claude(config).await?;
    let queue = queue(config);
    let turns = Turns::new(
        store.clone(),
        claude.clone(),
        clock.clone(),
        queue.clone(),
        TurnConfig {
            lease: Duration::from_millis(config.turn.lease_ms),
            flush: Duration::from_millis(config.turn.flush_ms),
            longest: Duration::from_secs(config.turn.turn_minutes * 60),
            run: config.turn.run_seconds.map(Duration::from_secs),
            sole_owner,
            resident: !config.lambda,
        },
    );
    if let Some(budget) = Budget::new(store.clone(), clock.clone(), config.caps) {
        turns.set_budget(budget);
    }
    let chat = ChatConfig {
        model: config.claude.model.clone(),
        max_tokens: config.claude.max_tokens.map_or(MAX_TOKENS, u64::from),
        thinking: match config.claude.thinking {
            config::Thinking::Off => claude::Thinking::Off,
            config::Thinking::Adaptive => claude::Thinking::Adaptive,
        },
        retention_days: config.store.retention_days.into(),
        prompt_chars: config.limits.max_prompt_chars,
        title_chars: config.limits.max_title_chars,
        running: config.pace.running,
    };
    let chat = Chat::new(store.clone(), turns.clone(), Models::new(claude), clock.clone(), chat);
    let jobs_config =
        JobsConfig { secret: config.jobs.webhook_secret.clone(), private_webhooks: config.jobs.private_webhooks };
    let kept = store.clone();
    let jobs = Jobs::new(store, turns.clone(), chat.clone(), queue.clone(), clock.clone(), &jobs_config);
    let (chats, all) = (chat, jobs.clone());
    let backend: BackendFactory =
        Arc::new(move |context: RequestContext| Arc::new(RequestBackend::new(chats.clone(), all.clone(), context)));
    Ok(Composed {
        backend,
        turns,
        store: kept,
        jobs,
        queue,
        simulator,
        #[cfg(feature = "embedded")]
        embedded,
    })
}

/// SQS where there is one, else this process's own.
fn queue(config: &Config) -> Queue {
    match sqs(config, config.jobs.queue_url.clone()) {
        Some(sqs) => Queue::Sqs(sqs),
        None => Queue::Local(Local::default()),
    }
}

/// The queue at `url`, if there is one.
pub(crate) fn sqs(config: &Config, url: Option<String>) -> Option<Sqs> {
    let (endpoint, region, keys) = (config.jobs.endpoint.clone(), config.store.region.clone(), keys(&config.store));
    url.map(|url| Sqs::new(SqsConfig { endpoint, region, keys, url }))
}

/// The client, and whether it speaks to a simulator of this process.
async fn claude(config: &Config) -> Result<(Claude, bool), StartError> {
    let stall = Duration::from_millis(config.turn.stall_ms);
    if !config.claude.simulated() {
        let base_url = config.claude.base_url.clone().unwrap_or_else(|| config::Claude::ANTHROPIC.to_owned());
        let api_key = config.claude.api_key.as_ref().map(|k| k.expose().to_owned());
        return Ok((Claude::new(claude::Config { base_url, api_key, stall }), false));
    }
    #[cfg(not(feature = "simulator"))]
    return Err(part("ANTHROPIC_API_KEY is not set; this build has no simulator to stand in"));
    #[cfg(feature = "simulator")]
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(part)?;
        let addr = listener.local_addr().map_err(part)?;
        tokio::spawn(claude::simulator::serve(listener, std::future::pending()));
        tracing::warn!("no ANTHROPIC_API_KEY is set: the simulator answers, replies are made up");
        let api_key = Some("simulator".to_owned());
        Ok((Claude::new(claude::Config { base_url: format!("http://{addr}"), api_key, stall }), true))
    }
}

/// Creates the table at the configured endpoint. May be repeated.
///
/// # Errors
/// If the store cannot be reached or refuses.
pub async fn init(config: &Config) -> Result<(), StartError> {
    #[cfg(feature = "embedded")]
    if config.store.kind == StoreKind::Embedded {
        let embedded = embedded::start(&config.store.data_dir).await.map_err(part)?;
        let endpoint = Some(embedded.endpoint().to_owned());
        Store::new(store_config(&config.store, endpoint, Clock::default())).init().await.map_err(part)?;
        embedded.stop().await;
        println!("table {} is in {}", config.store.table, config.store.data_dir.display());
        return init_queues(config).await;
    }
    let store = store_config(&config.store, config.store.endpoint.clone(), Clock::default());
    Store::new(store).init().await.map_err(part)?;
    let place = config.store.endpoint.clone().unwrap_or_else(|| config.store.region.clone());
    println!("table {} is at {place}", config.store.table);
    init_queues(config).await
}

async fn init_queues(config: &Config) -> Result<(), StartError> {
    // Queues too, where there is a place for them.
    let wanted = config.jobs.queue_url.clone().or_else(|| {
        let endpoint = config.jobs.endpoint.clone()?;
        Some(format!("{endpoint}/000000000000/outlast"))
    });
    if let Some(sqs) = sqs(config, wanted) {
        let (queue, dead) = sqs.init().await.map_err(part)?;
        println!("queue {queue}\nits dead letters go to {dead}");
    }
    Ok(())
}
