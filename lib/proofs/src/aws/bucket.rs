//! Objects in a bucket, or in a part of one.

use aws_sdk_s3::{
    Client,
    operation::{
        delete_object::builders::DeleteObjectFluentBuilder, head_object::HeadObjectError,
        put_object::builders::PutObjectFluentBuilder,
    },
    primitives::DateTime,
    types::{Delete, ObjectIdentifier},
};
use bytes::Bytes;
use credlink_aws::{BodyError, MAX_CALL_TIME, has_code, whole_body};
use credlink_pipeline::proof::ProofStoreError;
use tokio::time::timeout;

use super::fault::bucket_unavailable;

/// How often an object is read anew when the connection breaks in the middle of it.
const READ_ATTEMPTS: usize = 3;

/// The most objects that one call lists or removes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
pub(crate) const MAX_LISTED_AT_ONCE: usize = 1000;

/// Those objects of a bucket whose names begin with a root, and are called by what follows.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    client: Client,
    name: String,
    root: String,
}

/// What there is under a name.
pub(crate) enum Fetched {
    /// The object, and the tag that tells it from others of this name.
    Found {
        content: Bytes,
        etag: String,
    },
    Missing,
    TooLarge {
        etag: String,
    },
}

/// Some objects, in the order of their names.
pub(crate) struct ListedPage {
    pub(crate) objects: Vec<ListedObject>,
    /// Whether there are no more behind them.
    pub(crate) is_last: bool,
}

/// An object as a listing shows it.
#[derive(Debug)]
pub(crate) struct ListedObject {
    pub(crate) key: String,
    /// When it was written, in seconds since 1970.
    pub(crate) written_at: i64,
    /// In bytes.
    pub(crate) length: u64,
}

impl Bucket {
    /// The objects of the bucket `name` behind `root`, which is empty or ends with a slash.
    pub(crate) fn new(client: Client, name: String, root: String) -> Self {
        Self { client, name, root }
    }

    /// A wish to write an object.
    pub(crate) fn put(&self, key: &str) -> PutObjectFluentBuilder {
        self.client.put_object().bucket(&self.name).key(self.full(key))
    }

    /// A wish to remove an object.
    pub(crate) fn delete(&self, key: &str) -> DeleteObjectFluentBuilder {
        self.client.delete_object().bucket(&self.name).key(self.full(key))
    }

    /// Reads an object of at most `limit` bytes. `what` it is, such as "a manifest store", is for errors.
    pub(crate) async fn fetch(
        &self,
        key: &str,
        limit: usize,
        what: &'static str,
    ) -> Result<Fetched, ProofStoreError> {
        // The SDK limits the time until an answer begins; here the time until it ends is limited as well.
        let attempts = async {
            let mut failure = String::new();
            for _ in 0..READ_ATTEMPTS {
                let answer = self.client.get_object().bucket(&self.name).key(self.full(key)).send().await;
                let object = match answer {
                    Ok(object) => object,
                    Err(error) if has_code(&error, "NoSuchKey") => return Ok(Fetched::Missing),
                    Err(error) => return Err(bucket_unavailable(format!("read {what}"))(error)),
                };
                let etag = object.e_tag.unwrap_or_default();
                match whole_body(object.body, 0, limit).await {
                    Ok(content) => return Ok(Fetched::Found { content: content.into(), etag }),
                    Err(BodyError::TooLong { .. }) => return Ok(Fetched::TooLarge { etag }),
                    Err(BodyError::BrokenOff(reason)) => failure = reason,
                }
            }
            Err(ProofStoreError::Unavailable(format!("{what} cannot be read to its end: {failure}")))
        };
        timeout(MAX_CALL_TIME, attempts).await.unwrap_or_else(|_| {
            let seconds = MAX_CALL_TIME.as_secs();
            Err(ProofStoreError::Unavailable(format!("{what} cannot be read within {seconds} s")))
        })
    }

    /// The length in bytes of the object under this name; `None` when there is none.
    pub(crate) async fn length(&self, key: &str, what: &str) -> Result<Option<u64>, ProofStoreError> {
        match self.client.head_object().bucket(&self.name).key(self.full(key)).send().await {
            Ok(object) => Ok(Some(unsigned(object.content_length))),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(bucket_unavailable(format!("look for {what}"))(error)),
        }
    }

    /// Removes an object. Removing it twice is no error.
    pub(crate) async fn remove(&self, key: &str, what: &str) -> Result<(), ProofStoreError> {
        self.delete(key).send().await.map_err(bucket_unavailable(format!("remove {what}")))?;
        Ok(())
    }

    /// Removes objects, a thousand with each call. Removing them twice is no error.
    pub(crate) async fn remove_all(&self, keys: &[String], what: &str) -> Result<(), ProofStoreError> {
        for some in keys.chunks(MAX_LISTED_AT_ONCE) {
            let objects = some.iter().map(|key| ObjectIdentifier::builder().key(self.full(key)).build());
            let removal = objects
                .collect::<Result<Vec<_>, _>>()
                .and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
            let removal = removal
                .map_err(|error| ProofStoreError::Unavailable(format!("cannot remove {what}: {error}")))?;
            let request = self.client.delete_objects().bucket(&self.name).delete(removal);
            let answer = request.send().await.map_err(bucket_unavailable(format!("remove {what}")))?;
            if let Some(error) = answer.errors().first() {
                let (code, count) = (error.code().unwrap_or_default(), answer.errors().len());
                return Err(ProofStoreError::Unavailable(format!(
                    "cannot remove {what}: {code} for {count} of them; check what the role may do with the bucket"
                )));
            }
        }
        Ok(())
    }

    /// The objects whose names begin with `prefix` and follow `after`, in the order of their names: at most `limit` of
    /// them, which is at most [`MAX_LISTED_AT_ONCE`].
    pub(crate) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        what: &str,
    ) -> Result<ListedPage, ProofStoreError> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(self.full(prefix))
            .max_keys(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_start_after(after.map(|key| self.full(key)))
            .send()
            .await
            .map_err(bucket_unavailable(format!("list {what}")))?;
        let listed = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            Some(ListedObject {
                key: object.key?.strip_prefix(&self.root)?.to_owned(),
                written_at: object.last_modified.as_ref().map(DateTime::secs)?,
                length: unsigned(object.size),
            })
        });
        Ok(ListedPage { objects: listed.collect(), is_last: !page.is_truncated.unwrap_or_default() })
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.root)
    }
}

/// A length as S3 tells it.
fn unsigned(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default()
}
