//! Who is let in: the access code, the admin's password, and how often either may be tried.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{
    buckets::{Buckets, Rate},
    password::{Hashed, LONGEST},
};

/// Tries of one address. Whoever gets in is given theirs back.
const ADDRESS: Rate = Rate { burst: 10, every: Duration::from_secs(12) };
/// Tries of everybody together.
const ALL: Rate = Rate { burst: 60, every: Duration::from_secs(2) };
/// Hashes that are computed at once: each takes a core, and 19 MiB.
const AT_ONCE: usize = 2;
/// How long a try waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom a secret lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// To the chat.
    Guest,
    /// To the chat, and to the admin pages.
    Admin,
}

/// Why a secret does not let anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// It is neither secret. Which it is not is not said.
    Wrong,
    /// Too many tries; how long to wait.
    Wait(Duration),
}

/// The one place where secrets are tried.
#[derive(Debug)]
pub struct Door {
    /// The access code; none where access is open.
    code: Option<Hashed>,
    admin: Option<Hashed>,
    by_address: Buckets<Option<IpAddr>>,
    all: Buckets<()>,
    at_once: Arc<Semaphore>,
}

impl Door {
    #[must_use]
    pub fn new(code: Option<Hashed>, admin: Option<Hashed>) -> Self {
        Self {
            code,
            admin,
            by_address: Buckets::new(ADDRESS),
            all: Buckets::new(ALL),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Whether a code is asked for.
    #[must_use]
    pub fn guarded(&self) -> bool {
        self.code.is_some()
    }

    /// Whether there is an admin.
    #[must_use]
    pub fn has_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// What a cookie has to carry to be let in: it changes with the code.
    #[must_use]
    pub fn mark(&self) -> Option<String> {
        self.code.as_ref().map(Hashed::mark)
    }

    /// Names the admin's password: sessions end when it is replaced.
    #[must_use]
    pub fn admin_mark(&self) -> Option<String> {
        self.admin.as_ref().map(Hashed::mark)
    }

    /// Tries a secret. Both hashes are computed whatever the first says, so that the time tells nothing.
    ///
    /// # Errors
    /// [`Shut`].
    pub async fn try_secret(&self, secret: &str, from: Option<IpAddr>) -> Result<Entered, Shut> {
        let now = Instant::now();
        self.by_address.take(&from, now).map_err(Shut::Wait)?;
        self.all.take(&(), now).map_err(Shut::Wait)?;
        if secret.len() > LONGEST {
            return Err(Shut::Wrong);
        }
        let Ok(Ok(permit)) = timeout(PATIENCE, self.at_once.clone().acquire_owned()).await else {
            return Err(Shut::Wait(PATIENCE));
        };
        let (code, admin, secret) = (self.code.clone(), self.admin.clone(), secret.as_bytes().to_vec());
        let tried = tokio::task::spawn_blocking(move || {
            // Held until it is done, even if whoever asked has gone.
            let _permit = permit;
            let code = code.is_some_and(|hash| hash.matches(&secret));
            let admin = admin.is_some_and(|hash| hash.matches(&secret));
            (code, admin)
        });
        let (code, admin) = tried.await.unwrap_or_default();
        if !code && !admin {
            return Err(Shut::Wrong);
        }
        self.by_address.give_back(&from);
        self.all.give_back(&());
        Ok(if admin { Entered::Admin } else { Entered::Guest })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::password::generate, *};

    #[tokio::test]
    async fn each_secret_opens_its_own_door_and_others_none() {
        let (code, admin) = (generate().unwrap(), generate().unwrap());
        let door = Door::new(Hashed::parse(&code.1), Hashed::parse(&admin.1));
        assert_eq!(door.try_secret(&code.0, None).await, Ok(Entered::Guest));
        assert_eq!(door.try_secret(&admin.0, None).await, Ok(Entered::Admin));
        for wrong in ["", "x", &code.1, &"x".repeat(LONGEST + 1)] {
            assert_eq!(door.try_secret(wrong, None).await, Err(Shut::Wrong));
        }
        assert_eq!(Door::new(None, None).try_secret("", None).await, Err(Shut::Wrong));
    }

    #[tokio::test]
    async fn tries_are_counted_by_address_and_right_ones_given_back() {
        let (secret, hash) = generate().unwrap();
        let door = Door::new(Hashed::parse(&hash), None);
        let [one, other] = [1, 2].map(|n| Some(IpAddr::from([192, 0, 2, n])));
        for _ in 0..ADDRESS.burst {
            assert_eq!(door.try_secret("wrong", one).await, Err(Shut::Wrong));
        }
        assert!(matches!(door.try_secret(&secret, one).await, Err(Shut::Wait(_))), "even the right one waits");
        for _ in 0..2 * ADDRESS.burst {
            assert_eq!(door.try_secret(&secret, other).await, Ok(Entered::Guest));
        }
    }

    #[tokio::test]
    async fn tries_of_everybody_together_are_bounded() {
        let door = Door::new(Hashed::parse(&generate().unwrap().1), None);
        for n in 0..ALL.burst {
            let from = Some(IpAddr::from([192, 0, 2, n as u8]));
            assert_eq!(door.try_secret("wrong", from).await, Err(Shut::Wrong));
        }
        let from = Some(IpAddr::from([198, 51, 100, 1]));
        assert!(matches!(door.try_secret("wrong", from).await, Err(Shut::Wait(_))));
    }
}
