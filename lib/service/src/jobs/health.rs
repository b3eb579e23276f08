//! The job that measures, and the gauges that show what it measured.
//!
//! What was measured stands in the history of the job, so that every process can show it, whichever ran the job. What
//! cannot be measured is left out, and the log says why: a zero is always one that was measured.

mod certificate;
mod gauges;
mod proofs;
mod reachable;

use std::sync::Arc;

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use serde_json::Value;
use tokio::time;

use super::job::{Counts, Job, JobError, JobName, JobRun};

pub use certificate::CertificateEnd;
pub(crate) use certificate::days_between;
pub use gauges::{Gauge, show};
pub use proofs::StoredProofs;
pub use reachable::Reachable;

/// Among the counts: what could not be measured.
const NOT_MEASURED: &str = "notMeasured";

/// Something that can be measured.
#[async_trait]
pub trait Measurement: Send + Sync {
    /// What it is, for the log.
    fn what(&self) -> &'static str;

    /// Measures.
    ///
    /// # Errors
    /// Why it cannot be measured now, for the log.
    async fn measure(&self, now: Timestamp) -> Result<Vec<(Gauge, f64)>, String>;
}

/// Measures the state of the service.
pub struct HealthMetrics {
    measurements: Vec<Arc<dyn Measurement>>,
}

impl HealthMetrics {
    /// Measures all of these, in this order.
    pub fn new(measurements: impl IntoIterator<Item = Arc<dyn Measurement>>) -> Self {
        Self { measurements: measurements.into_iter().collect() }
    }
}

#[async_trait]
impl Job for HealthMetrics {
    fn name(&self) -> JobName {
        JobName::HealthMetrics
    }

    /// A measurement that fails is left out, and fails no other.
    async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError> {
        let (mut counts, mut missing) = (Counts::new(), Vec::new());
        for measurement in &self.measurements {
            let what = measurement.what();
            let measured = time::timeout_at(run.deadline, measurement.measure(run.now)).await;
            match measured.unwrap_or_else(|_| Err("the time was over".to_owned())) {
                Ok(values) => counts.extend(values.into_iter().map(|(gauge, value)| gauge.count(value))),
                Err(reason) => {
                    tracing::warn!(what, reason, "not measured");
                    missing.push(Value::from(what));
                }
            }
        }
        if !missing.is_empty() {
            counts.insert(NOT_MEASURED.to_owned(), missing.into());
        }
        Ok(counts)
    }
}
