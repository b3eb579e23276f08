//! Manifest stores as objects in a bucket.

use aws_sdk_s3::{
    Client,
    operation::head_object::HeadObjectError,
    primitives::DateTime,
    types::{Delete, ObjectIdentifier},
};
use bytes::Bytes;
use credlink_aws::{BodyError, MAX_CALL_TIME, has_code, whole_body};
use credlink_pipeline::proof::ProofStoreError;
use tokio::time::timeout;

use super::{fault::unavailable, item::BLOB_PREFIX};

/// The largest manifest store that is kept or read, in bytes. A signed image may have 50 MB, and its manifest store
/// is a part of it.
pub(super) const MAX_MANIFEST_STORE_BYTES: usize = 64 << 20;

/// How often an object is read anew when the connection breaks in the middle of it.
const READ_ATTEMPTS: usize = 3;

/// The registered media type (C2PA 2.4, section 11.1.4).
const CONTENT_TYPE: &str = "application/c2pa";

/// The most objects that one call lists or removes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
pub(super) const MAX_LISTED_AT_ONCE: usize = 1000;

/// An object's content never changes, because each put has a name of its own.
const CACHE_CONTROL: &str = "private, max-age=31536000, immutable";

/// Where manifest stores live.
#[derive(Clone, Debug)]
pub(super) struct Blobs {
    client: Client,
    bucket: String,
}

/// What there is under a name.
pub(super) enum Blob {
    Found(Bytes),
    Missing,
    TooLarge,
}

/// An object as a listing shows it.
#[derive(Debug)]
pub(super) struct ListedBlob {
    pub(super) key: String,
    /// When it was written, in seconds since 1970.
    pub(super) written_at: i64,
    /// In bytes.
    pub(super) length: u64,
}

impl Blobs {
    pub(super) fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// Writes a manifest store under a name that nobody else has.
    pub(super) async fn write(&self, key: &str, content: Bytes) -> Result<(), ProofStoreError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(CONTENT_TYPE)
            .cache_control(CACHE_CONTROL)
            .body(content.into())
            .send()
            .await
            .map_err(unavailable("write a manifest store"))?;
        Ok(())
    }

    /// Reads a manifest store.
    pub(super) async fn read(&self, key: &str) -> Result<Blob, ProofStoreError> {
        // The SDK limits the time until an answer begins; here the time until it ends is limited as well.
        let attempts = async {
            let mut failure = String::new();
            for _ in 0..READ_ATTEMPTS {
                let answer = self.client.get_object().bucket(&self.bucket).key(key).send().await;
                let body = match answer {
                    Ok(object) => object.body,
                    Err(error) if has_code(&error, "NoSuchKey") => return Ok(Blob::Missing),
                    Err(error) => return Err(unavailable("read a manifest store")(error)),
                };
                match whole_body(body, 0, MAX_MANIFEST_STORE_BYTES).await {
                    Ok(content) => return Ok(Blob::Found(content.into())),
                    Err(BodyError::TooLong { .. }) => return Ok(Blob::TooLarge),
                    Err(BodyError::BrokenOff(reason)) => failure = reason,
                }
            }
            Err(ProofStoreError::Unavailable(format!(
                "a manifest store cannot be read to its end: {failure}"
            )))
        };
        timeout(MAX_CALL_TIME, attempts).await.unwrap_or_else(|_| {
            Err(ProofStoreError::Unavailable(format!(
                "a manifest store cannot be read within {} s",
                MAX_CALL_TIME.as_secs()
            )))
        })
    }

    /// The length in bytes of the object under this name; `None` when there is none.
    pub(super) async fn length(&self, key: &str) -> Result<Option<u64>, ProofStoreError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => Ok(Some(unsigned(object.content_length))),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(unavailable("look for a manifest store")(error)),
        }
    }

    /// Removes an object. Removing it twice is no error.
    pub(super) async fn remove(&self, key: &str) -> Result<(), ProofStoreError> {
        self.client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .map_err(unavailable("remove a manifest store"))?;
        Ok(())
    }

    /// Removes an object that nobody can see any more. When that fails, the sweep will find it.
    pub(super) async fn discard(&self, key: &str) {
        if let Err(error) = self.remove(key).await {
            tracing::warn!(%error, key, "a manifest store stays behind until the next sweep");
        }
    }

    /// Removes objects, a thousand with each call. Removing them twice is no error.
    pub(super) async fn remove_all(&self, keys: &[String]) -> Result<(), ProofStoreError> {
        let what = "remove manifest stores";
        for some in keys.chunks(MAX_LISTED_AT_ONCE) {
            let objects = some.iter().map(|key| ObjectIdentifier::builder().key(key).build());
            let removal = objects
                .collect::<Result<Vec<_>, _>>()
                .and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
            let removal =
                removal.map_err(|error| ProofStoreError::Unavailable(format!("cannot {what}: {error}")))?;
            let request = self.client.delete_objects().bucket(&self.bucket).delete(removal);
            let answer = request.send().await.map_err(unavailable(what))?;
            if let Some(error) = answer.errors().first() {
                let (code, count) = (error.code().unwrap_or_default(), answer.errors().len());
                return Err(ProofStoreError::Unavailable(format!(
                    "cannot {what}: {code} for {count} of them; check what the role may do with the bucket"
                )));
            }
        }
        Ok(())
    }

    /// The manifest stores whose names follow `after`, in the order of their names, at most `limit` of them, which is at
    /// most [`MAX_LISTED_AT_ONCE`]; none when there are no more.
    pub(super) async fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ListedBlob>, ProofStoreError> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(BLOB_PREFIX)
            .max_keys(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_start_after(after.map(str::to_owned))
            .send()
            .await
            .map_err(unavailable("list manifest stores"))?;
        let listed = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            Some(ListedBlob {
                key: object.key?,
                written_at: object.last_modified.as_ref().map(DateTime::secs)?,
                length: unsigned(object.size),
            })
        });
        Ok(listed.collect())
    }
}

/// A length as S3 tells it.
fn unsigned(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default()
}
