//! Those who chat: they send, look on, leave, return, stop, delete.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    client::{Client, Read, Trouble},
    dice::Dice,
    ledger::{Kind, Wrong},
    plan::TurnPlan,
    reader::Reader,
    world::{Chat, Turn, World},
};

/// One chat, from its first question to its last answer.
pub(crate) async fn chat(world: Arc<World>, plans: Vec<TurnPlan>) {
    let client = Client::new(&world, world.clock.user_id());
    let no = AtomicBool::default;
    let chat = Arc::new(Chat { session: world.clock.session_id(), deleted: no(), was_deleted: no() });
    for (i, plan) in plans.into_iter().enumerate() {
        let turn = world.enter(plan, world.clock.turn_id(), &chat);
        let went_on =
            Person { world: Arc::clone(&world), client: client.clone(), turn: Arc::clone(&turn) }.ask(i == 0).await;
        turn.over.store(true, Ordering::SeqCst);
        if !went_on {
            return;
        }
    }
}

#[derive(Clone)]
struct Person {
    world: Arc<World>,
    client: Client,
    turn: Arc<Turn>,
}

impl Person {
    /// Sends, and stays until everybody who looks on has seen the end; false if it came to nothing.
    async fn ask(&self, new: bool) -> bool {
        let mut dice = self.turn.plan.dice.clone();
        let plan = &self.turn.plan;
        let mut tasks = JoinSet::new();
        let second = plan.twice.then(|| {
            let (person, mut dice) = (self.clone(), dice.fork());
            tokio::spawn(async move { person.send(new, &mut dice).await.is_some() })
        });
        let first = self.send(new, &mut dice).await;
        if let Some(second) = second {
            let _ = second.await;
        }
        let Some(stream) = first else { return false };
        if let Some(after) = plan.stop {
            let (person, dice) = (self.clone(), dice.fork());
            tasks.spawn(async move { person.stop(after, dice).await });
        }
        if let Some((after, restore)) = plan.delete {
            let (person, dice) = (self.clone(), dice.fork());
            tasks.spawn(async move { person.delete(after, restore, dice).await });
        }
        for _ in 0..plan.readers {
            let (person, mut dice) = (self.clone(), dice.fork());
            tasks.spawn(async move {
                sleep(Duration::from_millis(dice.between(0, 3000))).await;
                person.look_on(None, dice).await;
            });
        }
        if plan.unwatched {
            drop(stream);
            self.world.ledger.count("turns that nobody watched");
        } else {
            let (person, dice) = (self.clone(), dice.fork());
            tasks.spawn(async move { person.look_on(Some(stream), dice).await });
        }
        while let Some(done) = tasks.join_next().await {
            if let Err(error) = done {
                self.world.ledger.wrong(self.wrong(Kind::Rule, format!("a reader broke: {error}")));
            }
        }
        plan.delete.is_none()
    }

    fn wrong(&self, kind: Kind, what: impl std::fmt::Display) -> Wrong {
        Wrong::new(kind, format!("turn {} ({}): {what}", self.turn.plan.index, self.turn.id))
    }

    /// The same send, again and again until it is acknowledged.
    async fn send(&self, new: bool, dice: &mut Dice) -> Option<reqwest::Response> {
        let (text, turn) = (self.turn.plan.text(), &self.turn);
        let since = std::time::Instant::now();
        while !self.world.too_long(since) {
            let server = self.world.any_server(dice);
            match self.client.send(server, turn.chat.session, turn.id, &text, new).await {
                Ok(stream) => {
                    turn.acknowledged.store(true, Ordering::SeqCst);
                    return Some(stream);
                }
                Err(Trouble::Refused(400..500, code)) => {
                    self.world.ledger.wrong(self.wrong(Kind::Lost, format!("the send was refused: {code}")));
                    return None;
                }
                Err(_) => self.world.ledger.count("sends tried again"),
            }
            self.world.breathe(dice).await;
        }
        self.world.ledger.wrong(self.wrong(Kind::Stuck, "the send was never acknowledged"));
        None
    }

