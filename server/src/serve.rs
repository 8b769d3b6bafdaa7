//! `serve`: from a configuration to a server that answers, and back down.

use std::{fmt, io, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, signal::unix};

use crate::{
    admin::Admin,
    auth::{
        door::Door,
        identity::Identity,
        password::{self, Hashed},
        secret,
    },
    clock::Clock,
    compose,
    config::{Config, Secret, Signing, Store, StoreKind},
    http::{
        assets,
        connection::{self, Patience},
        pace::Paces,
    },
    jobs::worker,
    queue::Queue,
    report::Reporter,
    router::router,
    state::{AfterRequest, AppState},
};

/// Why the server did not start: one line for the person who started it.
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The built site is not there or not whole.
    Site(PathBuf, io::Error),
    /// The generated secret can be neither read nor made.
    Secret(PathBuf, io::Error),
    /// A part of the server could not be set up.
    Part(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(addr, e) if e.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "{addr} is taken; stop what listens there, or set OUTLAST_ADDR to another address")
            }
            Self::Listen(addr, e) => {
                write!(f, "{addr} cannot be listened on ({e}); set OUTLAST_ADDR to another address")
            }
            Self::Site(dir, e) => {
                let dir = dir.display();
                write!(f, "{dir} holds no built site ({e}); run `make build`, or set OUTLAST_SITE to where it is")
            }
            Self::Secret(path, e) => {
                let path = path.display();
                write!(
                    f,
                    "{path} cannot be used ({e}); set OUTLAST_SECRET, or OUTLAST_DATA_DIR to a folder that can be written"
                )
            }
            Self::Part(line) => f.write_str(line),
        }
    }
}

impl std::error::Error for StartError {}

/// All that answers requests, put together.
struct Service {
    router: axum::Router,
    parts: compose::Composed,
    reporter: Arc<Reporter>,
}

/// Puts together what answers, without asking the store or Claude anything.
async fn service(config: &Config) -> Result<Service, StartError> {
    let clock = clock();
    let site = assets::load(&config.site.dir).map_err(|e| StartError::Site(config.site.dir.clone(), e))?;
    let secrets = secrets(&config.signing, &config.store)?;
    let identity = Identity::new(&secrets[0], &secrets[1..], clock.clone());
    let parts = compose::compose(config, &clock).await?;
    let admin_hash = admin_hash(config)?;
    let reporter = Arc::new(Reporter::new(parts.turns.clone(), clock.clone(), config.log));
    let at_requests = Arc::clone(&reporter);
    let after_request: Option<AfterRequest> = config.lambda.then(|| Arc::new(move || at_requests.if_due()) as _);
    let state = AppState {
        identity,
        door: Door::new(config.access.code.clone(), admin_hash),
        admin: Some(Admin::new(parts.store.clone(), clock.clone(), config.store.retention_days.into())),
        lease_ms: config.turn.lease_ms,
        pace: Paces::new(config.pace),
        clock,
        limits: config.limits,
        assets: Arc::new(site),
        site: config.site.dir.clone(),
        backend: parts.backend.clone(),
        lambda: config.lambda,
        front: config.listen.front.clone(),
        jobs: Some(parts.jobs.clone()),
        simulator: parts.simulator,
        after_request,
    };
    Ok(Service { router: router(Arc::new(state)), parts, reporter })
}

/// Serves until SIGTERM or an interrupt.
///
/// # Errors
/// If it cannot start.
pub async fn serve(config: Config) -> Result<(), StartError> {
    let addr = config.listen.addr;
    // First the address: two servers are told apart before they meet at the store's file.
    let listener = TcpListener::bind(addr).await.map_err(|e| StartError::Listen(addr, e))?;
    let stop = stopped()?;
    let Service { router, parts, reporter } = service(&config).await?;
    let addr = listener.local_addr().unwrap_or(addr);
    let (simulator, boot) = (parts.simulator, parts.turns.boot());
    tracing::info!(%addr, simulator, boot, "Outlast is at http://{addr}");
    // On Lambda nothing runs between two requests: there the queue's messages wake a turn, and reports go with requests.
    if !config.lambda {
        // What an earlier process left is taken up at once, and whatever is abandoned later.
        let turns = parts.turns.clone();
        tokio::spawn(async move { turns.sweep_for_ever().await });
        let reporter = Arc::clone(&reporter);
        tokio::spawn(async move { reporter.for_ever().await });
    }
    if let Queue::Local(queue) = parts.queue.clone() {
        tokio::spawn(worker::local(parts.jobs.clone(), queue, config.jobs.at_once, std::future::pending()));
    }
    let stop = async {
        stop.await;
        parts.close().await;
    };
    connection::serve(listener, router, stop, Patience::default()).await;
    reporter.report();
    parts.end().await;
    Ok(())
}

/// `lambda`: takes events from Lambda's runtime API, until SIGTERM or an interrupt.
///
/// # Errors
/// If it cannot start, or the runtime API does not answer.
#[cfg(feature = "lambda")]
pub async fn lambda(config: Config) -> Result<(), StartError> {
    let stop = stopped()?;
    let Service { router, parts, reporter } = service(&config).await?;
    let boot = parts.turns.boot();
    tracing::info!(boot, "Outlast takes events from the runtime API");
    tokio::select! {
        ended = crate::lambda::run(router) => ended.map_err(StartError::Part)?,
        () = stop => parts.close().await,
    }
    reporter.report();
    parts.end().await;
    Ok(())
}

