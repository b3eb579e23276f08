//! The port to where images wait that are too long to stand in a request, and results too long to stand in an
//! answer.

use std::{fmt, num::NonZeroU64, str::FromStr, time::Duration};

use async_trait::async_trait;
use axum::http::uri::{Authority, Parts, Scheme, Uri};
use bytes::Bytes;
use credlink_pipeline::{asset::Format, digest::Sha256Hash, proof::ProofId, timestamp::Timestamp};
use thiserror::Error;
use uuid::Uuid;

/// How long a caller has to send an upload, how long it can be used after it came, and how long a result can be
/// fetched.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The name of an upload. Who knows it may use the upload, so it is random (UUID version 4) and never logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId(Uuid);

impl UploadId {
    /// A new one.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadId(…)")
    }
}

impl FromStr for UploadId {
    type Err = InvalidUploadId;

    /// Takes the hyphenated form of 36 characters only, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidUploadId> {
        if text.len() != 36 {
            return Err(InvalidUploadId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidUploadId)
    }
}

/// The text is not a UUID of 36 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an upload id is a UUID of 36 characters")]
pub struct InvalidUploadId;

/// What a caller announces. Nothing else is taken under the ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRequest {
    /// The format that the caller says the image has.
    pub format: Format,
    /// Its length in bytes.
    pub content_length: NonZeroU64,
    /// Its digest, when the caller knows it.
    pub sha256: Option<Sha256Hash>,
}

/// How to send what was announced: one `PUT`.
#[derive(Clone, Debug)]
pub struct UploadTicket {
    /// The name to use the upload by, once it came.
    pub id: UploadId,
    /// Where to `PUT` it.
    pub url: Address,
    /// The headers that the `PUT` must have, with these values.
    pub headers: Vec<(String, String)>,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Where a result can be fetched with `GET`.
#[derive(Clone, Debug)]
pub struct ResultUrl {
    /// Where.
    pub url: Address,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A place to send to or to fetch from. Who knows it may do so, so it is never logged.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A whole URL.
    Absolute(String),
    /// A path on the service that gives it, from its first slash on. Only the service knows how its caller reached it.
    Path(String),
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absolute(_) => "Address::Absolute(…)",
            Self::Path(_) => "Address::Path(…)",
        })
    }
}

/// Scheme, host and port of where uploads are sent to and results are fetched from, when that is not this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadOrigin {
    scheme: Scheme,
    authority: Authority,
}

impl UploadOrigin {
    /// The origin of `url`; `None` when that has none.
    pub fn of(url: &str) -> Option<Self> {
        let Parts { scheme, authority, .. } = url.parse::<Uri>().ok()?.into_parts();
        Some(Self { scheme: scheme?, authority: authority? })
    }
}

impl fmt::Display for UploadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// Keeps uploads until they are used, and results until they are fetched; neither for long.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Begins an upload: gives the caller a place for what it announced, for [`LIFETIME`] from `now` on.
    ///
    /// # Errors
    /// [`UploadError`].
    async fn begin(&self, request: &UploadRequest, now: Timestamp) -> Result<UploadTicket, UploadError>;

    /// What came under `id`; `None` when the id is unknown, nothing came yet, or it came longer ago than
    /// [`LIFETIME`]. Reading does not use it up.
    ///
    /// # Errors
    /// [`UploadError::TooLarge`] when it has more than `max_bytes`, and the others.
    async fn read(
        &self,
        id: UploadId,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<Option<Bytes>, UploadError>;

    /// Keeps the signed image of a proof, given as pieces in order, for [`LIFETIME`] from `now` on. It is served
    /// with these values of `Content-Type` and `Content-Disposition`.
    ///
    /// # Errors
    /// [`UploadError`]; then nobody can fetch it.
    async fn keep_result(
        &self,
        proof: ProofId,
        pieces: Vec<Bytes>,
        content_type: &str,
        content_disposition: &str,
        now: Timestamp,
    ) -> Result<ResultUrl, UploadError>;
}

/// Why something could not be kept or read. The texts are for the log: they name no upload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UploadError {
    /// Throttled, full or unreachable; trying again later may help.
    #[error("uploads are not available: {0}")]
    Unavailable(String),
    /// The upload is longer than an image may be.
    #[error("the upload is longer than {limit} bytes")]
    TooLarge {
        /// The longest that was asked for, in bytes.
        limit: usize,
    },
    /// Anything else.
    #[error("uploads failed: {0}")]
    Failed(String),
}

/// The end of a lifetime that begins at `now`.
pub(crate) fn lifetime_from(now: Timestamp) -> Timestamp {
    Timestamp::new(now.as_offset_date_time().saturating_add(LIFETIME.try_into().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_addresses_do_not_show_themselves() {
        let id = UploadId::random();
        let ticket = UploadTicket {
            id,
            url: Address::Absolute(format!("https://uploads.example.com/{id}?signature")),
            headers: Vec::new(),
            expires_at: Timestamp::parse("2026-01-31T08:15:30Z").unwrap(),
        };
        let shown = format!("{ticket:?}");
        assert!(!shown.contains(&id.to_string()) && !shown.contains("signature"), "{shown}");
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!(id.to_string().replace('-', "").parse::<UploadId>(), Err(InvalidUploadId));
    }

    #[test]
    fn a_lifetime_ends_after_a_quarter_of_an_hour() {
        let now = Timestamp::parse("2026-01-31T23:50:00.250Z").unwrap();
        assert_eq!(lifetime_from(now).to_string(), "2026-02-01T00:05:00.250Z");
    }
}
