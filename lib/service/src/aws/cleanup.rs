//! The nightly cleanup as a function of its own: from the beginning to the end, or as far as its time goes.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::metrics::Metric;
use crate::jobs::{Counts, Job as _, JobError, JobRun, Progress, ProofCleanup};

/// What the cleanup needs at its end for the page that it is at, and for its report.
const TIME_TO_FINISH: Duration = Duration::from_secs(30);

/// Cleans up until all is seen, or until shortly before `deadline`. The log has what was counted.
///
/// # Errors
/// When it did not do all that it found, so that the run counts as failed.
pub async fn clean_up(
    cleanup: &ProofCleanup,
    now: Timestamp,
    deadline: SystemTime,
) -> Result<Counts, JobError> {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let deadline = Instant::now() + left.saturating_sub(TIME_TO_FINISH);
    let run = JobRun { now, deadline, dry_run: false, forced: false, progress: &Forgotten };
    let counts = cleanup.run(&run).await?;
    if counts.get("finished") == Some(&Value::Bool(false)) {
        tracing::warn!(
            "the cleanup did not see everything; give the function more time, or run it more often"
        );
    }
    let shown = Value::from_iter(counts.clone());
    tracing::info!(counts = %shown, "cleaned up");
    Ok(counts)
}

/// What of a cleanup is counted.
pub fn metrics(counts: &Counts) -> Vec<Metric> {
    let count = |name, counted: &[&str]| {
        let values = counted.iter().filter_map(|counted| counts.get(*counted)?.as_f64());
        Metric::count(name, values.sum())
    };
    vec![
        count("ExpiredProofsRemoved", &["expiredProofsRemoved"]),
        count("OrphansRemoved", &["orphanLookUpsRemoved", "orphanManifestStoresRemoved"]),
        count("ProofsWithoutManifestStore", &["proofsWithoutManifestStore"]),
        count("DamagedProofs", &["damagedProofs"]),
    ]
}

/// Nobody keeps how far a run came.
struct Forgotten;

#[async_trait]
impl Progress for Forgotten {
    fn last(&self) -> Option<Value> {
        None
    }

    async fn keep(&self, _: Option<Value>) -> Result<(), JobError> {
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        false
    }
}
