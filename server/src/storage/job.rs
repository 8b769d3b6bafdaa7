//! Jobs: one item each, with the state of all its variants, so that a look at a job is one read.
//!
//! The prompt and the results are messages of a session of their own, of the same id, which no list shows; each
//! variant is a turn that answers the same question there. So a variant has all that a turn has.

use std::time::Duration;

use app::domain::{JobId, JobStatus, Outcome, Timestamp, TurnError, TurnId, UserId};
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::{
    MessageItem, SendOutcome, SessionItem, Store, StoreError, TurnItem,
    attr::{Item, Reader, Writer, json, key, n, s, values},
    keys,
    message::write_message,
    page::{read_token, write_token},
    request::{Ask, Change, Transacted, Verdict, Written, less, token},
    session::write_session,
    turn::write_turn,
};

/// How a variant ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantEnd {
    pub status: JobStatus,
    pub at: Timestamp,
    /// Characters of its content, thinking included.
    pub chars: u64,
    pub error: Option<TurnError>,
}

/// One variant of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantItem {
    pub turn: TurnId,
    pub ended: Option<VariantEnd>,
}

/// `pk = JOB#<id>`, `sk = JOB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobItem {
    pub id: JobId,
    pub owner: UserId,
    pub title: String,
    pub model: String,
    pub submitted_at: Timestamp,
    pub variants: Vec<VariantItem>,
    /// The results have to fit the schema in `pk = JOB#<id>`, `sk = SCHEMA`.
    pub structured: bool,
    /// Where to tell that it is finished.
    pub webhook: Option<String>,
    pub cancelled: bool,
    /// Its turns may not be in the queue yet, or its webhook was not told yet.
    pub pending: bool,
    pub ttl: u64,
}

impl JobItem {
    /// Whether all variants have ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.variants.iter().all(|v| v.ended.is_some())
    }

    /// When the last of them did.
    #[must_use]
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.is_over().then(|| self.variants.iter().filter_map(|v| Some(v.ended.as_ref()?.at)).max()).flatten()
    }
}

/// What is submitted, all or nothing.
#[derive(Debug, Clone)]
pub struct SubmitTx {
    pub job: JobItem,
    pub schema: Option<String>,
    /// The job's own, which no list shows.
    pub session: SessionItem,
    /// The prompt.
    pub message: MessageItem,
    /// Open and not claimed.
    pub turns: Vec<TurnItem>,
}

const NEW: &str = "attribute_not_exists(pk)";
const JOB: &str = "JOB";
const SCHEMA: &str = "SCHEMA";
/// What stands before a user in the partition of their jobs' list.
const LIST: &str = "JOBS#";

pub(super) fn job_key(id: JobId) -> Item {
    key(keys::job_pk(id), JOB)
}

fn list_of(user: UserId) -> String {
    format!("{LIST}{user}")
}

fn write_job(job: &JobItem) -> Item {
    let mut item = Writer::new(keys::job_pk(job.id), JOB)
        .s("owner", list_of(job.owner))
        .s("recent", job.submitted_at.to_string())
        .s("day", keys::jobs_day_pk(job.submitted_at, job.id))
        .s("user", job.owner)
        .s("title", job.title.as_str())
        .s("model", job.model.as_str())
        .time("submitted", job.submitted_at)
        .n("count", job.variants.len() as u64)
        .opt_s("webhook", job.webhook.as_deref())
        .put("structured", AttributeValue::Bool(job.structured))
        .n("ttl", job.ttl);
    for (i, variant) in job.variants.iter().enumerate() {
        item = item.s(&format!("t{i}"), variant.turn);
    }
    if job.pending {
        item = item.s("open", keys::job_shard(job.id)).s("since", keys::job_since(job.submitted_at));
    }
    item.done()
}

