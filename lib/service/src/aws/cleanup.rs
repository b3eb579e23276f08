//! The nightly sweep over the proofs: the backstop for everything that should have been removed.

use std::time::{Duration, Instant, SystemTime};

use credlink_pipeline::timestamp::Timestamp;
use credlink_proofs::aws::{AwsProofStore, SweepCursor, SweepReport};
use thiserror::Error;

use super::metrics::Metric;

/// What the sweep needs at its end for the page that it is at, and for its report.
const TIME_TO_FINISH: Duration = Duration::from_secs(30);

/// The sweep could not do all that it found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{count} calls failed, the first: {first}")]
pub struct SweepFailed {
    count: usize,
    first: String,
}

/// Sweeps until all is seen, or until shortly before `deadline`. The log has the whole report.
pub async fn sweep(proofs: &AwsProofStore, now: Timestamp, deadline: SystemTime) -> SweepReport {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let until = Instant::now() + left.saturating_sub(TIME_TO_FINISH);
    let report = proofs.sweep(now, SweepCursor::default(), until).await;
    match serde_json::to_string(&report) {
        Ok(report) => tracing::info!(report, "swept"),
        Err(error) => tracing::error!(%error, "swept; the report cannot be written"),
    }
    if report.stopped_at.is_some() {
        tracing::warn!("the sweep did not see everything; give the function more time, or run it more often");
    }
    report
}

/// What of a sweep is counted.
pub fn metrics(report: &SweepReport) -> Vec<Metric> {
    // Exact up to 2^53, far above any number of proofs.
    let count = |name, value: u64| Metric::count(name, value as f64);
    vec![
        count("ExpiredProofsRemoved", report.expired_proofs_removed),
        count("OrphansRemoved", report.orphan_look_ups_removed + report.orphan_objects_removed),
        count("ProofsWithoutManifestStore", report.without_manifest_store.count),
        count("DamagedProofs", report.damaged.count),
    ]
}

/// Whether the sweep did all that it found.
///
/// # Errors
/// When it did not, so that the run counts as failed.
pub fn outcome(report: &SweepReport) -> Result<(), SweepFailed> {
    match report.faults.first() {
        None => Ok(()),
        Some(first) => Err(SweepFailed { count: report.faults.len(), first: first.clone() }),
    }
}
