//! The name of a request: in the answer, in every log line, in every error.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;
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

/// Middleware: gives the request its id, and every log line that it causes.
pub(crate) async fn assign(mut request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID_HEADER).and_then(RequestId::from_caller).unwrap_or_default();
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", request_id = id.as_str());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID_HEADER, id.0);
    response
}
