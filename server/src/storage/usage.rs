//! What a user's turns used in a day.

use app::domain::{Usage, UserId};

use super::{
    DayTotals, Store, StoreError, TurnItem,
    attr::{Reader, key, n, values},
    keys,
    request::Change,
};
use crate::prices;

/// How long a day's totals are kept: past any month's accounts.
const KEEP_SECONDS: u64 = 400 * 86_400;

/// Adds a turn to its user's day. The only change that makes its item where there is none.
pub(super) fn add_turn(turn: &TurnItem, day: &str, now_seconds: u64) -> Change {
    let u = turn.usage;
    Change {
        key: key(keys::usage_pk(turn.owner), day),
        set: "SET #ttl = :ttl ADD #turns :one, #estimated :estimated, #input :input, #output :output, \
              #cache_write :cache_write, #cache_read :cache_read, #cost :cost"
            .to_owned(),
        when: String::new(),
        values: values([
            (":ttl", n(now_seconds + KEEP_SECONDS)),
            (":one", n(1u64)),
            (":estimated", n(u64::from(u.estimated))),
            (":input", n(u.input_tokens)),
            (":output", n(u.output_tokens)),
            (":cache_write", n(u.cache_creation_input_tokens)),
            (":cache_read", n(u.cache_read_input_tokens)),
            (":cost", n(prices::micros(&turn.model, &u))),
        ]),
    }
}

impl Store {
    /// What a user's turns used on a day (UTC, `yyyy-mm-dd`), counted when each was done.
    ///
    /// # Errors
    /// As every read.
    pub async fn day_totals(&self, user: UserId, day: &str) -> Result<DayTotals, StoreError> {
        let Some(item) = self.get("reading a day's totals", key(keys::usage_pk(user), day)).await? else {
            return Ok(DayTotals::default());
        };
        let mut r = Reader::new(item);
        Ok(DayTotals {
            turns: r.n("turns")?,
            micros: r.opt_n("cost")?.unwrap_or_default(),
            usage: Usage {
                input_tokens: r.n("input")?,
                output_tokens: r.n("output")?,
                cache_creation_input_tokens: r.n("cache_write")?,
                cache_read_input_tokens: r.n("cache_read")?,
                estimated: r.n::<u64>("estimated")? > 0,
            },
        })
    }
}
