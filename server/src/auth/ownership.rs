//! The one place where what was found is held against who asks. Missing, foreign, deleted and expired are the same
//! answer, so that nobody learns which ids exist.

use app::{
    domain::{Timestamp, UserId},
    error::ApiError,
};

use crate::storage::{JobItem, SessionItem, TurnItem};

/// How long a deleted session can be restored. Milliseconds.
pub const UNDO_MS: u64 = 60_000;

/// The session, if it is this user's and there.
///
/// # Errors
/// 404 otherwise.
pub fn owned_session(item: Option<SessionItem>, user: UserId, now: Timestamp) -> Result<SessionItem, ApiError> {
    item.filter(|s| !s.of_job).map_or_else(|| Err(ApiError::not_found()), |s| session_of_turn(Some(s), user, now))
}

/// As [`owned_session`], of a turn that is the user's: a job's own session too.
///
/// # Errors
/// 404 otherwise.
pub fn session_of_turn(item: Option<SessionItem>, user: UserId, now: Timestamp) -> Result<SessionItem, ApiError> {
    item.filter(|s| s.owner == user && s.deleted_at.is_none() && s.ttl > now.seconds()).ok_or_else(ApiError::not_found)
}

/// The job, if it is this user's and there.
///
/// # Errors
/// 404 otherwise.
pub fn owned_job(item: Option<JobItem>, user: UserId, now: Timestamp) -> Result<JobItem, ApiError> {
    item.filter(|j| j.owner == user && j.ttl > now.seconds()).ok_or_else(ApiError::not_found)
}

/// The session, if it is this user's and was deleted so short a time ago that it can be restored; or is there (a
/// repeated restore is no fault).
///
/// # Errors
/// 404 otherwise.
pub fn restorable_session(item: Option<SessionItem>, user: UserId, now: Timestamp) -> Result<SessionItem, ApiError> {
    item.filter(|s| s.owner == user && s.ttl > now.seconds())
        .filter(|s| s.deleted_at.is_none_or(|at| now.millis() < at.millis().saturating_add(UNDO_MS)))
        .ok_or_else(ApiError::not_found)
}

/// The turn, if it is this user's and there. Whether its session still is, the caller asks of the session.
///
/// # Errors
/// 404 otherwise.
pub fn owned_turn(item: Option<TurnItem>, user: UserId, now: Timestamp) -> Result<TurnItem, ApiError> {
    item.filter(|t| t.owner == user && t.ttl > now.seconds()).ok_or_else(ApiError::not_found)
}

#[cfg(test)]
mod tests {
    use app::domain::{MessageId, SessionId, TurnId, Usage};

    use super::*;
    use crate::storage::TurnState;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

    fn user(n: u128) -> UserId {
        UserId::from_parts(NOW, n)
    }

    fn session() -> SessionItem {
        SessionItem {
            id: SessionId::from_parts(NOW, 1),
            owner: user(1),
            title: "t".into(),
            created_at: NOW,
            updated_at: NOW,
            model: None,
            head: None,
            active: None,
            of_job: false,
            deleted_at: None,
            ttl: NOW.seconds() + 1,
        }
    }

    fn turn() -> TurnItem {
        TurnItem {
            id: TurnId::from_parts(NOW, 1),
            owner: user(1),
            session: SessionId::from_parts(NOW, 1),
            parent: MessageId::from_parts(NOW, 1),
            depth: 1,
            model: "m".into(),
            state: TurnState::Open,
            claims: 1,
            continues: None,
            variant: None,
            created_at: NOW,
            bases: Vec::new(),
            usage: Usage::default(),
            outcome: None,
            stop_reason: None,
            error: None,
            timing: None,
            total: 0,
            v: 1,
            ttl: NOW.seconds() + 1,
        }
    }

    #[test]
    fn missing_foreign_deleted_and_expired_are_the_same() {
        assert_eq!(owned_session(Some(session()), user(1), NOW), Ok(session()));
        assert_eq!(owned_turn(Some(turn()), user(1), NOW), Ok(turn()));
        let gone = Err(ApiError::not_found());
        let later = NOW.plus_millis(1000);
        let deleted = SessionItem { deleted_at: Some(NOW), ..session() };
        assert_eq!(owned_session(None, user(1), NOW), gone);
        assert_eq!(owned_session(Some(session()), user(2), NOW), gone);
        assert_eq!(owned_session(Some(session()), user(1), later), gone);
        assert_eq!(owned_session(Some(deleted), user(1), NOW), gone);
        let gone = Err(ApiError::not_found());
        assert_eq!(owned_turn(None, user(1), NOW), gone);
        assert_eq!(owned_turn(Some(turn()), user(2), NOW), gone);
        assert_eq!(owned_turn(Some(turn()), user(1), later), gone);
    }

    #[test]
    fn undo_lasts_a_minute_and_is_the_owners() {
        let deleted = || Some(SessionItem { deleted_at: Some(NOW), ttl: NOW.seconds() + 3600, ..session() });
        assert!(restorable_session(deleted(), user(1), NOW.plus_millis(59_999)).is_ok());
        assert!(restorable_session(Some(session()), user(1), NOW).is_ok());
        let gone = Err(ApiError::not_found());
        assert_eq!(restorable_session(deleted(), user(1), NOW.plus_millis(60_000)), gone);
        assert_eq!(restorable_session(deleted(), user(2), NOW), gone);
        assert_eq!(restorable_session(None, user(1), NOW), gone);
    }
}
