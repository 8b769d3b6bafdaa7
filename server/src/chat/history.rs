//! A session's messages as a branch of their tree: read backwards from its end, by depth.

use std::collections::VecDeque;

use app::{
    domain::{Message, MessageId, PieceKind, Role, Seam, Session, SessionId, SessionPage, Siblings, UserId},
    error::ApiError,
};

use super::{Chat, errors::store, prompt};
use crate::{
    auth::ownership,
    storage::{Base, Head, Link, MessageItem, More, SessionItem, Store, StoreError, TurnItem, TurnState},
};

/// Messages of one page.
const PAGE: usize = 50;
/// Bytes of content of one page.
const PAGE_BYTES: usize = 1024 * 1024;
/// Messages read at once.
const READ: u32 = 64;
/// Depths looked at in one go on the way down a branch.
const DOWN: u32 = 200;

/// A walk from a message to the root.
pub(super) struct Branch {
    store: Store,
    session: SessionId,
    want: Option<MessageId>,
    from_depth: u32,
    buffer: VecDeque<MessageItem>,
    more: Option<More>,
    begun: bool,
    /// Those under the same parent as the last message given, its own id among them.
    pub(super) siblings: Vec<MessageId>,
}

impl Branch {
    async fn fill(&mut self) -> Result<bool, StoreError> {
        while self.buffer.is_empty() {
            if self.begun && self.more.is_none() {
                return Ok(false);
            }
            let start = self.more.take();
            let (messages, more) =
                self.store.messages_back(self.session, self.from_depth, READ, start.as_ref()).await?;
            self.begun = true;
            self.buffer.extend(messages);
            self.more = more;
        }
        Ok(true)
    }

    /// The next message towards the root.
    pub(super) async fn next(&mut self) -> Result<Option<MessageItem>, StoreError> {
        let Some(want) = self.want else { return Ok(None) };
        loop {
            // All messages of one depth, siblings and others.
            let mut level: Vec<MessageItem> = Vec::new();
            while self.fill().await? {
                let depth = self.buffer.front().map_or(0, |m| m.depth);
                if level.first().is_some_and(|m| m.depth != depth) {
                    break;
                }
                level.extend(self.buffer.pop_front());
            }
            if level.is_empty() {
                self.want = None;
                return Ok(None);
            }
            if let Some(at) = level.iter().position(|m| m.id == want) {
                let found = level.swap_remove(at);
                self.siblings = level.iter().filter(|m| m.parent == found.parent).map(|m| m.id).collect();
                self.siblings.push(found.id);
                self.siblings.sort_unstable();
                self.want = found.parent;
                return Ok(Some(found));
            }
        }
    }
}

/// Where older messages go on: opaque to clients.
fn page_token(id: MessageId, depth: u32) -> String {
    format!("{depth}.{id}")
}

fn parse_page(token: &str) -> Option<Head> {
    let (depth, id) = token.split_once('.')?;
    Some(Head { message: id.parse().ok()?, depth: depth.parse().ok()? })
}

impl Chat {
    /// The branch that ends in `head`, whose depth is at most `depth`.
    pub(super) fn branch(&self, session: SessionId, head: MessageId, depth: u32) -> Branch {
        Branch {
            store: self.inner.store.clone(),
            session,
            want: Some(head),
            from_depth: depth,
            buffer: VecDeque::new(),
            more: None,
            begun: false,
            siblings: Vec::new(),
        }
    }

    /// A page of a session's current branch, or of the one through `via`.
    pub(crate) async fn history(
        &self,
        user: UserId,
        id: SessionId,
        page: Option<String>,
        via: Option<MessageId>,
    ) -> Result<SessionPage, ApiError> {
        let found = self.inner.store.session(id).await.map_err(store)?;
        let session = ownership::owned_session(found, user, self.inner.clock.now())?;
        let (leaf, active_turn) = match (&page, via) {
            (Some(token), _) => {
                let wrong = || ApiError::invalid("page", "`page` is not one that this list gave.");
                let leaf = parse_page(token).ok_or_else(wrong)?;
                let there = self.inner.store.message(id, leaf.message, leaf.depth).await.map_err(store)?;
                there.ok_or_else(wrong)?;
                (Some(leaf), self.running(&session).await?.map(|t| t.id))
            }
            (None, via) => self.leaf(&session, via).await?,
        };
        let (messages, next) = match leaf {
            Some(leaf) => self.read_page(id, leaf).await.map_err(store)?,
            None => (Vec::new(), None),
        };
        let session = Session {
            session_id: session.id,
            title: session.title,
            created_at: session.created_at,
            updated_at: session.updated_at,
            model: session.model,
        };
        Ok(SessionPage { session, messages, active_turn, next })
    }

