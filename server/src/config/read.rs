//! Reading and checking one variable at a time.

use std::{
    fmt::{self, Display},
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use super::{AwsCredentials, Claude, Jobs, Limits, Secret, Signing, Store, StoreKind, Thinking, Turn};

/// A value that cannot be used: one line that names the variable, the fault and what would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub variable: &'static str,
    /// The fault and what would do, in words. Never a secret's value.
    pub fault: String,
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.fault)
    }
}

impl std::error::Error for ConfigError {}

pub(super) fn bad(variable: &'static str, fault: impl Into<String>) -> ConfigError {
    ConfigError { variable, fault: fault.into() }
}

/// A value as it may be shown: on one line, and not at any length.
pub(super) fn shown(value: &str) -> String {
    let short: String = value.chars().take(60).collect();
    let dots = if short.len() < value.len() { "…" } else { "" };
    format!("{short:?}{dots}")
}

/// What a number may be, and of what.
pub(super) struct Rule(pub(super) RangeInclusive<u64>, pub(super) &'static str);

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup }
    }

    /// The value, without surrounding space; an empty one is none.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(Secret::new)
    }

    pub(super) fn choice<T: Copy>(&self, name: &'static str, default: T, all: &[(&str, T)]) -> Result<T, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        all.iter().find(|(word, _)| *word == value).map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|(word, _)| format!("`{word}`")).collect();
            bad(name, format!("is {}, which is not known; use {}", shown(&value), words.join(" or ")))
        })
    }

    pub(super) fn number<T: FromStr>(
        &self,
        name: &'static str,
        Rule(range, unit): Rule,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let (from, to) = (range.start(), range.end());
        let within = value.parse::<u64>().is_ok_and(|n| range.contains(&n));
        value
            .parse()
            .ok()
            .filter(|_| within)
            .map(Some)
            .ok_or_else(|| bad(name, format!("is {}; use a whole number from {from} to {to} ({unit})", shown(&value))))
    }

    pub(super) fn listen(&self, lambda: bool) -> Result<SocketAddr, ConfigError> {
        let port = Rule(1..=65535, "a port");
        let adapter = match self.number::<u16>("AWS_LWA_PORT", port)? {
            None if lambda => self.number("PORT", Rule(1..=65535, "a port"))?,
            port => port,
        };
        if let Some(port) = adapter {
            return Ok((Ipv4Addr::LOCALHOST, port).into());
        }
        match self.get("OUTLAST_ADDR") {
            Some(addr) => addr.parse().map_err(|_| {
                bad("OUTLAST_ADDR", format!("is {}; use an address and a port, such as 127.0.0.1:3000", shown(&addr)))
            }),
            // Where the adapter looks when nobody told it.
            None if lambda => Ok((Ipv4Addr::LOCALHOST, 8080).into()),
            None => Ok((Ipv4Addr::LOCALHOST, 3000).into()),
        }
    }

    pub(super) fn front(&self) -> Result<Option<Secret>, ConfigError> {
        let name = "OUTLAST_ORIGIN_SECRET";
        let secret = self.secret(name);
        match &secret {
            Some(short) if short.expose().len() < 32 => {
                Err(bad(name, format!("has {} bytes; use 32 bytes or more", short.expose().len())))
            }
            Some(odd) if !odd.expose().bytes().all(|b| b.is_ascii_graphic() || b == b' ') => {
                Err(bad(name, "holds a letter outside ASCII; it goes into a header"))
            }
            _ => Ok(secret),
        }
    }

    /// An `http` or `https` address, without its trailing slash.
    fn url(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let uri = value.parse::<http::Uri>().ok();
        let usable = uri.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'))
                && uri.query().is_none()
        });
        if !usable {
            // Not shown: an address may carry a password.
            return Err(bad(
                name,
                "is no address; use http:// or https:// and a host, without user, password or query",
            ));
        }
        Ok(Some(value.trim_end_matches('/').to_owned()))
    }

    pub(super) fn store(&self, lambda: bool) -> Result<Store, ConfigError> {
        let embedded = cfg!(feature = "embedded");
        let default = if lambda || !embedded { StoreKind::DynamoDb } else { StoreKind::Embedded };
        let kinds = [("embedded", StoreKind::Embedded), ("dynamodb", StoreKind::DynamoDb)];
        let kind = self.choice("OUTLAST_STORE", default, &kinds)?;
        if kind == StoreKind::Embedded && (lambda || !embedded) {
            let why = if lambda { "on Lambda, where no file lasts" } else { "but this build has no embedded store" };
            return Err(bad("OUTLAST_STORE", format!("is \"embedded\" {why}; use `dynamodb`")));
        }
        let endpoint = self.endpoint("AWS_ENDPOINT_URL_DYNAMODB")?;
        let real = kind == StoreKind::DynamoDb && endpoint.is_none();
        let region = match self.region() {
            Some(region) => region,
            None if real => {
                return Err(bad("AWS_REGION", "is not set; use the table's region, such as eu-central-1"));
            }
            None => "us-east-1".to_owned(),
        };
        let table = self.get("OUTLAST_TABLE").unwrap_or_else(|| "outlast".to_owned());
        // Amazon DynamoDB Developer Guide, "Naming rules".
        let fits = (3..=255).contains(&table.len())
            && table.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if !fits {
            let fault = format!("is {}; use 3 to 255 letters, digits, `_`, `-` or `.`", shown(&table));
            return Err(bad("OUTLAST_TABLE", fault));
        }
        Ok(Store {
            kind,
            data_dir: self.get("OUTLAST_DATA_DIR").unwrap_or_else(|| "./data".to_owned()).into(),
            table,
            endpoint,
            region,
            credentials: self.credentials(real)?,
            retention_days: self.number("OUTLAST_RETENTION_DAYS", Rule(1..=36_500, "days"))?.unwrap_or(365),
        })
    }

    /// An AWS service's address, where it is not Amazon's own.
    pub(super) fn endpoint(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        match self.url(name)? {
            None => self.url("AWS_ENDPOINT_URL"),
            url => Ok(url),
        }
    }

    pub(super) fn region(&self) -> Option<String> {
        self.get("AWS_REGION").or_else(|| self.get("AWS_DEFAULT_REGION"))
    }

    pub(super) fn credentials(&self, required: bool) -> Result<Option<AwsCredentials>, ConfigError> {
        match (self.get("AWS_ACCESS_KEY_ID"), self.secret("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key_id), Some(secret_access_key)) => Ok(Some(AwsCredentials {
                access_key_id,
                secret_access_key,
                session_token: self.secret("AWS_SESSION_TOKEN"),
            })),
            (Some(_), None) => Err(bad("AWS_SECRET_ACCESS_KEY", "is not set though AWS_ACCESS_KEY_ID is; set both")),
            (None, Some(_)) => Err(bad("AWS_ACCESS_KEY_ID", "is not set though AWS_SECRET_ACCESS_KEY is; set both")),
            (None, None) if required => Err(bad(
                "AWS_ACCESS_KEY_ID",
                "is not set; use an AWS key with its AWS_SECRET_ACCESS_KEY, or AWS_ENDPOINT_URL_DYNAMODB for a DynamoDB of your own",
            )),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn claude(&self, lambda: bool) -> Result<Claude, ConfigError> {
        let claude = Claude {
            api_key: self.api_key()?,
            base_url: self.url("ANTHROPIC_BASE_URL")?,
            model: self.get("OUTLAST_MODEL").unwrap_or_else(|| "claude-sonnet-5-5".to_owned()),
            max_tokens: self.number("OUTLAST_MAX_TOKENS", Rule(1..=1_000_000, "tokens"))?,
            thinking: self.choice(
                "OUTLAST_THINKING",
                Thinking::Off,
                &[("off", Thinking::Off), ("adaptive", Thinking::Adaptive)],
            )?,
        };
        if claude.simulated() && (lambda || !cfg!(feature = "simulator")) {
            let fault = "is not set, and there is no simulator here; use a key of console.anthropic.com";
            return Err(bad("ANTHROPIC_API_KEY", fault));
        }
        Ok(claude)
    }

    /// A key goes into a header, so it must be able to.
    fn api_key(&self) -> Result<Option<Secret>, ConfigError> {
        let key = self.secret("ANTHROPIC_API_KEY");
        if key.as_ref().is_some_and(|k| !k.expose().bytes().all(|b| b.is_ascii_graphic())) {
            let fault = "holds a space, a line break or a letter outside ASCII; use the key as it was issued";
            return Err(bad("ANTHROPIC_API_KEY", fault));
        }
        Ok(key)
    }

    pub(super) fn signing(&self, lambda: bool) -> Result<Signing, ConfigError> {
        let name = "OUTLAST_SECRET";
        let Some(value) = self.get(name) else {
            if lambda {
                return Err(bad(name, "is not set, and on Lambda it must be; use any text of 32 bytes or more"));
            }
            return Ok(Signing { secrets: Vec::new() });
        };
        let secrets: Vec<_> = value.split(',').map(|s| Secret::new(s.trim())).collect();
        if let Some((i, short)) = secrets.iter().enumerate().find(|(_, s)| s.expose().len() < 32) {
            let (which, len) = (i + 1, short.expose().len());
            return Err(bad(
                name,
                format!("has {len} bytes in secret {which} of {}; use 32 bytes or more in each", secrets.len()),
            ));
        }
        Ok(Signing { secrets })
    }

    pub(super) fn turn(&self) -> Result<Turn, ConfigError> {
        let ms = "milliseconds";
        let lease_ms = self.number("OUTLAST_LEASE_MS", Rule(1_000..=600_000, ms))?.unwrap_or(10_000);
        let set = self.number("OUTLAST_FLUSH_MS", Rule(1..=200_000, ms))?;
        // A short lease alone is no fault: the default follows it.
        let flush_ms = set.unwrap_or_else(|| 300.min(lease_ms / 3));
        if flush_ms > lease_ms / 3 {
            let most = lease_ms / 3;
            return Err(bad(
                "OUTLAST_FLUSH_MS",
                format!(
                    "is {flush_ms}, more than a third of the lease of {lease_ms} ms; use {most} or less, or a longer OUTLAST_LEASE_MS"
                ),
            ));
        }
        Ok(Turn {
            lease_ms,
            flush_ms,
            run_seconds: self.number("OUTLAST_RUN_SECONDS", Rule(1..=86_400, "seconds"))?,
            turn_minutes: self.number("OUTLAST_TURN_MINUTES", Rule(1..=10_080, "minutes"))?.unwrap_or(120),
            stall_ms: self.number("OUTLAST_STALL_MS", Rule(100..=3_600_000, ms))?.unwrap_or(60_000),
        })
    }

    pub(super) fn jobs(&self) -> Result<Jobs, ConfigError> {
        let endpoint = self.endpoint("AWS_ENDPOINT_URL_SQS")?;
        Ok(Jobs {
            queue_url: self.url("OUTLAST_QUEUE_URL")?,
            endpoint,
            at_once: self.number("OUTLAST_WORKERS", Rule(1..=1_000, "turns"))?.unwrap_or(10),
            webhook_secret: self.secret("OUTLAST_WEBHOOK_SECRET"),
            private_webhooks: self.choice("OUTLAST_WEBHOOKS", false, &[("public", false), ("any", true)])?,
        })
    }

    pub(super) fn limits(&self) -> Result<Limits, ConfigError> {
        let default = Limits::default();
        let chars = "characters";
        Ok(Limits {
            max_prompt_chars: self
                .number("OUTLAST_MAX_PROMPT_CHARS", Rule(1..=10_000_000, chars))?
                .unwrap_or(default.max_prompt_chars),
            max_body_bytes: self
                .number("OUTLAST_MAX_BODY_BYTES", Rule(1_024..=104_857_600, "bytes"))?
                .unwrap_or(default.max_body_bytes),
            max_title_chars: self
                .number("OUTLAST_MAX_TITLE_CHARS", Rule(1..=10_000, chars))?
                .unwrap_or(default.max_title_chars),
        })
    }
}
