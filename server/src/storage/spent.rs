//! What a day's replies may cost: of each budget one item a process, which says how much of it that process takes.
//!
//! Each writes its own item and nobody else's, so that a write that is repeated, or whose answer is lost, counts once,
//! and no two servers ever meet at one item. What is taken of a budget is the sum of its items.

use app::domain::{Timestamp, UserId};

use super::{
    Store, StoreError,
    attr::{Item, Reader, key, n, s, values},
    keys,
    request::{Ask, Change, Written},
};

/// How long a day's sums are kept.
const KEEP_SECONDS: u64 = 400 * 86_400;
/// How long a process's share of a user's day is kept: the user's own totals have what was spent.
const KEEP_USERS_SECONDS: u64 = 2 * 86_400;

/// Whose money it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Everybody's.
    All,
    /// One user's. Their turns that are done stand in the user's totals of the day.
    User(UserId),
}

/// What one process takes of a budget, in millionths of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Later ones have a greater one.
    pub seq: u64,
    /// Spent, or promised to turns that run. It stands for good.
    pub firm: u64,
    /// All that this process may spend without asking.
    pub top: u64,
    /// Until then `top` is taken, from then on `firm`.
    pub until: Timestamp,
}

impl Share {
    /// How much of the budget it takes.
    #[must_use]
    pub fn taken(&self, now: Timestamp) -> u64 {
        if now < self.until { self.top.max(self.firm) } else { self.firm }
    }
}

/// What others than the process that asks take of a budget.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// Of a user's turns that are done, whoever ran them.
    pub settled: u64,
    pub shares: Vec<Share>,
}

impl Others {
    /// How much of the budget they take.
    #[must_use]
    pub fn taken(&self, now: Timestamp) -> u64 {
        self.shares.iter().fold(self.settled, |sum, share| sum.saturating_add(share.taken(now)))
    }

    /// How much of it is spent, or promised to turns that run.
    #[must_use]
    pub fn firm(&self) -> u64 {
        self.shares.iter().fold(self.settled, |sum, share| sum.saturating_add(share.firm))
    }
}

impl Account {
    fn pk(self, day: &str) -> String {
        match self {
            Self::All => keys::spent_pk(day),
            Self::User(user) => keys::usage_pk(user),
        }
    }

    fn sk(self, day: &str, process: &str) -> String {
        match self {
            Self::All => process.to_owned(),
            Self::User(_) => format!("{day}#{process}"),
        }
    }

    fn keep_seconds(self) -> u64 {
        match self {
            Self::All => KEEP_SECONDS,
            Self::User(_) => KEEP_USERS_SECONDS,
        }
    }
}

fn read_share(r: &mut Reader) -> Result<Share, StoreError> {
    // Earlier versions wrote what was spent and nothing else.
    let firm = r.n("cost")?;
    Ok(Share {
        seq: r.opt_n("seq")?.unwrap_or_default(),
        firm,
        top: r.opt_n("top")?.unwrap_or(firm),
        until: Timestamp::from_millis(r.opt_n("until")?.unwrap_or_default()),
    })
}

impl Store {
    /// Writes what a process takes of a day's budget. One that comes late changes nothing.
    ///
    /// # Errors
    /// As every write; it may be repeated.
    pub async fn write_share(
        &self,
        account: Account,
        day: &str,
        process: &str,
        share: Share,
    ) -> Result<(), StoreError> {
        let change = Change {
            key: key(account.pk(day), account.sk(day, process)),
            set: "SET #cost = :cost, #top = :top, #until = :until, #seq = :seq, #ttl = :ttl".to_owned(),
            when: "attribute_not_exists(#seq) OR #seq < :seq".to_owned(),
            values: values([
                (":cost", n(share.firm)),
                (":top", n(share.top)),
                (":until", n(share.until.millis())),
                (":seq", n(share.seq)),
                (":ttl", n(self.now_seconds() + account.keep_seconds())),
            ]),
        };
        match self.change("noting what is spent", change).await? {
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }

    /// What all processes but one take of a day's budget, strongly consistent.
    ///
    /// # Errors
    /// As every read.
    pub async fn shares(&self, account: Account, day: &str, but: &str) -> Result<Others, StoreError> {
        let ask = match account {
            Account::All => Ask { when: "pk = :pk", values: values([(":pk", s(account.pk(day)))]), ..Ask::default() },
            // Backwards: the totals come last, so that a turn which moves from its process to them meanwhile is
            // counted twice rather than not at all.
            Account::User(_) => Ask {
                when: "pk = :pk AND begins_with(sk, :day)",
                values: values([(":pk", s(account.pk(day))), (":day", s(day))]),
                newest_first: true,
                ..Ask::default()
            },
        };
        let own = account.sk(day, but);
        let mut others = Others::default();
        for item in self.query_all("reading what is spent", ask).await? {
            others.add(item, day, &own)?;
        }
        Ok(others)
    }
}

impl Others {
    fn add(&mut self, item: Item, day: &str, own: &str) -> Result<(), StoreError> {
        let mut r = Reader::new(item);
        let sk = r.s("sk")?;
        if sk == day {
            self.settled = r.opt_n("cost")?.unwrap_or_default();
        } else if sk != own {
            self.shares.push(read_share(&mut r)?);
        }
        Ok(())
    }
}
