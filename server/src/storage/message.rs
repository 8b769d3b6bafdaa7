//! Messages: a tree, standing by depth, each in parts.

use std::ops::RangeInclusive;

use app::domain::{MessageId, Role, SessionId, Timestamp};
use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    MessageItem, Store, StoreError,
    attr::{Item, Reader, Writer, key, pieces, s, values},
    keys,
    parts::{Part, cut, join, size},
    request::{Ask, less, text},
};

/// A page of messages ends after so many bytes of content, however few messages that are.
const PAGE_BYTES: usize = 1 << 20;

/// Where reading backwards goes on: before this message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More {
    pub depth: u32,
    pub id: MessageId,
}

/// A message's place in the tree, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub id: MessageId,
    pub depth: u32,
    pub parent: Option<MessageId>,
    pub role: Role,
    pub created_at: Timestamp,
}

/// A message as items, its head first. Content of more than `inline` bytes is kept out of the head.
pub(super) fn write_message(message: &MessageItem, inline: usize) -> Result<Vec<Item>, StoreError> {
    let mut parts = cut(&message.content, keys::PART_BYTES);
    if size(&message.content) > inline {
        parts.insert(0, Part::default());
    }
    let pk = || keys::session_pk(message.session);
    let count = parts.len();
    let mut items = Vec::with_capacity(count);
    for (number, part) in parts.into_iter().enumerate() {
        let mut item = Writer::new(pk(), keys::message_sk(message.depth, message.id, number)).n("ttl", message.ttl);
        if number == 0 {
            item = write_head(item, message)?.n("parts", count as u64);
        }
        if part.joins {
            item = item.put("joins", AttributeValue::Bool(true));
        }
        if !part.pieces.is_empty() {
            item = item.put("c", pieces(&part.pieces));
        }
        items.push(item.done());
    }
    Ok(items)
}

fn write_head(item: Writer, message: &MessageItem) -> Result<Writer, StoreError> {
    let item = item
        .opt_s("parent", message.parent)
        .word("role", &message.role)?
        .time("created", message.created_at)
        .opt_s("turn", message.turn)
        .opt_s("model", message.model.as_deref())
        .opt_word("outcome", message.outcome.as_ref())?
        .opt_s("stop", message.stop_reason.as_deref())
        .opt_json("error", message.error.as_ref())?
        .opt_json("usage", message.usage.as_ref())?
        .opt_json("timing", message.timing.as_ref())?
        .opt_json("bases", Some(&message.bases).filter(|b| !b.is_empty()))?;
    Ok(match message.left_out {
        Some(left_out) => item.n("left_out", left_out),
        None => item,
    })
}

/// Items of one message on their way to become it.
#[derive(Default)]
struct Group {
    of: Option<(u32, MessageId)>,
    items: Vec<(usize, Item)>,
}

impl Group {
    /// Takes an item in. If it is another message's, the items so far are given up: they have no head, so they are
    /// parts of a message whose turn isn't done.
    fn add(&mut self, item: Item) -> Result<(), StoreError> {
        let place = text(&item, "sk").and_then(keys::parse_message_sk);
        let (depth, id, part) = place.ok_or_else(|| StoreError::corrupt("a message's key is wrong"))?;
        if self.of != Some((depth, id)) {
            *self = Self { of: Some((depth, id)), items: Vec::new() };
        }
        self.items.push((part, item));
        Ok(())
    }

    fn has_head(&self) -> bool {
        self.items.iter().any(|(part, _)| *part == 0)
    }

    /// The message, unless it has no head or has expired.
    fn finish(&mut self, now: u64) -> Result<Option<MessageItem>, StoreError> {
        let Self { of, mut items } = std::mem::take(self);
        items.sort_by_key(|(part, _)| *part);
        let mut items = items.into_iter();
        let (Some((depth, id)), Some((0, head))) = (of, items.next()) else { return Ok(None) };
        if less(&head, "ttl", now) {
            return Ok(None);
        }
        let mut r = Reader::new(head);
        let mut parts = vec![read_part(&mut r)?];
        for (_, item) in items {
            parts.push(read_part(&mut Reader::new(item))?);
        }
        if r.n::<u64>("parts")? != parts.len() as u64 {
            return Err(StoreError::corrupt(format!("message {id} has {} parts, not as its head says", parts.len())));
        }
        Ok(Some(MessageItem {
            id,
            session: r.id("SESSION#")?,
            parent: r.opt_parse("parent")?,
            depth,
            role: r.word("role")?,
            content: join(parts),
            turn: r.opt_parse("turn")?,
            model: r.opt_s("model")?,
            outcome: r.opt_word("outcome")?,
            stop_reason: r.opt_s("stop")?,
            error: r.opt_json("error")?,
            usage: r.opt_json("usage")?,
            timing: r.opt_json("timing")?,
            bases: r.opt_json("bases")?.unwrap_or_default(),
            left_out: r.opt_n("left_out")?,
            created_at: r.time("created")?,
            ttl: r.n("ttl")?,
        }))
    }
}

