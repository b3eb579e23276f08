//! Time-stamps (RFC 3161) from the authority that the operator chose, over HTTP (section 3.4 there).

mod request;
mod response;
mod url;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use credlink_pipeline::{
    digest::Sha256Hash,
    time_stamp_authority::{StampError, TimeStampAuthority},
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    client::{AskError, Client, Limits, Question},
    network::{Network, SystemNetwork},
};
use request::StampRequest;
pub use url::{TimeStampUrl, TimeStampUrlError};

/// The longest answer, in bytes. Stamps have three to ten thousand.
pub const MAX_ANSWER_LENGTH: usize = 64 << 10;

/// How long an authority that failed is left alone.
pub const REST: Duration = Duration::from_secs(30);

/// By how many bytes a later stamp may be longer than the longest so far: serial numbers, fractions of seconds and
/// signatures vary, and some authorities have several certificates.
pub const MARGIN: usize = 256;

/// How many stamps may be under way at once; more wait, within their time.
const MAX_AT_ONCE: usize = 64;

/// An authority reached over HTTP. When it fails, it is left alone for [`REST`]; then one caller tries it again while
/// the others go on without.
pub struct HttpTimeStampAuthority {
    client: Client,
    url: TimeStampUrl,
    state: Mutex<State>,
    /// Held by whoever finds out how long a stamp is.
    probing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The length of the longest answer so far, in bytes.
    longest: Option<usize>,
    rest: Option<Rest>,
}

struct Rest {
    until: Instant,
    reason: String,
}

impl HttpTimeStampAuthority {
    /// The authority at `url`, which may be anywhere. Each stamp takes at most `time`.
    pub fn new(url: TimeStampUrl, time: Duration) -> Self {
        Self::over(Arc::new(SystemNetwork::new()), url, time)
    }

    /// The same over another network.
    pub fn over(network: Arc<dyn Network>, url: TimeStampUrl, time: Duration) -> Self {
        let limits = Limits { time, answer: MAX_ANSWER_LENGTH, at_once: MAX_AT_ONCE };
        let client = Client::new(network, url.only_host(), limits);
        Self { client, url, state: Mutex::default(), probing: tokio::sync::Mutex::default() }
    }

    /// Asks for a stamp, unless the authority rests.
    async fn request(&self, imprint: Sha256Hash) -> Result<Vec<u8>, StampError> {
        self.state().start(Instant::now())?;
        let outcome = self.exchange(imprint).await;
        match &outcome {
            Ok(answer) => self.state().succeeded(answer.len()),
            Err(error) => {
                tracing::warn!(%error, url = %self.url, "images are signed without a time-stamp for a while");
                self.state().failed(error, Instant::now());
            }
        }
        outcome
    }

    async fn exchange(&self, imprint: Sha256Hash) -> Result<Vec<u8>, StampError> {
        let request = StampRequest::new(imprint);
        let question = Question::Post {
            content_type: "application/timestamp-query",
            body: request.to_der(),
            answer_type: "application/timestamp-reply",
        };
        let answer = self.client.ask(self.url.as_str(), question).await.map_err(|error| match error {
            AskError::Refused(refusal) => StampError::Unavailable(refusal.to_string()),
            AskError::Failed(reason) => StampError::Unavailable(reason),
        })?;
        response::check(&answer, &request).map_err(|error| StampError::Refused(error.to_string()))?;
        Ok(answer.to_vec())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TimeStampAuthority for HttpTimeStampAuthority {
    async fn token_length(&self) -> Result<usize, StampError> {
        if let Some(length) = self.state().known_length(Instant::now())? {
            return Ok(length);
        }
        let _turn = self.probing.lock().await;
        // What another caller found while this one waited is this one's answer too.
        if let Some(length) = self.state().known_length(Instant::now())? {
            return Ok(length);
        }
        let answer = self.request(Sha256Hash::of(Uuid::new_v4().as_bytes())).await?;
        Ok(answer.len() + MARGIN)
    }

    async fn stamp(&self, message: &[u8]) -> Result<Vec<u8>, StampError> {
        self.request(Sha256Hash::of(message)).await
    }
}

impl State {
    /// How long a stamp is at most; `None` when that is not known yet.
    fn known_length(&self, now: Instant) -> Result<Option<usize>, StampError> {
        self.resting(now)?;
        Ok(self.longest.map(|longest| longest + MARGIN))
    }

    /// Whoever starts after the rest starts alone: the others rest on until it has succeeded.
    fn start(&mut self, now: Instant) -> Result<(), StampError> {
        self.resting(now)?;
        if let Some(rest) = &mut self.rest {
            rest.until = now + REST;
        }
        Ok(())
    }

    fn resting(&self, now: Instant) -> Result<(), StampError> {
        match &self.rest {
            Some(rest) if now < rest.until => Err(StampError::Unavailable(format!(
                "it is left alone for {REST:?} because it failed: {}",
                rest.reason
            ))),
            _ => Ok(()),
        }
    }

    fn succeeded(&mut self, length: usize) {
        self.longest = self.longest.max(Some(length));
        self.rest = None;
    }

    fn failed(&mut self, error: &StampError, now: Instant) {
        self.rest = Some(Rest { until: now + REST, reason: error.to_string() });
    }
}
