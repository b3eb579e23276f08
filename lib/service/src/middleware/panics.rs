//! A panic ends one request, and nothing else.

use std::any::Any;

use axum::{body::Body, http::Response, response::IntoResponse as _};
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::ApiError;

/// What answers for a handler that panicked.
type Answer = fn(Box<dyn Any + Send>) -> Response<Body>;

/// The layer for it.
pub(super) fn caught() -> CatchPanicLayer<Answer> {
    CatchPanicLayer::custom(answer as Answer)
}

/// The panic itself is in the log already.
fn answer(_panic: Box<dyn Any + Send>) -> Response<Body> {
    ApiError::internal("panic").into_response()
}
