//! Jobs: one prompt answered up to ten times, apart from any chat; each answer is a turn with all that a turn has.

mod handle;
mod status;
mod submit;
mod view;
mod webhook;
pub mod worker;

use std::{sync::Arc, time::Duration};

use app::domain::JobId;

use crate::{
    chat::Chat,
    clock::Clock,
    config::Secret,
    queue::{Note, Queue},
    storage::{JobItem, Store, StoreError},
    turn::Turns,
};

pub use self::{handle::Handled, webhook::Hooks};

/// Answers of one job at most.
pub const VARIANTS: u32 = 10;
/// For so long after it was submitted nobody else puts a job's turns into the queue.
const GRACE: Duration = Duration::from_secs(5);

/// What jobs are made with.
#[derive(Debug, Clone)]
pub struct JobsConfig {
    /// Signs webhooks.
    pub secret: Secret,
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
        let Some(job) = self.inner.store.job(id).await? else { return Ok(()) };
        let age = self.inner.clock.now().since(job.submitted_at);
        if !job.pending || Duration::from_millis(age) < GRACE {
            return Ok(());
        }
        if job.is_over() {
            return self.tell(&job).await;
        }
        self.enqueue(&job).await;
        Ok(())
    }

    /// Puts a job's turns into the queue; one that is there twice does no harm. What fails is tried again later.
    async fn enqueue(&self, job: &JobItem) {
        let open = job.variants.iter().filter(|v| v.ended.is_none());
        let notes: Vec<Note> = open.map(|v| Note::Turn(v.turn)).collect();
        if let Err(error) = self.inner.queue.send(&notes, Duration::ZERO).await {
            tracing::warn!(job = %job.id, %error, "a job could not be queued yet");
            return;
        }
        // A job with a webhook stays open until that was told.
        if job.webhook.is_none()
            && let Err(error) = self.inner.store.settle_job(job.id).await
        {
            tracing::warn!(job = %job.id, %error, "a job was queued and could not be marked so; it is queued again");
        }
    }
}
