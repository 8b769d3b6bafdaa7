//! Where everything stands in the table.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | session | `SESSION#<id>` | `SESSION` |
//! | message, in parts | `SESSION#<id>` | `MSG#<depth, 8 digits>#<id>#<part, 3 digits>` |
//! | turn | `TURN#<id>` | `TURN` |
//! | its log | `TURN#<id>` | `LOG#<sequence, 10 digits>` |
//! | job | `JOB#<id>` | `JOB` |
//! | the schema of its results | `JOB#<id>` | `SCHEMA` |
//! | what a user's turns used in a day | `USAGE#<user>` | `<yyyy-mm-dd>` |
//! | what a process takes of a day's budget | `SPENT#<yyyy-mm-dd>` | `<process>` |
//! | and of a user's | `USAGE#<user>` | `<yyyy-mm-dd>#<process>` |
//! | an admin who is signed in | `ADMIN` | `SESSION#<hash>` |
//! | how often all of them were signed out | `ADMIN` | `GENERATION` |
//! | what an admin looked at | `AUDIT#<yyyy-mm>` | `<time>#<random>` |
//!
//! | index | partition | sort | holds |
//! |---|---|---|---|
//! | `by_user` | `owner` | `recent` | sessions that aren't deleted; under `JOBS#<user>` jobs |
//! | `by_day` | `day` = `<yyyy-mm-dd>#<shard>` | `recent` | the same, for admins; under `JOBS#<yyyy-mm-dd>#<shard>` jobs |
//! | `open` | `open` = `<shard>` | `since` = `TURN#<time>`, `JOB#<time>` or `DELETED#<time>` | open work |

use app::domain::{JobId, MessageId, SessionId, Timestamp, TurnId, UserId};

/// Sessions by recency, for their user.
pub const BY_USER: &str = "by_user";
/// Sessions by the day of their newest turn and by shard, for admins.
pub const BY_DAY: &str = "by_day";
/// What still has to be worked on: open turns and tombstones.
pub const OPEN: &str = "open";

/// Into how many partitions open work is spread.
pub const OPEN_SHARDS: u32 = 4;
/// Into how many partitions a day's sessions are spread.
pub const DAY_SHARDS: u32 = 4;

/// The most content, in bytes, that one part of a message holds. An item may have 400 KB with all its attributes.
pub const PART_BYTES: usize = 350_000;

pub(super) const SESSION: &str = "SESSION";
pub(super) const TURN: &str = "TURN";
pub(super) const MSG: &str = "MSG#";

pub(super) fn session_pk(id: SessionId) -> String {
    format!("SESSION#{id}")
}

pub(super) fn turn_pk(id: TurnId) -> String {
    format!("TURN#{id}")
}

pub(super) fn job_pk(id: JobId) -> String {
    format!("JOB#{id}")
}

pub(super) fn usage_pk(user: UserId) -> String {
    format!("USAGE#{user}")
}

pub(super) const ADMIN: &str = "ADMIN";
pub(super) const ADMIN_SESSION: &str = "SESSION#";
pub(super) const GENERATION: &str = "GENERATION";

pub(super) fn audit_pk(at: Timestamp) -> String {
    audit_month_pk(day(at).get(..7).unwrap_or_default())
}

pub(super) fn audit_month_pk(month: &str) -> String {
    format!("AUDIT#{month}")
}

pub(super) fn spent_pk(day: &str) -> String {
    format!("SPENT#{day}")
}

pub(super) fn log_sk(seq: u64) -> String {
    format!("LOG#{seq:010}")
}

pub(super) fn depth_prefix(depth: u32) -> String {
    format!("{MSG}{depth:08}#")
}

pub(super) fn message_prefix(depth: u32, id: MessageId) -> String {
    format!("{MSG}{depth:08}#{id}#")
}

pub(super) fn message_sk(depth: u32, id: MessageId, part: usize) -> String {
    format!("{MSG}{depth:08}#{id}#{part:03}")
}

/// Depth, message and part of a message's sort key.
pub(super) fn parse_message_sk(sk: &str) -> Option<(u32, MessageId, usize)> {
    let mut parts = sk.strip_prefix(MSG)?.split('#');
    let found = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(found)
}

/// The UTC day of a moment, `yyyy-mm-dd`.
#[must_use]
pub fn day(at: Timestamp) -> String {
    let mut text = at.to_string();
    text.truncate(10);
    text
}

/// The `by_day` partition of a session.
pub(super) fn day_pk(at: Timestamp, session: SessionId) -> String {
    day_shard_pk(&day(at), (session.random() % u128::from(DAY_SHARDS)) as u32)
}

pub(super) fn day_shard_pk(day: &str, shard: u32) -> String {
    format!("{day}#{shard}")
}

/// The `day` partition of a job.
pub(super) fn jobs_day_pk(at: Timestamp, job: JobId) -> String {
    jobs_day_shard_pk(&day(at), (job.random() % u128::from(DAY_SHARDS)) as u32)
}

pub(super) fn jobs_day_shard_pk(day: &str, shard: u32) -> String {
    format!("JOBS#{day}#{shard}")
}

/// The `open` partition of a turn.
pub(super) fn turn_shard(id: TurnId) -> String {
    (id.random() % u128::from(OPEN_SHARDS)).to_string()
}

/// The `open` partition of a job.
pub(super) fn job_shard(id: JobId) -> String {
    (id.random() % u128::from(OPEN_SHARDS)).to_string()
}

/// The `open` partition of a tombstone.
pub(super) fn session_shard(id: SessionId) -> String {
    (id.random() % u128::from(OPEN_SHARDS)).to_string()
}

pub(super) fn turn_since(at: Timestamp) -> String {
    format!("TURN#{at}")
}

pub(super) fn job_since(at: Timestamp) -> String {
    format!("JOB#{at}")
}

/// The moment that [`job_since`] was of.
pub(super) fn parse_job_since(since: &str) -> Option<Timestamp> {
    since.strip_prefix("JOB#")?.parse().ok()
}

pub(super) fn deleted_since(at: Timestamp) -> String {
    format!("DELETED#{at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_numbers() {
        let id = |n| MessageId::from_parts(Timestamp::from_millis(n), 1);
        let in_order = [
            message_sk(0, id(9), 0),
            message_sk(0, id(9), 1),
            message_sk(9, id(1), 0),
            message_sk(10, id(1), 12),
            message_sk(10, id(2), 0),
            message_sk(1_000_000, id(0), 0),
        ];
        assert!(in_order.is_sorted());
        assert!(log_sk(9) < log_sk(10) && log_sk(999_999_999) < log_sk(1_000_000_000));
    }

    #[test]
    fn a_messages_key_reads_back() {
        let id = MessageId::from_parts(Timestamp::from_millis(5), 7);
        assert_eq!(parse_message_sk(&message_sk(12, id, 3)), Some((12, id, 3)));
        for bad in ["SESSION", "MSG#1#x#0", "MSG#00000001#", "MSG#00000001#01ARZ3NDEKTSV4RRFFQ69G5FAV#000#1"] {
            assert_eq!(parse_message_sk(bad), None, "{bad}");
        }
    }
}
