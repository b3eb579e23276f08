//! What runs beside the service, on threads of its own, so that no request waits for it.

use std::{io, sync::Arc, time::Duration};

use credlink_service::{
    jobs::{Runner, ScheduleError, Scheduler},
    metrics::PrometheusMetrics,
};
use tokio::runtime::{Builder, Runtime};

/// One thread for a job that computes, one for what looks after it.
const THREADS: usize = 2;

/// How often measurements are summed up.
const SUM_UP: Duration = Duration::from_secs(5);

/// The threads. They end with [`Background::end`], and when the value is dropped.
pub(crate) struct Background {
    runtime: Option<Runtime>,
}

impl Background {
    /// Runs jobs when they are due, unless the environment says no, and sums up what is measured.
    ///
    /// # Errors
    /// When the system gives no threads, or a schedule cannot be used.
    pub(crate) fn start(runner: Arc<Runner>, measured: PrometheusMetrics) -> Result<Self, StartError> {
        let runtime = threads()?;
        if runner.switches().scheduler {
            runtime.spawn(Scheduler::new(runner)?.run());
        } else {
            tracing::warn!("no job runs by itself: ENABLE_JOB_SCHEDULER is false");
        }
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(SUM_UP).await;
                measured.sum_up();
            }
        });
        Ok(Self { runtime: Some(runtime) })
    }

    /// Ends them at once. Jobs were asked to end before.
    pub(crate) fn end(mut self) {
        self.end_now();
    }

    fn end_now(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end_now();
    }
}

/// Why nothing runs beside the service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The system gives no threads.
    #[error("cannot start threads: {0}")]
    Threads(#[from] io::Error),
    /// The clockwork of jobs cannot be used.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// The threads that jobs run on.
///
/// # Errors
/// When the system gives none.
pub(crate) fn threads() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(THREADS).thread_name("jobs").enable_all().build()
}