fn read_part(r: &mut Reader) -> Result<Part, StoreError> {
    Ok(Part { pieces: r.pieces("c")?, joins: r.flag("joins") })
}

impl Store {
    /// One message, strongly consistent.
    ///
    /// # Errors
    /// As every read.
    pub async fn message(
        &self,
        session: SessionId,
        id: MessageId,
        depth: u32,
    ) -> Result<Option<MessageItem>, StoreError> {
        Ok(self.messages_under(session, keys::message_prefix(depth, id)).await?.pop())
    }

    /// All messages of one depth, in the order of their ids.
    ///
    /// # Errors
    /// As every read.
    pub async fn messages_at(&self, session: SessionId, depth: u32) -> Result<Vec<MessageItem>, StoreError> {
        self.messages_under(session, keys::depth_prefix(depth)).await
    }

    async fn messages_under(&self, session: SessionId, prefix: String) -> Result<Vec<MessageItem>, StoreError> {
        let ask = Ask {
            when: "pk = :pk AND begins_with(sk, :prefix)",
            values: values([(":pk", s(keys::session_pk(session))), (":prefix", s(prefix))]),
            ..Ask::default()
        };
        let now = self.now_seconds();
        let (mut found, mut group) = (Vec::new(), Group::default());
        for item in self.query_all("reading messages", ask).await? {
            if text(&item, "sk").is_some_and(|sk| sk.ends_with("#000")) {
                found.extend(group.finish(now)?);
            }
            group.add(item)?;
        }
        found.extend(group.finish(now)?);
        Ok(found)
    }

    /// Messages of all branches, backwards: the deepest first, of one depth the newest first, beginning with
    /// `from_depth` or, with `start`, where an earlier page ended. At most `limit` of them, and no more once there
    /// is 1 MiB of content. The running turn's message is not among them. The second value leads on, if there is
    /// more (perhaps to an empty page).
    ///
    /// # Errors
    /// As every read.
    pub async fn messages_back(
        &self,
        session: SessionId,
        from_depth: u32,
        limit: u32,
        start: Option<&More>,
    ) -> Result<(Vec<MessageItem>, Option<More>), StoreError> {
        let pk = keys::session_pk(session);
        let mut ask = Ask {
            when: "pk = :pk AND sk BETWEEN :low AND :high",
            values: values([
                (":pk", s(pk.clone())),
                (":low", s(keys::depth_prefix(0))),
                (":high", s(format!("{}~", keys::depth_prefix(from_depth)))),
            ]),
            newest_first: true,
            start: start.map(|m| key(pk, keys::message_sk(m.depth, m.id, 0))),
            ..Ask::default()
        };
        let now = self.now_seconds();
        let (mut found, mut bytes, mut group) = (Vec::new(), 0, Group::default());
        loop {
            // A message mostly has one item or two.
            ask.limit = Some(limit.saturating_sub(found.len() as u32).saturating_mul(3) / 2 + 1);
            let page = self.query("reading messages", &ask).await?;
            let mut items = page.items.into_iter();
            while let Some(item) = items.next() {
                group.add(item)?;
                if !group.has_head() {
                    continue;
                }
                let of = group.of;
                if let Some(message) = group.finish(now)? {
                    bytes += size(&message.content);
                    found.push(message);
                }
                if found.len() as u32 >= limit || bytes >= PAGE_BYTES {
                    let more = items.len() > 0 || page.next.is_some();
                    let (Some((depth, id)), true) = (of, more) else { return Ok((found, None)) };
                    return Ok((found, Some(More { depth, id })));
                }
            }
            ask.start = page.next;
            if ask.start.is_none() {
                return Ok((found, None));
            }
        }
    }

    /// The places in the tree of all messages of some depths, upwards; of one depth in the order of their ids.
    /// It costs as much as reading them, less the way of their content.
    ///
    /// # Errors
    /// As every read.
    pub async fn links(&self, session: SessionId, depths: RangeInclusive<u32>) -> Result<Vec<Link>, StoreError> {
        let ask = Ask {
            when: "pk = :pk AND sk BETWEEN :low AND :high",
            only: Some("sk, #parent, #role, #created, #ttl"),
            values: values([
                (":pk", s(keys::session_pk(session))),
                (":low", s(keys::depth_prefix(*depths.start()))),
                (":high", s(format!("{}~", keys::depth_prefix(*depths.end())))),
            ]),
            ..Ask::default()
        };
        let now = self.now_seconds();
        let mut links = Vec::new();
        for item in self.query_all("reading the tree of messages", ask).await? {
            let place = text(&item, "sk").and_then(keys::parse_message_sk);
            let (depth, id, part) = place.ok_or_else(|| StoreError::corrupt("a message's key is wrong"))?;
            if part > 0 || less(&item, "ttl", now) {
                continue;
            }
            let mut r = Reader::new(item);
            let (parent, role, created_at) = (r.opt_parse("parent")?, r.word("role")?, r.time("created")?);
            links.push(Link { id, depth, parent, role, created_at });
        }
        Ok(links)
    }
}
