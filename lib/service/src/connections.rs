//! Who is connected, and who must leave when others wait: not those whose request is being answered, but whoever has
//! asked for nothing for the longest. So idle connections, however many, keep nobody out.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{self, Instant},
};

/// How long the end of an answer may still be on its way to a caller.
const LAST_BYTES: Duration = Duration::from_secs(2);

/// How often it is tried again to find somebody who can leave.
const RETRY: Duration = Duration::from_millis(100);

/// The places that there are.
pub(crate) struct Connections {
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Idle>>,
}

/// Those who ask for nothing, in the order in which they began to.
#[derive(Default)]
struct Idle {
    next: u64,
    seats: BTreeMap<u64, Waiting>,
}

struct Waiting {
    leave: Arc<Notify>,
    /// When the last answer was handed over; `None` before the first one.
    answered: Option<Instant>,
}

impl Connections {
    /// At most so many at once.
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), idle: Arc::default() }
    }

    /// A place for one more; if there is none, somebody idle is asked to leave.
    pub(crate) async fn enter(&self) -> Seat {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Seat::new(Arc::clone(&self.idle), place);
            }
            lock(&self.idle).send_one_away();
            if let Ok(Ok(place)) = time::timeout(RETRY, Arc::clone(&self.places).acquire_owned()).await {
                return Seat::new(Arc::clone(&self.idle), place);
            }
        }
    }
}

impl Idle {
    fn send_one_away(&mut self) {
        let done = |waiting: &Waiting| waiting.answered.is_none_or(|at| at.elapsed() >= LAST_BYTES);
        let Some(number) = self.seats.iter().find(|(_, waiting)| done(waiting)).map(|(number, _)| *number)
        else {
            return;
        };
        if let Some(waiting) = self.seats.remove(&number) {
            waiting.leave.notify_one();
        }
    }

    fn add(&mut self, waiting: Waiting) -> u64 {
        let number = self.next;
        self.next += 1;
        self.seats.insert(number, waiting);
        number
    }
}

/// One connection.
pub(crate) struct Seat {
    idle: Arc<Mutex<Idle>>,
    leave: Arc<Notify>,
    /// In the order of those who are idle; `None` while a request is answered.
    number: Arc<Mutex<Option<u64>>>,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    fn new(idle: Arc<Mutex<Idle>>, place: OwnedSemaphorePermit) -> Self {
        let leave = Arc::new(Notify::new());
        let number = lock(&idle).add(Waiting { leave: Arc::clone(&leave), answered: None });
        Self { idle, leave, number: Arc::new(Mutex::new(Some(number))), _place: place }
    }

    /// Ready when the connection must end.
    pub(crate) fn sent_away(&self) -> impl Future<Output = ()> + Send + 'static {
        let leave = Arc::clone(&self.leave);
        async move { leave.notified().await }
    }

    /// What notes when a request comes and when its answer is gone.
    pub(crate) fn watch(&self) -> Watch {
        Watch {
            idle: Arc::clone(&self.idle),
            leave: Arc::clone(&self.leave),
            number: Arc::clone(&self.number),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(number) = lock(&self.number).take() {
            lock(&self.idle).seats.remove(&number);
        }
    }
}

/// Notes when a connection is busy.
#[derive(Clone)]
pub(crate) struct Watch {
    idle: Arc<Mutex<Idle>>,
    leave: Arc<Notify>,
    number: Arc<Mutex<Option<u64>>>,
}

impl Watch {
    /// A request came. The connection is busy until what this gives is dropped.
    pub(crate) fn begin(&self) -> Busy {
        if let Some(number) = lock(&self.number).take() {
            lock(&self.idle).seats.remove(&number);
        }
        Busy(self.clone())
    }
}

/// A request that is being answered.
pub(crate) struct Busy(Watch);

impl Busy {
    /// `body`, with which the answer ends.
    pub(crate) fn until_sent(self, body: Body) -> Body {
        Body::new(Sending { body, _busy: self })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Watch { idle, leave, number } = &self.0;
        let waiting = Waiting { leave: Arc::clone(leave), answered: Some(Instant::now()) };
        *lock(number) = Some(lock(idle).add(waiting));
    }
}

/// The body of an answer.
struct Sending {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_has_been_idle_for_the_longest_leaves() {
        let connections = Connections::new(2);
        let (first, second) = (connections.enter().await, connections.enter().await);
        let busy = first.watch().begin();
        let (away, enter) = (second.sent_away(), connections.enter());
        let leaves = async {
            away.await;
            drop(second);
        };
        let (third, ()) = tokio::join!(enter, leaves);
        drop(busy);
        // The end of an answer may be on its way; who never asked for anything leaves before.
        let (away, enter) = (third.sent_away(), connections.enter());
        let leaves = async {
            away.await;
            drop(third);
        };
        let (fourth, ()) = tokio::join!(enter, leaves);
        let _busy = fourth.watch().begin();
        let since = Instant::now();
        let (away, enter) = (first.sent_away(), connections.enter());
        let leaves = async {
            away.await;
            drop(first);
        };
        let (_fifth, ()) = tokio::join!(enter, leaves);
        assert!(since.elapsed() >= LAST_BYTES, "{:?}", since.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_busy_stays() {
        let connections = Connections::new(1);
        let seat = connections.enter().await;
        let busy = seat.watch().begin();
        assert!(time::timeout(Duration::from_secs(60), connections.enter()).await.is_err());
        drop((busy, seat));
        assert!(time::timeout(Duration::from_secs(1), connections.enter()).await.is_ok());
    }

    #[test]
    fn nothing_is_left_of_who_went() {
        let connections = Connections::new(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            for _ in 0..3 {
                let seat = connections.enter().await;
                drop(seat.watch().begin());
            }
        });
        assert!(lock(&connections.idle).seats.is_empty());
    }
}
