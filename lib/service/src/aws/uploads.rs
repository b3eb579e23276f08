//! Uploads and results in an S3 bucket: callers send and fetch by presigned URLs, past the service.
//!
//! An upload has no record anywhere: the signature in its URL binds what was announced, and S3 notes when it came.
//! The bucket's lifecycle rule deletes what is past its time.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    config::timeout::TimeoutConfig,
    operation::get_object::{GetObjectError, GetObjectOutput},
    presigning::{PresignedRequest, PresigningConfig},
    primitives::{ByteStream, DateTime, SdkBody},
};
use aws_smithy_types::base64;
use bytes::Bytes;
use credlink_aws::{Fault, whole_body};
use credlink_pipeline::{proof::ProofId, timestamp::Timestamp};
use tokio::time;

use crate::{
    pieces::Pieces,
    uploads::{
        Address, LIFETIME, ResultUrl, UploadError, UploadId, UploadOrigin, UploadRequest, UploadTicket,
        Uploads, lifetime_from,
    },
};

/// How the names of uploads begin, and those of results.
pub(super) const UPLOADS: &str = "uploads/";
pub(super) const RESULTS: &str = "results/";

/// How long the body of an upload may take from S3: 50 MB at 4 MB/s.
const MAX_READ_TIME: Duration = Duration::from_secs(12);

/// How long one attempt to keep a result may take, and all of them. The shared limits are for short bodies; 60 MB
/// in 10 s are 6 MB/s.
const MAX_KEEP_ATTEMPT_TIME: Duration = Duration::from_secs(10);
const MAX_KEEP_TIME: Duration = Duration::from_secs(15);

/// Uploads under `uploads/<upload id>` and results under `results/<proof id>`.
///
/// Permissions: `s3:PutObject` and `s3:GetObject` on both, because a presigned URL may do what its signer may, and
/// `s3:ListBucket`, without which S3 says of an unknown upload that access is denied.
#[derive(Clone, Debug)]
pub struct S3Uploads {
    client: Client,
    bucket: String,
}

impl S3Uploads {
    /// Uploads in `bucket`. The URLs that callers get are signed with the client's credentials, and end with them.
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// The origin of all addresses that callers get, such as `https://BUCKET.s3.REGION.amazonaws.com`. Nothing is asked
    /// for it.
    ///
    /// # Errors
    /// [`UploadError::Failed`] when no address can be signed.
    pub async fn origin(&self, now: Timestamp) -> Result<UploadOrigin, UploadError> {
        let url = self.presigned_get(RESULTS, now).await?;
        UploadOrigin::of(&url).ok_or_else(|| UploadError::Failed("S3's address has no host".to_owned()))
    }

    async fn presigned_get(&self, key: &str, now: Timestamp) -> Result<String, UploadError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let presigned = request.presigned(lasting(now)?).await;
        presigned.map(|request| request.uri().to_owned()).map_err(|error| failed(&Fault::of(&error), key))
    }
}

#[async_trait]
impl Uploads for S3Uploads {
    async fn begin(&self, request: &UploadRequest, now: Timestamp) -> Result<UploadTicket, UploadError> {
        let id = UploadId::random();
        let key = upload_key(id);
        let length = i64::try_from(request.content_length.get())
            .map_err(|error| UploadError::Failed(error.to_string()))?;
        let presigned = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .content_type(request.format.mime())
            .content_length(length)
            .set_checksum_sha256(request.sha256.map(|hash| base64::encode(hash.as_bytes())))
            .presigned(lasting(now)?)
            .await
            .map_err(|error| failed(&Fault::of(&error), &key))?;
        Ok(UploadTicket {
            id,
            url: Address::Absolute(presigned.uri().to_owned()),
            headers: signed_headers(&presigned),
            expires_at: lifetime_from(now),
        })
    }

