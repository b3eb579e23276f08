//! What a failed call means: whether trying again later may help.

use std::error::Error;

use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};

/// A call that failed after its retries. The text is for the log; it holds no secrets and nothing of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Throttled, unreachable or broken on the other side: it may work later.
    Transient(String),
    /// It will fail again.
    Permanent(String),
}

impl Fault {
    /// What `error` means.
    pub fn of<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, Response>) -> Self {
        let text = describe(error);
        if is_transient(error) { Self::Transient(text) } else { Self::Permanent(text) }
    }
}

/// Whether the service answered with the error `code`.
pub fn has_code<E: ProvideErrorMetadata>(error: &SdkError<E, Response>, code: &str) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some(code)
}

fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        // Bad configuration fails before anything is sent; everything else is a matter of the network.
        SdkError::DispatchFailure(failure) => !failure.is_user(),
        SdkError::ServiceError(answer) => {
            matches!(answer.raw().status().as_u16(), 429 | 500..=599)
                || answer.err().code().is_some_and(|code| TRANSIENT_CODES.contains(&code))
        }
        _ => false,
    }
}

/// Codes that come with status 400 and pass by themselves. The SDK retries them too.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
const TRANSIENT_CODES: &[&str] = &[
    "BandwidthLimitExceeded",
    "KeyUnavailableException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

fn describe<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, Response>) -> String {
    match error.as_service_error() {
        Some(answer) => {
            let (code, message) =
                (answer.code().unwrap_or("no code"), answer.message().unwrap_or("no message"));
            format!("{code}: {message}")
        }
        None => DisplayErrorContext(error).to_string(),
    }
}
