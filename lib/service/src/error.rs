//! What a caller gets when a request fails: one envelope, on every route, for every failure.
//!
//! A handler answers with an [`ApiError`]; the envelope itself is written in one place,
//! `write_envelope`, because only there the request id is known, and because failures that no handler
//! saw (an unknown route, a wrong method, a panic) must look the same.

use std::{borrow::Cow, fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{middleware::request_id::RequestId, service::Service};

/// The names of failures. A name and its status never change: callers decide by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No `image` part, or an empty one.
    NoFileProvided,
    /// Malformed multipart or JSON, an unknown or bad field.
    InvalidRequest,
    /// Not JPEG, PNG or WebP by its bytes.
    InvalidFileType,
    /// Damaged structure, dimensions over the limit, a decompression bomb.
    ValidationFailed,
    /// API keys are on, and none or a wrong one came.
    Unauthorized,
    /// An unknown or expired proof.
    ProofNotFound,
    /// An unknown or expired upload.
    UploadNotFound,
    /// No such route.
    NotFound,
    /// The route exists, but not for this method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// An idempotency key that belongs to another request.
    IdempotencyConflict,
    /// The body or the image in it is too long.
    FileTooLarge,
    /// A request content type that the route does not take.
    UnsupportedMediaType,
    /// Too many requests.
    RateLimitExceeded,
    /// A fault of the key or of the credential; nothing was stored.
    SigningFailed,
    /// A fault of the service while it read a credential.
    ExtractionFailed,
    /// The service's own signing certificate is unusable.
    CertificateInvalid,
    /// Anything else.
    InternalError,
    /// A backend throttles or is down, or too many requests wait.
    ServiceUnavailable,
    /// Over the processing limit.
    Timeout,
}

impl ErrorCode {
    /// All of them. The last one gives the length, so a new one belongs before it.
    pub const ALL: [Self; Self::Timeout as usize + 1] = [
        Self::NoFileProvided,
        Self::InvalidRequest,
        Self::InvalidFileType,
        Self::ValidationFailed,
        Self::Unauthorized,
        Self::ProofNotFound,
        Self::UploadNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::IdempotencyConflict,
        Self::FileTooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimitExceeded,
        Self::SigningFailed,
        Self::ExtractionFailed,
        Self::CertificateInvalid,
        Self::InternalError,
        Self::ServiceUnavailable,
        Self::Timeout,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.parts().0
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> StatusCode {
        self.parts().1
    }

    fn parts(self) -> (&'static str, StatusCode) {
        match self {
            Self::NoFileProvided => ("NO_FILE_PROVIDED", StatusCode::BAD_REQUEST),
            Self::InvalidRequest => ("INVALID_REQUEST", StatusCode::BAD_REQUEST),
            Self::InvalidFileType => ("INVALID_FILE_TYPE", StatusCode::BAD_REQUEST),
            Self::ValidationFailed => ("VALIDATION_FAILED", StatusCode::BAD_REQUEST),
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED),
            Self::ProofNotFound => ("PROOF_NOT_FOUND", StatusCode::NOT_FOUND),
            Self::UploadNotFound => ("UPLOAD_NOT_FOUND", StatusCode::NOT_FOUND),
            Self::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED),
            Self::RequestTimeout => ("REQUEST_TIMEOUT", StatusCode::REQUEST_TIMEOUT),
            Self::IdempotencyConflict => ("IDEMPOTENCY_CONFLICT", StatusCode::CONFLICT),
            Self::FileTooLarge => ("FILE_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::RateLimitExceeded => ("RATE_LIMIT_EXCEEDED", StatusCode::TOO_MANY_REQUESTS),
            Self::SigningFailed => ("SIGNING_FAILED", StatusCode::INTERNAL_SERVER_ERROR),
            Self::ExtractionFailed => ("EXTRACTION_FAILED", StatusCode::INTERNAL_SERVER_ERROR),
            Self::CertificateInvalid => ("CERTIFICATE_INVALID", StatusCode::INTERNAL_SERVER_ERROR),
            Self::InternalError => ("INTERNAL_ERROR", StatusCode::INTERNAL_SERVER_ERROR),
            Self::ServiceUnavailable => ("SERVICE_UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
            Self::Timeout => ("TIMEOUT", StatusCode::GATEWAY_TIMEOUT),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One failed request, as the caller is told.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Failure>);

#[derive(Clone, Debug)]
struct Failure {
    code: ErrorCode,
    message: Cow<'static, str>,
    details: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What only the log and the operator learn of a fault of the service.
    cause: Option<String>,
}

/// Put into the extensions of an answer that is due to a fault of the service.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) code: ErrorCode,
    pub(crate) cause: String,
}

impl ApiError {
    /// A failure with a message that says what to do next.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let (message, details, headers) = (message.into(), Map::new(), Vec::new());
        Self(Box::new(Failure { code, message, details, headers, cause: None }))
    }

    /// A fault of the service. The cause goes to the log only, the caller gets the request id to ask with.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::fault(ErrorCode::InternalError, "The service failed on this request. Try again later.", cause)
    }

