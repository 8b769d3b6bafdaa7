//! What a day's replies cost, over all: one item a process, which holds that process's whole sum.
//!
//! Each writes its own sum and nobody else's, so that a write that is repeated, or whose answer is lost, counts once,
//! and no two servers ever meet at one item. The day's cost is the sum of its items.

use super::{
    Store, StoreError,
    attr::{Reader, key, n, s, values},
    keys,
    request::{Ask, Change},
};

/// How long a day's sums are kept.
const KEEP_SECONDS: u64 = 400 * 86_400;

impl Store {
    /// Notes what a process has spent on a day, in millionths of a dollar. A sum never falls: one that comes late
    /// changes nothing.
    ///
    /// # Errors
    /// As every write; it may be repeated.
    pub async fn note_spent(&self, day: &str, process: &str, micros: u64) -> Result<(), StoreError> {
        let change = Change {
            key: key(keys::spent_pk(day), process),
            set: "SET #cost = :cost, #ttl = :ttl".to_owned(),
            when: "attribute_not_exists(#cost) OR #cost < :cost".to_owned(),
            values: values([(":cost", n(micros)), (":ttl", n(self.now_seconds() + KEEP_SECONDS))]),
        };
        self.change("noting what was spent", change).await.map(|_| ())
    }

    /// What all processes but one have spent on a day, strongly consistent.
    ///
    /// # Errors
    /// As every read.
    pub async fn spent(&self, day: &str, but: &str) -> Result<u64, StoreError> {
        let ask = Ask { when: "pk = :pk", values: values([(":pk", s(keys::spent_pk(day)))]), ..Ask::default() };
        let mut sum = 0u64;
        for item in self.query_all("reading what was spent", ask).await? {
            let mut r = Reader::new(item);
            if r.s("sk")? != but {
                sum = sum.saturating_add(r.n("cost")?);
            }
        }
        Ok(sum)
    }
}
