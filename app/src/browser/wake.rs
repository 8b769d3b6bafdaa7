//! Naps that anything may end early: the network that is back, a tab that is looked at again, "Try now".

use std::{cell::RefCell, time::Duration};

use futures::channel::oneshot;
use leptos::prelude::set_timeout;

/// What ended a nap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The time was over.
    Time,
    /// Something happened: see [`wake`].
    Early,
}

thread_local! {
    static SLEEPERS: RefCell<Vec<oneshot::Sender<Woken>>> = const { RefCell::new(Vec::new()) };
}

/// Waits, at most so many milliseconds.
pub(crate) async fn nap(ms: u32) -> Woken {
    let (early, woken) = oneshot::channel();
    SLEEPERS.with_borrow_mut(|all| {
        all.retain(|s| !s.is_canceled());
        all.push(early);
    });
    match futures::future::select(woken, Box::pin(pause(ms))).await {
        futures::future::Either::Left((Ok(woken), _)) => woken,
        _ => Woken::Time,
    }
}

/// Waits, whatever happens meanwhile.
pub(crate) async fn pause(ms: u32) {
    let (done, over) = oneshot::channel::<()>();
    set_timeout(
        move || {
            let _ = done.send(());
        },
        Duration::from_millis(ms.into()),
    );
    let _ = over.await;
}

/// Ends all naps.
pub(crate) fn wake() {
    let all = SLEEPERS.take();
    for sleeper in all {
        let _ = sleeper.send(Woken::Early);
    }
}