/// The clock. A test may say how far off it is, to see that the store's clock is the one that counts.
#[cfg(feature = "simulator")]
fn clock() -> Clock {
    let clock = Clock::default();
    if let Some(ms) = std::env::var("OUTLAST_CLOCK_SKEW_MS").ok().and_then(|ms| ms.parse().ok()) {
        clock.set_skew(ms);
    }
    clock
}

/// The clock.
#[cfg(not(feature = "simulator"))]
fn clock() -> Clock {
    Clock::default()
}

/// SIGTERM, or an interrupt from the keyboard.
fn stopped() -> Result<impl Future<Output = ()>, StartError> {
    let signal = |kind| unix::signal(kind).map_err(|e| StartError::Part(format!("signals cannot be received ({e})")));
    let mut terminate = signal(unix::SignalKind::terminate())?;
    let mut interrupt = signal(unix::SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    })
}

/// The admin's password: the configuration's; on a laptop one that is made up, and said once.
fn admin_hash(config: &Config) -> Result<Option<Hashed>, StartError> {
    if config.access.admin.is_some() || config.store.kind != StoreKind::Embedded {
        return Ok(config.access.admin.clone());
    }
    let dir = &config.store.data_dir;
    let path = dir.join(secret::ADMIN);
    let made = std::cell::OnceCell::new();
    let make = || {
        let (password, hash) = password::generate()?;
        let _ = made.set(password);
        Some(hash)
    };
    let text = secret::kept(dir, secret::ADMIN, make).map_err(|e| StartError::Secret(path.clone(), e))?;
    let hash = Hashed::parse(&text).ok_or_else(|| {
        let fault = io::Error::new(io::ErrorKind::InvalidData, "no argon2id hash; delete it to get a new password");
        StartError::Secret(path, fault)
    })?;
    // Said only if it is the one that was kept: another server may have been quicker.
    if let Some(password) = made.into_inner().filter(|p| hash.matches(p.as_bytes())) {
        eprintln!("The admin pages are at /admin. Their password, shown this once: {password}");
    }
    Ok(Some(hash))
}

/// What signs and verifies, the first of them first; never none.
fn secrets(signing: &Signing, store: &Store) -> Result<Vec<Secret>, StartError> {
    if !signing.secrets.is_empty() {
        return Ok(signing.secrets.clone());
    }
    let failed = |e| StartError::Secret(store.data_dir.join("secret"), e);
    Ok(vec![secret::load_or_create(&store.data_dir).map_err(failed)?])
}

/// `worker`: works on what SQS delivers, until SIGTERM or an interrupt.
///
/// # Errors
/// If it cannot start; if no queue is configured.
pub async fn worker(config: Config) -> Result<(), StartError> {
    let stop = stopped()?;
    let clock = Clock::default();
    let parts = compose::compose(&config, &clock).await?;
    let Queue::Sqs(queue) = parts.queue.clone() else {
        return Err(StartError::Part("OUTLAST_QUEUE_URL is not set; a worker needs a queue of SQS".to_owned()));
    };
    tracing::info!(queue = queue.url(), at_once = config.jobs.at_once, "working");
    let turns = parts.turns.clone();
    let stop = async move {
        stop.await;
        turns.close_to_new();
    };
    let at_once = config.jobs.at_once;
    worker::sqs(parts.jobs.clone(), queue, at_once, stop).await;
    parts.close().await;
    parts.end().await;
    Ok(())
}

/// `simulate`: the Messages API simulator alone, until SIGTERM or an interrupt.
///
/// # Errors
/// If the address cannot be listened on.
#[cfg(feature = "simulator")]
pub async fn simulate(addr: SocketAddr) -> Result<(), StartError> {
    let listener = TcpListener::bind(addr).await.map_err(|e| StartError::Listen(addr, e))?;
    let addr = listener.local_addr().unwrap_or(addr);
    tracing::info!(%addr, "the simulator is at http://{addr}");
    let served = crate::claude::simulator::serve(listener, stopped()?).await;
    served.map_err(|e| StartError::Part(format!("the simulator failed ({e})")))
}

/// `simulate`, where it is not part of the build.
///
/// # Errors
/// Always.
#[cfg(not(feature = "simulator"))]
pub async fn simulate(_addr: SocketAddr) -> Result<(), StartError> {
    Err(StartError::Part("this build has no simulator".to_owned()))
}

/// `init`: creates what the store needs. May be repeated.
///
/// # Errors
/// If the store cannot be reached or refuses.
pub async fn init(config: Config) -> Result<(), StartError> {
    compose::init(&config).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptops_password_is_made_up_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |more: &[(&str, &str)]| {
            let data = dir.path().join("data").display().to_string();
            let all = [&[("OUTLAST_DATA_DIR", data.as_str())], more].concat();
            let config = Config::from_lookup(|name| all.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
            admin_hash(&config.unwrap()).unwrap()
        };
        let first = at(&[]).unwrap();
        assert_eq!(at(&[]).unwrap(), first);
        // A given one wins; and where others share the table nobody's is made up.
        let (given, hash) = password::generate().unwrap();
        assert!(at(&[("OUTLAST_ADMIN_PASSWORD_HASH", &hash)]).unwrap().matches(given.as_bytes()));
        let shared = [("OUTLAST_STORE", "dynamodb"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")];
        assert_eq!(at(&shared), None);
        std::fs::write(dir.path().join("data").join(secret::ADMIN), "x".repeat(40)).unwrap();
        let data = dir.path().join("data").display().to_string();
        let config = Config::from_lookup(|name| (name == "OUTLAST_DATA_DIR").then(|| data.clone())).unwrap();
        assert!(admin_hash(&config).is_err(), "a broken file is no open door");
    }
}
