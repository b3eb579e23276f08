//! Proofs on AWS: records in a DynamoDB table, manifest stores in an S3 bucket.
//!
//! A proof is three things, written in this order: an object with the manifest store, under a name that no other put
//! ever uses; and, both in one transaction, the record and a look-up by the hash of the image.
//!
//! | pk | sk | attributes |
//! |---|---|---|
//! | `proof#<id>` | `record` | `record` (JSON), `blob` (name of the object), `ttl` |
//! | `image#<SHA-256>` | `<created at>#<id>` | the same |
//!
//! A stamped copy is one more object, and both items say so in their `record`.
//!
//! A proof exists as long as its record does. What a broken put or deletion leaves behind is never visible, and goes
//! with the record's entry in the table's stream ([`AwsProofStore::reap`]) or with the next
//! [sweep](crate::upkeep::Upkeep).

mod blobs;
mod catalogue;
mod fault;
mod item;
mod reap;
mod stamped;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod transaction;

use async_trait::async_trait;
use bytes::Bytes;
use credlink_aws::SdkConfig;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofRecord, ProofStore, ProofStoreError, StampedCopy},
    timestamp::Timestamp,
};

use blobs::{Blob, Blobs, MAX_MANIFEST_STORE_BYTES};
use item::{BLOB, Entry, proof_of_blob, text};
use sweep::Listings;
use table::{Added, Table};

pub use reap::RemovedProof;

/// How often a proof is looked at anew that is removed and put again in the middle of being read.
const READ_ATTEMPTS: usize = 3;

/// The proof store on AWS. A clone shares its connections.
#[derive(Clone, Debug)]
pub struct AwsProofStore {
    table: Table,
    blobs: Blobs,
    listings: Listings,
}

impl AwsProofStore {
    /// The store in the DynamoDB table `table` (keys `pk` and `sk`, time to live in `ttl`) and the S3 bucket `bucket`.
    /// Nothing is asked of AWS yet.
    ///
    /// What the role must be allowed to do with the table: `GetItem` and `Query` to read, `PutItem` to put,
    /// `DeleteItem` to delete. With the bucket: `GetObject`, `PutObject`, `DeleteObject`; and `ListBucket`, because
    /// without it S3 does not tell a missing object from a forbidden one.
    pub fn new(
        dynamo: aws_sdk_dynamodb::Client,
        table: impl Into<String>,
        s3: aws_sdk_s3::Client,
        bucket: impl Into<String>,
    ) -> Self {
        Self {
            table: Table::new(dynamo, table.into()),
            blobs: Blobs::new(s3, bucket.into()),
            listings: Listings::default(),
        }
    }

    /// Like [`new`](Self::new), with clients made as `config` says.
    pub fn at(config: &SdkConfig, table: impl Into<String>, bucket: impl Into<String>) -> Self {
        Self::new(aws_sdk_dynamodb::Client::new(config), table, credlink_aws::s3(config), bucket)
    }

    async fn valid(&self, id: ProofId, now: Timestamp) -> Result<Option<Entry>, ProofStoreError> {
        let entry = self.table.read(id).await?;
        Ok(entry.filter(|entry| now < entry.record.expires_at))
    }

    /// Removes the objects of a proof that nobody can see any more.
    async fn discard_blobs_of(&self, entry: &Entry) {
        self.blobs.discard(&entry.blob).await;
        if let Some(stamped) = entry.stamped_blob() {
            self.blobs.discard(&stamped).await;
        }
    }

    /// Removes what stands under `id` and cannot be read.
    async fn delete_damaged(&self, id: ProofId) -> Result<bool, ProofStoreError> {
        let Some(item) = self.table.remove_damaged(id).await? else { return Ok(false) };
        if let Some(blob) = text(&item, BLOB).filter(|blob| proof_of_blob(blob) == Some(id)) {
            self.blobs.discard(blob).await;
        }
        Ok(true)
    }
}

#[async_trait]
impl ProofStore for AwsProofStore {
    async fn put(&self, proof: &Proof) -> Result<(), ProofStoreError> {
        let id = proof.record.id;
        let length = proof.manifest_store.len();
        if length > MAX_MANIFEST_STORE_BYTES {
            let reason =
                format!("its manifest store has {length} bytes; {MAX_MANIFEST_STORE_BYTES} can be kept");
            return Err(ProofStoreError::Damaged { id, reason });
        }
        let entry = Entry::new(proof.record.clone());
        self.blobs.write(&entry.blob, proof.manifest_store.clone()).await?;
        // After any other failure the record may be there all the same; then it needs its manifest store.
        match self.table.add(&entry).await? {
            Added::Done => Ok(()),
            Added::IdIsTaken => {
                self.blobs.discard(&entry.blob).await;
                Err(ProofStoreError::AlreadyExists(id))
            }
        }
    }

    async fn record(&self, id: ProofId, now: Timestamp) -> Result<Option<ProofRecord>, ProofStoreError> {
        Ok(self.valid(id, now).await?.map(|entry| entry.record))
    }

    async fn proof(&self, id: ProofId, now: Timestamp) -> Result<Option<Proof>, ProofStoreError> {
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

    async fn find_by_image_hash(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        self.table.find(hash, now).await
    }

    async fn keep_stamped(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: Bytes,
    ) -> Result<bool, ProofStoreError> {
        self.keep_copy(seen, copy, stamped_store).await
    }

    async fn stamped_store(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        self.copy(id, now).await
    }

    async fn delete(&self, id: ProofId) -> Result<bool, ProofStoreError> {
        let entry = match self.table.read(id).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(false),
            Err(ProofStoreError::Damaged { .. }) => return self.delete_damaged(id).await,
            Err(error) => return Err(error),
        };
        let removed = self.table.remove(&entry).await?;
        if removed {
            self.discard_blobs_of(&entry).await;
        }
        Ok(removed)
    }

    async fn check(&self) -> Result<(), ProofStoreError> {
        self.table.check().await
    }
}
