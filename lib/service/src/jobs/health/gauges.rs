//! The gauges, and how what is in the history gets into them.

use metrics::{describe_gauge, gauge};
use serde_json::Value;

use crate::{
    jobs::{JobBook, JobName, JobState, RunResult},
    metrics::Metrics,
};

const LAST_RUN: &str = "job_last_run_timestamp_seconds";
const LAST_SUCCESS: &str = "job_last_run_success";

/// What is measured of the whole service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gauge {
    /// Proofs that are kept and not expired.
    ProofsStored,
    /// Proofs that were made within the last 24 hours.
    ProofsCreatedLastDay,
    /// Proofs that are expired and not removed yet.
    ProofsExpiredWaiting,
    /// What proofs take, in bytes.
    ProofStorageSize,
    /// Days until the first certificate of the active signer expires; negative afterwards.
    CertificateDaysLeft,
    /// What waits in the queue for a person.
    DeadLetters,
    /// Whether signing could work: 1, or 0.
    SignerHealthy,
    /// Whether proofs can be reached: 1, or 0.
    ProofsHealthy,
}

impl Gauge {
    const ALL: [Self; 8] = [
        Self::ProofsStored,
        Self::ProofsCreatedLastDay,
        Self::ProofsExpiredWaiting,
        Self::ProofStorageSize,
        Self::CertificateDaysLeft,
        Self::DeadLetters,
        Self::SignerHealthy,
        Self::ProofsHealthy,
    ];

    /// The name of the metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProofsStored => "proofs_stored",
            Self::ProofsCreatedLastDay => "proofs_created_last_day",
            Self::ProofsExpiredWaiting => "proofs_expired_waiting",
            Self::ProofStorageSize => "proof_storage_size_bytes",
            Self::CertificateDaysLeft => "certificate_days_left",
            Self::DeadLetters => "dead_letters",
            Self::SignerHealthy => "signer_healthy",
            Self::ProofsHealthy => "proofs_healthy",
        }
    }

    /// The value under its name, as the history keeps it: without a fraction where it has none.
    pub(super) fn count(self, value: f64) -> (String, Value) {
        let whole = Some(value).filter(|value| value.fract() == 0.0);
        let whole = whole.and_then(|value| format!("{value:.0}").parse::<i64>().ok());
        (self.name().to_owned(), whole.map_or_else(|| value.into(), Value::from))
    }

    fn description(self) -> &'static str {
        match self {
            Self::ProofsStored => "Proofs that are kept and not expired.",
            Self::ProofsCreatedLastDay => "Proofs that were made within 24 hours.",
            Self::ProofsExpiredWaiting => "Proofs that are expired and not removed yet.",
            Self::ProofStorageSize => "What proofs take.",
            Self::CertificateDaysLeft => "Days until the signing certificate expires.",
            Self::DeadLetters => "Failures that wait for a person.",
            Self::SignerHealthy => "Whether signing could work: 1, or 0.",
            Self::ProofsHealthy => "Whether proofs can be reached: 1, or 0.",
        }
    }
}

/// Sets the gauges in `metrics` to what the health job measured last, and to how each job ran last. What is not known
/// is not set; a state that cannot be read is logged.
pub async fn show(book: &JobBook, metrics: &Metrics) {
    for job in JobName::ALL {
        match book.state(job).await {
            Ok(state) => metrics.within(|| show_job(job, &state)),
            Err(error) => tracing::warn!(job = job.name(), %error, "how a job ran is not known"),
        }
    }
}

fn show_job(job: JobName, state: &JobState) {
    if let Some((ended, result)) = last_run(state) {
        describe_gauge!(LAST_RUN, "When a job ran last, in seconds since 1970.");
        describe_gauge!(LAST_SUCCESS, "Whether the last run of a job went well: 1, or 0.");
        let success = matches!(result, RunResult::Done | RunResult::Unfinished);
        gauge!(LAST_RUN, "job" => job.name()).set(ended);
        gauge!(LAST_SUCCESS, "job" => job.name()).set(f64::from(success));
    }
    if job == JobName::HealthMetrics
        && let Some((_, counts)) = state.last_counts()
    {
        for one in Gauge::ALL {
            if let Some(value) = counts.get(one.name()).and_then(Value::as_f64) {
                describe_gauge!(one.name(), one.description());
                gauge!(one.name()).set(value);
            }
        }
    }
}

/// The last run that was no dry run; one that nobody saw end counts from its start.
fn last_run(state: &JobState) -> Option<(f64, RunResult)> {
    let run = state.runs.iter().find(|run| !run.dry_run)?;
    // Exact for any year that a clock can show.
    let seconds = run.ended.unwrap_or(run.started).unix_seconds() as f64;
    Some((seconds, run.result))
}
