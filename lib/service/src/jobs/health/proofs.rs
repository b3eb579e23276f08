//! How many proofs there are: counted by the store, or else by the last cleanup.

use std::sync::Arc;

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use credlink_proofs::{Census, ProofStatistics};
use serde_json::Value;

use super::{Gauge, Measurement};
use crate::jobs::{Counts, JobBook, JobName};

/// How cleanup names what it counts, and the gauge that shows it.
const COUNTS: [(&str, Gauge); 4] = [
    ("proofsKept", Gauge::ProofsStored),
    ("proofsCreatedLastDay", Gauge::ProofsCreatedLastDay),
    ("proofsExpiredWaiting", Gauge::ProofsExpiredWaiting),
    ("proofsBytes", Gauge::ProofStorageSize),
];

/// The numbers of a store. Where counting anew every few minutes would cost too much, those of the last cleanup that saw
/// everything.
pub struct StoredProofs {
    statistics: Arc<dyn ProofStatistics>,
    book: JobBook,
}

impl StoredProofs {
    /// Those that `statistics` counts, or those in the history that `book` keeps.
    pub fn new(statistics: Arc<dyn ProofStatistics>, book: JobBook) -> Self {
        Self { statistics, book }
    }

    async fn of_last_cleanup(&self) -> Result<Vec<(Gauge, f64)>, String> {
        let state = self.book.state(JobName::ProofCleanup).await.map_err(|error| error.to_string())?;
        let known = state.runs.iter().filter(|run| !run.dry_run).find_map(|run| of_counts(&run.counts));
        known.ok_or_else(|| "no cleanup saw everything yet".to_owned())
    }
}

#[async_trait]
impl Measurement for StoredProofs {
    fn what(&self) -> &'static str {
        "the number of proofs"
    }

    async fn measure(&self, now: Timestamp) -> Result<Vec<(Gauge, f64)>, String> {
        match self.statistics.census(now).await.map_err(|error| error.to_string())? {
            Some(census) => Ok(of_census(&census)),
            None => self.of_last_cleanup().await,
        }
    }
}

/// Exact up to 2^53, far above any number of proofs.
fn of_census(census: &Census) -> Vec<(Gauge, f64)> {
    let counts = &census.counts;
    vec![
        (Gauge::ProofsStored, counts.valid as f64),
        (Gauge::ProofsCreatedLastDay, counts.created_last_day as f64),
        (Gauge::ProofsExpiredWaiting, counts.expired_waiting as f64),
        (Gauge::ProofStorageSize, counts.bytes as f64),
    ]
}

/// None when the cleanup did not see everything: then it counted nothing of this.
fn of_counts(counts: &Counts) -> Option<Vec<(Gauge, f64)>> {
    let found = COUNTS.iter().map(|(name, gauge)| Some((*gauge, counts.get(*name).and_then(Value::as_f64)?)));
    found.collect()
}
