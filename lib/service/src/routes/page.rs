//! `GET /` and what the page is made of. Everything is in the binary, nothing comes from elsewhere.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;

use crate::etag::tagged;

/// The page may load its own script and style, show the picture that was dropped on it, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page that signs and verifies.
pub(crate) async fn index(request: HeaderMap) -> Response {
    page(asset(&request, "text/html; charset=utf-8", include_bytes!("../../../../web/index.html")))
}

/// What the page does.
pub(crate) async fn script(request: HeaderMap) -> Response {
    asset(&request, "text/javascript; charset=utf-8", include_bytes!("../../../../web/app.js"))
}

/// What the pages look like.
pub(crate) async fn style(request: HeaderMap) -> Response {
    asset(&request, "text/css; charset=utf-8", include_bytes!("../../../../web/style.css"))
}

/// The sign in the browser's tab.
pub(crate) async fn icon(request: HeaderMap) -> Response {
    asset(&request, "image/svg+xml", include_bytes!("../../../../web/icon.svg"))
}

/// Adds what every HTML page is served with.
pub(crate) fn page(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A new version of the service brings new pages, so a browser asks every time and gets 304.
fn asset(request: &HeaderMap, content_type: &'static str, content: &'static [u8]) -> Response {
    let mut response = tagged(request, content_type, Bytes::from_static(content));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
