//! A table for each test, and items to put there.

use std::collections::HashMap;

use app::domain::{MessageId, Outcome, Piece, PieceKind, Role, SessionId, Timestamp, Timing, TurnId, Usage, UserId};
use aws_sdk_dynamodb::types::AttributeValue;
use server::{
    clock::{Clock, random_u128},
    storage::{
        Base, By, CompactTx, End, Head, Kind, MessageItem, Segment, SendOutcome, SendTx, SessionItem, Store,
        StoreConfig, TurnItem, TurnState,
        embedded::{self, Embedded},
        keys,
    },
};
use tempfile::TempDir;

pub(crate) struct Table {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) config: StoreConfig,
    _embedded: Option<(Embedded, TempDir)>,
}

impl Table {
    /// In DynamoDB Local, which is shared by the tests of one process.
    pub(crate) async fn local(name: &str) -> Self {
        // Starting it blocks.
        let endpoint = tokio::task::spawn_blocking(crate::dynamodb::endpoint).await.unwrap();
        Self::new(endpoint, &format!("{name}-{}", random_u128()), None).await
    }

    /// In an embedded engine of its own.
    pub(crate) async fn embedded() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = embedded::start(dir.path()).await.unwrap();
        let endpoint = engine.endpoint().to_owned();
        Self::new(&endpoint, "outlast", Some((engine, dir))).await
    }

    /// At an engine that the test has started.
    pub(crate) async fn at(endpoint: &str, table: &str) -> Self {
        Self::new(endpoint, table, None).await
    }

    async fn new(endpoint: &str, table: &str, embedded: Option<(Embedded, TempDir)>) -> Self {
        let clock = Clock::default();
        let mut config = StoreConfig::new(Some(endpoint.to_owned()), "eu-central-1", table, clock.clone());
        config.count_capacity = true;
        let store = Store::new(config.clone());
        store.init().await.unwrap();
        Self { store, clock, config, _embedded: embedded }
    }

    /// Far enough ahead.
    pub(crate) fn ttl(&self) -> u64 {
        self.clock.now().seconds() + 86_400
    }

    pub(crate) fn session(&self, owner: UserId) -> SessionItem {
        let now = self.clock.now();
        SessionItem {
            id: self.clock.session_id(),
            owner,
            title: "A talk".to_owned(),
            created_at: now,
            updated_at: now,
            model: None,
            head: None,
            active: None,
            of_job: false,
            deleted_at: None,
            ttl: self.ttl(),
        }
    }

    pub(crate) fn user_message(
        &self,
        session: SessionId,
        parent: Option<MessageId>,
        depth: u32,
        text: &str,
    ) -> MessageItem {
        MessageItem {
            id: self.clock.message_id(),
            session,
            parent,
            depth,
            role: Role::User,
            content: vec![piece(text)],
            turn: None,
            model: None,
            outcome: None,
            stop_reason: None,
            error: None,
            usage: None,
            timing: None,
            bases: Vec::new(),
            left_out: None,
            created_at: self.clock.now(),
            ttl: self.ttl(),
        }
    }

    pub(crate) fn turn(&self, session: &SessionItem, parent: MessageId, depth: u32) -> TurnItem {
        TurnItem {
            id: self.clock.turn_id(),
            owner: session.owner,
            session: session.id,
            parent,
            depth,
            model: "claude-test".to_owned(),
            state: TurnState::Open,
            claims: 0,
            continues: None,
            variant: None,
            created_at: self.clock.now(),
            bases: Vec::new(),
            usage: Usage::default(),
            outcome: None,
            stop_reason: None,
            error: None,
            timing: None,
            total: 0,
            v: 1,
            ttl: self.ttl(),
        }
    }

    pub(crate) fn segment(&self, kind: Kind, claim: u32, at: u32, text: &str) -> Segment {
        Segment {
            kind,
            claim,
            by: By::Web,
            boot: "boot".to_owned(),
            nonce: format!("{:024x}", random_u128() & ((1 << 96) - 1)),
            at,
            pieces: if text.is_empty() { Vec::new() } else { vec![piece(text)] },
            time: self.clock.now(),
            v: 1,
            seam: None,
            usage: None,
            end: None,
            chars: None,
            misfit: false,
        }
    }

    pub(crate) fn end(&self, claim: u32, at: u32, text: &str) -> Segment {
        let total = at + text.len() as u32;
        let end = End {
            outcome: Outcome::Complete,
            stop_reason: Some("end_turn".to_owned()),
            error: None,
            usage: usage(),
            timing: Timing { first_ms: Some(3), thinking_ms: Some(2), total_ms: 40 },
            left_out: 0,
            total,
        };
        Segment { end: Some(end), ..self.segment(Kind::End, claim, at, text) }
    }

    /// A question to a session as it stands; it gets the turn as its head.
    pub(crate) fn ask(&self, session: &SessionItem, new: bool, text: &str) -> SendTx {
        let depth = session.head.map_or(0, |h| h.depth + 1);
        let message = self.user_message(session.id, session.head.map(|h| h.message), depth, text);
        let mut turn = self.turn(session, message.id, depth + 1);
        turn.claims = 1;
        let before = session.head;
        let session = SessionItem {
            updated_at: self.clock.now(),
            model: Some(turn.model.clone()),
            head: Some(Head { message: turn.id.into(), depth: depth + 1 }),
            active: Some(turn.id),
            ..session.clone()
        };
        let claim = Some(self.segment(Kind::Claim, 0, 0, ""));
        SendTx { session, before, new, set_title: new, message: Some(message), turn, claim }
    }

    /// What compacts that question's answer.
    pub(crate) fn answer(&self, tx: &SendTx, text: &str) -> CompactTx {
        let turn = TurnItem {
            state: TurnState::Done,
            bases: vec![Base { at: 0, planned: false, seam: None }],
            usage: usage(),
            outcome: Some(Outcome::Complete),
            stop_reason: Some("end_turn".to_owned()),
            timing: Some(Timing { first_ms: Some(3), thinking_ms: Some(2), total_ms: 40 }),
            total: text.len() as u32,
            ..tx.turn.clone()
        };
        let message = MessageItem {
            id: turn.id.into(),
            parent: Some(turn.parent),
            depth: turn.depth,
            role: Role::Assistant,
            turn: Some(turn.id),
            model: Some(turn.model.clone()),
            outcome: turn.outcome,
            stop_reason: turn.stop_reason.clone(),
            usage: Some(turn.usage),
            timing: turn.timing,
            bases: turn.bases.clone(),
            ..self.user_message(turn.session, None, 0, text)
        };
        CompactTx { session: turn.session, message, turn, day: keys::day(self.clock.now()), at: self.clock.now() }
    }

    /// One whole turn of a session; returns the session after it.
    pub(crate) async fn talk(&self, session: &SessionItem, new: bool, question: &str, reply: &str) -> SessionItem {
        let mut tx = self.ask(session, new, question);
        // Some tests send below another message than the newest.
        tx.before = self.store.session(session.id).await.unwrap().and_then(|s| s.head);
        assert_eq!(self.store.send(&tx).await.unwrap(), SendOutcome::Sent);
        let end = self.end(0, 0, reply);
        self.store.append(tx.turn.id, 1, &end, self.ttl()).await.unwrap();
        self.store.compact(&self.answer(&tx, reply)).await.unwrap();
        self.store.session(session.id).await.unwrap().unwrap()
    }
}

