//! `GET /`, `GET /sign.html` and what the pages are made of. Everything is in the binary, nothing comes from elsewhere.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;

use crate::{
    error::{ApiError, ErrorCode},
    etag::tagged,
    page_policy::PagePolicy,
    service::Service,
};

/// What pages are made of, by name, each with its type.
pub(crate) const ASSETS: [(&str, &str, &[u8]); 12] = [
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
pub(crate) async fn verify(State(service): State<Arc<Service>>, request: HeaderMap) -> Response {
    page(fresh(&request, HTML, include_bytes!("../../../../web/index.html")), &service.page_policy)
}

/// The page that signs.
pub(crate) async fn sign(State(service): State<Arc<Service>>, request: HeaderMap) -> Response {
    page(fresh(&request, HTML, include_bytes!("../../../../web/sign.html")), &service.page_policy)
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
pub(crate) fn page(mut response: Response, policy: &PagePolicy) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.header());
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A new version of the service brings new pages, so a browser asks every time and gets 304.
pub(super) fn fresh(request: &HeaderMap, content_type: &'static str, content: &'static [u8]) -> Response {
    let mut response = tagged(request, content_type, Bytes::from_static(content));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
