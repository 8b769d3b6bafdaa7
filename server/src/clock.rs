//! The only place that reads the clock or asks for randomness; everything else is given one of these.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use app::domain::{JobId, MessageId, SessionId, Timestamp, TurnId, UserId};

/// Wall-clock time, correctable: DynamoDB's clock is the one that counts, and tests shift it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    skew_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Now, with the correction applied.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        corrected(self.local(), self.skew_ms.load(Ordering::Relaxed))
    }

    /// Now, as this machine has it: for spans of time only, which a correction must not bend.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    pub fn local(&self) -> Timestamp {
        let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        Timestamp::from_millis(ms)
    }

    /// Sets the correction, in milliseconds added to the local clock.
    pub fn set_skew(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }

    /// Changes the correction by what `by` says, in milliseconds, of two local times as they read with the correction
    /// of now: of several who found the same error at once, the first corrects it and the others find none.
    pub fn correct(&self, earlier: Timestamp, later: Timestamp, by: impl Fn(Timestamp, Timestamp) -> i64) {
        let change = |skew| Some(skew + by(corrected(earlier, skew), corrected(later, skew)));
        let _ = self.skew_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// A new id each, made now.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        SessionId::from_parts(self.now(), random_u128())
    }
    #[must_use]
    pub fn turn_id(&self) -> TurnId {
        TurnId::from_parts(self.now(), random_u128())
    }
    #[must_use]
    pub fn job_id(&self) -> JobId {
        JobId::from_parts(self.now(), random_u128())
    }
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        MessageId::from_parts(self.now(), random_u128())
    }
    #[must_use]
    pub fn user_id(&self) -> UserId {
        UserId::from_parts(self.now(), random_u128())
    }
}

/// A local time with a correction.
fn corrected(local: Timestamp, skew_ms: i64) -> Timestamp {
    Timestamp::from_millis((local.millis() as i64).saturating_add(skew_ms).max(0) as u64)
}

/// Bytes from the system's generator.
///
/// # Panics
/// If the system has no randomness to give: nothing could be safe then.
#[must_use]
#[expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "without randomness nothing is safe; the one place that asks for it"
)]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random generator");
    bytes
}

/// 128 random bits.
#[must_use]
pub fn random_u128() -> u128 {
    u128::from_le_bytes(random())
}

/// A number in `0..=max`, for jitter; its slight bias does not matter there.
#[must_use]
pub fn jitter(max: u64) -> u64 {
    u64::from_le_bytes(random()) % (max + 1)
}
