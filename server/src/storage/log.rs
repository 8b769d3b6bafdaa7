//! A turn's log: segments put under keys that must not exist.

use app::domain::TurnId;
use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Segment, Store, StoreError, StoreErrorKind,
    attr::{Item, Reader, Writer, key, n, pieces, s, values},
    keys,
    request::{Ask, Change, Transacted, Written, token},
    segment::VERSION,
    turn::turn_key,
};

/// How an append went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Append {
    Written,
    /// Something stands there. It may be the same segment, written by an attempt whose answer was lost: its nonce
    /// tells.
    Met(Box<Segment>),
}

pub(super) fn write_segment(turn: TurnId, seq: u64, segment: &Segment, ttl: u64) -> Result<Item, StoreError> {
    let mut item = Writer::new(keys::turn_pk(turn), keys::log_sk(seq))
        .word("kind", &segment.kind)?
        .n("claim", segment.claim)
        .word("by", &segment.by)?
        .s("boot", segment.boot.as_str())
        .s("nonce", segment.nonce.as_str())
        .n("at", segment.at)
        .time("time", segment.time)
        .n("v", segment.v)
        .opt_word("seam", segment.seam.as_ref())?
        .opt_json("usage", segment.usage.as_ref())?
        .opt_json("end", segment.end.as_ref())?
        .opt_n("chars", segment.chars)
        .n("ttl", ttl);
    if segment.misfit {
        item = item.put("misfit", AttributeValue::Bool(true));
    }
    if !segment.pieces.is_empty() {
        item = item.put("c", pieces(&segment.pieces));
    }
    Ok(item.done())
}

/// What stands in a log, for who only looks.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its sort key.
    pub key: String,
    /// As far as this version can read it, whatever its own is.
    pub segment: Result<(u64, Segment), StoreError>,
}

pub(super) fn read_segment(item: Item) -> Result<(u64, Segment), StoreError> {
    let mut r = Reader::new(item);
    let v = r.n("v")?;
    if v > VERSION {
        return Err(newer(v));
    }
    read_fields(r, v)
}

fn newer(v: u32) -> StoreError {
    StoreError::new(StoreErrorKind::Newer, "reading a log", format!("it has format {v}, known is {VERSION}"))
}

fn read_fields(mut r: Reader, v: u32) -> Result<(u64, Segment), StoreError> {
    let seq = r.s("sk")?.strip_prefix("LOG#").and_then(|s| s.parse().ok());
    let segment = Segment {
        kind: r.word("kind")?,
        claim: r.n("claim")?,
        by: r.word("by")?,
        boot: r.s("boot")?,
        nonce: r.s("nonce")?,
        at: r.n("at")?,
        pieces: r.pieces("c")?,
        time: r.time("time")?,
        v,
        seam: r.opt_word("seam")?,
        usage: r.opt_json("usage")?,
        end: r.opt_json("end")?,
        chars: r.opt_n("chars")?,
        misfit: r.flag("misfit"),
    };
    Ok((seq.ok_or_else(|| StoreError::corrupt("a log key has no sequence"))?, segment))
}

impl Store {
    /// Puts a segment where nothing may stand.
    ///
    /// # Errors
    /// As every write; after an ambiguous one the same segment is to be put again at the same key. `Newer` if what
    /// stands there is of a format that this server doesn't know.
    pub async fn append(&self, turn: TurnId, seq: u64, segment: &Segment, ttl: u64) -> Result<Append, StoreError> {
        const DOING: &str = "appending to a log";
        match self.put_new(DOING, write_segment(turn, seq, segment, ttl)?).await? {
            Written::Done(_) => Ok(Append::Written),
            Written::Refused(Some(there)) => Ok(Append::Met(Box::new(read_segment(there)?.1))),
            Written::Refused(None) => match self.segment_at(turn, seq).await? {
                Some(there) => Ok(Append::Met(Box::new(there))),
                None => Err(StoreError::new(StoreErrorKind::Unavailable, DOING, "refused by what is gone again")),
            },
        }
    }

    /// Puts a claim at `LOG#seq` and counts it on the turn, if nothing stands there and the turn is open with
    /// `claims_read` claims; false if not, and then the log has to be read again.
    ///
    /// # Errors
    /// As every write; after an ambiguous one the same call may be repeated, or `LOG#seq` read for its nonce.
    pub async fn claim(
        &self,
        turn: TurnId,
        seq: u64,
        segment: &Segment,
        claims_read: u32,
        ttl: u64,
    ) -> Result<bool, StoreError> {
        let put =
            self.tx_put(write_segment(turn, seq, segment, ttl)?, Some("attribute_not_exists(pk)"), Item::new())?;
        let count = self.tx_change(Change {
            key: turn_key(turn),
            set: "SET #claims = :next".to_owned(),
            when: "#state = :open AND #claims = :read".to_owned(),
            values: values([(":next", n(claims_read + 1)), (":read", n(claims_read)), (":open", s("open"))]),
        })?;
        let token = token(&["claim", &turn.to_string(), &seq.to_string(), &segment.nonce]);
        Ok(matches!(self.transact("claiming a turn", Some(token), vec![put, count]).await?, Transacted::Done))
    }

    /// What stands at a key of a log, strongly consistent.
    ///
    /// # Errors
    /// As every read; `Newer`.
    pub async fn segment_at(&self, turn: TurnId, seq: u64) -> Result<Option<Segment>, StoreError> {
        let item = self.get("reading a segment", key(keys::turn_pk(turn), keys::log_sk(seq))).await?;
        Ok(item.map(read_segment).transpose()?.map(|(_, segment)| segment))
    }

    /// All that stands in a log, gaps and newer formats included; all pages. For who only looks: whatever acts on a
    /// log reads it by [`Store::read_log`].
    ///
    /// # Errors
    /// As every read.
    pub async fn see_log(&self, turn: TurnId) -> Result<Vec<Seen>, StoreError> {
        let ask = Ask {
            when: "pk = :pk AND begins_with(sk, :log)",
            values: values([(":pk", s(keys::turn_pk(turn))), (":log", s("LOG#"))]),
            strong: true,
            ..Ask::default()
        };
        let see = |item: Item| {
            let key = item.get("sk").and_then(|k| k.as_s().ok()).cloned().unwrap_or_default();
            let mut r = Reader::new(item);
            let segment = match r.n("v") {
                Ok(v) if v > VERSION => read_fields(r, v).map_err(|_| newer(v)),
                Ok(v) => read_fields(r, v),
                Err(error) => Err(error),
            };
            Seen { key, segment }
        };
        Ok(self.query_all("looking at a log", ask).await?.into_iter().map(see).collect())
    }

    /// A log from a sequence on, as far as it is contiguous; all pages.
    ///
    /// # Errors
    /// As every read; `Newer`.
    pub async fn read_log(&self, turn: TurnId, from: u64, strong: bool) -> Result<Vec<(u64, Segment)>, StoreError> {
        let ask = Ask {
            when: "pk = :pk AND sk BETWEEN :from AND :to",
            values: values([
                (":pk", s(keys::turn_pk(turn))),
                (":from", s(keys::log_sk(from))),
                (":to", s("LOG#9999999999")),
            ]),
            strong,
            ..Ask::default()
        };
        let mut log = Vec::new();
        for item in self.query_all("reading a log", ask).await? {
            let (seq, segment) = read_segment(item)?;
            if seq != from + log.len() as u64 {
                break;
            }
            log.push((seq, segment));
        }
        Ok(log)
    }
}
