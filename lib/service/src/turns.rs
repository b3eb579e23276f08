//! Turns on the processor, for more work than there are cores: who waits for a disk, a store or a signer has none meanwhile.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::ready,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::PollSemaphore;

/// So many turns.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    /// `None` for nobody: the semaphore is never closed.
    permit: Option<OwnedSemaphorePermit>,
}

/// Work that is done.
#[derive(Debug)]
pub struct Worked<T> {
    /// What it came to.
    pub output: T,
    /// How long it waited for further turns.
    pub waited: Duration,
}

impl Turns {
    /// So many at once.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Waits for a turn. Who came first is first.
    pub async fn take(&self) -> Turn {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        Turn { turns: self.clone(), permit }
    }

    /// How many are free.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.0.available_permits()
    }
}

impl Turn {
    /// Does `job`, which begins with this turn, gives it back when it waits, and takes a new one to go on.
    pub async fn work<F: Future>(self, job: F) -> Worked<F::Output> {
        let mut job = pin!(job);
        let mut turns = PollSemaphore::new(Arc::clone(&self.turns.0));
        let (mut first, mut since, mut waited) = (Some(self.permit), None, Duration::ZERO);
        poll_fn(move |context| {
            let permit = match first.take() {
                Some(permit) => permit,
                None => {
                    let asked = *since.get_or_insert_with(Instant::now);
                    let permit = ready!(turns.poll_acquire(context));
                    waited += asked.elapsed();
                    since = None;
                    permit
                }
            };
            let polled = job.as_mut().poll(context);
            drop(permit);
            polled.map(|output| Worked { output, waited })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot, time::sleep};

    use super::*;

    #[tokio::test]
    async fn who_waits_lets_others_work() {
        let turns = Turns::new(1);
        let (finish, wait) = oneshot::channel::<()>();
        let waits = async { turns.take().await.work(wait).await };
        let works = async {
            let worked = turns.take().await.work(async { turns.free() }).await;
            finish.send(()).unwrap();
            worked.output
        };
        let (waited, free) = tokio::join!(waits, works);
        assert_eq!((waited.output, free, turns.free()), (Ok(()), 0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_turn_is_told_apart_from_waiting() {
        let turns = Turns::new(1);
        let (finish, wait) = oneshot::channel::<()>();
        let waits = turns.take().await.work(wait);
        let others = async {
            let _turn = turns.take().await;
            finish.send(()).unwrap();
            sleep(Duration::from_secs(2)).await;
        };
        let (waited, ()) = tokio::join!(waits, others);
        assert_eq!(waited.waited.as_secs(), 2, "{waited:?}");
    }
}