fn read_job(item: Item) -> Result<JobItem, StoreError> {
    let pending = item.contains_key("open");
    let mut r = Reader::new(item);
    let count: u32 = r.n("count")?;
    let variants = (0..count.min(100))
        .map(|i| Ok(VariantItem { turn: r.parse(&format!("t{i}"))?, ended: r.opt_json(&format!("v{i}"))? }))
        .collect::<Result<_, StoreError>>()?;
    Ok(JobItem {
        id: r.id("JOB#")?,
        owner: r.parse("user")?,
        title: r.s("title")?,
        model: r.s("model")?,
        submitted_at: r.time("submitted")?,
        variants,
        structured: r.flag("structured"),
        webhook: r.opt_s("webhook")?,
        cancelled: r.flag("cancelled"),
        pending,
        ttl: r.n("ttl")?,
    })
}

/// What a compaction notes on its job, if the turn is a variant of one and still is.
pub(super) fn variant_ended(turn: &TurnItem, chars: u64, at: Timestamp) -> Result<Option<Change>, StoreError> {
    let Some(index) = turn.variant else { return Ok(None) };
    let status = match turn.outcome {
        Some(Outcome::Stopped) => JobStatus::Cancelled,
        Some(Outcome::Failed) => JobStatus::Failed,
        Some(Outcome::Complete) | None => JobStatus::Complete,
    };
    let end = VariantEnd { status, at, chars, error: turn.error.clone() };
    Ok(Some(Change {
        key: job_key(turn.session.into()),
        set: format!("SET #v{index} = :variant"),
        when: format!("#t{index} = :turn"),
        values: values([(":variant", json(&end)?), (":turn", s(turn.id))]),
    }))
}

impl Store {
    /// Puts a job, its session, its prompt and its turns, none of which may exist.
    ///
    /// # Errors
    /// As every write. After an ambiguous one the very same call may be repeated, or the job read.
    pub async fn submit(&self, tx: &SubmitTx) -> Result<SendOutcome, StoreError> {
        let mut items = vec![
            self.tx_put(write_job(&tx.job), Some(NEW), Item::new())?,
            self.tx_put(write_session(&tx.session), Some(NEW), Item::new())?,
        ];
        for item in write_message(&tx.message, usize::MAX)? {
            items.push(self.tx_put(item, Some(NEW), Item::new())?);
        }
        for turn in &tx.turns {
            items.push(self.tx_put(write_turn(turn)?, Some(NEW), Item::new())?);
        }
        if let Some(schema) = &tx.schema {
            let item = Writer::new(keys::job_pk(tx.job.id), SCHEMA).s("schema", schema.as_str()).n("ttl", tx.job.ttl);
            items.push(self.tx_put(item.done(), Some(NEW), Item::new())?);
        }
        let token = token(&["submit", &tx.job.id.to_string(), &tx.message.id.to_string()]);
        match self.transact("submitting a job", Some(token), items).await? {
            Transacted::Done => Ok(SendOutcome::Sent),
            Transacted::Refused(_) => Ok(SendOutcome::Refused),
        }
    }

    /// A job, strongly consistent; an expired one is none.
    ///
    /// # Errors
    /// As every read.
    pub async fn job(&self, id: JobId) -> Result<Option<JobItem>, StoreError> {
        let now = self.now_seconds();
        let item = self.get("reading a job", job_key(id)).await?;
        item.filter(|i| !less(i, "ttl", now)).map(read_job).transpose()
    }

    /// The schema that a job's results have to fit.
    ///
    /// # Errors
    /// As every read.
    pub async fn job_schema(&self, id: JobId) -> Result<Option<String>, StoreError> {
        let item = self.get("reading a schema", key(keys::job_pk(id), SCHEMA)).await?;
        item.map(|item| Reader::new(item).s("schema")).transpose()
    }

    /// A user's jobs, newest first, with the token of the next page if there is one.
    ///
    /// # Errors
    /// As every read; `BadPage` if the token is not one of this user's list.
    pub async fn list_jobs(
        &self,
        user: UserId,
        page: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<JobItem>, Option<String>), StoreError> {
        const DOING: &str = "listing jobs";
        let list = list_of(user);
        let start = match page {
            None => None,
            Some(token) => {
                let (recent, id) = read_token(DOING, &list, token)?;
                let mut start = job_key(id);
                start.insert("owner".to_owned(), s(list.as_str()));
                start.insert("recent".to_owned(), s(recent.to_string()));
                Some(start)
            }
        };
        let ask = Ask {
            index: Some(keys::BY_USER),
            when: "#owner = :list",
            values: values([(":list", s(list.as_str()))]),
            newest_first: true,
            limit: Some(limit),
            start,
            ..Ask::default()
        };
        let page = self.query(DOING, &ask).await?;
        let next = page.next.as_ref().and_then(|next| write_token(&list, "JOB#", next));
        let ids = page.items.into_iter().map(|item| Reader::new(item).id::<JobId>("JOB#"));
        let jobs = try_join_all(ids.map(async |id| self.job(id?).await)).await?;
        Ok((jobs.into_iter().flatten().filter(|job| job.owner == user).collect(), next))
    }

