//! How long the certificate of the active signer is still valid.

use credlink_pipeline::timestamp::Timestamp;

use super::{identity::KnownIdentity, metrics::Metric};

/// Days before its end from which on a certificate should be replaced.
const RENEWAL_DAYS: f64 = 30.0;

/// Looks at the active signer; what is due, the log says. The metric is what an alarm watches; without a signer there
/// is none, and the log says why.
pub async fn look(identity: &KnownIdentity, now: Timestamp) -> Vec<Metric> {
    let record = match identity.record().await {
        Ok(record) => record,
        Err(error) => {
            tracing::error!(%error, "the certificate's expiry is not known");
            return Vec::new();
        }
    };
    let Some(first) = record.certificates().iter().map(|certificate| certificate.not_after).min() else {
        return Vec::new();
    };
    let left = first.as_offset_date_time() - now.as_offset_date_time();
    let days = left.as_seconds_f64() / 86_400.0;
    let (version, key) = (record.version(), record.key_arn());
    if days < RENEWAL_DAYS {
        tracing::warn!(version, key, expires = %first, "the certificate is due; the last rotation says why it was not replaced");
    } else {
        tracing::info!(version, key, expires = %first, "the certificate is not due");
    }
    vec![Metric::count("DaysToCertificateExpiry", days)]
}
