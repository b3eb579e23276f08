//! Runs jobs: one instance of each at a time, a few at once, with retries, limits of time, and a history.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use credlink_pipeline::timestamp::Clock;
use tokio::{
    sync::{Semaphore, watch},
    time::{self, Instant},
};

use super::{
    attempt::{self, Attempt},
    backoff,
    job::{Job, JobName},
    lease::{Claim, HeldLease, NotKept, NotTaken, Pace},
    metering,
    order::{Order, Outcome, Skip},
    record::{RunRecord, RunResult, Trigger},
    state::{JobState, Start},
    store::{JobBook, JobStore},
    switches::Switches,
};
use crate::metrics::Metrics;

/// How many jobs run at once, at most.
pub const MAX_AT_ONCE: usize = 5;

/// How long jobs may still run when the service ends.
pub const MAX_STOP_TIME: Duration = Duration::from_secs(30);

/// How long it may take to write down what was cut off then.
const MAX_LAST_WORDS: Duration = Duration::from_secs(3);

/// A retry gets at least this much time, or none is made.
const LEAST_TIME: Duration = Duration::from_secs(10);

/// Runs jobs. One for each process.
pub struct Runner {
    jobs: BTreeMap<JobName, Arc<dyn Job>>,
    limits: BTreeMap<JobName, Duration>,
    book: JobBook,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    switches: Switches,
    holder: String,
    function: Option<String>,
    pace: Pace,
    places: Arc<Semaphore>,
    phase: watch::Sender<Phase>,
}

/// How far the end of the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    /// Runs are asked to end.
    Stopping,
    /// Runs are cut off.
    Cutting,
}

/// How long one attempt of a job may take.
pub fn time_limit(job: JobName) -> Duration {
    Duration::from_secs(match job {
        JobName::ProofCleanup | JobName::ProofRestamp => 600,
        JobName::CertificateRotationCheck => 300,
        JobName::HealthMetrics => 30,
    })
}

impl Runner {
    /// Runs `jobs`, whose state is in `store`. `holder` names this process to people.
    pub fn new(
        jobs: impl IntoIterator<Item = Arc<dyn Job>>,
        store: Arc<dyn JobStore>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        switches: Switches,
        holder: String,
    ) -> Self {
        metrics.within(metering::describe);
        Self {
            jobs: jobs.into_iter().map(|job| (job.name(), job)).collect(),
            limits: JobName::ALL.into_iter().map(|job| (job, time_limit(job))).collect(),
            book: JobBook::new(store),
            clock,
            metrics,
            switches,
            holder,
            function: None,
            pace: Pace::default(),
            places: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            phase: watch::Sender::new(Phase::Running),
        }
    }

    /// The same with another limit of time for one attempt of `job`.
    pub fn with_time_limit(mut self, job: JobName, limit: Duration) -> Self {
        self.limits.insert(job, limit);
        self
    }

    /// The same in the AWS Lambda function of this name, which is written down for whoever wants to invoke it.
    pub fn in_function(mut self, name: Option<String>) -> Self {
        self.function = name;
        self
    }

    /// The same with leases that are renewed and given up at another pace.
    #[cfg(test)]
    pub(super) fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// The jobs that it can run.
    pub fn jobs(&self) -> impl Iterator<Item = JobName> {
        self.jobs.keys().copied()
    }

