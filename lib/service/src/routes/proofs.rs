//! `GET /proofs/{id}`: the record of a signature, its manifest store, or a page for people.
//!
//! A manifest store that got a time-stamp later is answered with it: whoever asks for it wants to know whether an image
//! holds, and the stamped one holds longer. It contains what was embedded, to the byte. `?store=embedded` answers with what
//! was embedded alone, whose SHA-256 the record and `X-Manifest-Hash` tell.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use credlink_pipeline::proof::{ProofId, ProofRecord, ProofStoreError};

use super::page::{self, page};
use crate::{
    error::{ApiError, ErrorCode},
    etag::tagged,
    media_type::negotiate,
    proof_page,
    service::Service,
};

const JSON: &str = "application/json";
const C2PA: &str = "application/c2pa";
const HTML: &str = "text/html";

/// A proof may be deleted, and get a time-stamp; a cache must not outlive that for long.
const MAX_AGE_SECONDS: i64 = 300;

/// Answers in the form that the caller's `Accept` likes best, JSON by default. Who asks for a page gets one of an unknown
/// proof, too.
pub(crate) async fn proof(
    State(service): State<Arc<Service>>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let id = id.ok().and_then(|Path(id)| id.parse().ok());
    let wanted = Wanted {
        form: negotiate(&request, &[JSON, C2PA, HTML]).unwrap_or(JSON),
        embedded: query.is_some_and(|query| query.split('&').any(|part| part == "store=embedded")),
    };
    match find(&service, id, &wanted, &request).await? {
        Some((mut response, record)) => {
            describe(response.headers_mut(), &record, &service);
            Ok(response)
        }
        None if wanted.form == HTML => Ok(unknown_page(&service)),
        None => Err(unknown()),
    }
}

/// What the caller asks for.
struct Wanted {
    form: &'static str,
    /// The manifest store without a time-stamp that came later.
    embedded: bool,
}

/// The copy with a time-stamp. What was embedded is worth having when it cannot be read.
async fn stamped_store(service: &Service, record: &ProofRecord) -> Option<Bytes> {
    record.stamped?;
    let stamped = service.ports.proofs.stamped_store(record.id, service.ports.clock.now()).await;
    stamped.unwrap_or_else(|error| {
        tracing::warn!(%error, "answering with the manifest store without its time-stamp");
        None
    })
}

async fn find(
    service: &Service,
    id: Option<ProofId>,
    wanted: &Wanted,
    request: &HeaderMap,
) -> Result<Option<(Response, ProofRecord)>, ApiError> {
    let Some(id) = id else { return Ok(None) };
    let (proofs, now) = (&service.ports.proofs, service.ports.clock.now());
    if wanted.form == C2PA {
        let Some(proof) = proofs.proof(id, now).await.map_err(store_failed)? else { return Ok(None) };
        let stamped = if wanted.embedded { None } else { stamped_store(service, &proof.record).await };
        let store = stamped.unwrap_or(proof.manifest_store);
        return Ok(Some((tagged(request, C2PA, store), proof.record)));
    }
    let Some(record) = proofs.record(id, now).await.map_err(store_failed)? else { return Ok(None) };
    let response = if wanted.form == HTML {
        page(tagged(request, page::HTML, proof_page::html(&record).into()), &service.page_policy)
    } else {
        tagged(request, JSON, serde_json::to_vec(&record).map_err(ApiError::internal)?.into())
    };
    Ok(Some((response, record)))
}

fn describe(headers: &mut HeaderMap, record: &ProofRecord, service: &Service) {
    let left = record.expires_at.unix_seconds() - service.ports.clock.now().unix_seconds();
    let cache = format!("public, max-age={}", left.clamp(0, MAX_AGE_SECONDS));
    let link = format!("<{}>; rel=\"c2pa-manifest\"; type=\"{C2PA}\"", record.uri);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    for (name, value) in [(header::CACHE_CONTROL, cache), (header::LINK, link)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

fn unknown_page(service: &Service) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(page::HTML)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("Accept")),
    ];
    let response = (StatusCode::NOT_FOUND, headers, proof_page::unknown()).into_response();
    page(response, &service.page_policy)
}

fn unknown() -> ApiError {
    ApiError::new(
        ErrorCode::ProofNotFound,
        "There is no proof of this id. It may have expired; check the id, or verify the image itself.",
    )
}

/// What a caller is told when the proof store fails.
pub(crate) fn store_failed(error: ProofStoreError) -> ApiError {
    match error {
        ProofStoreError::Unavailable(reason) => {
            tracing::warn!(reason, "the proof store is not available");
            ApiError::unavailable("Proofs cannot be read or kept now. Try again shortly.", 5)
        }
        other => ApiError::internal(other),
    }
}
