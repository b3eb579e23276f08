//! Stamped copies of manifest stores, as objects beside them.

use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{ProofId, ProofRecord, ProofStoreError, StampedCopy},
    timestamp::Timestamp,
};

use super::{
    AwsProofStore, READ_ATTEMPTS,
    blobs::{Blob, MAX_MANIFEST_STORE_BYTES},
    item::Entry,
};

impl AwsProofStore {
    /// Keeps a stamped copy, if the proof is still as `seen`: first the object, then both items say so.
    pub(super) async fn keep_copy(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: Bytes,
    ) -> Result<bool, ProofStoreError> {
        let id = seen.id;
        if stamped_store.len() > MAX_MANIFEST_STORE_BYTES {
            let length = stamped_store.len();
            let reason =
                format!("its stamped copy has {length} bytes; {MAX_MANIFEST_STORE_BYTES} can be kept");
            return Err(ProofStoreError::Damaged { id, reason });
        }
        let Some(before) = self.table.read(id).await?.filter(|entry| entry.record == *seen) else {
            return Ok(false);
        };
        let record = ProofRecord { stamped: Some(copy), ..seen.clone() };
        let after = Entry { record, blob: before.blob.clone() };
        let Some(blob) = after.stamped_blob() else { return Ok(false) };
        self.blobs.write(&blob, stamped_store).await?;
        // After any other failure the record may name the object all the same.
        let replaced = self.table.replace(&before, &after).await?;
        let left_over = if replaced { before.stamped_blob() } else { Some(blob.clone()) };
        if let Some(left_over) = left_over {
            self.discard_unless_named(id, &left_over).await;
        }
        Ok(replaced)
    }

    /// The stamped copy of a proof.
    pub(super) async fn copy(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        let damaged = |reason: &str| ProofStoreError::Damaged { id, reason: reason.to_owned() };
        let mut missing = None;
        for _ in 0..READ_ATTEMPTS {
            let Some(entry) = self.valid(id, now).await? else { return Ok(None) };
            let (Some(copy), Some(blob)) = (entry.record.stamped, entry.stamped_blob()) else {
                return Ok(None);
            };
            if missing.as_ref() == Some(&blob) {
                return Err(damaged("its stamped copy is missing in the bucket"));
            }
            match self.blobs.read(&blob).await? {
                Blob::Found(store) if Sha256Hash::of(&store) == copy.manifest_hash => return Ok(Some(store)),
                Blob::Found(_) => return Err(damaged("its stamped copy is not the one that was kept")),
                Blob::TooLarge => return Err(damaged("its stamped copy is larger than any that is kept")),
                Blob::Missing => missing = Some(blob),
            }
        }
        Err(ProofStoreError::Unavailable(format!(
            "the stamped copy of proof {id} is being replaced; try again"
        )))
    }

    /// Removes an object that no record should name. When that fails, it goes with the sweep after the proof is gone.
    async fn discard_unless_named(&self, id: ProofId, blob: &str) {
        match self.table.read(id).await {
            Ok(entry) if entry.as_ref().and_then(Entry::stamped_blob).as_deref() == Some(blob) => {}
            Ok(_) => self.blobs.discard(blob).await,
            Err(error) => tracing::warn!(%error, blob, "a stamped copy that nobody names may stay behind"),
        }
    }
}
