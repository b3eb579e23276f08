//! Objects of a bucket that holds images.

use std::{collections::HashMap, time::Duration};

use aws_sdk_s3::{
    Client,
    config::timeout::TimeoutConfig,
    error::SdkError,
    operation::{get_object::GetObjectError, head_object::HeadObjectOutput},
    primitives::ByteStream,
};
use bytes::Bytes;
use credlink_aws::{BodyError, Fault, whole_body};
use thiserror::Error;
use tokio::time;

/// How long an object of the greatest length may take on its way, each way.
const MAX_TRANSFER_TIME: Duration = Duration::from_secs(20);

/// The status of an answer to `If-None-Match` with the version that is there (RFC 9110, section 15.4.5).
const NOT_MODIFIED: u16 = 304;

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// An object, whole.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its version, as S3 names it.
    pub etag: Option<String>,
    /// The metadata of whoever put it there.
    pub metadata: HashMap<String, String>,
}

/// What a look at an object shows.
#[derive(Clone, Debug)]
pub enum Look {
    /// It is the version that is known.
    Same,
    /// There is another version.
    Changed(Object),
    /// There is no object.
    Gone,
}

/// Why a bucket did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BucketError {
    /// The object is longer than what is taken.
    #[error("the object has {length} bytes; at most {limit} are taken")]
    TooLarge {
        /// Its length in bytes.
        length: u64,
        /// The greatest length in bytes.
        limit: usize,
    },
    /// S3 does not answer now, or answers that it cannot.
    #[error("S3 is not available: {0}")]
    Unavailable(String),
    /// S3 refuses, and will refuse again.
    #[error("S3 refuses: {0}")]
    Refused(String),
}

impl Bucket {
    /// The bucket `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The object `key`, of at most `limit` bytes; `None` when there is none.
    ///
    /// # Errors
    /// [`BucketError`]; a longer object is not read.
    pub async fn read(&self, key: &str, limit: usize) -> Result<Option<Object>, BucketError> {
        match self.look(key, None, limit).await? {
            Look::Changed(object) => Ok(Some(object)),
            Look::Same | Look::Gone => Ok(None),
        }
    }

    /// The object `key`, of at most `limit` bytes, unless its version is `known`.
    ///
    /// # Errors
    /// [`BucketError`]; a longer object is not read.
    pub async fn look(&self, key: &str, known: Option<&str>, limit: usize) -> Result<Look, BucketError> {
        time::timeout(MAX_TRANSFER_TIME, self.look_now(key, known, limit)).await.map_err(too_slow)?
    }

    async fn look_now(&self, key: &str, known: Option<&str>, limit: usize) -> Result<Look, BucketError> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let answer = request.set_if_none_match(known.map(str::to_owned)).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {
                return Ok(Look::Gone);
            }
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == NOT_MODIFIED) => {
                return Ok(Look::Same);
            }
            Err(error) => return Err(failed(Fault::of(&error))),
        };
        let length = u64::try_from(answer.content_length().unwrap_or(0)).unwrap_or(0);
        let expected = usize::try_from(length).ok().filter(|length| *length <= limit);
        let expected = expected.ok_or(BucketError::TooLarge { length, limit })?;
        let bytes = whole_body(answer.body, expected, limit).await.map_err(|error| match error {
            BodyError::TooLong { limit } => BucketError::TooLarge { length, limit },
            BodyError::BrokenOff(_) => BucketError::Unavailable(error.to_string()),
        })?;
        Ok(Look::Changed(Object {
            bytes: bytes.into(),
            etag: answer.e_tag,
            metadata: answer.metadata.unwrap_or_default(),
        }))
    }

    /// The version that the object `key` has now; `None` when there is none.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn etag(&self, key: &str) -> Result<Option<String>, BucketError> {
        Ok(self.head(key).await?.and_then(|head| head.e_tag))
    }

    /// The metadata `name` of the object `key`; `None` when there is none.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn metadata(&self, key: &str, name: &str) -> Result<Option<String>, BucketError> {
        let head = self.head(key).await?;
        Ok(head.and_then(|head| head.metadata).and_then(|mut metadata| metadata.remove(name)))
    }

    /// Puts an object there; one that is there already is replaced.
    ///
    /// # Errors
    /// [`BucketError`]; then what was there before is still there.
    pub async fn put(
        &self,
        key: &str,
        body: Bytes,
        content_type: &str,
        metadata: &[(&str, String)],
    ) -> Result<(), BucketError> {
        let mut request = self.client.put_object().bucket(&self.name).key(key).content_type(content_type);
        for (name, value) in metadata {
            request = request.metadata(*name, value);
        }
        // The limits of the client are meant for calls of a few kilobytes.
        let limits = TimeoutConfig::builder()
            .operation_attempt_timeout(MAX_TRANSFER_TIME)
            .operation_timeout(MAX_TRANSFER_TIME)
            .build();
        let request = request
            .body(ByteStream::from(body))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(limits));
        request.send().await.map(drop).map_err(|error| failed(Fault::of(&error)))
    }

    async fn head(&self, key: &str) -> Result<Option<HeadObjectOutput>, BucketError> {
        match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(head) => Ok(Some(head)),
            Err(SdkError::ServiceError(answer)) if answer.err().is_not_found() => Ok(None),
            Err(error) => Err(failed(Fault::of(&error))),
        }
    }
}

fn too_slow(_: time::error::Elapsed) -> BucketError {
    BucketError::Unavailable(format!("the object did not come within {MAX_TRANSFER_TIME:?}"))
}

fn failed(fault: Fault) -> BucketError {
    match fault {
        Fault::Transient(text) => BucketError::Unavailable(text),
        Fault::Permanent(text) => BucketError::Refused(text),
    }
}
