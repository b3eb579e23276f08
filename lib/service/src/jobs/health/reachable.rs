//! Whether signer and proofs can be reached.

use std::sync::Arc;

use async_trait::async_trait;
use credlink_pipeline::{proof::ProofStore, timestamp::Timestamp};

use super::{Gauge, Measurement};
use crate::identity::Identity;

/// Asks both, as `GET /health` does.
pub struct Reachable {
    identity: Arc<dyn Identity>,
    proofs: Arc<dyn ProofStore>,
}

impl Reachable {
    /// The signer of `identity`, and `proofs`.
    pub fn new(identity: Arc<dyn Identity>, proofs: Arc<dyn ProofStore>) -> Self {
        Self { identity, proofs }
    }
}

#[async_trait]
impl Measurement for Reachable {
    fn what(&self) -> &'static str {
        "the health of signer and proofs"
    }

    async fn measure(&self, _: Timestamp) -> Result<Vec<(Gauge, f64)>, String> {
        let signer = self.identity.check().await.inspect_err(|error| tracing::warn!(%error, "no signer"));
        let proofs = self.proofs.check().await.inspect_err(|error| tracing::warn!(%error, "no proofs"));
        Ok(vec![
            (Gauge::SignerHealthy, f64::from(signer.is_ok())),
            (Gauge::ProofsHealthy, f64::from(proofs.is_ok())),
        ])
    }
}
