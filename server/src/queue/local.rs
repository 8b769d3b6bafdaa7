//! The queue of a laptop: in this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use super::Note;

/// Its sending half; clones send to the same.
#[derive(Debug, Clone)]
pub struct Local {
    send: mpsc::UnboundedSender<Note>,
    receive: Arc<Mutex<Option<mpsc::UnboundedReceiver<Note>>>>,
    /// How often each note is in it, or is being dealt with.
    held: Arc<Mutex<HashMap<Note, u32>>>,
}

impl Default for Local {
    fn default() -> Self {
        let (send, receive) = mpsc::unbounded_channel();
        Self { send, receive: Arc::new(Mutex::new(Some(receive))), held: Arc::default() }
    }
}

impl Local {
    pub(super) fn send(&self, notes: &[Note], delay: Duration) {
        for note in notes {
            *self.held().entry(*note).or_insert(0) += 1;
        }
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

    fn held(&self) -> MutexGuard<'_, HashMap<Note, u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a note is in it, seen already or not, or is being dealt with.
    #[must_use]
    pub fn holds(&self, note: &Note) -> bool {
        self.held().contains_key(note)
    }

    /// A note that was received is dealt with.
    pub fn done(&self, note: &Note) {
        let mut held = self.held();
        if let Some(count) = held.get_mut(note) {
            *count -= 1;
            if *count == 0 {
                held.remove(note);
            }
        }
    }

    /// The receiving half, once.
    #[must_use]
    pub fn receiver(&self) -> Option<mpsc::UnboundedReceiver<Note>> {
        self.receive.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use app::domain::{JobId, Timestamp};

    use super::*;

    #[tokio::test]
    async fn it_knows_what_it_holds_until_that_is_dealt_with() {
        let (queue, note) = (Local::default(), Note::Webhook(JobId::from_parts(Timestamp::from_millis(1), 1)));
        let mut notes = queue.receiver().unwrap();
        assert!(queue.receiver().is_none() && !queue.holds(&note));
        queue.send(&[note], Duration::ZERO);
        queue.send(&[note], Duration::from_millis(1));
        for _ in 0..2 {
            assert_eq!(notes.recv().await, Some(note));
            assert!(queue.holds(&note));
            queue.done(&note);
        }
        assert!(!queue.holds(&note));
    }
}