    async fn read_page(&self, id: SessionId, leaf: Head) -> Result<(Vec<Message>, Option<String>), StoreError> {
        let mut branch = self.branch(id, leaf.message, leaf.depth);
        let (mut messages, mut bytes, mut next) = (Vec::new(), 0, None);
        while let Some(item) = branch.next().await? {
            bytes += item.content.iter().map(|p| p.text.len()).sum::<usize>();
            let older = item.parent.map(|parent| page_token(parent, item.depth.saturating_sub(1)));
            messages.push(shown(item, &branch.siblings));
            if messages.len() >= PAGE || bytes >= PAGE_BYTES {
                next = older;
                break;
            }
        }
        messages.reverse();
        Ok((messages, next))
    }

    /// The newest stored message of the branch to be shown, and the turn that runs at its end.
    async fn leaf(
        &self,
        session: &SessionItem,
        via: Option<MessageId>,
    ) -> Result<(Option<Head>, Option<app::domain::TurnId>), ApiError> {
        let running = self.running(session).await?;
        let asked = running.as_ref().map(|t| Head { message: t.parent, depth: t.depth.saturating_sub(1) });
        if let Some(via) = via {
            let leaf = self.through(session, via).await?;
            let active = running.filter(|t| t.parent == leaf.message).map(|t| t.id);
            return Ok((Some(leaf), active));
        }
        if let (Some(turn), Some(asked)) = (&running, asked) {
            return Ok((Some(asked), Some(turn.id)));
        }
        let Some(head) = session.head else { return Ok((None, None)) };
        if self.inner.store.message(session.id, head.message, head.depth).await.map_err(store)?.is_some() {
            return Ok((Some(head), None));
        }
        // A reply that was never written, such as one whose chat was deleted meanwhile and restored.
        let turn = self.inner.store.turn(head.message.into()).await.map_err(store)?;
        Ok((turn.map(|t| Head { message: t.parent, depth: t.depth.saturating_sub(1) }), None))
    }

    /// The turn that runs in a session. One that is done and still its active one, because the session was deleted
    /// and restored meanwhile, is stored now.
    async fn running(&self, session: &SessionItem) -> Result<Option<TurnItem>, ApiError> {
        let Some(active) = session.active else { return Ok(None) };
        let turn = self.inner.store.turn(active).await.map_err(store)?;
        if let Some(done) = turn.as_ref().filter(|t| t.state == TurnState::Done) {
            self.inner.turns.rescue(done).await.map_err(store)?;
        }
        Ok(turn.filter(|t| t.state == TurnState::Open))
    }

    /// The end of the newest branch that leads through a message.
    async fn through(&self, session: &SessionItem, via: MessageId) -> Result<Head, ApiError> {
        let turn = self.inner.store.turn(via.into()).await.map_err(store)?;
        let depth = match turn.filter(|t| t.owner == session.owner && t.session == session.id) {
            Some(turn) => turn.depth,
            None => question_depth(via),
        };
        let found = self.inner.store.message(session.id, via, depth).await.map_err(store)?;
        let found = found.ok_or_else(ApiError::not_found)?;
        // The newest of all that descend from it: nothing is older than what it answers, so it is an end.
        let mut newest = (found.created_at, Head { message: found.id, depth: found.depth });
        let mut level = vec![found.id];
        let mut depth = found.depth;
        while !level.is_empty() {
            let links = self.inner.store.links(session.id, depth + 1..=depth + DOWN).await.map_err(store)?;
            for _ in 0..DOWN {
                depth += 1;
                let below = |l: &&Link| l.depth == depth && l.parent.is_some_and(|p| level.contains(&p));
                let children: Vec<&Link> = links.iter().filter(below).collect();
                for child in &children {
                    if (child.created_at, depth, child.id) > (newest.0, newest.1.depth, newest.1.message) {
                        newest = (child.created_at, Head { message: child.id, depth });
                    }
                }
                level = children.iter().map(|l| l.id).collect();
                if level.is_empty() {
                    break;
                }
            }
        }
        Ok(newest.1)
    }
}

