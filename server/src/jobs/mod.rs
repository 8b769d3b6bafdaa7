//! Jobs: one prompt answered up to ten times, apart from any chat; each answer is a turn with all that a turn has.

mod handle;
mod status;
mod submit;
mod view;
mod webhook;
pub mod worker;

use std::{sync::Arc, time::Duration};

use app::domain::JobId;
use tokio::time::timeout;

use crate::{
    chat::Chat,
    clock::Clock,
    config::Secret,
    queue::{Note, Queue},
    storage::{JobItem, Store, StoreError},
    turn::Turns,
};

use self::webhook::Told;
pub use self::{handle::Handled, webhook::Hooks};

/// Answers of one job at most.
pub const VARIANTS: u32 = 10;
/// For so long after it was submitted nobody else puts a job's turns into the queue.
const GRACE: Duration = Duration::from_secs(5);
/// A queue that does not answer is waited for so long; what is to be in it is queued later then.
const PATIENCE: Duration = Duration::from_secs(2);

/// What jobs are made with.
#[derive(Debug, Clone)]
pub struct JobsConfig {
    /// Signs webhooks, for who has it too. Without it there are none.
    pub secret: Option<Secret>,
    /// Webhooks may go to addresses of this machine and its networks: in tests only.
    pub private_webhooks: bool,
}

/// Everything that jobs need. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    turns: Turns,
    chat: Chat,
    queue: Queue,
    clock: Clock,
    hooks: Hooks,
}

impl Jobs {
    /// Makes it, and tells `turns` who looks after open jobs.
    #[must_use]
    pub fn new(store: Store, turns: Turns, chat: Chat, queue: Queue, clock: Clock, config: &JobsConfig) -> Self {
        let hooks = Hooks::new(config);
        let jobs = Self { inner: Arc::new(Inner { store, turns: turns.clone(), chat, queue, clock, hooks }) };
        let keeper = jobs.clone();
        turns.set_jobs(Arc::new(move |id| {
            let jobs = keeper.clone();
            Box::pin(async move { jobs.look_after(id).await })
        }));
        jobs
    }

    /// Puts the turns of a job into the queue that are not there yet, and tells its webhook once it is finished.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn look_after(&self, id: JobId) -> Result<(), StoreError> {
        match self.inner.store.job(id).await? {
            Some(job) if self.needs_looking_after(&job) => self.look_after_read(&job).await,
            _ => Ok(()),
        }
    }

    /// Whether there is something to do for a job that nobody has done by now.
    fn needs_looking_after(&self, job: &JobItem) -> bool {
        let Some(open) = job.open else { return false };
        let now = self.inner.clock.now();
        let due = if job.is_over() { open.next <= now } else { !open.queued };
        due && Duration::from_millis(now.since(open.since)) >= GRACE
    }

    async fn look_after_read(&self, job: &JobItem) -> Result<(), StoreError> {
        if !job.is_over() {
            self.enqueue(job).await;
            return Ok(());
        }
        if let Told::Again(pause) = self.tell(job).await?
            && let Err(error) = self.inner.queue.send(&[Note::Webhook(job.id)], pause).await
        {
            tracing::warn!(job = %job.id, %error, "the next attempt could not be queued; whoever looks makes it");
        }
        Ok(())
    }

    /// Puts a job's turns into the queue; one that is there twice does no harm. What fails is tried again later.
    async fn enqueue(&self, job: &JobItem) {
        let open = job.variants.iter().filter(|v| v.ended.is_none());
        let notes: Vec<Note> = open.map(|v| Note::Turn(v.turn)).collect();
        match timeout(PATIENCE, self.inner.queue.send(&notes, Duration::ZERO)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return tracing::warn!(job = %job.id, %error, "a job could not be queued yet"),
            Err(_) => return tracing::warn!(job = %job.id, "the queue did not answer; a job is queued later"),
        }
        // A job with a webhook stays open until that was told.
        let noted = match job.webhook {
            None => self.inner.store.settle_job(job).await,
            Some(_) => self.inner.store.queued_job(job).await,
        };
        if let Err(error) = noted {
            tracing::warn!(job = %job.id, %error, "a job was queued and could not be marked so; it is queued again");
        }
    }
}
