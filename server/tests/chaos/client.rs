//! The API as a browser uses it, through the relays.

use std::{sync::Arc, time::Duration};

use app::{
    domain::{SessionId, TurnId, UserId},
    sse::Decoder,
};
use futures::StreamExt;
use server::auth::identity::COOKIE;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    dice::Dice,
    ledger::{Kind, Wrong},
    reader::Reader,
    world::World,
};

/// A comment comes at least every 15 s: past that a connection is dead.
const SILENCE: Duration = Duration::from_secs(16);
const CONNECT: Duration = Duration::from_secs(8);

/// Why a call brought no stream.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// Not reached, or cut off.
    Network,
    /// Refused, with its code.
    Refused(u16, String),
}

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    Ended,
    /// The stream closed, or was cut.
    Closed,
    /// The reader left by itself.
    Left,
}

#[derive(Clone)]
pub(crate) struct Client {
    world: Arc<World>,
    cookie: String,
}

impl Client {
    pub(crate) fn new(world: &Arc<World>, user: UserId) -> Self {
        let cookie = format!("{COOKIE}={}", world.identity.sign(user, world.clock.now()));
        Self { world: Arc::clone(world), cookie }
    }

    fn url(&self, server: usize, path: &str) -> String {
        format!("http://{}{path}", self.world.servers[server].relay.addr)
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Trouble> {
        let asking =
            request.header("cookie", &self.cookie).header("accept", "text/event-stream, application/json").send();
        let Ok(Ok(response)) = timeout(CONNECT, asking).await else { return Err(Trouble::Network) };
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(response);
        }
        let Ok(Ok(body)) = timeout(CONNECT, response.bytes()).await else { return Err(Trouble::Network) };
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        Err(Trouble::Refused(status, json["code"].as_str().unwrap_or("?").to_owned()))
    }

    pub(crate) async fn send(
        &self,
        server: usize,
        session: SessionId,
        turn: TurnId,
        text: &str,
        new: bool,
    ) -> Result<reqwest::Response, Trouble> {
        // Made in one go: the serializer is not `Send`, so it must not live over the call.
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("session_id", &session.to_string())
            .append_pair("turn_id", &turn.to_string())
            .append_pair("text", text)
            .extend_pairs(new.then_some(("new", "true")))
            .finish();
        self.post(server, "/api/chat/send", form).await
    }

    async fn post(&self, server: usize, path: &str, form: String) -> Result<reqwest::Response, Trouble> {
        let request = self.world.http.post(self.url(server, path)).body(form);
        self.answer(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    pub(crate) async fn follow(
        &self,
        server: usize,
        turn: TurnId,
        reader: &Reader,
    ) -> Result<reqwest::Response, Trouble> {
        let url = self.url(server, &format!("/api/chat/follow?turn_id={turn}&cursor={}", reader.cursor));
        self.answer(self.world.http.get(url)).await
    }

    /// A call that only does something, again and again until it is acknowledged; false if it is refused for good.
    pub(crate) async fn insist(&self, path: &str, form: String, dice: &mut Dice) -> bool {
        let since = std::time::Instant::now();
        while !self.world.too_long(since) {
            match self.post(self.world.any_server(dice), path, form.clone()).await {
                Ok(_) => return true,
                Err(Trouble::Refused(400..500, _)) => return false,
                Err(_) => self.world.breathe(dice).await,
            }
        }
        self.world.ledger.wrong(Wrong::new(Kind::Stuck, format!("POST {path} was not acknowledged")));
        false
    }

    /// Reads a stream until it ends, is cut, or the reader has had enough.
    pub(crate) async fn read(
        &self,
        response: reqwest::Response,
        reader: &mut Reader,
        leave: Instant,
    ) -> Result<Read, Wrong> {
        let mut decoder = Decoder::default();
        let mut bytes = response.bytes_stream();
        loop {
            let next = timeout_at(leave.min(Instant::now() + SILENCE), bytes.next()).await;
            let Ok(next) = next else {
                return Ok(if Instant::now() >= leave { Read::Left } else { Read::Closed });
            };
            let Some(Ok(chunk)) = next else { return Ok(Read::Closed) };
            decoder.push(&chunk);
            for frame in &mut decoder {
                reader.take(frame)?;
                if reader.end.is_some() {
                    return Ok(Read::Ended);
                }
            }
        }
    }
}
