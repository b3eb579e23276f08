//! The name of a request: in the answer, in every log line, in every error.

use axum::http::{HeaderName, HeaderValue};
use uuid::Uuid;

/// The longest request id that is taken over from a caller.
pub(crate) const MAX_REQUEST_ID_LENGTH: usize = 128;

/// The header that carries the id, in requests and answers.
pub(crate) const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The name of one request: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's id when it is visible ASCII and not too long; what else it may be would be a way to
    /// forge log lines.
    pub(crate) fn from_caller(value: &HeaderValue) -> Option<Self> {
        let sane = (1..=MAX_REQUEST_ID_LENGTH).contains(&value.len())
            && value.as_bytes().iter().all(u8::is_ascii_graphic);
        sane.then(|| Self(value.clone()))
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl Default for RequestId {
    /// A new random id.
    fn default() -> Self {
        let text = Uuid::new_v4().to_string();
        Self(HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown")))
    }
}

impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        id.0
    }
}
