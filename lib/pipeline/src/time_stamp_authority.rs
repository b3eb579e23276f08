//! The port to a time-stamp authority (RFC 3161), which the operator chose.

use async_trait::async_trait;
use thiserror::Error;

/// Says when a signature existed.
#[async_trait]
pub trait TimeStampAuthority: Send + Sync {
    /// How long a time-stamp token of this authority is at most, in bytes: signing keeps that much room before
    /// there is a signature to stamp. The first call may ask the authority.
    ///
    /// # Errors
    /// When the authority did not answer within its limit, or lately failed to.
    async fn token_length(&self) -> Result<usize, StampError>;

    /// Stamps the SHA-256 of `message`, and returns the whole `TimeStampResp` in DER (RFC 3161, section 2.4.2). It
    /// was granted, belongs to the request (nonce, imprint), and carries the authority's certificate.
    ///
    /// # Errors
    /// When the authority did not answer within its limit, or not with a stamp for this message.
    async fn stamp(&self, message: &[u8]) -> Result<Vec<u8>, StampError>;
}

/// Why there is no stamp. Signing goes on without.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StampError {
    /// No answer in time, or none at all.
    #[error("the time-stamp authority did not answer: {0}")]
    Unavailable(String),
    /// The answer is not a stamp for this request.
    #[error("the time-stamp authority gave no usable stamp: {0}")]
    Refused(String),
}
