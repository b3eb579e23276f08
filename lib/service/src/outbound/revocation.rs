//! Answers about revoked certificates, fetched from addresses that stand in certificates.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use credlink_pipeline::revocation_source::{Asking, FetchError, RevocationSource};

use super::{
    client::{AskError, Client, Limits, Question},
    network::{Network, SystemNetwork},
    reach::PrivateHosts,
    shown::shown,
};

/// How long one answer may take. All questions about one certificate together may take twice as long, so that one that
/// is not answered leaves time for the next, and a verification stays under two seconds.
pub const MAX_TIME: Duration = Duration::from_millis(900);
/// The longest answer, in bytes.
pub const MAX_ANSWER_LENGTH: usize = 1 << 20;
/// How many answers may be under way at once; more wait, within their time.
pub const MAX_AT_ONCE: usize = 8;

/// Fetches OCSP responses (RFC 6960) and revocation lists (RFC 5280) over HTTP, from public hosts only.
pub struct OutboundRevocation {
    client: Client,
    time_for_all: Duration,
}

impl OutboundRevocation {
    /// Asks public hosts, and `private` ones wherever they are.
    pub fn new(private: PrivateHosts) -> Self {
        Self::over(Arc::new(SystemNetwork::new()), private, MAX_TIME)
    }

    /// The same over another network, with another limit for the whole of one exchange.
    pub fn over(network: Arc<dyn Network>, private: PrivateHosts, time: Duration) -> Self {
        let limits = Limits { time, answer: MAX_ANSWER_LENGTH, at_once: MAX_AT_ONCE };
        Self { client: Client::new(network, private, limits), time_for_all: time.saturating_mul(2) }
    }

    async fn ask(&self, url: &str, question: Question) -> Result<Bytes, FetchError> {
        let answer = self.client.ask(url, question).await.map_err(|error| match error {
            AskError::Refused(refusal) => {
                FetchError::Refused { url: shown(url), reason: refusal.to_string() }
            }
            AskError::Failed(reason) => FetchError::Failed { url: shown(url), reason },
        });
        match &answer {
            Ok(bytes) => tracing::debug!(url = shown(url), length = bytes.len(), "asked about revocation"),
            Err(error) => tracing::info!(%error, "no answer about revocation"),
        }
        answer
    }
}

#[async_trait]
impl RevocationSource for OutboundRevocation {
    async fn ocsp(&self, url: &str, request: Vec<u8>) -> Result<Bytes, FetchError> {
        let question = Question::Post {
            content_type: "application/ocsp-request",
            body: request,
            answer_type: "application/ocsp-response",
        };
        self.ask(url, question).await
    }

    async fn revocation_list(&self, url: &str) -> Result<Bytes, FetchError> {
        self.ask(url, Question::Get).await
    }

    async fn within_limit(&self, asking: Asking<'_>) -> bool {
        tokio::time::timeout(self.time_for_all, asking).await.is_ok()
    }
}
