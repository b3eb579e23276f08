//! What every store promises that counts its proofs by itself.

use std::sync::Arc;

use credlink_pipeline::proof::{Proof, ProofStore};

use super::{sample, time};
use crate::statistics::{Census, ProofCounts, ProofStatistics};

/// Asserts every promise of [`ProofStatistics`] on a store that is empty and counts in one call.
pub async fn verify_statistics(store: Arc<dyn ProofStore>, statistics: Arc<dyn ProofStatistics>) {
    let now = time("2026-03-01T00:00:00Z");
    let empty = Census { counts: ProofCounts::default(), as_of: now };
    assert_eq!(statistics.census(now).await.unwrap(), Some(empty));

    let mut length = 0;
    for (created_at, expires_at) in [
        ("2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("2026-02-28T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-02-28T00:00:01Z", "2027-01-01T00:00:00Z"),
        ("2026-02-28T23:59:59Z", "2026-03-01T00:00:00.001Z"),
    ] {
        let mut proof: Proof = sample(b"image", created_at);
        proof.record.expires_at = time(expires_at);
        store.put(&proof).await.unwrap();
        length += proof.manifest_store.len() as u64;
    }
    let Census { counts, as_of } = statistics.census(now).await.unwrap().unwrap();
    assert_eq!((counts.valid, counts.created_last_day, counts.expired_waiting), (3, 2, 2));
    assert!(counts.bytes >= length && as_of == now, "{counts:?} {as_of}");
}
