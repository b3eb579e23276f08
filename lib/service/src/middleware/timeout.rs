//! The time by which a request must be answered, where whoever brought it says so.

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::time::{Instant, timeout_at};

use crate::error::{ApiError, ErrorCode};

/// Put into a request's extensions: after this time nobody waits for the answer any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Instant);

/// Middleware: answers `TIMEOUT` when the deadline passes. What was begun for the request may run on.
pub(super) async fn keep(request: Request, next: Next) -> Response {
    let Some(Deadline(deadline)) = request.extensions().get().copied() else {
        return next.run(request).await;
    };
    match timeout_at(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(
            ErrorCode::Timeout,
            "The request could not be answered in time. Try again later, or send a smaller image.",
        )
        .into_response(),
    }
}
