//! `POST /verify`: an image goes in, a report comes out. However broken the image is, it gets a report.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use credlink_pipeline::verify::{VerifyError, verify};

use super::{
    sign::{sentence, signer_failed},
    uploads::uploaded_image,
};
use crate::{
    body,
    error::{ApiError, ErrorCode},
    form::{self, Form},
    image_limit::file_too_large,
    json_fields::JsonFields,
    media_type,
    service::Service,
    workers::WorkError,
};

/// The fields of a form.
pub(crate) const FORM_FIELDS: &[&str] = &["image"];

/// The fields of JSON.
pub(crate) const JSON_FIELDS: &[&str] = &["uploadId"];

/// Verifies the body, the field `image` of a form, or an upload.
pub(crate) async fn verify_image(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response, ApiError> {
    let thumbnails = wants_thumbnails(request.uri().query());
    let image = read(&service, request).await?;
    let worker = Arc::clone(&service);
    let trust = service.ports.identity.trust().await.map_err(signer_failed)?;
    let work = move || async move { verify(image, &worker.verify_context(&trust)).await };
    let report = service.workers.run(work).await.map_err(broken_off)?.map_err(|error| refused(&error))?;
    let report = if thumbnails { report } else { report.without_thumbnails() };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(report)).into_response())
}

/// Pictures of ingredients come only to those who ask for them with `?thumbnails=true`: others have no use for a megabyte.
fn wants_thumbnails(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair == "thumbnails=true"))
}

async fn read(service: &Service, request: Request) -> Result<Bytes, ApiError> {
    let limit = service.image_limit();
    let memory = &service.body_memory;
    let (head, request_body) = request.into_parts();
    match media_type::readable_content_type(&head.headers)? {
        Some(kind) if kind.value == "multipart/form-data" => {
            Form::read(&kind, request_body, FORM_FIELDS, limit, memory)
                .await?
                .image(limit)
                .map(|upload| upload.bytes)
        }
        Some(kind) if kind.value == "application/octet-stream" || kind.value.starts_with("image/") => {
            form::bounded_image(body::read(request_body, limit, memory).await?, limit)
        }
        Some(kind) if kind.value == "application/json" => {
            if service.ports.uploads.is_none() {
                return Err(form::no_uploads());
            }
            uploaded_image(service, &mut JsonFields::read(request_body, JSON_FIELDS, memory).await?).await
        }
        _ => Err(unsupported()),
    }
}

fn refused(error: &VerifyError) -> ApiError {
    match error {
        VerifyError::Empty => form::no_file(),
        VerifyError::NotAnImage(_) => ApiError::new(ErrorCode::InvalidFileType, sentence(&error.to_string())),
        VerifyError::TooLarge { limit, .. } => file_too_large(*limit),
    }
}

/// What goes wrong while an image is read is the service's fault, never the image's.
fn broken_off(error: WorkError) -> ApiError {
    match error {
        WorkError::Broken(cause) => ApiError::fault(
            ErrorCode::ExtractionFailed,
            "The service failed while it read the image. Try again later.",
            cause,
        ),
        other => other.into(),
    }
}

fn unsupported() -> ApiError {
    ApiError::new(
        ErrorCode::UnsupportedMediaType,
        "Send the image itself with a Content-Type of image/* or application/octet-stream, or as the field \
         \"image\" of a multipart/form-data request.",
    )
}
