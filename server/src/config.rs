//! What the environment says, read once at the start and refused as a whole where it is wrong.
//!
//! One struct a concern. [`VARIABLES`] is the same table as the README's; a test compares the two.

mod access;
mod read;
mod secrets;
mod variables;

use std::{fmt, net::SocketAddr, path::PathBuf};

pub use access::{Access, Caps, Pace};
pub use read::ConfigError;
use read::Reader;
pub use variables::{VARIABLES, Variable};

/// A text that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub addr: SocketAddr,
    /// What a proxy in front proves itself by. None: whoever reaches the address is answered.
    pub front: Option<Secret>,
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// An engine inside this process, kept in a file of the data directory.
    Embedded,
    /// DynamoDB, or what speaks its protocol at [`Store::endpoint`].
    DynamoDb,
}

/// An AWS key. The session token is there on Lambda and with assumed roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

/// The table and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub kind: StoreKind,
    /// Holds the embedded store and the generated secret.
    pub data_dir: PathBuf,
    pub table: String,
    /// None: DynamoDB itself, in `region`.
    pub endpoint: Option<String>,
    pub region: String,
    /// None only where nobody checks them: the embedded store, or a custom endpoint.
    pub credentials: Option<AwsCredentials>,
    /// Days after which what was stored disappears.
    pub retention_days: u32,
}

/// The Messages API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claude {
    pub api_key: Option<Secret>,
    /// Without a trailing slash. None: Anthropic's own, or the simulator if there is no key either.
    pub base_url: Option<String>,
    /// The default model's id.
    pub model: String,
    /// Most tokens of one reply. None: 32,000 or the model's own limit, whichever is less.
    pub max_tokens: Option<u32>,
    pub thinking: Thinking,
}

impl Claude {
    /// Anthropic's own address.
    pub const ANTHROPIC: &str = "https://api.anthropic.com";

    /// Whether this process is to start the simulator: neither a key nor an address was given.
    #[must_use]
    pub fn simulated(&self) -> bool {
        self.api_key.is_none() && self.base_url.is_none()
    }
}

/// Whether the model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    Off,
    /// The model decides how much.
    Adaptive,
}

/// What signs the identity cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// The first signs, all verify. Empty: one is generated and kept in the data directory.
    pub secrets: Vec<Secret>,
}

/// The turn log and the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// A log that stands still this long is abandoned. Milliseconds.
    pub lease_ms: u64,
    /// Text is written at least this often. Milliseconds.
    pub flush_ms: u64,
    /// Longest run of one runner before it hands over, in seconds.
    pub run_seconds: Option<u64>,
    /// Longest turn, in minutes.
    pub turn_minutes: u64,
    /// No content from Claude for so long is a fault. Milliseconds.
    pub stall_ms: u64,
}

/// Long generations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jobs {
    /// SQS. None: a queue in this process.
    pub queue_url: Option<String>,
    /// None: SQS itself, in the store's region.
    pub endpoint: Option<String>,
    /// Turns that one process works on at once, out of the queue.
    pub at_once: usize,
    /// Signs webhooks. None: there are none.
    pub webhook_secret: Option<Secret>,
    /// Webhooks may go to private addresses.
    pub private_webhooks: bool,
}

/// How much one request may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub max_prompt_chars: usize,
    pub max_body_bytes: usize,
    pub max_title_chars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_prompt_chars: 200_000, max_body_bytes: 3 << 20, max_title_chars: 200 }
    }
}

/// The browser's half, as it was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub dir: PathBuf,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// On Lambda, by `AWS_LAMBDA_FUNCTION_NAME`.
    pub lambda: bool,
    pub listen: Listen,
    pub store: Store,
    pub claude: Claude,
    pub signing: Signing,
    pub access: Access,
    pub caps: Caps,
    pub pace: Pace,
    pub turn: Turn,
    pub jobs: Jobs,
    pub limits: Limits,
    pub site: Site,
    pub log: LogFormat,
}

impl Config {
    /// Reads the process's environment, and what it leaves open from where `OUTLAST_SECRETS_PATH` says that secrets
    /// are.
    ///
    /// # Errors
    /// The first value that is wrong; where the secrets cannot be read.
    pub async fn from_env() -> Result<Self, ConfigError> {
        use std::io::IsTerminal;
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("site")));
        let env = |name: &str| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned());
        let place = Reader::new(&env).secrets()?;
        let kept = match &place {
            Some(place) => place.read().await?,
            None => std::collections::BTreeMap::new(),
        };
        let lookup = |name: &str| env(name).filter(|v| !v.trim().is_empty()).or_else(|| kept.get(name).cloned());
        Self::from_lookup(lookup).map(|mut config| {
            if config.site.dir.as_os_str().is_empty() {
                config.site.dir = beside.unwrap_or_else(|| "site".into());
            }
            if std::env::var_os("OUTLAST_LOG").is_none_or(|v| v.is_empty()) && std::io::stdout().is_terminal() {
                config.log = LogFormat::Text;
            }
            config
        })
    }

    /// Reads whatever `lookup` knows; an empty value counts as absent. What depends on the process itself (the
    /// executable's folder, whether a terminal is there) is [`Config::from_env`]'s.
    ///
    /// # Errors
    /// The first value that is wrong.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let env = Reader::new(&lookup);
        let lambda = env.get("AWS_LAMBDA_FUNCTION_NAME").is_some();
        let addr = env.listen(lambda)?;
        let (access, caps) = (env.access(lambda)?, env.caps(lambda)?);
        let behind = access.code.is_some() || caps != Caps::default();
        Ok(Self {
            lambda,
            listen: Listen { addr, front: env.front()? },
            store: env.store(lambda)?,
            claude: env.claude(lambda)?,
            signing: env.signing(lambda)?,
            access,
            caps,
            pace: env.pace(lambda || !addr.ip().is_loopback(), behind)?,
            turn: env.turn()?,
            jobs: env.jobs()?,
            limits: env.limits()?,
            site: Site { dir: env.get("OUTLAST_SITE").unwrap_or_default().into() },
            log: env.choice("OUTLAST_LOG", LogFormat::Json, &[("json", LogFormat::Json), ("text", LogFormat::Text)])?,
        })
    }
}

#[cfg(test)]
mod tests;
