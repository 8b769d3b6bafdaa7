//! The admins' own items: sessions of theirs, the number by which all of them end, and what they looked at.
//!
//! The audit list is only ever added to: nothing here changes an entry or takes it away, but its TTL.

use app::domain::Timestamp;

use super::{
    Store, StoreError, StoreErrorKind,
    attr::{Item, Reader, Writer, key, n, s, values},
    keys,
    request::{Ask, Change, Written, less},
};

/// An admin who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSession {
    /// A hash of what their cookie says.
    pub id: String,
    pub created_at: Timestamp,
    /// When they were last seen, to the minute.
    pub seen_at: Timestamp,
    /// The number of sign-outs everywhere before it.
    pub generation: u64,
    /// Names the password that it was made with.
    pub mark: String,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// One line of the audit list. Never holds a user's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// The beginning of the admin session's id.
    pub admin: String,
    /// What was done, in a word.
    pub action: String,
    /// What it was done to: a session, a turn, or what a list was narrowed to.
    pub object: Option<String>,
    /// Whose it is.
    pub user: Option<String>,
    /// From which address.
    pub address: Option<String>,
}

fn read_session(item: Item) -> Result<AdminSession, StoreError> {
    let mut r = Reader::new(item);
    Ok(AdminSession {
        id: r.s("sk")?.strip_prefix(keys::ADMIN_SESSION).unwrap_or_default().to_owned(),
        created_at: r.time("created")?,
        seen_at: r.time("seen")?,
        generation: r.n("generation")?,
        mark: r.s("mark")?,
        ttl: r.n("ttl")?,
    })
}

fn read_entry(item: Item) -> Result<AuditEntry, StoreError> {
    let mut r = Reader::new(item);
    let at = r.s("sk")?.split_once('#').and_then(|(at, _)| at.parse().ok());
    Ok(AuditEntry {
        at: at.ok_or_else(|| StoreError::corrupt("an audit key is wrong"))?,
        admin: r.s("admin")?,
        action: r.s("action")?,
        object: r.opt_s("object")?,
        user: r.opt_s("of")?,
        address: r.opt_s("address")?,
    })
}

impl Store {
    /// Puts an admin's session.
    ///
    /// # Errors
    /// As every write.
    pub async fn put_admin(&self, session: &AdminSession) -> Result<(), StoreError> {
        let item = Writer::new(keys::ADMIN.to_owned(), format!("{}{}", keys::ADMIN_SESSION, session.id))
            .time("created", session.created_at)
            .time("seen", session.seen_at)
            .n("generation", session.generation)
            .s("mark", session.mark.as_str())
            .n("ttl", session.ttl)
            .done();
        self.put("signing an admin in", item).await
    }

    /// An admin's session, strongly consistent, with the number that is valid now. An expired one is none.
    ///
    /// # Errors
    /// As every read.
    pub async fn admin(&self, id: &str) -> Result<(Option<AdminSession>, u64), StoreError> {
        const DOING: &str = "reading an admin's session";
        let session = self.get(DOING, key(keys::ADMIN.to_owned(), format!("{}{id}", keys::ADMIN_SESSION)));
        let (session, generation) = futures::try_join!(session, self.admin_generation())?;
        let now = self.now_seconds();
        Ok((session.filter(|i| !less(i, "ttl", now)).map(read_session).transpose()?, generation))
    }

    /// How often all admins were signed out.
    ///
    /// # Errors
    /// As every read.
    pub async fn admin_generation(&self) -> Result<u64, StoreError> {
        let item = self.get("reading the admins' generation", key(keys::ADMIN.to_owned(), keys::GENERATION)).await?;
        item.map_or(Ok(0), |item| Reader::new(item).n("n"))
    }

    /// Signs all admins out.
    ///
    /// # Errors
    /// As every write.
    pub async fn next_admin_generation(&self) -> Result<(), StoreError> {
        let change = Change {
            key: key(keys::ADMIN.to_owned(), keys::GENERATION),
            set: "ADD #n :one".to_owned(),
            // Whatever it is: twice signs out no more than once.
            when: "attribute_not_exists(#n) OR #n >= :none".to_owned(),
            values: values([(":one", n(1u64)), (":none", n(0u64))]),
        };
        self.change("signing all admins out", change).await.map(|_| ())
    }

    /// Notes that an admin was seen; false if they were signed out meanwhile.
    ///
    /// # Errors
    /// As every write.
    pub async fn see_admin(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let change = Change {
            key: key(keys::ADMIN.to_owned(), format!("{}{id}", keys::ADMIN_SESSION)),
            set: "SET #seen = :at".to_owned(),
            when: "attribute_exists(pk)".to_owned(),
            values: values([(":at", n(at.millis()))]),
        };
        Ok(matches!(self.change("seeing an admin", change).await?, Written::Done(_)))
    }

    /// Signs one admin out.
    ///
    /// # Errors
    /// As every write.
    pub async fn forget_admin(&self, id: &str) -> Result<(), StoreError> {
        let session = key(keys::ADMIN.to_owned(), format!("{}{id}", keys::ADMIN_SESSION));
        self.delete_all("signing an admin out", vec![session]).await
    }

    /// Adds to the audit list; kept until `ttl`.
    ///
    /// # Errors
    /// As every write: then nothing may be shown.
    pub async fn note_audit(&self, entry: &AuditEntry, ttl: u64) -> Result<(), StoreError> {
        const DOING: &str = "adding to the audit list";
        let sk = format!("{}#{:032x}", entry.at, crate::clock::random_u128());
        let item = Writer::new(keys::audit_pk(entry.at), sk)
            .s("admin", entry.admin.as_str())
            .s("action", entry.action.as_str())
            .opt_s("object", entry.object.as_deref())
            .opt_s("of", entry.user.as_deref())
            .opt_s("address", entry.address.as_deref())
            .n("ttl", ttl)
            .done();
        match self.put_new(DOING, item.clone()).await? {
            Written::Done(_) => Ok(()),
            // An earlier attempt of the SDK's, whose answer was lost.
            Written::Refused(Some(there)) if there == item => Ok(()),
            Written::Refused(_) => Err(StoreError::new(StoreErrorKind::Other, DOING, "the key is taken")),
        }
    }

    /// A month's audit list (UTC, `yyyy-mm`), newest first, with what leads on.
    ///
    /// # Errors
    /// As every read.
    pub async fn audit(
        &self,
        month: &str,
        before: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<AuditEntry>, Option<String>), StoreError> {
        let pk = keys::audit_month_pk(month);
        let ask = Ask {
            when: "pk = :pk AND sk < :before",
            values: values([(":pk", s(pk)), (":before", s(before.unwrap_or("~")))]),
            newest_first: true,
            limit: Some(limit),
            ..Ask::default()
        };
        let page = self.query("reading the audit list", &ask).await?;
        let next = page.next.as_ref().and_then(|next| super::request::text(next, "sk")).map(ToOwned::to_owned);
        let now = self.now_seconds();
        let there = page.items.into_iter().filter(|i| !less(i, "ttl", now));
        Ok((there.map(read_entry).collect::<Result<_, _>>()?, next))
    }
}
