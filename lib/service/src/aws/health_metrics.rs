//! The state of the deployment as metrics: what alarms watch.

use std::sync::Arc;

use credlink_pipeline::{proof::ProofStore, timestamp::Timestamp};

use super::{certificate_watch, failure_queue::FailureQueue, identity::KnownIdentity, metrics::Metric};
use crate::identity::Identity as _;

/// What is measured.
pub struct HealthMetrics {
    /// Who signs.
    pub identity: Arc<KnownIdentity>,
    /// Where proofs are.
    pub proofs: Arc<dyn ProofStore>,
    /// What waits for a person.
    pub failures: FailureQueue,
}

impl HealthMetrics {
    /// Measures. What cannot be measured is left out, and the log says why.
    pub async fn measure(&self, now: Timestamp) -> Vec<Metric> {
        let signer = self.identity.check().await.inspect_err(|error| tracing::warn!(%error, "no signer"));
        let proofs = self.proofs.check().await.inspect_err(|error| tracing::warn!(%error, "no proofs"));
        let mut metrics = vec![
            Metric::count("SignerHealthy", f64::from(signer.is_ok())),
            Metric::count("ProofsHealthy", f64::from(proofs.is_ok())),
        ];
        metrics.extend(certificate_watch::look(&self.identity, now).await);
        match self.failures.depth().await {
            // Exact up to 2^53, far above any queue.
            Ok(depth) => metrics.push(Metric::count("FailuresWaiting", depth as f64)),
            Err(error) => tracing::warn!(%error, "failures are not counted"),
        }
        metrics
    }
}
