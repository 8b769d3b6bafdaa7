//! The queue of a laptop: in this process.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use super::Note;

/// Its sending half; clones send to the same.
#[derive(Debug, Clone)]
pub struct Local {
    send: mpsc::UnboundedSender<Note>,
    receive: Arc<Mutex<Option<mpsc::UnboundedReceiver<Note>>>>,
}

impl Default for Local {
    fn default() -> Self {
        let (send, receive) = mpsc::unbounded_channel();
        Self { send, receive: Arc::new(Mutex::new(Some(receive))) }
    }
}

impl Local {
    pub(super) fn send(&self, notes: &[Note], delay: Duration) {
        let (send, notes) = (self.send.clone(), notes.to_vec());
        let put = move || {
            for note in notes {
                // Nobody receives any more: the process is to end, and the table remembers.
                let _ = send.send(note);
            }
        };
        if delay.is_zero() {
            put();
        } else {
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                put();
            });
        }
    }

    /// The receiving half, once.
    #[must_use]
    pub fn receiver(&self) -> Option<mpsc::UnboundedReceiver<Note>> {
        self.receive.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
