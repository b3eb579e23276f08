//! How a signed image gets to its caller: in the answer, or, when it is too long for that, from where it is kept.

use std::time::Instant;

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use credlink_pipeline::{
    sign::{SignedImage, StampOutcome},
    timestamp::Timestamp,
};
use serde::Serialize;

use crate::{
    error::ApiError, file_name, origin, pieces::Pieces, routes::uploads::waited_for, service::Service,
};

/// What the answer takes from the request.
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    /// The name that the file had at the caller's.
    pub(crate) file_name: Option<String>,
    pub(crate) since: Instant,
}

/// Answers with the image, or with where to fetch it.
///
/// # Errors
/// When the image is too long for an answer and cannot be kept elsewhere. Its proof exists then, and the caller may
/// sign again.
pub(crate) async fn answer(
    service: &Service,
    signed: SignedImage,
    asked: &Asked,
) -> Result<Response, ApiError> {
    let disposition = file_name::disposition(asked.file_name.as_deref(), signed.record.format.extension());
    let too_long = service.settings.inline_limit.is_some_and(|limit| signed.image.len() > limit);
    let mut response = match &service.ports.uploads {
        Some(_) if too_long => elsewhere(service, &signed, &disposition, asked).await?,
        _ => whole(&signed, &disposition),
    };
    describe(response.headers_mut(), &signed, asked.since);
    Ok(response)
}

/// The pieces of the signed image go out as they are, most of them slices of the request.
fn whole(signed: &SignedImage, disposition: &str) -> Response {
    let pieces = signed.image.pieces().to_vec();
    let mut response = Response::new(Body::new(Pieces::new(pieces)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(signed.record.format.mime()));
    insert(headers, header::CONTENT_DISPOSITION, disposition);
    response
}

async fn elsewhere(
    service: &Service,
    signed: &SignedImage,
    disposition: &str,
    asked: &Asked,
) -> Result<Response, ApiError> {
    let uploads = service.uploads()?;
    let record = &signed.record;
    let keep = uploads.keep_result(
        record.id,
        signed.image.pieces().to_vec(),
        record.format.mime(),
        disposition,
        service.ports.clock.now(),
    );
    let kept = waited_for(service, keep).await?;
    let url = origin::absolute(&kept.url, &asked.headers, &service.settings.proof_uris)?;
    let body = Kept {
        proof_uri: &record.uri,
        manifest_hash: record.manifest_hash.to_string(),
        url: &url,
        expires_at: kept.expires_at,
    };
    let mut response = (StatusCode::SEE_OTHER, Json(body)).into_response();
    insert(response.headers_mut(), header::LOCATION, &url);
    Ok(response)
}

fn describe(headers: &mut HeaderMap, signed: &SignedImage, since: Instant) {
    let record = &signed.record;
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert(headers, HeaderName::from_static("x-proof-uri"), &record.uri);
    insert(headers, HeaderName::from_static("x-manifest-hash"), &record.manifest_hash.to_string());
    insert(headers, HeaderName::from_static("x-processing-time"), &since.elapsed().as_millis().to_string());
    let stamp = match signed.stamp {
        StampOutcome::NotAsked => return,
        StampOutcome::Stamped => "stamped",
        StampOutcome::Missing(_) => "missing",
    };
    insert(headers, HeaderName::from_static("x-time-stamp"), stamp);
}

/// All values are ASCII by construction.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KeptResult"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept<'a> {
    /// Where the proof can be read.
    proof_uri: &'a str,
    /// SHA-256 of the embedded manifest store.
    #[cfg_attr(feature = "schema", schemars(with = "credlink_pipeline::digest::Sha256Hash"))]
    manifest_hash: String,
    /// Where to fetch the signed image. Who knows it may do so.
    #[cfg_attr(feature = "schema", schemars(url))]
    url: &'a str,
    /// Until when.
    expires_at: Timestamp,
}
