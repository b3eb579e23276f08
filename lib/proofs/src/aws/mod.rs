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

pub(crate) mod blobs;
pub(crate) mod bucket;
mod catalogue;
pub(crate) mod fault;
pub(crate) mod item;
pub(crate) mod manifest_stores;
mod reap;
pub(crate) mod sweep;
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

use blobs::{Blobs, check_length};
use bucket::Bucket;
use item::{BLOB, Entry, proof_of_blob, text};
use manifest_stores::{Entries, ManifestStores};
use sweep::Listings;
use table::{Added, Table};

pub use reap::RemovedProof;

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
            blobs: Blobs::new(Bucket::new(s3, bucket.into(), String::new())),
            listings: Listings::default(),
        }
    }

    /// Like [`new`](Self::new), with clients made as `config` says.
    pub fn at(config: &SdkConfig, table: impl Into<String>, bucket: impl Into<String>) -> Self {
        Self::new(aws_sdk_dynamodb::Client::new(config), table, credlink_aws::s3(config), bucket)
    }

    fn manifest_stores(&self) -> ManifestStores<'_> {
        ManifestStores { entries: &self.table, blobs: &self.blobs }
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
impl Entries for Table {
    async fn read(&self, id: ProofId) -> Result<Option<Entry>, ProofStoreError> {
        self.read(id).await
    }

    async fn replace(&self, before: &Entry, now: &Entry) -> Result<bool, ProofStoreError> {
        self.replace(before, now).await
    }
}

#[async_trait]
impl ProofStore for AwsProofStore {
    async fn put(&self, proof: &Proof) -> Result<(), ProofStoreError> {
        let id = proof.record.id;
        check_length(id, "manifest store", &proof.manifest_store)?;
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
        Ok(self.manifest_stores().valid(id, now).await?.map(|entry| entry.record))
    }

    async fn proof(&self, id: ProofId, now: Timestamp) -> Result<Option<Proof>, ProofStoreError> {
        self.manifest_stores().proof(id, now).await
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
        self.manifest_stores().keep_copy(seen, copy, stamped_store).await
    }

    async fn stamped_store(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        self.manifest_stores().copy(id, now).await
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
