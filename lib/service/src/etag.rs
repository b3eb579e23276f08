//! Answers that a caller may have already (RFC 9110, sections 8.8.3 and 13.1.2).

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use credlink_pipeline::digest::Sha256Hash;

/// Answers with `body`, or with 304 when `request` says that the caller has it. The tag is made of the
/// content, so it never names two things.
pub(crate) fn tagged(request: &HeaderMap, content_type: &'static str, body: Bytes) -> Response {
    let hash = Sha256Hash::of(&body).to_string();
    let tag = format!("\"{}\"", hash.get(..32).unwrap_or(&hash));
    let mut response = if has(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    };
    if let Ok(value) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

fn has(request: &HeaderMap, tag: &str) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