    /// The states of jobs.
    pub fn book(&self) -> &JobBook {
        &self.book
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// What the environment says about jobs.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Runs a job, and tries again what failed and may pass. Takes as long as it takes: at most the limits of all
    /// attempts, and the time to find out whether somebody else runs it.
    pub async fn run(&self, name: JobName, order: &Order) -> Outcome {
        let outcome = self.try_run(name, order).await;
        self.tell(name, &outcome);
        outcome
    }

    /// Asks what runs to end, waits for at most [`MAX_STOP_TIME`], and cuts off what still runs. Nothing runs
    /// afterwards. False when something was cut off.
    pub async fn stop(&self) -> bool {
        self.phase.send_replace(Phase::Stopping);
        let running = MAX_AT_ONCE.saturating_sub(self.places.available_permits());
        tracing::info!(running, "waiting for running jobs");
        let all = u32::try_from(MAX_AT_ONCE).unwrap_or(u32::MAX);
        if time::timeout(MAX_STOP_TIME, self.places.acquire_many(all)).await.is_ok() {
            tracing::info!("no job runs any more");
            return true;
        }
        self.phase.send_replace(Phase::Cutting);
        let over = time::timeout(MAX_LAST_WORDS, self.places.acquire_many(all)).await.is_ok();
        tracing::warn!(
            written_down = over,
            "jobs that did not end in time were cut off; the next run goes on"
        );
        false
    }

    async fn try_run(&self, name: JobName, order: &Order) -> Outcome {
        let Some(job) = self.jobs.get(&name) else { return Outcome::Skipped(Skip::Missing) };
        if *self.phase.borrow() != Phase::Running {
            return Outcome::Skipped(Skip::Stopping);
        }
        let Ok(_place) = self.places.try_acquire() else { return Outcome::Skipped(Skip::Full) };
        let state = match self.book.state(name).await {
            Ok(state) => state,
            Err(error) => return Outcome::Unknown(error),
        };
        self.write_function(name, &state).await;
        if let Some(skip) = self.reason_to_skip(name, &state, order) {
            return Outcome::Skipped(skip);
        }
        let may_run = |state: &JobState| self.reason_to_skip(name, state, order).is_none();
        let first = self.start(order, 1);
        let claim =
            Claim { book: &self.book, clock: &self.clock, job: name, holder: &self.holder, pace: self.pace };
        let taken = HeldLease::take(&claim, first, may_run);
        let lease = tokio::select! {
            taken = taken => taken,
            () = self.stopping() => return Outcome::Skipped(Skip::Stopping),
        };
        match lease {
            Ok(lease) => self.run_with(job, Arc::new(lease), order).await,
            Err(NotTaken::Busy(lease)) => Outcome::Skipped(Skip::Busy(Box::new(lease))),
            Err(NotTaken::Refused) => Outcome::Skipped(Skip::Covered),
            Err(NotTaken::Unknown(error)) => Outcome::Unknown(error),
        }
    }

    /// Whether somebody disabled it, or another process did it since this one found it due.
    fn reason_to_skip(&self, name: JobName, state: &JobState, order: &Order) -> Option<Skip> {
        if !order.forced {
            if !state.enabled {
                return Some(Skip::Disabled("it was disabled with `credlink jobs disable`"));
            }
            if let Err(variable) = self.switches.allow(name) {
                return Some(Skip::Disabled(variable));
            }
        }
        let is_covered = order.covers.is_some() && state.covered == order.covers;
        (is_covered && order.trigger == Trigger::Schedule).then_some(Skip::Covered)
    }

    /// Writes down which function runs the job, when that is not known yet.
    async fn write_function(&self, name: JobName, state: &JobState) {
        let Some(function) = &self.function else { return };
        if state.function.as_ref() == Some(function) {
            return;
        }
        let written = self.book.change(name, |state| {
            state.function = Some(function.clone());
            Ok::<(), Infallible>(())
        });
        if let Err(error) = written.await {
            tracing::warn!(job = name.name(), %error, "the function's name is not written down");
        }
    }

    fn start(&self, order: &Order, attempt: u32) -> Start {
        Start { started: self.clock.now(), trigger: order.trigger, attempt, dry_run: order.dry_run }
    }

    async fn run_with(&self, job: &Arc<dyn Job>, lease: Arc<HeldLease>, order: &Order) -> Outcome {
        let name = job.name();
        tracing::info!(job = name.name(), trigger = %order.trigger, dry_run = order.dry_run, "running a job");
        let began = Instant::now();
        let ended = self.attempts(job, &lease, order).await;
        let (covered, outcome) = match ended {
            Ok(record) => {
                // What was asked to stop, or had no more time, is still due.
                let is_over = record.result != RunResult::Unfinished && !self.is_stopping();
                (order.covers.filter(|_| is_over && !order.dry_run), Outcome::Ran(record))
            }
            Err(NotKept::Lost) => return Outcome::LostLease,
            Err(NotKept::Failed(error)) => (None, Outcome::Unknown(error)),
        };
        if let Outcome::Ran(record) = &outcome {
            self.metrics.within(|| metering::ran(name, record.result, began.elapsed()));
        }
        if let Err(NotKept::Failed(error)) = lease.release(covered).await {
            tracing::warn!(job = name.name(), %error, "the end of a run was not written down");
        }
        outcome
    }

    /// The last attempt.
    async fn attempts(
        &self,
        job: &Arc<dyn Job>,
        lease: &Arc<HeldLease>,
        order: &Order,
    ) -> Result<RunRecord, NotKept> {
        let name = job.name();
        let mut number = 1;
        loop {
            let began = Instant::now();
            let attempt = Attempt {
                job,
                lease,
                phase: self.phase.subscribe(),
                start: self.start(order, number),
                forced: order.forced,
                deadline: self.deadline(name, order),
                limit: self.limit(name),
                clock: &*self.clock,
                holder: &self.holder,
            };
            let ended = attempt::run(attempt).await?;
            let pause = backoff::pause(number);
            let needs = pause + began.elapsed().max(LEAST_TIME);
            let has_time = order.until.is_none_or(|until| Instant::now() + needs <= until);
            let retries = name.max_retries();
            if !ended.may_pass || number > retries || !has_time || self.is_stopping() {
                return Ok(ended.record);
            }
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                job = name.name(),
                retry = number,
                of = retries,
                pause_ms,
                error = ended.record.error,
                "a job failed and is tried again"
            );
            tokio::select! {
                () = time::sleep(pause) => {}
                () = self.stopping() => return Ok(ended.record),
                () = lease.lost() => return Err(NotKept::Lost),
            }
            self.metrics.within(|| metering::retried(name));
            number += 1;
        }
    }

