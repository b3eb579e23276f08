//! What `credlink jobs` tells of jobs, as JSON.

use credlink_pipeline::timestamp::{Clock as _, Timestamp};
use credlink_service::{
    clock::SystemClock,
    jobs::{Due, JobBook, JobName, JobState, Lease, RunRecord, Schedule, Switches},
};
use serde::Serialize;
use serde_json::Value;

use super::JobsCommandError;

/// All jobs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    pub(super) jobs: Vec<JobLine>,
}

/// One job.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobLine {
    pub(super) name: JobName,
    /// Whether it may run.
    pub(super) enabled: bool,
    /// Who says no, one sentence each.
    pub(super) disabled_by: Vec<String>,
    /// When it runs next; unknown on AWS, where EventBridge Scheduler decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Timestamp>,
    /// Who runs it now, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) running: Option<Lease>,
    /// Where the next run goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) progress: Option<Value>,
    /// The function that runs it on AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function: Option<String>,
    /// Its last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_run: Option<RunRecord>,
    /// Why its state cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

/// The runs of a job.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct History {
    pub(super) job: JobName,
    pub(super) runs: Vec<RunRecord>,
}

/// What `enable` and `disable` did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Switched {
    pub(super) job: JobName,
    pub(super) enabled: bool,
}

impl Overview {
    /// Reads all states. `switches` are those of this machine; on AWS each function has its own.
    ///
    /// # Errors
    /// Never for a single state, which is told in its line.
    pub(super) async fn read(book: &JobBook, switches: Option<&Switches>) -> Result<Self, JobsCommandError> {
        let mut jobs = Vec::new();
        for name in JobName::ALL {
            jobs.push(match book.state(name).await {
                Ok(state) => JobLine::of(name, state, switches),
                Err(error) => JobLine { problem: Some(error.to_string()), ..JobLine::unknown(name) },
            });
        }
        Ok(Self { jobs })
    }
}

impl JobLine {
    fn of(name: JobName, state: JobState, switches: Option<&Switches>) -> Self {
        let mut disabled_by = Vec::new();
        if !state.enabled {
            disabled_by.push(format!("`credlink jobs disable {name}`"));
        }
        if let Some(Err(variable)) = switches.map(|switches| switches.allow(name)) {
            disabled_by.push(variable.to_owned());
        }
        let enabled = disabled_by.is_empty();
        if switches.is_some_and(|switches| !switches.scheduler) {
            disabled_by.push("ENABLE_JOB_SCHEDULER is false, so that it runs by command only".to_owned());
        }
        Self {
            enabled,
            next: switches.filter(|_| disabled_by.is_empty()).and_then(|_| next(name, &state)),
            disabled_by,
            running: state.lease,
            progress: state.progress,
            function: state.function,
            last_run: state.runs.into_iter().next(),
            ..Self::unknown(name)
        }
    }

    fn unknown(name: JobName) -> Self {
        Self {
            name,
            enabled: false,
            disabled_by: Vec::new(),
            next: None,
            running: None,
            progress: None,
            function: None,
            last_run: None,
            problem: None,
        }
    }
}

/// What is due already runs as soon as a service looks.
fn next(name: JobName, state: &JobState) -> Option<Timestamp> {
    let (schedule, now) = (Schedule::of(name).ok()?, SystemClock.now());
    match schedule.due(state.covered, now).ok()? {
        Due::Since(_) => Some(now),
        Due::At(time) => Some(time),
        Due::CoveredSince(_) => schedule.next(now).ok(),
    }
}
