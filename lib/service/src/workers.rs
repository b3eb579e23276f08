//! Who does the work on images: as many threads as there are cores, and a short queue before them.

use std::{future::Future, sync::Arc, thread, time::Duration};

use tokio::{runtime::Handle, sync::Semaphore, task, time};

use crate::{
    error::{ApiError, ErrorCode},
    turns::Turns,
};

/// Requests that may wait for each one that is worked on. With photographs of 1 MB they wait for 0.4 to 0.8 s (docs/load.md).
/// Of longer images fewer get here, because all bodies together have a limit.
const WAITING_PER_CORE: usize = 64;

/// Seconds after which a refused caller may try again.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Bounds how many images are worked on at once, how many wait, and how long a caller waits for its own.
pub(crate) struct Workers {
    /// One for each request inside, waiting or worked on.
    places: Arc<Semaphore>,
    /// One for each request that is worked on.
    turns: Turns,
    timeout: Duration,
}

impl Workers {
    /// As many as the machine has cores.
    pub(crate) fn new(timeout: Duration) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with_capacity(cores, cores * WAITING_PER_CORE, timeout)
    }

    /// `running` at once, and `waiting` more in the queue.
    pub(crate) fn with_capacity(running: usize, waiting: usize, timeout: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(running + waiting)), turns: Turns::new(running), timeout }
    }

    /// Runs `job` on a thread of its own. A caller that waits too long gets `TIMEOUT`, but a job that has
    /// begun cannot be stopped: it keeps its place until it has really ended.
    ///
    /// # Errors
    /// [`WorkError`]; `job` may have run or run on.
    pub(crate) async fn run<J, F, T>(&self, job: J) -> Result<T, WorkError>
    where
        J: FnOnce() -> F + Send + 'static,
        F: Future<Output = T>,
        T: Send + 'static,
    {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| WorkError::Full)?;
        let turns = self.turns.clone();
        let work = async move {
            let turn = turns.take().await;
            let span = tracing::Span::current();
            let runtime = Handle::current();
            task::spawn_blocking(move || {
                let worked = span.in_scope(|| runtime.block_on(turn.work(job())));
                drop(place);
                worked.output
            })
            .await
            .map_err(|error| WorkError::Broken(error.to_string()))
        };
        time::timeout(self.timeout, work).await.map_err(|_| WorkError::TimedOut(self.timeout))?
    }
}

/// Why work on an image has no result.
#[derive(Clone, Debug)]
pub(crate) enum WorkError {
    /// Too many images are worked on or waiting.
    Full,
    /// Not done within this time.
    TimedOut(Duration),
    /// The job panicked.
    Broken(String),
}

impl From<WorkError> for ApiError {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Full => Self::unavailable(
                "Too many images are being worked on. Try again shortly.",
                RETRY_AFTER_SECONDS,
            ),
            WorkError::TimedOut(limit) => Self::new(
                ErrorCode::Timeout,
                "The image could not be worked on in time. Try again later, or send a smaller image.",
            )
            .with_detail("limitMs", u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
            WorkError::Broken(cause) => Self::internal(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use axum::response::IntoResponse as _;

    use super::*;

    fn status(result: Result<(), WorkError>) -> u16 {
        result.map_or_else(|error| ApiError::from(error).into_response().status().as_u16(), |()| 200)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_timed_out_keeps_its_place_until_it_ends() {
        let workers = Workers::with_capacity(1, 0, Duration::from_millis(50));
        let (finish, wait) = mpsc::channel::<()>();
        let late = workers
            .run(move || async move {
                let _disconnected = wait.recv();
            })
            .await;
        assert_eq!(status(late), 504);
        assert_eq!(status(workers.run(|| async {}).await), 503, "the place is still taken");
        drop(finish);
        let _all_free = workers.places.acquire().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_waits_longer_than_the_limit_is_told_so() {
        let workers = Workers::with_capacity(1, 1, Duration::from_millis(50));
        let _busy = workers.turns.take().await;
        assert_eq!(status(workers.run(|| async {}).await), 504);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_waits_lets_others_work() {
        let workers = Workers::with_capacity(1, 1, Duration::from_secs(30));
        let (finish, wait) = tokio::sync::oneshot::channel::<()>();
        let waits = workers.run(move || async move { wait.await.unwrap() });
        let works = async {
            let result = workers.run(|| async {}).await;
            finish.send(()).unwrap();
            result
        };
        let (waited, worked) = tokio::join!(waits, works);
        assert_eq!((status(waited), status(worked)), (200, 200));
        assert_eq!((workers.turns.free(), workers.places.available_permits()), (1, 2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_an_internal_error_and_frees_its_place() {
        let workers = Workers::with_capacity(1, 0, Duration::from_secs(30));
        assert_eq!(status(workers.run(|| async { panic!("broken") }).await), 500);
        assert_eq!(status(workers.run(|| async {}).await), 200);
        assert_eq!((workers.turns.free(), workers.places.available_permits()), (1, 1));
    }
}
