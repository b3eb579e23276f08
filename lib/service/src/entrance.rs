//! What requests pass on their way in, as far as it reaches outside of this process.

use std::sync::Arc;

use crate::{
    api_keys::ApiKeyStore,
    idempotency::{IdempotencyStore, MemoryIdempotency},
    metrics::Metrics,
    outbound::{FaultReports, Traces},
    rate_limits::{MemoryRateLimiter, RateLimiter},
};

/// Who counts requests, who knows callers and repeated requests, and where measurements go.
#[derive(Clone)]
pub struct Entrance {
    /// Counts what clients ask for.
    pub rate_limiter: Arc<dyn RateLimiter>,
    /// Knows who may call; `None` when everybody may.
    pub api_keys: Option<Arc<dyn ApiKeyStore>>,
    /// Knows requests that come again.
    pub idempotency: Arc<dyn IdempotencyStore>,
    /// Where measurements go.
    pub metrics: Metrics,
    /// Who hears of faults of the service; `None` when there is only the log.
    pub fault_reports: Option<FaultReports>,
    /// Who collects traces; `None` when nobody does.
    pub traces: Option<Traces>,
    /// How measurements call the place where proofs are kept.
    pub proof_storage: &'static str,
}

impl Default for Entrance {
    /// Everything within this process, open to everybody, and nothing measured.
    fn default() -> Self {
        Self {
            rate_limiter: Arc::new(MemoryRateLimiter::new()),
            api_keys: None,
            idempotency: Arc::new(MemoryIdempotency::new()),
            metrics: Metrics::none(),
            fault_reports: None,
            traces: None,
            proof_storage: "memory",
        }
    }
}
