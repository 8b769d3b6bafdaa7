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
    /// Characters of its text.
    pub chars: u64,
    pub error: Option<TurnError>,
}

/// One variant of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantItem {
    pub turn: TurnId,
    /// Somebody runs it, or has: noted a moment after its claim, for who would else have to ask its log.
    pub begun: bool,
    pub ended: Option<VariantEnd>,
}

impl VariantItem {
    /// How far it is.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        match &self.ended {
            Some(end) => end.status,
            None if self.begun => JobStatus::Running,
            None => JobStatus::Queued,
        }
    }
}

/// What there still is to do for a job, apart from its turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// When it was submitted or run again: what is read before a retry says nothing of the job after it.
    pub since: Timestamp,
    /// Its turns are in the queue; what is left is to tell its webhook.
    pub queued: bool,
    /// Attempts at its webhook so far.
    pub tries: u32,
    /// Not before then there is another.
    pub next: Timestamp,
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
    pub open: Option<Open>,
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
    if let Some(open) = &job.open {
        item = item.s("open", keys::job_shard(job.id)).s("since", keys::job_since(open.since));
    }
    item.done()
}

fn read_job(item: Item) -> Result<JobItem, StoreError> {
    let mut r = Reader::new(item);
    let open = match (r.opt_s("open")?, r.opt_s("since")?) {
        (Some(_), Some(since)) => Some(Open {
            since: keys::parse_job_since(&since).ok_or_else(|| StoreError::corrupt("`since` is wrong"))?,
            queued: r.flag("queued"),
            tries: r.opt_n("tries")?.unwrap_or_default(),
            next: r.opt_n("next")?.map(Timestamp::from_millis).unwrap_or_default(),
        }),
        _ => None,
    };
    let count: u32 = r.n("count")?;
    let variants = (0..count.min(100))
        .map(|i| {
            let turn = r.parse(&format!("t{i}"))?;
            Ok(VariantItem { turn, begun: r.flag(&format!("b{i}")), ended: r.opt_json(&format!("v{i}"))? })
        })
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
        open,
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

    /// Takes a job out of the open work: its turns are in the queue, its webhook was told. Not if it was run again
    /// since it was read.
    ///
    /// # Errors
    /// As every write.
    pub async fn settle_job(&self, job: &JobItem) -> Result<(), StoreError> {
        self.note_open("settling a job", job, "REMOVE #open, #since").await
    }

    /// Notes that a job's turns are in the queue. Not if it was run again since it was read.
    ///
    /// # Errors
    /// As every write.
    pub async fn queued_job(&self, job: &JobItem) -> Result<(), StoreError> {
        self.note_open("noting that a job is queued", job, "SET #queued = :yes").await
    }

    async fn note_open(&self, doing: &'static str, job: &JobItem, set: &str) -> Result<(), StoreError> {
        let Some(open) = &job.open else { return Ok(()) };
        let mut values = values([(":since", s(keys::job_since(open.since)))]);
        if set.contains(":yes") {
            values.insert(":yes".to_owned(), AttributeValue::Bool(true));
        }
        let when = "attribute_exists(#open) AND #since = :since".to_owned();
        self.change(doing, Change { key: job_key(job.id), set: set.to_owned(), when, values }).await.map(|_| ())
    }

    /// Notes that somebody runs a job's variant, if the turn still is that variant.
    ///
    /// # Errors
    /// As every write.
    pub async fn begin_variant(&self, turn: &TurnItem) -> Result<(), StoreError> {
        let Some(index) = turn.variant else { return Ok(()) };
        let change = Change {
            key: job_key(turn.session.into()),
            set: format!("SET #b{index} = :yes"),
            when: format!("#t{index} = :turn AND attribute_not_exists(#b{index})"),
            values: values([(":yes", AttributeValue::Bool(true)), (":turn", s(turn.id))]),
        };
        self.change("noting that a variant is begun", change).await.map(|_| ())
    }

    /// Marks a job as cancelled, unless all its variants have ended. Gives it as it is then; none if they have.
    ///
    /// # Errors
    /// As every write.
    pub async fn cancel_job(&self, job: &JobItem) -> Result<Option<JobItem>, StoreError> {
        let running: Vec<String> = (0..job.variants.len()).map(|i| format!("attribute_not_exists(#v{i})")).collect();
        let change = Change {
            key: job_key(job.id),
            set: "SET #cancelled = :yes".to_owned(),
            when: format!("#user = :owner AND ({})", running.join(" OR ")),
            values: values([(":yes", AttributeValue::Bool(true)), (":owner", s(job.owner))]),
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
        let mut remove: Vec<String> = ["#cancelled", "#queued", "#tries", "#next"].map(str::to_owned).into();
        let mut when = Vec::new();
        let mut values = values([(":shard", s(keys::job_shard(id))), (":since", s(keys::job_since(now)))]);
        for (index, old, turn) in replaced {
            set.push(format!("#t{index} = :new{index}"));
            remove.push(format!("#v{index}, #b{index}"));
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

    /// Takes the next attempt at a job's webhook for the caller, so that of several who look after a job one tells it;
    /// the one after it comes no sooner than after its pause. Gives which attempt it is, from 1; none if somebody else
    /// was first, or the job was run again since it was read.
    ///
    /// # Errors
    /// As every write.
    pub async fn begin_webhook(
        &self,
        job: &JobItem,
        now: Timestamp,
        pauses: &[Duration],
    ) -> Result<Option<u32>, StoreError> {
        let Some(Open { since, tries, .. }) = job.open else { return Ok(None) };
        let pause = pauses.get(tries as usize).copied().unwrap_or_default();
        let seen = if tries == 0 { "attribute_not_exists(#tries)" } else { "#tries = :tries" };
        let mut values = values([
            (":next", n(now.plus_millis(pause.as_millis() as u64).millis())),
            (":more", n(tries + 1)),
            (":since", s(keys::job_since(since))),
        ]);
        if tries > 0 {
            values.insert(":tries".to_owned(), n(tries));
        }
        let change = Change {
            key: job_key(job.id),
            set: "SET #tries = :more, #next = :next".to_owned(),
            when: format!("attribute_exists(#open) AND #since = :since AND {seen}"),
            values,
        };
        let begun = matches!(self.change("beginning a webhook", change).await?, Written::Done(_));
        Ok(begun.then_some(tries + 1))
    }

    /// How many characters of text a turn's log holds so far, by its newest segment that says so.
    ///
    /// # Errors
    /// As every read.
    pub async fn logged(&self, turn: TurnId) -> Result<u32, StoreError> {
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
        let Some(first) = newest.next() else { return Ok(0) };
        let (_, segment) = first?;
        // A stop shifts nothing; what stands before it says how far the text is.
        let segment = match (segment.kind, newest.next()) {
            (super::Kind::Stop, Some(before)) => before?.1,
            _ => segment,
        };
        // An earlier version did not count them: by their bytes then.
        let bytes = || segment.at + segment.pieces.iter().map(|p| p.text.len() as u32).sum::<u32>();
        Ok(segment.chars.unwrap_or_else(bytes))
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
            variants: (0..10).map(|i| VariantItem { turn: turn(i), begun: false, ended: None }).collect(),
            structured: true,
            webhook: Some("https://example.com/".into()),
            cancelled: false,
            open: Some(Open { since: Timestamp::from_millis(8), queued: false, tries: 0, next: Timestamp::default() }),
            ttl: 9,
        };
        assert_eq!(read_job(write_job(&job)).unwrap(), job);
    }
}
