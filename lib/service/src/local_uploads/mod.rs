//! Uploads and results in a folder of this machine. The service itself takes and serves them, under the same
//! conditions as S3 does under presigned URLs.

mod folder;
mod upkeep;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use credlink_pipeline::{asset::Format, digest::Sha256Hash, proof::ProofId, timestamp::Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::task;

use crate::uploads::{
    Address, ResultUrl, UploadError, UploadId, UploadRequest, UploadTicket, Uploads, lifetime_from,
};
use folder::Folder;

/// The most uploads, and the most results, that are kept at once. They are removed half an hour after they began.
pub const MAX_KEPT: usize = 256;

/// Uploads in a folder. The routes of [`router::local`](crate::router::local) take and serve them.
#[derive(Debug)]
pub struct LocalUploads {
    folder: Arc<Folder>,
}

/// What was announced for an upload, as it is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announced {
    /// The format that the image is said to have.
    pub format: Format,
    /// Its length in bytes.
    pub content_length: usize,
    /// Its digest, when it was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Hash>,
    /// Until when it is taken.
    pub expires_at: Timestamp,
}

/// A result as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalResult {
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The value of `Content-Disposition`.
    pub content_disposition: String,
    /// The image.
    pub bytes: Bytes,
}

/// What came is not what was announced. Nothing was kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TakeError {
    /// Another length.
    #[error("the upload has {came} bytes, and {announced} were announced")]
    Length {
        /// How many bytes came.
        came: usize,
        /// How many were announced.
        announced: usize,
    },
    /// Another digest.
    #[error("the upload's SHA-256 is not the announced one")]
    Digest,
    /// It could not be kept.
    #[error(transparent)]
    Failed(#[from] UploadError),
}

impl LocalUploads {
    /// Uploads in `folder`, which is made when it is missing. What is past its time at `now` is removed.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: impl Into<PathBuf>, now: Timestamp) -> Result<Self, UploadError> {
        Ok(Self { folder: Arc::new(Folder::open(folder.into(), now)?) })
    }

    /// The uploads in `folder` as they are, for who looks after them: nothing is made or removed.
    pub fn as_they_are(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Arc::new(Folder::at(folder.into())) }
    }

    /// What was announced for `id`; `None` when it is unknown or no longer taken at `now`.
    ///
    /// # Errors
    /// [`UploadError`].
    pub async fn announced(&self, id: UploadId, now: Timestamp) -> Result<Option<Announced>, UploadError> {
        let announced = self.blocking(move |folder| folder.announced(id)).await?;
        Ok(announced.filter(|announced| now < announced.expires_at))
    }

    /// Takes what came for `id`. When something came before, this replaces it, as on S3.
    ///
    /// # Errors
    /// [`TakeError`]; then nothing was kept.
    pub async fn take(&self, id: UploadId, announced: Announced, bytes: Bytes) -> Result<(), TakeError> {
        if bytes.len() != announced.content_length {
            return Err(TakeError::Length { came: bytes.len(), announced: announced.content_length });
        }
        self.blocking(move |folder| match announced.sha256 {
            Some(hash) if hash != Sha256Hash::of(&bytes) => Ok(Err(TakeError::Digest)),
            _ => folder.keep_upload(id, &bytes).map(Ok),
        })
        .await?
    }

    /// The result of this name, of at most `max_bytes`; `None` when it is unknown or its time is over at `now`.
    ///
    /// # Errors
    /// [`UploadError`].
    pub async fn result(
        &self,
        name: UploadId,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<Option<LocalResult>, UploadError> {
        self.blocking(move |folder| folder.result(name, max_bytes, now)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, UploadError> + Send + 'static,
    ) -> Result<T, UploadError> {
        let folder = Arc::clone(&self.folder);
        let done = task::spawn_blocking(move || work(&folder)).await;
        done.map_err(|error| UploadError::Failed(error.to_string()))?
    }
}

#[async_trait]
impl Uploads for LocalUploads {
    async fn begin(&self, request: &UploadRequest, now: Timestamp) -> Result<UploadTicket, UploadError> {
        let id = UploadId::random();
        let announced = Announced {
            format: request.format,
            content_length: usize::try_from(request.content_length.get())
                .map_err(|error| UploadError::Failed(error.to_string()))?,
            sha256: request.sha256,
            expires_at: lifetime_from(now),
        };
        let ticket = UploadTicket {
            id,
            url: Address::Path(format!("/uploads/{id}")),
            headers: vec![
                ("content-type".to_owned(), announced.format.mime().to_owned()),
                ("content-length".to_owned(), announced.content_length.to_string()),
            ],
            expires_at: announced.expires_at,
        };
        self.blocking(move |folder| folder.announce(id, &announced, now)).await?;
        Ok(ticket)
    }

    async fn read(
        &self,
        id: UploadId,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<Option<Bytes>, UploadError> {
        self.blocking(move |folder| folder.upload(id, max_bytes, now)).await
    }

    /// The result gets a name of its own: that of the proof stands in the image, for everybody to read.
    async fn keep_result(
        &self,
        proof: ProofId,
        pieces: Vec<Bytes>,
        content_type: &str,
        content_disposition: &str,
        now: Timestamp,
    ) -> Result<ResultUrl, UploadError> {
        let name = UploadId::random();
        let expires_at = lifetime_from(now);
        let head = folder::ResultHead {
            content_type: content_type.to_owned(),
            content_disposition: content_disposition.to_owned(),
            expires_at,
            length: pieces.iter().map(Bytes::len).sum(),
        };
        self.blocking(move |folder| folder.keep_result(name, &head, &pieces, now)).await?;
        // A browser follows the redirect by itself and sees no header of it; the address still tells the proof.
        Ok(ResultUrl { url: Address::Path(format!("/results/{name}?proof={proof}")), expires_at })
    }
}
