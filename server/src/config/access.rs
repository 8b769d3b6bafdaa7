//! Who is let in, how fast they may go, and what they may spend.

use super::{
    ConfigError, Secret,
    read::{Reader, Rule, bad, shown},
};
use crate::auth::password::Hashed;

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The access code's hash; none where access is open.
    pub code: Option<Hashed>,
    /// The admin's password's hash, if the environment gives it.
    pub admin: Option<Hashed>,
}

/// How much may be spent a day, UTC, in millionths of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caps {
    /// By everybody together.
    pub all: Option<u64>,
    /// By one user.
    pub user: Option<u64>,
}

/// How fast turns may be sent. None: as fast as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// Turns a minute, of one user.
    pub user: Option<u32>,
    /// Turns a minute, of one address.
    pub address: Option<u32>,
    /// Turns of one user that run at once.
    pub running: Option<u32>,
}

impl Pace {
    /// Where others than the person at the keyboard can reach the server.
    pub const PUBLIC: Self = Self { user: Some(20), address: Some(60), running: Some(5) };
}

impl Reader<'_> {
    pub(super) fn access(&self, lambda: bool) -> Result<Access, ConfigError> {
        let name = "OUTLAST_ACCESS";
        let guarded = self.choice(name, false, &[("open", false), ("code", true)])?;
        let code = self.hash("OUTLAST_ACCESS_CODE_HASH")?;
        match (guarded, &code) {
            (true, None) => {
                return Err(bad("OUTLAST_ACCESS_CODE_HASH", "is not set; use what `outlast hash` prints for the code"));
            }
            (false, Some(_)) if self.get(name).is_none() => {
                return Err(bad(name, "is not set though OUTLAST_ACCESS_CODE_HASH is; use `code`, or `open`"));
            }
            (false, _) if lambda && self.get(name).is_none() => {
                return Err(bad(
                    name,
                    "is not set, and on Lambda anybody may find the address; use `code`, or `open` if you mean it",
                ));
            }
            _ => {}
        }
        Ok(Access { code: code.filter(|_| guarded), admin: self.hash("OUTLAST_ADMIN_PASSWORD_HASH")? })
    }

    fn hash(&self, name: &'static str) -> Result<Option<Hashed>, ConfigError> {
        let Some(text) = self.get(name).map(Secret::new) else { return Ok(None) };
        let hash = Hashed::parse(text.expose());
        hash.map(Some).ok_or_else(|| bad(name, "is no argon2id hash; use what `outlast hash` prints, in single quotes"))
    }

    pub(super) fn caps(&self, lambda: bool) -> Result<Caps, ConfigError> {
        let all = self.dollars("OUTLAST_DAILY_USD")?;
        if lambda && all.is_none() {
            let fault = "is not set, and on Lambda it must be; use the most dollars a day that may be spent, such as 5";
            return Err(bad("OUTLAST_DAILY_USD", fault));
        }
        Ok(Caps { all, user: self.dollars("OUTLAST_DAILY_USD_USER")? })
    }

    fn dollars(&self, name: &'static str) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let micros = value.parse::<f64>().ok().map(|usd| (usd * 1e6).round());
        match micros {
            Some(micros) if (1.0..=1e12).contains(&micros) => Ok(Some(micros as u64)),
            _ => Err(bad(
                name,
                format!("is {}; use a number of dollars from 0.000001 to 1000000, such as 2.50", shown(&value)),
            )),
        }
    }

    /// `public`: others than the person at the keyboard can reach the server. `behind`: it listens to this machine
    /// alone, but has a code or a cap, so a proxy may stand before it. All addresses are that proxy's then.
    pub(super) fn pace(&self, public: bool, behind: bool) -> Result<Pace, ConfigError> {
        let default = match (public, behind) {
            (true, _) => Pace::PUBLIC,
            (false, true) => Pace { address: None, ..Pace::PUBLIC },
            (false, false) => Pace::default(),
        };
        let read = |name, default: Option<u32>| {
            let set = self.number::<u32>(name, Rule(0..=1_000_000, "turns, 0 for no limit"))?;
            Ok::<_, ConfigError>(set.map_or(default, |n| Some(n).filter(|n| *n > 0)))
        };
        Ok(Pace {
            user: read("OUTLAST_TURNS_A_MINUTE", default.user)?,
            address: read("OUTLAST_TURNS_A_MINUTE_ADDRESS", default.address)?,
            running: read("OUTLAST_RUNNING_TURNS", default.running)?,
        })
    }
}
