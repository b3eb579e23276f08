//! Nobody may ask so often that others get no answer.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::client_address::ClientAddress;
use crate::{
    error::{ApiError, ErrorCode},
    rate_limits::{Asked, RateLimits, Standing, Window},
    service::Service,
};

/// Middleware: counts the request, refuses the one too many, and says how the client stands.
///
/// The headers are those of draft-ietf-httpapi-ratelimit-headers-06, as many clients know them.
pub(super) async fn keep(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let limits = &service.settings.http.rate_limits;
    let Some(asked) = counted(&request, limits) else { return next.run(request).await };
    let client = ClientAddress::of(&request, service.settings.http.trusted_proxies);
    let now = service.ports.clock.now();
    let window = Window::at(now, limits.window);
    let counts = service.rate_limiter.count(client, asked, window).await;
    let Some(standing) = counts.and_then(|counts| limits.standing(counts, asked)) else {
        return next.run(request).await;
    };
    let left = window.seconds_left(now);
    let mut response = if standing.exceeded {
        // Who has read on would do no less work.
        drop(request);
        refusal(standing, left).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let policy = format!("{};w={}", standing.limit, window.length_seconds());
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(HeaderName::from_static("ratelimit-policy"), policy);
    }
    headers.insert(HeaderName::from_static("ratelimit-limit"), standing.limit.into());
    headers.insert(HeaderName::from_static("ratelimit-remaining"), standing.remaining.into());
    headers.insert(HeaderName::from_static("ratelimit-reset"), left.into());
    response
}

/// As what the request counts; `None` when it does not. Whoever watches the service asks for its health often, and
/// must never be refused.
fn counted(request: &Request, limits: &RateLimits) -> Option<Asked> {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let asked = match route {
        Some("/health") => return None,
        Some("/sign") if request.method() == Method::POST => Asked::Sign,
        _ => Asked::Other,
    };
    limits.concern(asked).then_some(asked)
}

fn refusal(standing: Standing, left: u64) -> ApiError {
    ApiError::new(
        ErrorCode::RateLimitExceeded,
        "Too many requests from your address. Try again after the seconds in Retry-After.",
    )
    .with_header(header::RETRY_AFTER, HeaderValue::from(left.max(1)))
    .with_detail("limit", standing.limit)
}