    fn limit(&self, name: JobName) -> Duration {
        self.limits.get(&name).copied().unwrap_or_else(|| time_limit(name))
    }

    fn deadline(&self, name: JobName, order: &Order) -> Instant {
        let own = Instant::now() + self.limit(name);
        order.until.map_or(own, |until| own.min(until))
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.phase.borrow() != Phase::Running
    }

    /// Ready when the service ends.
    pub(super) async fn stopping(&self) {
        // The sender lives as long as this value does.
        drop(self.phase.subscribe().wait_for(|phase| *phase != Phase::Running).await);
    }

    fn tell(&self, name: JobName, outcome: &Outcome) {
        let job = name.name();
        match outcome {
            Outcome::Ran(record) => {
                let (duration_ms, attempt, result) = (record.milliseconds, record.attempt, record.result);
                let counts = serde_json::to_string(&record.counts).unwrap_or_default();
                match &record.error {
                    None => tracing::info!(job, %result, attempt, duration_ms, counts, "a job ran"),
                    Some(error) => tracing::error!(job, attempt, duration_ms, error, "a job failed"),
                }
            }
            Outcome::Skipped(skip) => {
                self.metrics.within(|| metering::skipped(name));
                match skip {
                    Skip::Full => {
                        tracing::warn!(job, at_once = MAX_AT_ONCE, "too many jobs run; this one waits");
                    }
                    skip => tracing::info!(job, reason = %skip, "a job is not run"),
                }
            }
            Outcome::LostLease => tracing::warn!(job, "another run of this job took over; this one ended"),
            Outcome::Unknown(error) => tracing::error!(job, %error, "a job cannot run"),
        }
    }
}
