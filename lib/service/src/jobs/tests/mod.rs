//! Runs and schedules, with a clock that only the test moves.

mod killed;
mod leases;
mod runs;
mod schedules;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use credlink_pipeline::timestamp::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::time::{self, Instant};

use super::*;
use crate::metrics::PrometheusMetrics;

pub(super) const CLEANUP: JobName = JobName::ProofCleanup;

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A clock that goes as tokio's does, which tests pause; and that can be set.
pub(super) struct TestClock {
    started: Instant,
    base: Mutex<Timestamp>,
}

impl TestClock {
    pub(super) fn at(text: &str) -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), base: Mutex::new(at(text)) })
    }

    /// What a wrong time server does.
    pub(super) fn jump(&self, seconds: i64) {
        let mut base = self.base.lock().unwrap();
        *base = Timestamp::new(base.as_offset_date_time() + ::time::Duration::seconds(seconds));
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let base = *self.base.lock().unwrap();
        Timestamp::new(base.as_offset_date_time() + self.started.elapsed())
    }
}

/// What a job does in one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Succeed,
    Fail,
    FailForGood,
    Panic,
    /// Never ends, whatever anybody asks.
    Hang,
    /// Counts the seconds in its progress until it must end.
    Count,
    /// The same, and counts no further than this.
    CountTo(u64),
}

/// A job that does what the test wants; when that is over, it succeeds.
pub(super) struct Scripted {
    name: JobName,
    acts: Mutex<VecDeque<Act>>,
    /// When each attempt began, and with which progress.
    pub(super) seen: Mutex<Vec<(Instant, Option<Value>)>>,
}

impl Scripted {
    pub(super) fn new(name: JobName, acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self { name, acts: Mutex::new(acts.into_iter().collect()), seen: Mutex::default() })
    }

    pub(super) fn times(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    async fn count(&self, run: &JobRun<'_>, end: u64) -> Result<Counts, JobError> {
        let mut number = run.progress.last().and_then(|last| last.as_u64()).unwrap_or(0);
        while !run.must_end() && number < end {
            number += 1;
            run.progress.keep(Some(number.into())).await?;
            time::sleep(Duration::from_secs(1)).await;
        }
        if number == end {
            run.progress.keep(None).await?;
        }
        Ok(Counts::from([("counted".to_owned(), number.into())]))
    }
}

#[async_trait]
impl Job for Scripted {
    fn name(&self) -> JobName {
        self.name
    }

    async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError> {
        self.seen.lock().unwrap().push((Instant::now(), run.progress.last()));
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(Act::Succeed);
        match act {
            Act::Succeed => Ok(Counts::from([("things".to_owned(), json!(3))])),
            Act::Fail => Err(JobError::Passing("the store does not answer".to_owned())),
            Act::FailForGood => Err(JobError::Lasting("the table is missing".to_owned())),
            Act::Panic => panic!("broken"),
            Act::Hang => std::future::pending().await,
            Act::Count => self.count(run, u64::MAX).await,
            Act::CountTo(end) => self.count(run, end).await,
        }
    }
}

/// A store that can be cut off.
pub(super) struct Cuttable {
    inner: Arc<dyn JobStore>,
    cut: AtomicBool,
}

impl Cuttable {
    pub(super) fn new(inner: Arc<dyn JobStore>) -> Arc<Self> {
        Arc::new(Self { inner, cut: AtomicBool::new(false) })
    }

    pub(super) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    fn check(&self, job: JobName) -> Result<(), JobStoreError> {
        if self.cut.load(Ordering::Relaxed) {
            return Err(JobStoreError::Unavailable { place: self.place(job), reason: "cut".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl JobStore for Cuttable {
    fn place(&self, job: JobName) -> String {
        self.inner.place(job)
    }

    async fn read(&self, job: JobName) -> Result<Option<Kept>, JobStoreError> {
        self.check(job)?;
        self.inner.read(job).await
    }

    async fn replace(&self, job: JobName, text: &str, expected: Option<&str>) -> Result<bool, JobStoreError> {
        self.check(job)?;
        self.inner.replace(job, text, expected).await
    }
}

/// What a test needs to run jobs: one process, or one of several.
pub(super) struct Process {
    pub(super) runner: Arc<Runner>,
    pub(super) metrics: PrometheusMetrics,
}

impl Process {
    pub(super) fn new(job: &Arc<Scripted>, store: Arc<dyn JobStore>, clock: Arc<TestClock>) -> Self {
        Self::of(&[Arc::clone(job)], store, clock, Switches::default())
    }

    pub(super) fn of(
        jobs: &[Arc<Scripted>],
        store: Arc<dyn JobStore>,
        clock: Arc<TestClock>,
        switches: Switches,
    ) -> Self {
        let metrics = PrometheusMetrics::new().unwrap();
        let jobs = jobs.iter().map(|job| Arc::clone(job) as Arc<dyn Job>);
        let runner = Runner::new(jobs, store, clock, metrics.metrics().clone(), switches, holder());
        Self { runner: Arc::new(runner), metrics }
    }

    /// One job, alone with its state.
    pub(super) fn alone(job: &Arc<Scripted>) -> Self {
        Self::new(job, Arc::new(MemoryJobStore::new()), TestClock::at("2026-01-01T12:00:00Z"))
    }

    pub(super) async fn run(&self, job: JobName) -> Outcome {
        self.runner.run(job, &Order::by_command(false, false)).await
    }

    /// A run in a task of its own.
    pub(super) fn start(&self, job: JobName) -> tokio::task::JoinHandle<Outcome> {
        let runner = Arc::clone(&self.runner);
        tokio::spawn(async move { runner.run(job, &Order::by_command(false, false)).await })
    }

    pub(super) async fn state(&self, job: JobName) -> JobState {
        self.runner.book().state(job).await.unwrap()
    }
}

/// The record of a run that ran.
pub(super) fn record(outcome: Outcome) -> RunRecord {
    match outcome {
        Outcome::Ran(record) => record,
        other => panic!("{other:?}"),
    }
}
