//! `GET /proofs/{id}`: the record of a signature, its manifest store, or a page for people.
//!
//! A manifest store that got a time-stamp later is answered with it: whoever asks for it wants to know whether an image
//! holds, and the stamped one holds longer. It contains what was embedded, to the byte. `?store=embedded` answers with what
//! was embedded alone, whose SHA-256 the record and `X-Manifest-Hash` tell.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use credlink_pipeline::proof::{ProofId, ProofRecord, ProofStoreError};

use super::page::page;
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

/// Answers in the form that the caller's `Accept` likes best, JSON by default.
pub(crate) async fn proof(
    State(service): State<Arc<Service>>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let id: ProofId = id.map_err(|_| unknown())?.parse().map_err(|_| unknown())?;
    let (mut response, record) = match negotiate(&request, &[JSON, C2PA, HTML]) {
        Some(C2PA) => {
            let proof = service.ports.proofs.proof(id, service.ports.clock.now()).await;
            let proof = proof.map_err(store_failed)?.ok_or_else(unknown)?;
            let embedded = query.is_some_and(|query| query.split('&').any(|part| part == "store=embedded"));
            let stamped = if embedded { None } else { stamped_store(&service, &proof.record).await };
            (tagged(&request, C2PA, stamped.unwrap_or(proof.manifest_store)), proof.record)
        }
        Some(HTML) => {
            let record = find(&service, id).await?;
            (page(tagged(&request, "text/html; charset=utf-8", proof_page::html(&record).into())), record)
        }
        _ => {
            let record = find(&service, id).await?;
            let json = serde_json::to_vec(&record).map_err(ApiError::internal)?;
            (tagged(&request, JSON, Bytes::from(json)), record)
        }
    };
    describe(response.headers_mut(), &record, &service);
    Ok(response)
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

async fn find(service: &Service, id: ProofId) -> Result<ProofRecord, ApiError> {
    let record = service.ports.proofs.record(id, service.ports.clock.now()).await;
    record.map_err(store_failed)?.ok_or_else(unknown)
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
