//! Proofs in an S3 bucket, and nowhere else.
//!
//! A proof is three objects, written in this order, and removed in the order 3, 2, 1:
//!
//! | object | holds |
//! |---|---|
//! | 1 `manifests/<id>/<put>` | the manifest store; beside it, with a dot and its SHA-256, a stamped copy |
//! | 2 `images/<SHA-256>/<put>` | nothing: its name finds the proof by its image |
//! | 3 `records/<id>` | the record, and the name of object 1 (JSON) |
//!
//! A proof exists as long as its record does. Two conditions of S3 decide who comes first: a record is written only where
//! there is none (`If-None-Match: *`), and changed or removed only as it was read (`If-Match`). A *put* has a name of its
//! own, a random number with the times and the hash of the image, so no other put ever writes the same objects 1 and 2, and
//! either name tells the other one.
//!
//! What a broken put or deletion leaves behind is never visible: readers follow a look-up only when the record names the
//! same put. Whatever is left has its object 1 still, where the [sweep](crate::upkeep::Upkeep) finds it. A lifecycle rule of
//! the bucket cannot do that: it knows the age of an object, and not when a proof expires.

mod catalogue;
mod look_ups;
mod put_name;
mod records;
mod sweep;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use bytes::Bytes;
use credlink_aws::SdkConfig;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofRecord, ProofStore, ProofStoreError, StampedCopy},
    timestamp::Timestamp,
};

use crate::aws::{
    blobs::{Blobs, check_length},
    bucket::Bucket,
    item::Entry,
    manifest_stores::ManifestStores,
};
use look_ups::LookUps;
use put_name::PutName;
use records::{Added, Records, Removed};

/// How often a deletion begins anew because somebody changed the proof meanwhile.
const DELETE_ATTEMPTS: usize = 8;

/// The proof store in one S3 bucket. A clone shares its connections.
#[derive(Clone, Debug)]
pub struct S3ProofStore {
    records: Records,
    look_ups: LookUps,
    blobs: Blobs,
}

impl S3ProofStore {
    /// The store in the bucket `bucket`, in objects whose names begin with `prefix` and a slash; others are left alone.
    /// Nothing is asked of AWS yet.
    ///
    /// What the role must be allowed to do with the objects: `GetObject` to read, `PutObject` to put, `DeleteObject` to
    /// delete, and `ListBucket` of the bucket, because look-ups are lists, and without it S3 does not tell a missing object
    /// from a forbidden one. The bucket must keep S3's conditions for `PutObject` and `DeleteObject`.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>
    pub fn new(client: aws_sdk_s3::Client, bucket: impl Into<String>, prefix: &str) -> Self {
        let bucket = Bucket::new(client, bucket.into(), format!("{prefix}/"));
        Self {
            records: Records::new(bucket.clone()),
            look_ups: LookUps::new(bucket.clone()),
            blobs: Blobs::new(bucket),
        }
    }

    /// Like [`new`](Self::new), with a client made as `config` says.
    pub fn at(config: &SdkConfig, bucket: impl Into<String>, prefix: &str) -> Self {
        Self::new(credlink_aws::s3(config), bucket, prefix)
    }

    fn manifest_stores(&self) -> ManifestStores<'_> {
        ManifestStores { entries: &self.records, blobs: &self.blobs }
    }

    /// Removes the objects of a put whose record is gone, or never was: the manifest store last, because the sweep finds
    /// what is left by it.
    async fn discard(&self, entry: &Entry) {
        if let Some(name) = PutName::of_blob(&entry.blob)
            && let Err(error) = self.look_ups.remove(&name).await
        {
            tracing::warn!(%error, blob = entry.blob, "a look-up stays behind until the next sweep");
            return;
        }
        if let Some(stamped) = entry.stamped_blob() {
            self.blobs.discard(&stamped).await;
        }
        self.blobs.discard(&entry.blob).await;
    }
}

#[async_trait]
impl ProofStore for S3ProofStore {
    async fn put(&self, proof: &Proof) -> Result<(), ProofStoreError> {
        let id = proof.record.id;
        check_length(id, "manifest store", &proof.manifest_store)?;
        let name = PutName::new(&proof.record);
        let entry = Entry { record: proof.record.clone(), blob: name.blob() };
        let record = records::encode(&entry)?;
        self.blobs.write(&entry.blob, proof.manifest_store.clone()).await?;
        self.look_ups.write(&name).await?;
        // After any other failure the record may be there all the same; then it needs its manifest store.
        match self.records.add(&entry, record).await? {
            Added::Done => Ok(()),
            Added::IdIsTaken => {
                self.discard(&entry).await;
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

    /// Lists the look-ups of the image, and reads each record that they name.
    async fn find_by_image_hash(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        self.look_ups.find(hash, now, &self.records).await
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

    /// When an answer of S3 is lost and the record is gone afterwards, it counts as removed by this call.
    async fn delete(&self, id: ProofId) -> Result<bool, ProofStoreError> {
        for _ in 0..DELETE_ATTEMPTS {
            let Some(stored) = self.records.stored(id).await? else { return Ok(false) };
            match self.records.remove(id, &stored).await? {
                Removed::Done => {
                    // What a damaged record owns is found by the sweep.
                    if let Ok(entry) = &stored.entry {
                        self.discard(entry).await;
                    }
                    return Ok(true);
                }
                Removed::ByOthers => return Ok(false),
                Removed::Changed => {}
            }
        }
        Err(ProofStoreError::Unavailable(format!("proof {id} is being changed; try again")))
    }

    async fn check(&self) -> Result<(), ProofStoreError> {
        self.records.check().await
    }
}