    async fn read(
        &self,
        id: UploadId,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<Option<Bytes>, UploadError> {
        let key = upload_key(id);
        let object = match self.client.get_object().bucket(&self.bucket).key(&key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(&Fault::of(&error), &key)),
        };
        if is_past(&object, now) {
            return Ok(None);
        }
        let length = object.content_length().and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| UploadError::Failed("S3 gave no length".to_owned()))?;
        if length > max_bytes {
            return Err(UploadError::TooLarge { limit: max_bytes });
        }
        let read = time::timeout(MAX_READ_TIME, whole(object.body, length)).await;
        read.map_err(|_| UploadError::Unavailable("S3 was too slow".to_owned()))?.map(Some)
    }

    async fn keep_result(
        &self,
        proof: ProofId,
        pieces: Vec<Bytes>,
        content_type: &str,
        content_disposition: &str,
        now: Timestamp,
    ) -> Result<ResultUrl, UploadError> {
        let key = format!("{RESULTS}{proof}");
        let length = pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let length = i64::try_from(length).map_err(|error| UploadError::Failed(error.to_string()))?;
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .content_type(content_type)
            .content_disposition(content_disposition)
            .cache_control("no-store")
            .content_length(length)
            .body(repeatable(pieces))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(keeping()))
            .send()
            .await
            .map_err(|error| failed(&Fault::of(&error), &key))?;
        let url = Address::Absolute(self.presigned_get(&key, now).await?);
        Ok(ResultUrl { url, expires_at: lifetime_from(now) })
    }
}

fn upload_key(id: UploadId) -> String {
    format!("{UPLOADS}{id}")
}

fn lasting(now: Timestamp) -> Result<PresigningConfig, UploadError> {
    PresigningConfig::builder()
        .start_time(SystemTime::from(now.as_offset_date_time()))
        .expires_in(LIFETIME)
        .build()
        .map_err(|error| UploadError::Failed(error.to_string()))
}

/// `Host` is signed as well, but every client sends it by itself, and some refuse to be told.
fn signed_headers(request: &PresignedRequest) -> Vec<(String, String)> {
    request
        .headers()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn is_past(object: &GetObjectOutput, now: Timestamp) -> bool {
    // An object of unknown age is none that we know anything about.
    let Some(came) = object.last_modified().map(DateTime::secs) else { return true };
    let lifetime = i64::try_from(LIFETIME.as_secs()).unwrap_or(i64::MAX);
    now.unix_seconds() >= came.saturating_add(lifetime)
}

/// A body of exactly `length` bytes, as S3 announced them.
async fn whole(body: ByteStream, length: usize) -> Result<Bytes, UploadError> {
    let data = whole_body(body, length, length).await;
    match data.map_err(|error| UploadError::Unavailable(error.to_string()))? {
        data if data.len() == length => Ok(data.into()),
        _ => Err(UploadError::Unavailable("S3 sent less than announced".to_owned())),
    }
}

/// A body that can be sent again, without a copy of the pieces.
fn repeatable(pieces: Vec<Bytes>) -> ByteStream {
    ByteStream::new(SdkBody::retryable(move || SdkBody::from_body_1_x(Pieces::new(pieces.clone()))))
}

fn keeping() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(MAX_KEEP_ATTEMPT_TIME)
        .operation_timeout(MAX_KEEP_TIME)
        .build()
}

/// The texts of S3 may name the key, as when access is denied.
fn failed(fault: &Fault, key: &str) -> UploadError {
    match fault {
        Fault::Transient(text) => UploadError::Unavailable(text.replace(key, "(key)")),
        Fault::Permanent(text) => UploadError::Failed(text.replace(key, "(key)")),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};

    use super::*;

    async fn origin(endpoint: Option<&str>) -> String {
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
            .force_path_style(endpoint.is_some());
        config.set_endpoint_url(endpoint.map(str::to_owned));
        let uploads = S3Uploads::new(Client::from_conf(config.build()), "stack-uploads".to_owned());
        let now = Timestamp::parse("2026-01-31T08:15:30Z").unwrap();
        uploads.origin(now).await.unwrap().to_string()
    }

    #[tokio::test]
    async fn the_origin_is_that_of_the_bucket_alone() {
        assert_eq!(origin(None).await, "https://stack-uploads.s3.eu-central-1.amazonaws.com");
        assert_eq!(origin(Some("http://127.0.0.1:4566")).await, "http://127.0.0.1:4566");
    }
}