/// The id of a question holds its depth, in the upper 24 of its 80 random bits, so that it is found in one read.
pub(crate) fn question_id(clock: &crate::clock::Clock, depth: u32) -> MessageId {
    let random = crate::clock::random_u128() & ((1 << 56) - 1);
    MessageId::from_parts(clock.now(), (u128::from(depth & 0x00ff_ffff) << 56) | random)
}

fn question_depth(id: MessageId) -> u32 {
    ((id.random() >> 56) & 0x00ff_ffff) as u32
}

/// A message as it is shown.
fn shown(item: MessageItem, siblings: &[MessageId]) -> Message {
    let of = |kind| -> String { item.content.iter().filter(|p| p.kind == kind).map(|p| p.text.as_str()).collect() };
    let thinking = of(PieceKind::Thinking);
    let seams = if item.role == Role::Assistant { seams(&item) } else { Vec::new() };
    Message {
        message_id: item.id,
        parent_id: item.parent,
        depth: Some(item.depth),
        role: item.role,
        text: prompt::text(&item),
        thinking: (!thinking.is_empty()).then_some(thinking),
        turn_id: item.turn,
        model: item.model,
        outcome: item.outcome,
        stop_reason: item.stop_reason,
        error: item.error,
        usage: item.usage,
        timing: item.timing,
        seams,
        left_out: item.left_out,
        siblings: (siblings.len() > 1).then(|| Siblings { ids: siblings.to_vec() }),
        created_at: item.created_at,
    }
}

/// Where runners took over, in bytes of the text alone; those that kept nothing, or brought nothing, leave no seam.
fn seams(item: &MessageItem) -> Vec<Seam> {
    let mut kept: Vec<Base> = Vec::new();
    for base in item.bases.iter().skip(1) {
        kept.retain(|k| k.at < base.at);
        kept.push(*base);
    }
    let whole: usize = item.content.iter().map(|piece| piece.text.len()).sum();
    let within = |b: &&Base| b.at > 0 && (b.at as usize) < whole;
    kept.iter().filter(within).map(|b| Seam { offset: text_offset(item, b.at), planned: b.planned }).collect()
}

/// An offset of content (text and thinking) as one of text.
fn text_offset(item: &MessageItem, at: u32) -> u32 {
    let (mut content, mut text) = (0u32, 0u32);
    for piece in &item.content {
        let here = (piece.text.len() as u32).min(at.saturating_sub(content));
        if piece.kind == PieceKind::Text {
            text += here;
        }
        content += piece.text.len() as u32;
    }
    text
}

#[cfg(test)]
mod tests {
    use app::domain::Piece;

    use super::*;

    #[test]
    fn the_id_of_a_question_holds_its_depth() {
        let clock = crate::clock::Clock::default();
        for depth in [0, 2, 9_998, 0x00ff_ffff] {
            assert_eq!(question_depth(question_id(&clock, depth)), depth);
        }
        assert_ne!(question_id(&clock, 4), question_id(&clock, 4));
    }

    #[test]
    fn a_seam_has_something_on_either_side() {
        let piece = |kind, text: &str| Piece { kind, text: text.to_owned() };
        let base = |at, planned| Base { at, planned, seam: None };
        let clock = crate::clock::Clock::default();
        let asked = Head { message: question_id(&clock, 0), depth: 0 };
        let of = |bases: &[Base]| {
            let session = SessionId::from_parts(clock.now(), 1);
            let mut item = MessageItem::question(asked, session, None, String::new(), clock.now(), 0);
            item.content = vec![piece(PieceKind::Thinking, "hm"), piece(PieceKind::Text, "abcdef")];
            item.bases = bases.to_vec();
            seams(&item).iter().map(|s| (s.offset, s.planned)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[base(0, false), base(5, true)]), [(3, true)]);
        // One that took over to write all of it, one that was taken back, and one that only ended it.
        assert_eq!(of(&[base(0, false), base(0, false), base(6, false), base(4, false), base(8, false)]), [(2, false)]);
    }

    #[test]
    fn page_tokens_read_back_and_nothing_else_does() {
        let id = question_id(&crate::clock::Clock::default(), 7);
        assert_eq!(parse_page(&page_token(id, 7)), Some(Head { message: id, depth: 7 }));
        for bad in ["", "7", "7.", ".x", "-1.01ARZ3NDEKTSV4RRFFQ69G5FAV", "x.01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            assert_eq!(parse_page(bad), None, "{bad}");
        }
    }
}
