//! One attempt of a run: the job in a task of its own, watched.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Clock;
use serde_json::Value;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{self, Instant},
};

use super::{
    job::{Counts, Job, JobError, JobRun, Progress},
    lease::{HeldLease, NotKept},
    record::{RunRecord, RunResult},
    runner::Phase,
    state::{MAX_PROGRESS_BYTES, Start},
};

/// How long a job may overrun its deadline until it is cut off.
const GRACE: Duration = Duration::from_secs(10);

/// A run that ends within this part of its time, and knows where to go on, ended because its time was over.
const LAST_PART: u32 = 10;

/// What an attempt needs.
pub(super) struct Attempt<'a> {
    pub(super) job: &'a Arc<dyn Job>,
    pub(super) lease: &'a Arc<HeldLease>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) start: Start,
    pub(super) forced: bool,
    pub(super) deadline: Instant,
    pub(super) limit: Duration,
    pub(super) clock: &'a dyn Clock,
    pub(super) holder: &'a str,
}

/// How an attempt ended.
pub(super) struct Ended {
    pub(super) record: RunRecord,
    /// It failed, and may not fail again.
    pub(super) may_pass: bool,
}

/// Runs the job once, and writes down how it went.
///
/// # Errors
/// [`NotKept::Lost`] when another run took over, or that the beginning or the end could not be written down.
pub(super) async fn run(attempt: Attempt<'_>) -> Result<Ended, NotKept> {
    let last = attempt.lease.begin(attempt.start).await?;
    let kept = Arc::new(RunProgress {
        last: last.filter(|_| !attempt.start.dry_run),
        now: Mutex::default(),
        lease: Arc::clone(attempt.lease),
        phase: attempt.phase.clone(),
        dry_run: attempt.start.dry_run,
    });
    *kept.locked() = kept.last.clone();
    let began = Instant::now();
    let result = attempt.watch(&kept).await;
    if matches!(result, Err(Failure::Job(JobError::LeaseLost))) || attempt.lease.is_lost() {
        return Err(NotKept::Lost);
    }
    let in_last_part = attempt.deadline.saturating_duration_since(Instant::now()) < attempt.limit / LAST_PART;
    let was_ended = kept.is_stopping() || in_last_part;
    let goes_on = was_ended && kept.locked().is_some();
    let may_pass = matches!(&result, Err(failure) if failure.may_pass());
    let (result, counts, error) = match result {
        Ok(counts) if goes_on => (RunResult::Unfinished, counts, None),
        Ok(counts) => (RunResult::Done, counts, None),
        Err(failure) => (RunResult::Failed, Counts::new(), Some(failure.to_string())),
    };
    let record = RunRecord {
        started: attempt.start.started,
        ended: Some(attempt.clock.now()),
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        trigger: attempt.start.trigger,
        attempt: attempt.start.attempt,
        dry_run: attempt.start.dry_run,
        holder: attempt.holder.to_owned(),
        result,
        counts,
        error,
    };
    attempt.lease.end_attempt(&record.clone().shortened()).await?;
    Ok(Ended { record, may_pass })
}

/// Why an attempt has no counts.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Job(JobError),
    #[error("it panicked: {0}; this is a fault of the program, please report it")]
    Panicked(String),
    #[error("it did not end within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the service ended, and the job did not end within the time that it had for that")]
    CutOff,
}

impl Failure {
    fn may_pass(&self) -> bool {
        !matches!(self, Self::Job(JobError::Lasting(_) | JobError::LeaseLost) | Self::CutOff)
    }
}

impl Attempt<'_> {
    /// Runs the job in a task: a panic ends the task alone, and a job that does not end can be left. Nothing of it goes on
    /// when nobody waits any more.
    async fn watch(&self, progress: &Arc<RunProgress>) -> Result<Counts, Failure> {
        let mut task = self.spawn(Arc::clone(progress));
        let mut phase = self.phase.clone();
        let ended = tokio::select! {
            Some(ended) = task.join_next() => Ok(ended),
            () = time::sleep_until(self.deadline + GRACE) => Err(Failure::TimedOut(self.limit)),
            () = self.lost_for_long() => Err(Failure::Job(JobError::LeaseLost)),
            _ = phase.wait_for(|phase| *phase == Phase::Cutting) => Err(Failure::CutOff),
        };
        match ended {
            Ok(Ok(result)) => result.map_err(Failure::Job),
            Ok(Err(error)) => Err(Failure::Panicked(panic_text(error))),
            Err(failure) => Err(failure),
        }
    }

    fn spawn(&self, progress: Arc<RunProgress>) -> JoinSet<Result<Counts, JobError>> {
        let (job, now, deadline) = (Arc::clone(self.job), self.start.started, self.deadline);
        let (dry_run, forced) = (self.start.dry_run, self.forced);
        let mut task = JoinSet::new();
        task.spawn(
            async move { job.run(&JobRun { now, deadline, dry_run, forced, progress: &*progress }).await },
        );
        task
    }

    /// Ready when the lease was lost and the job did not end of itself.
    async fn lost_for_long(&self) {
        self.lease.lost().await;
        time::sleep(GRACE).await;
    }
}

fn panic_text(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "its task was ended".to_owned() };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    // Messages of panics are texts of the code; cut, in case one quotes what it choked on.
    text.unwrap_or_else(|| "no message".to_owned()).chars().take(200).collect()
}

/// How far the run came.
struct RunProgress {
    last: Option<Value>,
    now: Mutex<Option<Value>>,
    lease: Arc<HeldLease>,
    phase: watch::Receiver<Phase>,
    dry_run: bool,
}

impl RunProgress {
    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Value>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Progress for RunProgress {
    fn last(&self) -> Option<Value> {
        self.last.clone()
    }

    /// A dry run keeps nothing, but must hold its lease all the same.
    async fn keep(&self, progress: Option<Value>) -> Result<(), JobError> {
        let length = progress.as_ref().map_or(0, |value| value.to_string().len());
        if length > MAX_PROGRESS_BYTES {
            let reason = format!("its progress has {length} bytes; {MAX_PROGRESS_BYTES} can be kept");
            return Err(JobError::Lasting(reason));
        }
        let kept = match self.dry_run {
            true => self.lease.renew().await,
            false => self.lease.keep(progress.clone()).await,
        };
        match kept {
            Ok(()) if self.dry_run => Ok(()),
            Ok(()) => {
                *self.locked() = progress;
                Ok(())
            }
            Err(NotKept::Lost) => Err(JobError::LeaseLost),
            Err(NotKept::Failed(error)) => Err(JobError::Passing(error.to_string())),
        }
    }

    fn is_stopping(&self) -> bool {
        *self.phase.borrow() != Phase::Running || self.lease.is_lost()
    }
}
