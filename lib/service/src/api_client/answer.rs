//! What an answer means.

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;

use super::{
    ApiClientError,
    patience::{Failure, Patience},
};

/// The longest text of the other side that is shown, in characters.
const MAX_MESSAGE: usize = 400;

/// An answer in memory.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The envelope of failures; others than CredLink may have answered, so every part may be missing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    error: Told,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    code: String,
    message: String,
}

impl Answer {
    /// The text of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer, when it is a success; a failure that may pass. What it says of the caller's pace is passed on.
    ///
    /// # Errors
    /// A refusal.
    pub(super) fn judge(self, patience: &Patience) -> Result<Result<Self, Failure>, ApiClientError> {
        if self.seconds("ratelimit-remaining") == Some(Duration::ZERO)
            && let Some(reset) = self.seconds("ratelimit-reset")
        {
            patience.pause_all(reset);
        }
        let status = self.status;
        if status.is_success() || status == StatusCode::SEE_OTHER {
            return Ok(Ok(self));
        }
        let told = self.told();
        let after = self.seconds(RETRY_AFTER.as_str());
        let passes = match status {
            // With a time to wait, somebody works on the same request; without, it is another one.
            StatusCode::CONFLICT => after.is_some(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => true,
            status => status.is_server_error() && told.code != "CERTIFICATE_INVALID",
        };
        if passes {
            let for_all = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            return Ok(Err(Failure { reason: told.in_words(status), after, for_all }));
        }
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ApiClientError::Unauthorized(told.message),
            status => {
                ApiClientError::Refused { status: status.as_u16(), code: told.code, message: told.message }
            }
        })
    }

    fn told(&self) -> Told {
        let envelope: Envelope = serde_json::from_slice(&self.body).unwrap_or_default();
        let Told { code, message } = envelope.error;
        let message = if message.is_empty() {
            format!("it answered with status {}.", self.status.as_u16())
        } else {
            message
        };
        Told { code: plain(&code), message: plain(&message) }
    }

    fn seconds(&self, name: &str) -> Option<Duration> {
        self.header(name)?.trim().parse().ok().map(Duration::from_secs)
    }
}

impl Told {
    fn in_words(&self, status: StatusCode) -> String {
        if self.code.is_empty() {
            format!("status {}", status.as_u16())
        } else {
            format!("{}: {}", self.code, self.message)
        }
    }
}

/// On one line, and not long: it comes from the other side.
fn plain(text: &str) -> String {
    text.chars().take(MAX_MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
