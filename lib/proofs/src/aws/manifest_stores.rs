//! Manifest stores and their stamped copies, as objects that entries name.

use async_trait::async_trait;
use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofRecord, ProofStoreError, StampedCopy},
    timestamp::Timestamp,
};

use super::{
    blobs::{Blob, Blobs, check_length},
    item::Entry,
};

/// How often a proof is looked at anew that is removed and put again in the middle of being read.
const READ_ATTEMPTS: usize = 3;

/// Where it stands which object belongs to which proof.
#[async_trait]
pub(crate) trait Entries: Send + Sync {
    /// The entry of a proof as the last write left it, expired or not.
    async fn read(&self, id: ProofId) -> Result<Option<Entry>, ProofStoreError>;

    /// Puts `now` in the place of `before`, two states of one proof; false when the proof is not as `before` any more.
    async fn replace(&self, before: &Entry, now: &Entry) -> Result<bool, ProofStoreError>;
}

/// The manifest stores in `blobs` that `entries` name.
#[derive(Clone, Copy)]
pub(crate) struct ManifestStores<'a> {
    pub(crate) entries: &'a dyn Entries,
    pub(crate) blobs: &'a Blobs,
}

impl ManifestStores<'_> {
    /// The entry of a proof that is valid at `now`.
    pub(crate) async fn valid(&self, id: ProofId, now: Timestamp) -> Result<Option<Entry>, ProofStoreError> {
        let entry = self.entries.read(id).await?;
        Ok(entry.filter(|entry| now < entry.record.expires_at))
    }

    /// A proof, record and manifest store.
    pub(crate) async fn proof(&self, id: ProofId, now: Timestamp) -> Result<Option<Proof>, ProofStoreError> {
        let damaged = |reason: &str| ProofStoreError::Damaged { id, reason: reason.to_owned() };
        let mut missing = None;
        for _ in 0..READ_ATTEMPTS {
            let Some(Entry { record, blob }) = self.valid(id, now).await? else { return Ok(None) };
            if missing.as_ref() == Some(&blob) {
                return Err(damaged("its manifest store is missing in the bucket"));
            }
            match self.blobs.read(&blob).await? {
                Blob::Found(manifest_store) => return Ok(Some(Proof { record, manifest_store })),
                Blob::TooLarge => return Err(damaged("its manifest store is larger than any that is kept")),
                Blob::Missing => missing = Some(blob),
            }
        }
        Err(ProofStoreError::Unavailable(format!("proof {id} is being replaced; try again")))
    }

    /// Keeps a stamped copy, if the proof is still as `seen`: first the object, then its entry says so.
    pub(crate) async fn keep_copy(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: Bytes,
    ) -> Result<bool, ProofStoreError> {
        let id = seen.id;
        check_length(id, "stamped copy", &stamped_store)?;
        let Some(before) = self.entries.read(id).await?.filter(|entry| entry.record == *seen) else {
            return Ok(false);
        };
        let record = ProofRecord { stamped: Some(copy), ..seen.clone() };
        let after = Entry { record, blob: before.blob.clone() };
        let Some(blob) = after.stamped_blob() else { return Ok(false) };
        self.blobs.write(&blob, stamped_store).await?;
        // After any other failure the record may name the object all the same.
        let replaced = self.entries.replace(&before, &after).await?;
        let left_over = if replaced { before.stamped_blob() } else { Some(blob.clone()) };
        if let Some(left_over) = left_over {
            self.discard_unless_named(id, &left_over).await;
        }
        Ok(replaced)
    }

    /// The stamped copy of a proof.
    pub(crate) async fn copy(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
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

    /// Removes an object that no entry should name. When that fails, it goes with the sweep after the proof is gone.
    async fn discard_unless_named(&self, id: ProofId, blob: &str) {
        match self.entries.read(id).await {
            Ok(entry) if entry.as_ref().and_then(Entry::stamped_blob).as_deref() == Some(blob) => {}
            Ok(_) => self.blobs.discard(blob).await,
            Err(error) => tracing::warn!(%error, blob, "a stamped copy that nobody names may stay behind"),
        }
    }
}
