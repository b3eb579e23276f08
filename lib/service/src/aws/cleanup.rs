//! What of a cleanup CloudWatch counts.

use super::metrics::Metric;
use crate::jobs::Counts;

/// The metrics of a cleanup, summed up by kind.
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
