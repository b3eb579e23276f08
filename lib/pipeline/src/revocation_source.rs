//! The port to those who publish which certificates were revoked. It moves bytes; what they mean is judged in
//! [`certificate`](crate::certificate).

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

/// Fetches OCSP responses and revocation lists from addresses that stand in certificates.
///
/// The addresses come from whoever made the image. An implementation refuses every one that is not public and
/// reachable by http(s), follows no redirect, and bounds time and length.
#[async_trait]
pub trait RevocationSource: Send + Sync {
    /// Sends an OCSP request in DER by POST (RFC 6960, appendix A.1) and returns the response in DER.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn ocsp(&self, url: &str, request: Vec<u8>) -> Result<Bytes, FetchError>;

    /// Fetches a revocation list in DER (RFC 5280, section 4.2.1.13).
    ///
    /// # Errors
    /// [`FetchError`].
    async fn revocation_list(&self, url: &str) -> Result<Bytes, FetchError>;

    /// Runs `asking` for as long as all questions about one certificate may take together, and says whether it came to
    /// its end. The pipeline has no clock to bound it with. As long as nothing else is implemented there is no limit.
    async fn within_limit(&self, asking: Asking<'_>) -> bool {
        asking.await;
        true
    }
}

/// Questions about one certificate, asked one after the other.
pub type Asking<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// The address may not be asked: it is not http(s), not public, or not an address.
    #[error("the address {url} may not be asked: {reason}")]
    Refused {
        /// Which.
        url: String,
        /// Why.
        reason: String,
    },
    /// It was asked, and there is no usable answer.
    #[error("{url} did not answer: {reason}")]
    Failed {
        /// Which.
        url: String,
        /// Why.
        reason: String,
    },
}