pub(crate) fn usage() -> Usage {
    Usage {
        input_tokens: 10,
        output_tokens: 20,
        cache_creation_input_tokens: 3,
        cache_read_input_tokens: 4,
        estimated: false,
    }
}

pub(crate) fn piece(text: &str) -> Piece {
    Piece { kind: PieceKind::Text, text: text.to_owned() }
}

pub(crate) fn later(at: Timestamp, seconds: u64) -> Timestamp {
    at.plus_millis(seconds * 1000)
}

/// A turn nobody has sent.
pub(crate) fn no_turn() -> TurnId {
    TurnId::from_parts(Timestamp::from_millis(1), 1)
}

/// Everything in the table, with another client than the store's.
pub(crate) async fn scan(t: &Table) -> Vec<HashMap<String, AttributeValue>> {
    let client = raw(t);
    let (mut all, mut start) = (Vec::new(), None);
    loop {
        let page = client.scan().table_name(&t.config.table).set_exclusive_start_key(start).send().await.unwrap();
        all.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key;
        if start.is_none() {
            return all;
        }
    }
}

/// A client of the test's own, beside the store's.
pub(crate) fn raw(t: &Table) -> aws_sdk_dynamodb::Client {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(t.config.region.clone()))
        .endpoint_url(t.config.endpoint.clone().unwrap())
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}
