//! What browsers must not do with an answer.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

/// What an answer that is no page may load, and who may show it in a frame: nothing, and nobody. Pages bring a policy
/// of their own.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// How far a page's address is told to others; a proof's page has its own opinion.
const REFERRER_POLICY: HeaderValue = HeaderValue::from_static("no-referrer");

/// Headers of every answer. Browsers take `Strict-Transport-Security` over HTTPS only (RFC 6797, section 8.1): where
/// the service speaks HTTP itself, it is for the proxy to pass on. `X-XSS-Protection` is for browsers of before 2019.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (
        header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000; includeSubDomains; preload"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
             microphone=(), midi=(), payment=(), usb=()",
        ),
    ),
    (header::X_XSS_PROTECTION, HeaderValue::from_static("1; mode=block")),
];

/// Middleware: adds them.
pub(super) async fn add(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(CONTENT_SECURITY_POLICY);
    headers.entry(header::REFERRER_POLICY).or_insert(REFERRER_POLICY);
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    response
}
