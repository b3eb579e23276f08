//! `GET /`, `GET /sign.html` and what the pages are made of. Everything is in the binary, nothing comes from elsewhere.

use axum::{
    extract::{Path, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;

use crate::{
    error::{ApiError, ErrorCode},
    etag::tagged,
};

/// A page may load its own scripts and style, speak to the service, show pictures that were given to it, and nothing else.
/// On AWS long images go to S3 and come from there, by addresses that the service presigned.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob:; connect-src 'self' https://*.amazonaws.com; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What pages are made of, by name, each with its type.
const ASSETS: [(&str, &str, &[u8]); 12] = [
    ("dom.js", SCRIPT, include_bytes!("../../../../web/dom.js")),
    ("history.js", SCRIPT, include_bytes!("../../../../web/history.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../../../web/icon.svg")),
    ("problem.js", SCRIPT, include_bytes!("../../../../web/problem.js")),
    ("proof.js", SCRIPT, include_bytes!("../../../../web/proof.js")),
    ("report.js", SCRIPT, include_bytes!("../../../../web/report.js")),
    ("service.js", SCRIPT, include_bytes!("../../../../web/service.js")),
    ("sign.js", SCRIPT, include_bytes!("../../../../web/sign.js")),
    ("style.css", "text/css; charset=utf-8", include_bytes!("../../../../web/style.css")),
    ("verdict.js", SCRIPT, include_bytes!("../../../../web/verdict.js")),
    ("verify.js", SCRIPT, include_bytes!("../../../../web/verify.js")),
    ("words.js", SCRIPT, include_bytes!("../../../../web/words.js")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The type of every page.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// The page that verifies.
pub(crate) async fn verify(request: HeaderMap) -> Response {
    page(fresh(&request, HTML, include_bytes!("../../../../web/index.html")))
}

/// The page that signs.
pub(crate) async fn sign(request: HeaderMap) -> Response {
    page(fresh(&request, HTML, include_bytes!("../../../../web/sign.html")))
}

/// A script, the style, or the sign in the browser's tab.
pub(crate) async fn asset(
    name: Result<Path<String>, PathRejection>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let found = name.ok().and_then(|Path(name)| ASSETS.iter().find(|(known, ..)| *known == name));
    let (_, content_type, content) =
        found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "The pages have no such part."))?;
    Ok(fresh(&request, content_type, content))
}

/// Adds what every HTML page is served with.
pub(crate) fn page(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A new version of the service brings new pages, so a browser asks every time and gets 304.
fn fresh(request: &HeaderMap, content_type: &'static str, content: &'static [u8]) -> Response {
    let mut response = tagged(request, content_type, Bytes::from_static(content));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