    /// Reads to the end: leaves, returns, on whatever server, sometimes with an old cursor.
    async fn look_on(&self, mut stream: Option<reqwest::Response>, mut dice: Dice) {
        let mut reader = Reader::default();
        let turn = &self.turn;
        let since = std::time::Instant::now();
        // Some stay, some come and go.
        let restless = dice.chance(40);
        while reader.end.is_none() {
            if self.world.too_long(since) {
                let has = reader.shown.len();
                self.world.ledger.wrong(self.wrong(Kind::Stuck, format!("a reader with {has} bytes saw no end")));
                return;
            }
            let opened = match stream.take() {
                Some(stream) => Ok(stream),
                None => self.client.follow(self.world.any_server(&mut dice), turn.id, &reader).await,
            };
            let stream = match opened {
                Ok(stream) => stream,
                Err(Trouble::Refused(404, _)) if turn.is(&turn.chat.was_deleted) => {
                    // Gone for good, or not yet back.
                    if turn.is(&turn.chat.deleted) {
                        return;
                    }
                    self.world.breathe(&mut dice).await;
                    continue;
                }
                Err(Trouble::Refused(status @ 400..500, code)) => {
                    self.world.ledger.wrong(self.wrong(Kind::Lost, format!("a reader was refused: {status} {code}")));
                    return;
                }
                Err(_) => {
                    self.world.breathe(&mut dice).await;
                    continue;
                }
            };
            let stay = Duration::from_millis(if restless { dice.between(50, 1500) } else { 600_000 });
            if dice.chance(30) {
                reader.remember();
            }
            let read = self.client.read(stream, &mut reader, Instant::now() + stay).await;
            turn.saw(&reader.firsts);
            match read {
                Err(wrong) => {
                    self.world.ledger.wrong(self.wrong(wrong.kind, wrong.what));
                    return;
                }
                Ok(Read::Ended) => break,
                Ok(Read::Closed) => {
                    self.world.ledger.count("streams that closed early");
                    sleep(Duration::from_millis(dice.between(0, 100))).await;
                }
                Ok(Read::Left) => {
                    self.world.ledger.count("readers that left and returned");
                    sleep(Duration::from_millis(dice.between(0, 2500))).await;
                    if dice.chance(50) && reader.go_back() {
                        self.world.ledger.count("readers that returned with an old cursor");
                    }
                }
            }
        }
        self.world.ledger.add("rewinds shown", reader.rewinds);
        turn.readers.lock().unwrap().push(reader);
    }

    async fn stop(&self, after: u64, mut dice: Dice) {
        sleep(Duration::from_millis(after)).await;
        self.turn.stopped.store(true, Ordering::SeqCst);
        self.world.ledger.count("stops");
        // Refused: its chat was deleted.
        let done = self.client.insist("/api/chat/stop", format!("turn_id={}", self.turn.id), &mut dice).await;
        if !done && !self.turn.is(&self.turn.chat.was_deleted) {
            self.world.ledger.wrong(self.wrong(Kind::Rule, "a stop was refused"));
        }
    }

    async fn delete(&self, after: u64, restore: bool, mut dice: Dice) {
        sleep(Duration::from_millis(after)).await;
        let session = format!("session_id={}", self.turn.chat.session);
        self.turn.chat.was_deleted.store(true, Ordering::SeqCst);
        self.world.ledger.count("chats deleted");
        // An answer may be lost: then it is not there the second time.
        self.client.insist("/api/sessions/delete", session.clone(), &mut dice).await;
        if restore {
            sleep(Duration::from_millis(dice.between(0, 2000))).await;
            if self.client.insist("/api/sessions/restore", session, &mut dice).await {
                self.world.ledger.count("chats restored");
                return;
            }
        }
        self.turn.chat.deleted.store(true, Ordering::SeqCst);
    }
}
