//! What is measured on AWS alone, and the metrics that alarms watch.

use std::sync::Arc;

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use serde_json::Value;

use super::{failure_queue::FailureQueue, identity::KnownIdentity, metrics::Metric};
use crate::jobs::{
    Counts,
    health::{Gauge, Measurement, days_between},
};

/// How long the certificates in the record of the active signer are still valid.
pub struct RecordedCertificateEnd(pub Arc<KnownIdentity>);

#[async_trait]
impl Measurement for RecordedCertificateEnd {
    fn what(&self) -> &'static str {
        "the certificate's expiry"
    }

    async fn measure(&self, now: Timestamp) -> Result<Vec<(Gauge, f64)>, String> {
        let record = self.0.record().await.map_err(|error| error.to_string())?;
        let first = record.certificates().iter().map(|certificate| certificate.not_after).min();
        let first = first.ok_or("the signer has no certificates")?;
        Ok(vec![(Gauge::CertificateDaysLeft, days_between(now, first))])
    }
}

/// What waits for a person.
pub struct DeadLetters(pub FailureQueue);

#[async_trait]
impl Measurement for DeadLetters {
    fn what(&self) -> &'static str {
        "the queue of failures"
    }

    async fn measure(&self, _: Timestamp) -> Result<Vec<(Gauge, f64)>, String> {
        let depth = self.0.depth().await.map_err(|error| error.to_string())?;
        // Exact up to 2^53, far above any queue.
        Ok(vec![(Gauge::DeadLetters, depth as f64)])
    }
}

/// What alarms watch, under the names that they know.
pub fn metrics(counts: &Counts) -> Vec<Metric> {
    let names = [
        ("SignerHealthy", Gauge::SignerHealthy),
        ("ProofsHealthy", Gauge::ProofsHealthy),
        ("DaysToCertificateExpiry", Gauge::CertificateDaysLeft),
        ("FailuresWaiting", Gauge::DeadLetters),
    ];
    let known = names.into_iter().filter_map(|(name, gauge)| {
        let value = counts.get(gauge.name()).and_then(Value::as_f64)?;
        Some(Metric::count(name, value))
    });
    known.collect()
}
