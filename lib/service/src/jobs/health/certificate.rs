//! How long the certificate of the active signer is still valid.

use std::sync::Arc;

use async_trait::async_trait;
use credlink_keys::certificate_summary;
use credlink_pipeline::timestamp::Timestamp;

use super::{Gauge, Measurement};
use crate::identity::Identity;

/// Looks at the chain of the signer that is active now.
pub struct CertificateEnd {
    identity: Arc<dyn Identity>,
}

impl CertificateEnd {
    /// That of the signer of `identity`.
    pub fn new(identity: Arc<dyn Identity>) -> Self {
        Self { identity }
    }
}

#[async_trait]
impl Measurement for CertificateEnd {
    fn what(&self) -> &'static str {
        "the certificate's expiry"
    }

    async fn measure(&self, now: Timestamp) -> Result<Vec<(Gauge, f64)>, String> {
        let signer = self.identity.signer().await.map_err(|error| error.to_string())?;
        let ends = signer.chain().iter().map(|der| certificate_summary(der).map(|facts| facts.not_after));
        let ends: Option<Vec<Timestamp>> = ends.collect();
        let ends = ends.ok_or("a certificate of the chain cannot be read")?;
        let first = ends.into_iter().min().ok_or("the signer has no certificates")?;
        Ok(vec![(Gauge::CertificateDaysLeft, days_between(now, first))])
    }
}

/// Days from `now` until `end`, with their fraction; negative when it is over.
pub(crate) fn days_between(now: Timestamp, end: Timestamp) -> f64 {
    (end.as_offset_date_time() - now.as_offset_date_time()).as_seconds_f64() / 86_400.0
}
