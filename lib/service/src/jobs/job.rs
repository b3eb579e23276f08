//! What a job is to whoever runs it.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tokio::time::Instant;

/// The jobs that there are. The names are those of the first system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobName {
    /// Removes what expired.
    ProofCleanup,
    /// Replaces the signing key before its certificate expires.
    CertificateRotationCheck,
    /// Gives proofs a time-stamp before their signing certificate expires.
    ProofRestamp,
    /// Measures.
    HealthMetrics,
}

impl JobName {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ProofCleanup, Self::CertificateRotationCheck, Self::ProofRestamp, Self::HealthMetrics];

    /// The name as people write it, such as `proof-cleanup`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProofCleanup => "proof-cleanup",
            Self::CertificateRotationCheck => "certificate-rotation-check",
            Self::ProofRestamp => "proof-restamp",
            Self::HealthMetrics => "health-metrics",
        }
    }

    /// How often a failed run is tried again, at most.
    pub fn max_retries(self) -> u32 {
        match self {
            Self::ProofCleanup => 2,
            Self::CertificateRotationCheck | Self::ProofRestamp => 1,
            Self::HealthMetrics => 0,
        }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for JobName {
    type Err = UnknownJob;

    fn from_str(name: &str) -> Result<Self, UnknownJob> {
        Self::ALL.into_iter().find(|job| job.name() == name).ok_or(UnknownJob)
    }
}

/// There is no job of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there are proof-cleanup, certificate-rotation-check, proof-restamp and health-metrics")]
pub struct UnknownJob;

/// Something that is done from time to time. It may run twice, be killed anywhere, or meet its own earlier result.
#[async_trait]
pub trait Job: Send + Sync {
    /// Which one it is.
    fn name(&self) -> JobName;

    /// Does it, or a part of it: until the run's deadline, or until it is asked to stop. Where it ended goes into
    /// [`Progress`], and the next run goes on there.
    ///
    /// # Errors
    /// [`JobError`]; what was done stays done.
    async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError>;
}

/// What a run counted, by name, such as `expiredProofsRemoved`; for the history, the log and metrics. Values are
/// numbers, texts or short lists.
pub type Counts = BTreeMap<String, Value>;

/// One run of a job.
pub struct JobRun<'a> {
    /// When it began.
    pub now: Timestamp,
    /// Until when it must have ended. A job looks at it between pieces of work of some seconds at most.
    pub deadline: Instant,
    /// Nothing is to be changed, only counted.
    pub dry_run: bool,
    /// Do it although it is not due.
    pub forced: bool,
    /// Where the last run ended.
    pub progress: &'a dyn Progress,
}

impl JobRun<'_> {
    /// Whether the run must end now: its time is over, or somebody asks it to stop.
    pub fn must_end(&self) -> bool {
        Instant::now() >= self.deadline || self.progress.is_stopping()
    }

    /// How much time is left.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Where a job keeps how far it came. Writing also proves that the run still holds its lease: a run that lost it to
/// another one gets [`JobError::LeaseLost`] and must end.
#[async_trait]
pub trait Progress: Send + Sync {
    /// What the last run wrote; `None` when it came to its end.
    fn last(&self) -> Option<Value>;

    /// Keeps how far this run came; `None` when it is done.
    ///
    /// # Errors
    /// [`JobError::LeaseLost`], or that it could not be kept.
    async fn keep(&self, progress: Option<Value>) -> Result<(), JobError>;

    /// Whether somebody asks the run to stop.
    fn is_stopping(&self) -> bool;
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobError {
    /// Another run took over.
    #[error("another run of this job took over; this one ends")]
    LeaseLost,
    /// It may pass: the run is tried again.
    #[error("{0}")]
    Passing(String),
    /// Somebody must do something: trying again does not help.
    #[error("{0}")]
    Lasting(String),
}
