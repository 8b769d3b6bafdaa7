//! The laptop's store: an embedded DynamoDB in one file, served to this process alone.

use std::{
    fmt,
    fs::{File, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use dynoxide::Database;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// How often what has expired is deleted. Readers don't see it anyway; it is for the file's size.
const SWEEP: Duration = Duration::from_secs(60 * 60);
/// Where in the data directory a running store notes its port, for the commands that look after it.
const PORT: &str = "port";

/// Why the embedded store doesn't start. One line, for a person.
#[derive(Debug)]
pub enum EmbeddedError {
    /// Another process has the directory.
    InUse(PathBuf),
    Io(PathBuf, io::Error),
    /// The file can't be opened as a database.
    Database(PathBuf, String),
}

impl fmt::Display for EmbeddedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(dir) => write!(
                f,
                "the data directory {} is in use by another process; stop it, or set OUTLAST_DATA_DIR to another one",
                dir.display()
            ),
            Self::Io(path, e) => write!(f, "{}: {e}", path.display()),
            Self::Database(path, e) => write!(f, "{} cannot be opened: {e}", path.display()),
        }
    }
}

impl std::error::Error for EmbeddedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, e) => Some(e),
            Self::InUse(_) | Self::Database(..) => None,
        }
    }
}

/// A running embedded store. Dropping it closes the port; [`Self::stop`] also waits for what is being written.
#[derive(Debug)]
pub struct Embedded {
    endpoint: String,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<(), String>>,
    sweeper: JoinHandle<()>,
    port: PathBuf,
    // Held as long as the store runs; the system releases it with the process, however that ends.
    _lock: Arc<File>,
}

impl Embedded {
    /// Where it is to be reached: a loopback URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stops taking requests, and returns when those under way are done and the file is closed.
    pub async fn stop(mut self) {
        self.sweeper.abort();
        if let Some(stop) = self.stop.take() {
            // It fails only if the server is gone, which is what is wanted.
            let _ = stop.send(());
        }
        let _ = (&mut self.server).await;
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.sweeper.abort();
        // The lock is still held: what is removed is this store's own note.
        let _ = std::fs::remove_file(&self.port);
    }
}

/// Where the store of another process is to be reached, if one has the directory and has noted its port. The note of a
/// process that was killed may name a port where nobody listens, or somebody else does.
#[must_use]
pub fn running(dir: &Path) -> Option<String> {
    let port: u16 = std::fs::read_to_string(dir.join(PORT)).ok()?.trim().parse().ok()?;
    Some(format!("http://127.0.0.1:{port}"))
}

/// Whether there is a store in the directory already.
#[must_use]
pub fn exists(dir: &Path) -> bool {
    dir.join("outlast.db").exists()
}

/// Notes the port, for the directory's owner only: whole under another name first, so that nobody reads half of it.
fn note(path: &Path, port: u16) -> io::Result<()> {
    let draft = path.with_extension("new");
    let _ = std::fs::remove_file(&draft);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(port.to_string().as_bytes())?;
    std::fs::rename(&draft, path)
}

/// Opens `<dir>/outlast.db`, makes both where they are missing, and serves it on a free loopback port.
///
/// What was acknowledged is on disk: each write is one commit with one fsync, so it survives the process being killed
/// at any moment.
///
/// # Errors
/// If another process has the directory, or the file or the port can't be opened, or the port can't be noted.
pub async fn start(dir: &Path) -> Result<Embedded, EmbeddedError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |e| EmbeddedError::Io(path, e)
    };
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    let lock_path = dir.join("lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(io(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(EmbeddedError::InUse(dir.to_owned())),
        Err(TryLockError::Error(e)) => return Err(io(&lock_path)(e)),
    }
    let path = dir.join("outlast.db");
    let broken = |e: String| EmbeddedError::Database(path.clone(), e);
    let name = path.to_str().ok_or_else(|| broken("its path is not UTF-8".to_owned()))?;
    let database = Database::new(name).map_err(|e| broken(e.to_string()))?;

    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(io(dir))?;
    let addr = listener.local_addr().map_err(io(dir))?;
    let endpoint = format!("http://{addr}");
    let port = dir.join(PORT);
    note(&port, addr.port()).map_err(io(&port))?;
    let lock = Arc::new(lock);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn({
        let (database, lock) = (database.clone(), Arc::clone(&lock));
        async move {
            let stopped = async {
                // A dropped handle stops it too.
                let _ = stopped.await;
            };
            let served = dynoxide::server::serve_with_shutdown(listener, database, stopped).await;
            drop(lock);
            served
        }
    });
    let sweeper = tokio::spawn(sweep(database));
    Ok(Embedded { endpoint, stop: Some(stop), server, sweeper, port, _lock: lock })
}

/// Deletes what has expired, now and then.
async fn sweep(database: Database) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tick.tick().await;
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(deleted)) => tracing::info!(deleted, "expired items were deleted"),
            Ok(Err(error)) => tracing::warn!(%error, "expired items could not be deleted"),
        }
    }
}
