//! Jobs as functions of AWS Lambda: EventBridge Scheduler says when, the function runs the same job under the same
//! lease and history as everywhere.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use credlink_pipeline::timestamp::Clock as _;
use lambda_runtime::LambdaEvent;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::time::Instant;

use super::{
    metric_lines::MetricLines,
    metrics::{self, Metric},
};
use crate::{
    clock::SystemClock,
    jobs::{Counts, Job, JobBook, JobName, JobStore, Order, RunReport, Runner, Switches, Trigger, health},
    metrics::Metrics,
};

/// What a function keeps back of its time: for a job that overruns its deadline, and to write down how it ended.
const MARGIN: Duration = Duration::from_secs(15);

/// Runs one job, each time that the function is called.
pub struct JobFunction {
    job: JobName,
    book: JobBook,
    runner: Runner,
    lines: MetricLines,
    counted: Counted,
    stack: String,
}

/// What CloudWatch shall know of the counts of a run, under names of its own.
pub type Counted = fn(&Counts) -> Vec<Metric>;

/// Where a function stands.
#[derive(Clone, Debug)]
pub struct Place {
    /// The name that metrics carry.
    pub stack: String,
    /// The function's name, as the runtime gives it.
    pub function: Option<String>,
}

/// The run failed. AWS counts the invocation as failed, tries again, and keeps the event in the queue of failures.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobFailed {
    /// It is not an event for a job.
    #[error(
        "the event cannot be used: {0}; a job takes {{\"dryRun\": true}}, {{\"force\": true}}, or neither"
    )]
    Event(String),
    /// The job failed, with all its retries.
    #[error("{0}")]
    Run(String),
}

/// What an event may say. Those of schedules say none of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    dry_run: Option<bool>,
    force: Option<bool>,
}

impl JobFunction {
    /// Runs `job`, whose state is in `store`.
    pub fn new(job: Arc<dyn Job>, store: Arc<dyn JobStore>, switches: Switches, place: Place) -> Self {
        let lines = MetricLines::new();
        let metrics = Metrics::new(Arc::new(lines.clone()));
        let holder = place.function.clone().unwrap_or_else(|| "a function without a name".to_owned());
        let (name, clock) = (job.name(), Arc::new(SystemClock));
        let book = JobBook::new(Arc::clone(&store));
        let runner = Runner::new([job], store, clock, metrics, switches, holder).in_function(place.function);
        Self { job: name, book, runner, lines, counted: |_| Vec::new(), stack: place.stack }
    }

    /// The same, with further metrics of a run that went well and was no dry run.
    pub fn counting(mut self, counted: Counted) -> Self {
        self.counted = counted;
        self
    }

    /// Runs the job as the event wants it, within the function's time. A job that is disabled, or that somebody else runs,
    /// is no failure.
    ///
    /// # Errors
    /// [`JobFailed`].
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<RunReport, JobFailed> {
        let wish: Wish =
            serde_json::from_value(event.payload).map_err(|error| JobFailed::Event(error.to_string()))?;
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let trigger = match (wish.dry_run, wish.force) {
            (None, None) => Trigger::Schedule,
            _ => Trigger::Command,
        };
        let order = Order {
            trigger,
            dry_run: wish.dry_run.unwrap_or(false),
            forced: wish.force.unwrap_or(false),
            covers: None,
            until: Some(Instant::now() + time_left.saturating_sub(MARGIN)),
        };
        let outcome = self.runner.run(self.job, &order).await;
        let report = RunReport::of(self.job, outcome);
        self.write_metrics(&report).await;
        match &report.reason {
            Some(reason) if report.skipped.is_none() => Err(JobFailed::Run(reason.clone())),
            _ => Ok(report),
        }
    }

    /// The gauges belong to the job that measures.
    async fn write_metrics(&self, report: &RunReport) {
        if self.job == JobName::HealthMetrics {
            health::show(&self.book, &Metrics::new(Arc::new(self.lines.clone()))).await;
        }
        let now = SystemClock.now();
        let counts = Some(&report.counts).filter(|_| report.went_well() && !report.dry_run);
        let counted = counts.map(self.counted).unwrap_or_default();
        let flushed = self.lines.flush(&self.stack, now);
        let written = match counted.is_empty() {
            true => flushed,
            false => flushed.and(metrics::emit(&self.stack, now, &counted)),
        };
        if let Err(error) = written {
            tracing::error!(%error, "metrics are not written");
        }
    }
}
