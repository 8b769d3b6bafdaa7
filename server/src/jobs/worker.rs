//! Whoever takes messages out of the queue, where no platform does it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use super::{Handled, Jobs};
use crate::{
    queue::{Local, QueueError, Received, Sqs},
    turn::Host,
};

/// A message is kept from others for so long, again and again while it is being dealt with: so a crash costs a minute
/// and not the queue's whole visibility timeout.
const VISIBILITY: Duration = Duration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(20);
/// A receive is waited for so long after the last of what ran here is handed over.
const GIVES_BACK: Duration = Duration::from_secs(2);
/// After a fault of the queue.
const PAUSE: Duration = Duration::from_secs(2);
/// A message that could not be dealt with comes again after so long, by how often it was delivered: what is delivered
/// five times is a dead letter, and the store may be away for minutes.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120), Duration::from_secs(300)];

fn pause(deliveries: u32) -> Duration {
    let at = deliveries.saturating_sub(1) as usize;
    PAUSES.get(at).or(PAUSES.last()).copied().unwrap_or(PAUSE)
}

/// Deals with the messages of this process's own queue until `stop`.
pub async fn local(jobs: Jobs, queue: Local, at_once: usize, stop: impl Future<Output = ()>) {
    let Some(mut notes) = queue.receiver() else { return };
    let seats = Arc::new(Semaphore::new(at_once));
    tokio::pin!(stop);
    loop {
        let note = tokio::select! {
            note = notes.recv() => note,
            () = &mut stop => return,
        };
        let (Some(note), Ok(seat)) = (note, Arc::clone(&seats).acquire_owned().await) else { return };
        let (jobs, queue) = (jobs.clone(), queue.clone());
        tokio::spawn(async move {
            if jobs.handle(note, Host::default(), false).await == Handled::Again {
                crate::queue::Queue::Local(queue.clone()).send(&[note], PAUSE).await.ok();
            }
            queue.done(&note);
            drop(seat);
        });
    }
}

/// Deals with the messages of SQS until `stop`; resolves once all that it began is handed over or ended.
pub async fn sqs(jobs: Jobs, queue: Sqs, at_once: usize, stop: impl Future<Output = ()>) {
    let (closing, closed) = tokio::sync::watch::channel(false);
    let main = take(jobs.clone(), queue.clone(), false, at_once, closed.clone());
    let dead = take(jobs, queue, true, 1, closed);
    let stop = async {
        stop.await;
        closing.send_replace(true);
    };
    tokio::join!(main, dead, stop);
}

async fn take(jobs: Jobs, queue: Sqs, dead: bool, at_once: usize, mut closed: tokio::sync::watch::Receiver<bool>) {
    let seats = Arc::new(Semaphore::new(at_once));
    let mut running = JoinSet::new();
    while !*closed.borrow() {
        let free = tokio::select! {
            seat = Arc::clone(&seats).acquire_owned() => seat,
            _ = closed.changed() => break,
        };
        let Ok(free) = free else { break };
        let most = 1 + seats.available_permits();
        drop(free);
        let mut receiving = Box::pin(queue.receive(dead, most, VISIBILITY));
        let got = tokio::select! {
            got = &mut receiving => got,
            _ = closed.changed() => {
                give_back(&queue, dead, receiving, &mut running).await;
                break;
            }
        };
        match got {
            Ok(messages) => {
                for message in messages {
                    let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { break };
                    let (jobs, queue) = (jobs.clone(), queue.clone());
                    running.spawn(async move {
                        deal(&jobs, &queue, dead, message).await;
                        drop(seat);
                    });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no messages could be received");
                sleep(PAUSE).await;
            }
        }
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

/// A process that is to end may still be given messages, such as those that stand for what it hands over: by a receive
/// that was under way. They are for others, at once and not after their visibility.
async fn give_back(
    queue: &Sqs,
    dead: bool,
    receiving: impl Future<Output = Result<Vec<Received>, QueueError>>,
    running: &mut JoinSet<()>,
) {
    let over = async {
        while running.join_next().await.is_some() {}
        sleep(GIVES_BACK).await;
    };
    let got = tokio::select! {
        got = receiving => got.unwrap_or_default(),
        () = over => return,
    };
    for message in got {
        if let Err(error) = queue.keep(dead, &message, Duration::ZERO).await {
            tracing::warn!(%error, "a message could not be given back; it comes again after its visibility");
        }
    }
}

async fn deal(jobs: &Jobs, queue: &Sqs, dead: bool, message: Received) {
    let Some(note) = message.note else {
        tracing::error!(deliveries = message.deliveries, "a message that is not one of ours");
        if dead {
            queue.delete(dead, &message).await.ok();
        }
        return;
    };
    let handled = {
        let handling = jobs.handle(note, Host::default(), dead);
        tokio::pin!(handling);
        loop {
            tokio::select! {
                handled = &mut handling => break handled,
                () = sleep(HEARTBEAT) => {
                    if let Err(error) = queue.keep(dead, &message, VISIBILITY).await {
                        tracing::warn!(?note, %error, "a message could not be kept; it may be delivered twice");
                    }
                }
            }
        }
    };
    let told = match handled {
        Handled::Done => queue.delete(dead, &message).await,
        Handled::Again => queue.keep(dead, &message, pause(message.deliveries)).await,
    };
    if let Err(error) = told {
        tracing::warn!(?note, %error, "the queue was not told; the message comes again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_away_for_minutes_buries_nothing() {
        // The fifth delivery is the last.
        let before_the_last: Duration = (1..=4).map(pause).sum();
        assert!(before_the_last >= Duration::from_secs(5 * 60), "{before_the_last:?}");
        assert!((1..5).is_sorted_by_key(pause) && pause(0) == pause(1) && pause(1_000) == pause(4));
    }
}
