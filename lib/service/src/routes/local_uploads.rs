//! `PUT /uploads/{id}` and `GET /results/{name}`: what S3 does on AWS, done by the service on one machine.

use std::sync::Arc;

use axum::{
    body::HttpBody as _,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::uploads::{unknown_upload, uploads_failed, waited_for};
use crate::{
    body,
    error::{ApiError, ErrorCode},
    local_uploads::{Announced, LocalUploads, TakeError},
    media_type,
    service::Service,
    uploads::UploadId,
};

/// What both routes work with.
#[derive(Clone)]
pub(crate) struct Receiving {
    pub(crate) service: Arc<Service>,
    pub(crate) uploads: Arc<LocalUploads>,
}

/// Takes what was announced, and nothing else.
pub(crate) async fn take_upload(
    State(Receiving { service, uploads }): State<Receiving>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let id = parsed(id).ok_or_else(unknown_upload)?;
    let announced = waited_for(&service, uploads.announced(id, service.ports.clock.now())).await?;
    let announced = announced.ok_or_else(unknown_upload)?;
    let (head, request_body) = request.into_parts();
    let kind = media_type::content_type(&head.headers);
    if kind.is_none_or(|kind| kind.value != announced.format.mime()) {
        return Err(other_type(&announced));
    }
    let length = announced.content_length;
    let came = usize::try_from(request_body.size_hint().lower()).unwrap_or(usize::MAX);
    if request_body.size_hint().exact().is_some() && came != length {
        return Err(not_announced(&TakeError::Length { came, announced: length }));
    }
    let memory = &service.body_memory;
    let too_long = |came| not_announced(&TakeError::Length { came, announced: length });
    let bytes = body::read_at_most(request_body, length, memory, too_long).await?;
    match uploads.take(id, announced, bytes).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(TakeError::Failed(error)) => Err(uploads_failed(error)),
        Err(error) => Err(not_announced(&error)),
    }
}

/// Serves a signed image that was too long for its answer.
pub(crate) async fn fetch_result(
    State(Receiving { service, uploads }): State<Receiving>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let name = parsed(name).ok_or_else(no_result)?;
    // The credential of an image that was full of credentials may be as long as the image.
    let longest = service.max_image_bytes().saturating_mul(2);
    let room = service.body_memory.reserve(longest)?;
    let result = waited_for(&service, uploads.result(name, longest, service.ports.clock.now())).await?;
    let result = result.ok_or_else(no_result)?;
    let headers = [
        (header::CONTENT_TYPE, result.content_type),
        (header::CONTENT_DISPOSITION, result.content_disposition),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, room.hold(result.bytes)).into_response())
}

fn parsed(id: Result<Path<String>, PathRejection>) -> Option<UploadId> {
    id.ok()?.parse().ok()
}

fn other_type(announced: &Announced) -> ApiError {
    let message = format!("The Content-Type is not {}, which was announced.", announced.format.mime());
    ApiError::new(ErrorCode::InvalidRequest, message).with_detail("header", "Content-Type")
}

fn not_announced(error: &TakeError) -> ApiError {
    let reason = match error {
        TakeError::Length { .. } => "The body has another length than was announced.",
        _ => "The body has another SHA-256 than was announced.",
    };
    let failure = ApiError::new(
        ErrorCode::InvalidRequest,
        format!("{reason} Send what was announced, or begin again with POST /uploads."),
    );
    match error {
        TakeError::Length { announced, .. } => failure.with_detail("announcedBytes", *announced),
        _ => failure,
    }
}

fn no_result() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "There is no such result, or not any more. Sign the image again.")
}
