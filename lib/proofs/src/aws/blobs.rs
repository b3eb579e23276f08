//! Manifest stores as objects in a bucket.

use bytes::Bytes;
use credlink_pipeline::proof::{ProofId, ProofStoreError};

use super::{
    bucket::{Bucket, Fetched, ListedObject},
    fault::bucket_unavailable,
    item::BLOB_PREFIX,
};

/// The largest manifest store that is kept or read, in bytes. A signed image may have 50 MB, and its manifest store
/// is a part of it.
const MAX_MANIFEST_STORE_BYTES: usize = 64 << 20;

/// The registered media type (C2PA 2.4, section 11.1.4).
const CONTENT_TYPE: &str = "application/c2pa";

/// An object's content never changes, because each put has a name of its own.
const CACHE_CONTROL: &str = "private, max-age=31536000, immutable";

const ONE: &str = "a manifest store";
const MANY: &str = "manifest stores";

/// Where manifest stores live.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    bucket: Bucket,
}

/// What there is under a name.
pub(crate) enum Blob {
    Found(Bytes),
    Missing,
    TooLarge,
}

impl Blobs {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Writes a manifest store under a name that nobody else has.
    pub(crate) async fn write(&self, key: &str, content: Bytes) -> Result<(), ProofStoreError> {
        let wish = self.bucket.put(key).content_type(CONTENT_TYPE).cache_control(CACHE_CONTROL);
        wish.body(content.into())
            .send()
            .await
            .map_err(bucket_unavailable("write a manifest store".to_owned()))?;
        Ok(())
    }

    /// Reads a manifest store.
    pub(crate) async fn read(&self, key: &str) -> Result<Blob, ProofStoreError> {
        Ok(match self.bucket.fetch(key, MAX_MANIFEST_STORE_BYTES, ONE).await? {
            Fetched::Found { content, .. } => Blob::Found(content),
            Fetched::Missing => Blob::Missing,
            Fetched::TooLarge { .. } => Blob::TooLarge,
        })
    }

    /// The length in bytes of the object under this name; `None` when there is none.
    pub(crate) async fn length(&self, key: &str) -> Result<Option<u64>, ProofStoreError> {
        self.bucket.length(key, ONE).await
    }

    /// Removes an object. Removing it twice is no error.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), ProofStoreError> {
        self.bucket.remove(key, ONE).await
    }

    /// Removes an object that nobody can see any more. When that fails, the sweep will find it.
    pub(crate) async fn discard(&self, key: &str) {
        if let Err(error) = self.remove(key).await {
            tracing::warn!(%error, key, "a manifest store stays behind until the next sweep");
        }
    }

    /// Removes objects, a thousand with each call. Removing them twice is no error.
    pub(crate) async fn remove_all(&self, keys: &[String]) -> Result<(), ProofStoreError> {
        self.bucket.remove_all(keys, MANY).await
    }

    /// The manifest stores whose names follow `after`, in the order of their names, at most `limit` of them, which is at
    /// most [`MAX_LISTED_AT_ONCE`](super::bucket::MAX_LISTED_AT_ONCE); none when there are no more.
    pub(crate) async fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ListedObject>, ProofStoreError> {
        Ok(self.bucket.list(BLOB_PREFIX, after, limit, MANY).await?.objects)
    }
}

/// Refuses `what`, a manifest store of the proof `id`, that is longer than any that is kept.
pub(crate) fn check_length(id: ProofId, what: &str, content: &Bytes) -> Result<(), ProofStoreError> {
    let length = content.len();
    if length <= MAX_MANIFEST_STORE_BYTES {
        return Ok(());
    }
    let reason = format!("its {what} has {length} bytes; {MAX_MANIFEST_STORE_BYTES} can be kept");
    Err(ProofStoreError::Damaged { id, reason })
}
