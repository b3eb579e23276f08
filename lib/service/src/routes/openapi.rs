//! `GET /openapi.json`: the API as programs read about it, OpenAPI 3.1.

use axum::{http::HeaderMap, response::Response};

use super::page::fresh;

/// Made of the code by `make openapi`, and the same for every installation.
const DOCUMENT: &[u8] = include_bytes!("../../openapi.json");

/// Answers with the document.
pub(crate) async fn description(request: HeaderMap) -> Response {
    fresh(&request, "application/json", DOCUMENT)
}