    /// Jobs submitted on a day (UTC, `yyyy-mm-dd`), of one of its [`keys::DAY_SHARDS`] shards, newest first, from a
    /// place in the whole day's order on. Fewer than `limit` are all there are.
    ///
    /// # Errors
    /// As every read.
    pub async fn jobs_before(
        &self,
        day: &str,
        shard: u32,
        before: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        let latest = before.map_or_else(|| "~".to_owned(), |(at, _)| at.to_string());
        let mut ask = Ask {
            index: Some(keys::BY_DAY),
            when: "#day = :partition AND #recent <= :latest",
            values: values([(":partition", s(keys::jobs_day_shard_pk(day, shard))), (":latest", s(latest))]),
            newest_first: true,
            limit: Some(limit + 1),
            ..Ask::default()
        };
        let now = self.now_seconds();
        let mut found = Vec::new();
        loop {
            let page = self.query("listing a day's jobs", &ask).await?;
            for item in page.items.into_iter().filter(|i| !less(i, "ttl", now)) {
                let mut r = Reader::new(item);
                let place = (r.parse("recent")?, r.id("JOB#")?);
                // Of those of one moment the larger id comes first.
                if before.is_none_or(|before| place < before) {
                    found.push(place);
                }
            }
            ask.start = page.next;
            if found.len() as u32 >= limit || ask.start.is_none() {
                found.truncate(limit as usize);
                return Ok(found);
            }
        }
    }

    /// Takes a job out of the open work: its turns are in the queue, its webhook was told.
    ///
    /// # Errors
    /// As every write.
    pub async fn settle_job(&self, id: JobId) -> Result<(), StoreError> {
        let change = Change {
            key: job_key(id),
            set: "REMOVE #open, #since".to_owned(),
            when: "attribute_exists(pk)".to_owned(),
            values: Item::new(),
        };
        self.change("settling a job", change).await.map(|_| ())
    }

    /// Marks a job as cancelled, if it is this user's.
    ///
    /// # Errors
    /// As every write.
    pub async fn cancel_job(&self, id: JobId, owner: UserId) -> Result<Option<JobItem>, StoreError> {
        let change = Change {
            key: job_key(id),
            set: "SET #cancelled = :yes".to_owned(),
            when: "#user = :owner".to_owned(),
            values: values([(":yes", AttributeValue::Bool(true)), (":owner", s(owner))]),
        };
        match self.change("cancelling a job", change).await? {
            Written::Done(item) => read_job(item).map(Some),
            Written::Refused(_) => Ok(None),
        }
    }

    /// Puts new turns in the place of ended ones: `replaced` names each one's index and the turn that it follows.
    ///
    /// # Errors
    /// As every write.
    pub async fn retry_job(
        &self,
        id: JobId,
        replaced: &[(u32, TurnId, TurnItem)],
        now: Timestamp,
    ) -> Result<SendOutcome, StoreError> {
        let mut set = vec!["#open = :shard".to_owned(), "#since = :since".to_owned()];
        let (mut remove, mut when) = (vec!["#cancelled".to_owned()], Vec::new());
        let mut values = values([(":shard", s(keys::job_shard(id))), (":since", s(keys::job_since(now)))]);
        for (index, old, turn) in replaced {
            set.push(format!("#t{index} = :new{index}"));
            remove.push(format!("#v{index}"));
            when.push(format!("#t{index} = :old{index} AND attribute_exists(#v{index})"));
            values.insert(format!(":new{index}"), s(turn.id));
            values.insert(format!(":old{index}"), s(*old));
        }
        let change = Change {
            key: job_key(id),
            set: format!("SET {} REMOVE {}", set.join(", "), remove.join(", ")),
            when: when.join(" AND "),
            values,
        };
        let mut items = vec![self.tx_change(change)?];
        for (_, _, turn) in replaced {
            items.push(self.tx_put(write_turn(turn)?, Some(NEW), Item::new())?);
        }
        match self.transact("retrying a job", None, items).await? {
            Transacted::Done => Ok(SendOutcome::Sent),
            Transacted::Refused(_) => Ok(SendOutcome::Refused),
        }
    }