    /// A fault that has a name of its own; the cause goes to the log only.
    pub fn fault(code: ErrorCode, message: &'static str, cause: impl fmt::Display) -> Self {
        tracing::error!(code = code.name(), cause = %cause, "request failed");
        let mut fault = Self::new(code, message);
        fault.0.cause = Some(cause.to_string());
        fault
    }

    /// The service cannot do it now; the caller may try again after `retry_after` seconds.
    pub fn unavailable(message: &'static str, retry_after: u16) -> Self {
        Self::new(ErrorCode::ServiceUnavailable, message)
            .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after))
    }

    /// Its name.
    pub(crate) fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Adds a fact to `details`.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.code.status().into_response();
        for (name, value) in &self.0.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Middleware: writes the envelope around every answer of status 400 and above.
pub(crate) async fn write_envelope(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(ApiError(error)) = failure(&mut response) else { return response };
    let envelope = Envelope {
        error: Body {
            message: &error.message,
            code: error.code.name(),
            status_code: error.code.status().as_u16(),
            timestamp: service.ports.clock.now().to_string(),
            request_id: request_id.as_str(),
            details: &error.details,
        },
    };
    let body = serde_json::to_vec(&envelope).unwrap_or_default();
    let (mut head, _) = response.into_parts();
    head.status = error.code.status();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cause) = error.cause {
        head.extensions.insert(Fault { code: error.code, cause });
    }
    Response::from_parts(head, body.into())
}

/// The name of the failure that `response` stands for, before its envelope is written; `None` when it is a success.
pub(crate) fn code_of(response: &Response) -> Option<ErrorCode> {
    if let Some(error) = response.extensions().get::<ApiError>() {
        return Some(error.code());
    }
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_meant = kind == b"application/json" || kind.starts_with(b"text/html");
    match status {
        _ if is_meant || !(status.is_client_error() || status.is_server_error()) => None,
        StatusCode::NOT_FOUND => Some(ErrorCode::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(ErrorCode::MethodNotAllowed),
        _ if status.is_client_error() => Some(ErrorCode::InvalidRequest),
        _ => Some(ErrorCode::InternalError),
    }
}

/// The failure that `response` stands for; `None` when it is a success, or what a handler shows under a failing status:
/// the report of health, or a page for people.
fn failure(response: &mut Response) -> Option<ApiError> {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        return Some(error);
    }
    Some(match code_of(response)? {
        code @ ErrorCode::NotFound => ApiError::new(code, "There is nothing at this address."),
        code @ ErrorCode::MethodNotAllowed => ApiError::new(
            code,
            "This address does not take this method; the Allow header names those it takes.",
        ),
        code @ ErrorCode::InvalidRequest => {
            ApiError::new(code, "The request cannot be understood. Check its address and headers.")
        }
        _ => {
            let status = response.status();
            ApiError::internal(format_args!("an answer of status {status} without an error"))
        }
    })
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Error"))]
pub(crate) struct Envelope<'a> {
    /// What went wrong.
    error: Body<'a>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ErrorBody"))]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    /// What to do next, in words. It may change; decide by the code.
    message: &'a str,
    /// The name of the failure.
    #[cfg_attr(feature = "schema", schemars(with = "ErrorCode"))]
    code: &'static str,
    /// The HTTP status.
    #[cfg_attr(feature = "schema", schemars(range(min = 400, max = 599)))]
    status_code: u16,
    /// When.
    #[cfg_attr(feature = "schema", schemars(with = "credlink_pipeline::timestamp::Timestamp"))]
    timestamp: String,
    /// The name of the request, as in `X-Request-Id`. The operator finds it in the log.
    request_id: &'a str,
    /// Facts for programs, such as `field`, `header`, `limitBytes` or `uploads`; often none.
    details: &'a Map<String, Value>,
}
