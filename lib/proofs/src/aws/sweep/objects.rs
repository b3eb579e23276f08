//! The part of the sweep that goes through the bucket.

use credlink_pipeline::proof::{ProofId, ProofStoreError};

use super::{
    super::{
        AwsProofStore,
        bucket::MAX_LISTED_AT_ONCE,
        item::{original_of, proof_of_blob},
        table::KEYS_AT_ONCE,
    },
    Place,
};
use crate::upkeep::{Sweep, SweptPage};

impl AwsProofStore {
    /// Looks at the page of objects behind `after`.
    pub(super) async fn sweep_objects(
        &self,
        after: Option<String>,
        sweep: Sweep,
    ) -> Result<SweptPage, ProofStoreError> {
        let listed = self.blobs.list(after.as_deref(), sweep.page.clamp(1, MAX_LISTED_AT_ONCE)).await?;
        let next = listed.last().map(|object| Place::Objects { after: Some(object.key.clone()) }.to_string());
        let mut page = SweptPage { next, ..SweptPage::default() };
        // Objects that are not named like manifest stores are somebody else's.
        let old: Vec<(ProofId, String)> = listed
            .into_iter()
            .filter(|object| sweep.is_old(object.written_at))
            .filter_map(|object| Some((proof_of_blob(&object.key)?, object.key)))
            .collect();
        let mut orphans = Vec::new();
        for some in old.chunks(KEYS_AT_ONCE) {
            let current = self.table.blobs_of(some.iter().map(|(id, _)| *id)).await?;
            let unnamed = some.iter().filter(|(id, key)| match current.get(id) {
                Some(Some(blob)) => blob != original_of(key),
                // The record is damaged; this may be the manifest store it should name.
                Some(None) => false,
                None => true,
            });
            orphans.extend(unnamed.map(|(_, key)| key.clone()));
        }
        if sweep.dry_run {
            page.tally.orphan_manifest_stores_removed += orphans.len() as u64;
            return Ok(page);
        }
        match self.blobs.remove_all(&orphans).await {
            Ok(()) => page.tally.orphan_manifest_stores_removed += orphans.len() as u64,
            Err(error) => page.faults.add(&error),
        }
        Ok(page)
    }
}
