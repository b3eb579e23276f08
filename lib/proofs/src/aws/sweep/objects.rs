//! The part of the sweep that goes through the bucket.

use credlink_pipeline::{
    proof::{ProofId, ProofStoreError},
    timestamp::Timestamp,
};

use super::{
    super::{AwsProofStore, item::proof_of_blob, table::KEYS_AT_ONCE},
    SweepCursor, SweepReport, all, is_old,
};

impl AwsProofStore {
    /// Looks at the page of objects behind `after`; where it goes on.
    pub(super) async fn sweep_objects(
        &self,
        after: Option<String>,
        now: Timestamp,
        report: &mut SweepReport,
    ) -> Result<Option<SweepCursor>, ProofStoreError> {
        let page = self.blobs.list(after.as_deref()).await?;
        let last = page.last().map(|object| object.key.clone());
        // Objects that are not named like manifest stores are somebody else's.
        let of_proofs: Vec<_> =
            page.into_iter().filter_map(|object| Some((proof_of_blob(&object.key)?, object))).collect();
        report.objects_seen += of_proofs.len() as u64;
        let old: Vec<(ProofId, String)> = of_proofs
            .into_iter()
            .filter(|(_, object)| is_old(object.written_at, now))
            .map(|(id, object)| (id, object.key))
            .collect();
        for some in old.chunks(KEYS_AT_ONCE) {
            self.sweep_some_objects(some, report).await?;
        }
        Ok(last.map(|last| SweepCursor::Objects(Some(last))))
    }

    async fn sweep_some_objects(
        &self,
        objects: &[(ProofId, String)],
        report: &mut SweepReport,
    ) -> Result<(), ProofStoreError> {
        let current = self.table.blobs_of(objects.iter().map(|(id, _)| *id)).await?;
        let orphans = objects.iter().filter(|(id, key)| match current.get(id) {
            Some(Some(blob)) => blob != key,
            // The record is damaged; this may be the manifest store it should name.
            Some(None) => false,
            None => true,
        });
        let removals = orphans.map(|(_, key)| {
            let (blobs, key) = (self.blobs.clone(), key.clone());
            async move { blobs.remove(&key).await }
        });
        for outcome in all(removals).await {
            match outcome {
                Ok(()) => report.orphan_objects_removed += 1,
                Err(error) => report.faults.push(error.to_string()),
            }
        }
        Ok(())
    }
}
