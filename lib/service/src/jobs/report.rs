//! What is told of a run: on the command line, and as a function's answer.

use serde::{Deserialize, Serialize};

use super::{
    job::{Counts, JobName},
    order::{Outcome, Skip},
    record::RunResult,
};

/// What became of a run, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// The job.
    pub job: JobName,
    /// How its last attempt ended; `None` when it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    /// In one word why it did not run: `disabled`, `busy`, `full`, `stopping`, `missing` or `covered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What went wrong, or why it did not run; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which attempt was the last one, counted from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// Whether nothing was changed, because only counts were wanted.
    #[serde(default)]
    pub dry_run: bool,
    /// What it counted.
    #[serde(default)]
    pub counts: Counts,
}

impl RunReport {
    /// What is told of `outcome`.
    pub fn of(job: JobName, outcome: Outcome) -> Self {
        let nothing = Self {
            job,
            result: None,
            skipped: None,
            reason: None,
            attempt: None,
            milliseconds: None,
            dry_run: false,
            counts: Counts::new(),
        };
        let failed = |reason: String| Self {
            result: Some(RunResult::Failed),
            reason: Some(reason),
            ..nothing.clone()
        };
        match outcome {
            Outcome::Ran(record) => Self {
                result: Some(record.result),
                reason: record.error,
                attempt: Some(record.attempt),
                milliseconds: Some(record.milliseconds),
                dry_run: record.dry_run,
                counts: record.counts,
                ..nothing
            },
            Outcome::Skipped(skip) => {
                Self { skipped: Some(word(&skip).to_owned()), reason: Some(skip.to_string()), ..nothing }
            }
            Outcome::LostLease => failed("another run of this job took over; this one ended".to_owned()),
            Outcome::Unknown(error) => failed(error.to_string()),
        }
    }

    /// Whether the job did its work, or a part of it.
    pub fn went_well(&self) -> bool {
        matches!(self.result, Some(RunResult::Done | RunResult::Unfinished))
    }
}

fn word(skip: &Skip) -> &'static str {
    match skip {
        Skip::Disabled(_) => "disabled",
        Skip::Busy(_) => "busy",
        Skip::Full => "full",
        Skip::Stopping => "stopping",
        Skip::Missing => "missing",
        Skip::Covered => "covered",
    }
}