    /// Takes the next attempt at a job's webhook for the caller, if it is due: so that of several who look after a
    /// job one tells it. Gives which attempt it is, from 1.
    ///
    /// # Errors
    /// As every write.
    pub async fn begin_webhook(
        &self,
        id: JobId,
        now: Timestamp,
        pauses: &[Duration],
    ) -> Result<Option<u32>, StoreError> {
        let item = self.get("reading a job", job_key(id)).await?;
        let tries: u32 = item.and_then(|i| Reader::new(i).opt_n("tries").transpose()).transpose()?.unwrap_or(0);
        let pause = pauses.get(tries as usize).copied().unwrap_or_default();
        let seen = if tries == 0 { "attribute_not_exists(#tries)" } else { "#tries = :tries AND #next <= :now" };
        let mut values =
            values([(":next", n(now.plus_millis(pause.as_millis() as u64).millis())), (":more", n(tries + 1))]);
        if tries > 0 {
            values.insert(":tries".to_owned(), n(tries));
            values.insert(":now".to_owned(), n(now.millis()));
        }
        let change = Change {
            key: job_key(id),
            set: "SET #tries = :more, #next = :next".to_owned(),
            when: format!("attribute_exists(pk) AND attribute_exists(#open) AND {seen}"),
            values,
        };
        let begun = matches!(self.change("beginning a webhook", change).await?, Written::Done(_));
        Ok(begun.then_some(tries + 1))
    }

    /// How many bytes a turn's log holds so far, by its newest segment that says so, and whether it was begun.
    ///
    /// # Errors
    /// As every read.
    pub async fn logged(&self, turn: TurnId) -> Result<Option<u32>, StoreError> {
        let ask = Ask {
            when: "pk = :pk AND begins_with(sk, :log)",
            values: values([(":pk", s(keys::turn_pk(turn))), (":log", s("LOG#"))]),
            newest_first: true,
            limit: Some(2),
            strong: false,
            ..Ask::default()
        };
        let page = self.query("looking at a log's end", &ask).await?;
        let mut newest = page.items.into_iter().map(super::log::read_segment);
        let Some(first) = newest.next() else { return Ok(None) };
        let (_, segment) = first?;
        // A stop shifts nothing; what stands before it says how far the text is.
        let segment = match (segment.kind, newest.next()) {
            (super::Kind::Stop, Some(before)) => before?.1,
            _ => segment,
        };
        Ok(Some(segment.at + segment.pieces.iter().map(|p| p.text.len() as u32).sum::<u32>()))
    }
}

/// Whether the verdict says that a variant is no more what its turn takes it for.
pub(super) fn is_replaced(verdict: Option<&Verdict>) -> bool {
    matches!(verdict, Some(Verdict::Failed(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_its_item() {
        let user = UserId::from_parts(Timestamp::from_millis(5), 1);
        let turn = |n| TurnId::from_parts(Timestamp::from_millis(6), n);
        let job = JobItem {
            id: JobId::from_parts(Timestamp::from_millis(7), 1),
            owner: user,
            title: "t".into(),
            model: "m".into(),
            submitted_at: Timestamp::from_millis(8),
            variants: (0..10).map(|i| VariantItem { turn: turn(i), ended: None }).collect(),
            structured: true,
            webhook: Some("https://example.com/".into()),
            cancelled: false,
            pending: true,
            ttl: 9,
        };
        assert_eq!(read_job(write_job(&job)).unwrap(), job);
    }
}
