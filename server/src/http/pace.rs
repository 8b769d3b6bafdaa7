//! How fast turns may be sent, by user and by address. Each server counts for itself: what one lets through in a
//! minute, several let through several times.

use std::net::IpAddr;

use app::{
    domain::UserId,
    error::{ApiError, Code},
};
use tokio::time::Instant;

use crate::{
    auth::buckets::{Buckets, Rate, seconds},
    config::Pace,
};

/// The endpoints that begin a turn, or several.
const BEGIN: [&str; 5] = ["/api/chat/send", "/api/chat/retry", "/api/chat/continue", SUBMIT_JOB, "/api/jobs/retry"];
/// The endpoint that hands a job in, as a form elsewhere does too.
pub(super) const SUBMIT_JOB: &str = "/api/jobs/submit";

/// The buckets.
#[derive(Debug, Default)]
pub struct Paces {
    user: Option<Buckets<UserId>>,
    address: Option<Buckets<IpAddr>>,
}

impl Paces {
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self {
            user: pace.user.map(|n| Buckets::new(Rate::a_minute(n))),
            address: pace.address.map(|n| Buckets::new(Rate::a_minute(n))),
        }
    }

    /// Counts a call, if it is one that begins a turn.
    ///
    /// # Errors
    /// `rate_limited`, with when to come again.
    pub fn take(&self, path: &str, user: UserId, address: Option<IpAddr>) -> Result<(), ApiError> {
        if !BEGIN.contains(&path) {
            return Ok(());
        }
        let now = Instant::now();
        let by_address = self.address.as_ref().zip(address).map_or(Ok(()), |(buckets, ip)| buckets.take(&ip, now));
        let by_user = self.user.as_ref().map_or(Ok(()), |buckets| buckets.take(&user, now));
        by_address.and(by_user).map_err(|wait| {
            let words = "Too many messages at once. Wait a moment, then send again.";
            ApiError { retry_after: Some(seconds(wait)), ..ApiError::new(Code::RateLimited, words) }
        })
    }
}
