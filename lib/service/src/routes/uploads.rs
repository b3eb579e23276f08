//! `POST /uploads`: a place for an image that is too long for a request. And what the other routes do with uploads.

use std::{collections::BTreeMap, num::NonZeroU64, sync::Arc};

use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use credlink_pipeline::{asset::Format, digest::Sha256Hash, timestamp::Timestamp};
use serde::Serialize;
use serde_json::Value;
use tokio::time;

use crate::{
    error::{ApiError, ErrorCode},
    form::field_error,
    image_limit::file_too_large,
    json_fields::{JsonFields, missing},
    media_type, origin,
    service::Service,
    uploads::{UploadError, UploadRequest},
};

/// Seconds after which a caller may try again when uploads are not available.
const RETRY_AFTER_SECONDS: u16 = 5;

/// The fields of the announcement.
pub(crate) const FIELDS: &[&str] = &["contentType", "contentLength", "sha256"];

/// Answers with how to send the image.
pub(crate) async fn begin_upload(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response, ApiError> {
    let uploads = service.uploads()?;
    let (head, body) = request.into_parts();
    if media_type::readable_content_type(&head.headers)?.is_none_or(|kind| kind.value != "application/json") {
        return Err(ApiError::new(
            ErrorCode::UnsupportedMediaType,
            "Send application/json with \"contentType\" and \"contentLength\" of the image.",
        ));
    }
    let fields = JsonFields::read(body, FIELDS, &service.body_memory).await?;
    let announced = announced(fields, service.max_image_bytes())?;
    let ticket = waited_for(&service, uploads.begin(&announced, service.ports.clock.now())).await?;
    let answer = Ticket {
        upload_id: ticket.id.to_string(),
        url: origin::absolute(&ticket.url, &head.headers, &service.settings.proof_uris)?,
        method: "PUT",
        headers: ticket.headers.into_iter().collect(),
        expires_at: ticket.expires_at,
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// The image of the upload that the field `uploadId` names.
pub(crate) async fn uploaded_image(service: &Service, fields: &mut JsonFields) -> Result<Bytes, ApiError> {
    let uploads = service.uploads()?;
    let id = fields.required_text("uploadId")?.parse().map_err(|_| unknown_upload())?;
    let longest = service.max_image_bytes();
    let room = service.body_memory.reserve(longest)?;
    let image = waited_for(service, uploads.read(id, longest, service.ports.clock.now())).await?;
    image.map(|image| room.hold(image)).ok_or_else(unknown_upload)
}

/// Waits for uploads, but not longer than for work on an image.
pub(crate) async fn waited_for<T>(
    service: &Service,
    work: impl Future<Output = Result<T, UploadError>>,
) -> Result<T, ApiError> {
    match time::timeout(service.settings.processing_timeout, work).await {
        Ok(done) => done.map_err(uploads_failed),
        Err(_) => Err(uploads_failed(UploadError::Unavailable("no answer in time".to_owned()))),
    }
}

/// There is no such upload, or not any more.
pub(crate) fn unknown_upload() -> ApiError {
    ApiError::new(
        ErrorCode::UploadNotFound,
        "There is no such upload: its id is wrong, nothing came yet, or it has expired. Begin again with POST \
         /uploads.",
    )
}

/// What a caller is told when uploads fail.
pub(crate) fn uploads_failed(error: UploadError) -> ApiError {
    match error {
        UploadError::Unavailable(reason) => {
            tracing::warn!(reason, "uploads are not available");
            ApiError::unavailable("Uploads are not available now. Try again shortly.", RETRY_AFTER_SECONDS)
        }
        UploadError::TooLarge { limit } => file_too_large(limit),
        error @ UploadError::Failed(_) => ApiError::internal(error),
    }
}

fn announced(mut fields: JsonFields, longest: usize) -> Result<UploadRequest, ApiError> {
    Ok(UploadRequest {
        format: format(&fields.required_text("contentType")?)?,
        content_length: length(fields.value("contentLength"), longest)?,
        sha256: fields.text("sha256")?.map(|text| digest(&text)).transpose()?,
    })
}

fn format(content_type: &str) -> Result<Format, ApiError> {
    let formats = [Format::Jpeg, Format::Png, Format::WebP];
    formats.into_iter().find(|format| format.mime().eq_ignore_ascii_case(content_type)).ok_or_else(|| {
        field_error("contentType", "The field is not image/jpeg, image/png or image/webp.".to_owned())
    })
}

fn length(value: Option<Value>, longest: usize) -> Result<NonZeroU64, ApiError> {
    let field = "contentLength";
    let value = value.ok_or_else(|| missing(field))?;
    let length = whole_number(&value).and_then(NonZeroU64::new).ok_or_else(|| {
        field_error(
            field,
            format!("The field is not a whole number from 1 to {longest}, the length in bytes."),
        )
    })?;
    if length.get() > longest as u64 { Err(file_too_large(longest)) } else { Ok(length) }
}

/// A number without a fraction, however it is written: `7.0` is 7 (JSON Schema 2020-12, validation, section 6.1.1).
fn whole_number(value: &Value) -> Option<u64> {
    /// Up to here a floating-point number is the one that was written.
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    value.as_u64().or_else(|| {
        let number =
            value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=LARGEST).contains(number))?;
        format!("{number:.0}").parse().ok()
    })
}

fn digest(text: &str) -> Result<Sha256Hash, ApiError> {
    text.parse()
        .map_err(|_| field_error("sha256", "The field is not a SHA-256 of 64 hexadecimal digits.".to_owned()))
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "UploadTicket"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    /// What to name the upload by, once it was sent. Who knows it may use the upload.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "uuid")))]
    upload_id: String,
    /// Where to send the image.
    #[cfg_attr(feature = "schema", schemars(url))]
    url: String,
    /// How.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "PUT")))]
    method: &'static str,
    /// The headers that the request must have, with these values.
    headers: BTreeMap<String, String>,
    /// Until when.
    expires_at: Timestamp,
}
