//! What an admin may see: everybody's sessions and the logs of their turns. To look at only, and every look is noted.

pub mod jobs;
pub mod sessions;
pub mod timeline;

use std::net::IpAddr;

use app::{domain::Timestamp, error::ApiError};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

pub use sessions::{Filter, Found, Place};

use crate::{
    clock::{self, Clock},
    storage::{AdminSession, AuditEntry, Store, StoreError},
};

/// An admin who does nothing is signed out after so long.
const IDLE_MS: u64 = 60 * 60 * 1000;
/// And after so long whatever they do.
const LIFE_MS: u64 = 12 * 60 * 60 * 1000;
/// How exactly it is noted when they were last seen.
const MINUTE_MS: u64 = 60 * 1000;
/// Audit entries of a page.
const AUDIT_PAGE: u32 = 100;

/// Everything behind the admin pages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admin {
    store: Store,
    clock: Clock,
    retention_days: u64,
}

/// An admin who is signed in, for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// A hash of what their cookie says: may be stored and shown, and lets nobody in.
    id: String,
    address: Option<IpAddr>,
}

/// Logs the cause, once, and says what a person may know of it.
fn unavailable(error: StoreError) -> ApiError {
    tracing::warn!(%error, "the store did not answer an admin");
    ApiError::unavailable()
}

fn hashed(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

impl Admin {
    #[must_use]
    pub fn new(store: Store, clock: Clock, retention_days: u64) -> Self {
        Self { store, clock, retention_days }
    }

    /// The table.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Signs an admin in, who gave the password that `mark` names; gives what their cookie is to say.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn sign_in(&self, mark: &str, address: Option<IpAddr>) -> Result<String, ApiError> {
        let token = URL_SAFE_NO_PAD.encode(clock::random::<32>());
        let now = self.now();
        let session = AdminSession {
            id: hashed(&token),
            created_at: now,
            seen_at: now,
            generation: self.store.admin_generation().await.map_err(unavailable)?,
            mark: mark.to_owned(),
            ttl: now.plus_millis(LIFE_MS).seconds(),
        };
        self.store.put_admin(&session).await.map_err(unavailable)?;
        self.note(&Signed { id: session.id, address }, "sign in", None, None).await?;
        Ok(token)
    }

    /// Who a cookie's holder is, if they are signed in still.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn of(&self, token: &str, mark: &str, address: Option<IpAddr>) -> Result<Option<Signed>, ApiError> {
        if token.len() != 43 {
            return Ok(None);
        }
        let id = hashed(token);
        let (session, generation) = self.store.admin(&id).await.map_err(unavailable)?;
        let now = self.now();
        let good = |s: &AdminSession| {
            s.generation == generation
                && s.mark == mark
                && now.since(s.created_at) < LIFE_MS
                && now.since(s.seen_at) < IDLE_MS
        };
        let Some(session) = session.filter(good) else { return Ok(None) };
        if now.since(session.seen_at) >= MINUTE_MS && !self.store.see_admin(&id, now).await.map_err(unavailable)? {
            return Ok(None);
        }
        Ok(Some(Signed { id, address }))
    }

    /// Signs one admin out; their cookie is worth nothing then, wherever it is.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn sign_out(&self, who: &Signed) -> Result<(), ApiError> {
        self.note(who, "sign out", None, None).await?;
        self.store.forget_admin(&who.id).await.map_err(unavailable)
    }

    /// Signs all admins out.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn sign_out_everywhere(&self, who: &Signed) -> Result<(), ApiError> {
        self.note(who, "sign out everywhere", None, None).await?;
        self.store.next_admin_generation().await.map_err(unavailable)
    }

    /// Adds to the audit list, before anything is shown: what cannot be noted is not shown.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn note(
        &self,
        who: &Signed,
        action: &str,
        object: Option<String>,
        user: Option<String>,
    ) -> Result<Timestamp, ApiError> {
        let now = self.now();
        let entry = AuditEntry {
            at: now,
            admin: who.id.get(..8).unwrap_or_default().to_owned(),
            action: action.to_owned(),
            object,
            user,
            address: who.address.map(|ip| ip.to_string()),
        };
        let ttl = now.seconds() + self.retention_days * 86_400;
        self.store.note_audit(&entry, ttl).await.map_err(unavailable)?;
        Ok(now)
    }

    /// The audit list, newest first; `from` is what an earlier page gave. Goes back month by month.
    ///
    /// # Errors
    /// `unavailable`; `invalid` if there is no such page.
    pub async fn audit(&self, from: Option<&str>) -> Result<(Vec<AuditEntry>, Option<String>), ApiError> {
        let wrong = || ApiError::invalid("page", "`page` is not one that this list gave.");
        let (month, before) = match from {
            None => (month_of(self.now()), None),
            Some(token) => {
                let (month, before) = token.split_once('|').ok_or_else(wrong)?;
                let shape = month.len() == 7 && month.bytes().all(|b| b.is_ascii_digit() || b == b'-');
                let month = Some(month).filter(|_| shape).ok_or_else(wrong)?;
                (month.to_owned(), Some(before).filter(|b| !b.is_empty()))
            }
        };
        let (entries, next) = self.store.audit(&month, before, AUDIT_PAGE).await.map_err(unavailable)?;
        let next = match next {
            Some(next) => Some(format!("{month}|{next}")),
            None => earlier(&month).filter(|m| *m >= month_of(self.oldest())).map(|m| format!("{m}|")),
        };
        Ok((entries, next))
    }

    /// Before this nothing is kept.
    fn oldest(&self) -> Timestamp {
        Timestamp::from_millis(self.now().millis().saturating_sub(self.retention_days * 86_400_000))
    }
}

fn month_of(at: Timestamp) -> String {
    let mut month = at.to_string();
    month.truncate(7);
    month
}

/// The month before, `yyyy-mm`.
fn earlier(month: &str) -> Option<String> {
    let (year, month) = month.split_once('-')?;
    let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
    let (year, month) = if month > 1 { (year, month - 1) } else { (year.checked_sub(1)?, 12) };
    Some(format!("{year:04}-{month:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_go_back() {
        assert_eq!(earlier("2026-11").as_deref(), Some("2026-10"));
        assert_eq!(earlier("2026-01").as_deref(), Some("2025-12"));
        assert_eq!((earlier("0000-01"), earlier("x")), (None, None));
    }
}
