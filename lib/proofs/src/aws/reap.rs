//! What a removed proof leaves behind, as soon as the table's stream tells of it.

use credlink_pipeline::proof::{ProofId, ProofRecord, ProofStoreError};

use super::{
    AwsProofStore,
    item::{Entry, Key, proof_of_blob, proof_of_pk},
};

/// A proof whose record was removed from the table, by DynamoDB when its time was over, or by somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedProof {
    id: ProofId,
    blob: String,
    /// The stamped copy of it.
    stamped_blob: Option<String>,
    /// `None` when the record cannot be read; then the sweep finds its look-up.
    look_up: Option<Key>,
}

impl RemovedProof {
    /// Reads the attributes `pk`, `record` and `blob` of the old image in a REMOVE record of the table's stream.
    /// `None` for every item that is no proof's record.
    pub fn from_attributes(pk: &str, record: &str, blob: &str) -> Option<Self> {
        let id = proof_of_pk(pk)?;
        if proof_of_blob(blob) != Some(id) {
            return None;
        }
        let record = serde_json::from_str(record).ok().filter(|record: &ProofRecord| record.id == id);
        let entry = record.map(|record| Entry { record, blob: blob.to_owned() });
        Some(Self {
            id,
            blob: blob.to_owned(),
            stamped_blob: entry.as_ref().and_then(Entry::stamped_blob),
            look_up: entry.as_ref().map(|entry| Key::of_look_up(&entry.record)),
        })
    }

    /// Which proof it was.
    pub fn id(&self) -> ProofId {
        self.id
    }
}

impl AwsProofStore {
    /// Removes the manifest store and the look-up of a removed proof, and nothing of a proof that was put under the
    /// same id since. Doing it twice is no error. Needs `GetItem` and `DeleteItem` on the table and `DeleteObject` on
    /// the bucket.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`] when it cannot be done now; it may be half done.
    pub async fn reap(&self, removed: &RemovedProof) -> Result<(), ProofStoreError> {
        // Somebody may have put the very same item back, out of a backup.
        let current = match self.table.read(removed.id).await {
            Err(ProofStoreError::Damaged { .. }) => return Ok(()),
            read => read?,
        };
        if current.is_some_and(|Entry { blob, .. }| blob == removed.blob) {
            return Ok(());
        }
        if let Some(look_up) = &removed.look_up {
            self.table.remove_look_up(look_up, &removed.blob).await?;
        }
        if let Some(stamped) = &removed.stamped_blob {
            self.blobs.remove(stamped).await?;
        }
        self.blobs.remove(&removed.blob).await
    }
}
