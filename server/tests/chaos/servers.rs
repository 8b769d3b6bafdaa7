//! The servers: each a process of its own, with a relay in front and a bad way to the store behind.

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex as StdMutex},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::sleep,
};

use crate::{
    process::{Process, Watchdog},
    relay::Relay,
    store_proxy::StoreProxy,
};

/// The lease of all servers, in milliseconds.
pub(crate) const LEASE_MS: u64 = 1500;
/// The table's region; there is none such.
pub(crate) const REGION: &str = "local";
const FLUSH_MS: u64 = 100;
/// SIGTERM: five seconds to hand over, ten for connections; a little for a busy machine.
const TERM: Duration = Duration::from_secs(20);

/// What all servers have in common.
pub(crate) struct Common {
    pub(crate) program: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) table: String,
    pub(crate) secret: String,
    pub(crate) simulator: String,
    pub(crate) watchdog: Arc<Watchdog>,
}

pub(crate) struct Server {
    index: usize,
    addr: SocketAddr,
    common: Arc<Common>,
    /// How far its clock is off.
    skew_ms: i64,
    pub(crate) relay: Relay,
    pub(crate) store: StoreProxy,
    process: Mutex<Option<Process>>,
    /// Ids of its processes, as they stand in the log's segments; the newest last.
    boots: StdMutex<Vec<String>>,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    pub(crate) async fn new(index: usize, skew_ms: i64, common: Arc<Common>, store: StoreProxy) -> Self {
        let addr = free_port();
        let relay = Relay::start(addr).await;
        let (process, boots) = (Mutex::new(None), StdMutex::default());
        Self { index, addr, common, skew_ms, relay, store, process, boots }
    }

    fn log(&self) -> PathBuf {
        self.common.dir.join(format!("server-{}.log", self.index))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.common.program);
        command.arg("serve").env_clear().envs([
            ("OUTLAST_ADDR", self.addr.to_string()),
            ("OUTLAST_STORE", "dynamodb".to_owned()),
            ("OUTLAST_TABLE", self.common.table.clone()),
            ("OUTLAST_DATA_DIR", self.common.dir.display().to_string()),
            ("OUTLAST_SITE", self.common.dir.join("site").display().to_string()),
            ("OUTLAST_SECRET", self.common.secret.clone()),
            ("OUTLAST_LEASE_MS", LEASE_MS.to_string()),
            ("OUTLAST_FLUSH_MS", FLUSH_MS.to_string()),
            ("OUTLAST_LOG", "json".to_owned()),
            ("OUTLAST_CLOCK_SKEW_MS", self.skew_ms.to_string()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.store.endpoint()),
            // DynamoDB Local keeps a table for each region and key.
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("ANTHROPIC_BASE_URL", self.common.simulator.clone()),
            ("ANTHROPIC_API_KEY", "sk-chaos".to_owned()),
        ]);
        command
    }

    /// Starts it, if it is not running, and returns once it listens.
    pub(crate) async fn start(&self) {
        let mut slot = self.process.lock().await;
        if slot.is_some() {
            return;
        }
        let log = self.log();
        for _ in 0..20 {
            let begin = std::fs::metadata(&log).map_or(0, |m| m.len() as usize);
            let mut process = Process::start(&mut self.command(), &log, &self.common.watchdog);
            let until = Instant::now() + Duration::from_secs(30);
            while process.ended().is_none() && Instant::now() < until {
                let text = std::fs::read(&log).unwrap();
                let new = String::from_utf8_lossy(&text[begin.min(text.len())..]).into_owned();
                if let Some(boot) = new.lines().find_map(boot) {
                    self.boots.lock().unwrap().push(boot);
                    *slot = Some(process);
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
            // The port of one that has just ended may not be free yet.
            sleep(Duration::from_millis(100)).await;
        }
        panic!("the server does not start; see {}", log.display());
    }

    /// Lines of its log that say that it panicked.
    pub(crate) fn panics(&self) -> Vec<String> {
        let log = std::fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect()
    }

    /// Whether one of its processes wrote that.
    pub(crate) fn wrote(&self, boot: &str) -> bool {
        self.boots.lock().unwrap().iter().any(|b| b == boot)
    }

    /// The process, to do something to it.
    pub(crate) async fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().await
    }

    /// `kill -9`; false if it was not running.
    pub(crate) async fn kill(&self) -> bool {
        self.process().await.take().is_some()
    }

    /// SIGTERM. `None` if it was not running, else whether it ended in time.
    pub(crate) async fn terminate(&self) -> Option<bool> {
        let mut slot = self.process().await;
        let process = slot.as_mut()?;
        process.signal("TERM");
        // It may be frozen; nobody else can wake it meanwhile.
        process.signal("CONT");
        let ended = process.ends_within(TERM).await;
        *slot = None;
        Some(ended)
    }

    /// Stops its process; gives the process's id, or `None` if it was not running.
    pub(crate) async fn pause(&self) -> Option<u32> {
        let slot = self.process().await;
        let process = slot.as_ref()?;
        process.signal("STOP");
        Some(process.id())
    }

    /// Lets that process go on, if it is still there.
    pub(crate) async fn resume(&self, id: u32) {
        if let Some(process) = self.process().await.as_ref().filter(|p| p.id() == id) {
            process.signal("CONT");
        }
    }
}

/// The process's id in the line that says where it listens.
fn boot(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line.get("addr")?;
    Some(line.get("boot")?.as_str()?.to_owned())
}

/// A site with nothing on it: no page is loaded here.
pub(crate) fn make_site(dir: &Path) {
    let site = dir.join("site");
    std::fs::create_dir_all(site.join("pkg")).unwrap();
    let manifest = "js pkg/x.js\nwasm pkg/x.wasm\nboot pkg/boot.js\ncss pkg/x.css\ndesk pkg/desk.css\n";
    std::fs::write(site.join("assets.txt"), manifest).unwrap();
}
