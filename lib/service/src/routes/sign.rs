//! `POST /sign`: a form with an image goes in, the signed image comes out. Its proof is durable then.

use std::{str::FromStr, sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use credlink_pipeline::{
    asset::AssetError,
    embed::EmbedError,
    manifest::{CustomAssertion, OptionError, SignOptions},
    sign::{SignError, SignedImage, sign},
    signer::SignerError,
};

use super::proofs::store_failed;
use crate::{
    body,
    error::{ApiError, ErrorCode},
    file_name,
    form::{self, Form, Upload},
    media_type::{self, Parameterised},
    pieces::Pieces,
    service::Service,
};

const FIELDS: &[&str] = &["image", "creator", "title", "digitalSourceType", "customAssertions", "training"];

/// Signs the field `image` with what the other fields say.
pub(crate) async fn sign_image(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let (head, request_body) = request.into_parts();
    let content_type = match media_type::content_type(&head.headers) {
        Some(kind) if kind.value == "multipart/form-data" => kind,
        other => {
            let json = other.is_some_and(|kind| kind.value == "application/json");
            return Err(if json { form::no_uploads() } else { not_a_form() });
        }
    };
    let (upload, options) = read(&service, &content_type, request_body).await?;
    let worker = Arc::clone(&service);
    let signer = service.ports.identity.signer().await.map_err(signer_failed)?;
    let trust = service.ports.identity.trust().await.map_err(signer_failed)?;
    let work =
        move || async move { sign(upload.bytes, &options, &worker.sign_context(&*signer, &trust)).await };
    let signed = service.workers.run(work).await?.map_err(refused)?;
    Ok(answer(signed, upload.file_name.as_deref(), started))
}

async fn read(
    service: &Service,
    content_type: &Parameterised,
    request_body: Body,
) -> Result<(Upload, SignOptions), ApiError> {
    let limit = service.max_image_bytes();
    let mut form = Form::read(content_type, request_body, FIELDS, limit, &service.body_memory).await?;
    let upload = form.image(limit)?;
    let options = SignOptions {
        creator: parsed(&mut form, "creator")?,
        title: parsed(&mut form, "title")?,
        digital_source_type: parsed(&mut form, "digitalSourceType")?,
        custom_assertions: custom_assertions(&mut form)?,
        training: parsed(&mut form, "training")?,
    };
    Ok((upload, options))
}

fn parsed<T: FromStr<Err = OptionError>>(form: &mut Form, field: &str) -> Result<Option<T>, ApiError> {
    // Forms send an empty text for what nobody filled in.
    let Some(text) = form.text(field)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|error: OptionError| form::field_error(field, format!("{error}.")))
}

fn custom_assertions(form: &mut Form) -> Result<Vec<CustomAssertion>, ApiError> {
    let field = "customAssertions";
    let Some(json) = form.text(field)? else { return Ok(Vec::new()) };
    CustomAssertion::parse_list(&json).map_err(|error| form::field_error(field, format!("{error}.")))
}

/// The pieces of the signed image go out as they are, most of them slices of the request.
fn answer(signed: SignedImage, file_name: Option<&str>, started: Instant) -> Response {
    let format = signed.record.format;
    let milliseconds = started.elapsed().as_millis();
    let mut response = Response::new(Body::new(Pieces::new(signed.image.into_pieces())));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.mime()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [
        (header::CONTENT_DISPOSITION, file_name::disposition(file_name, format.extension())),
        (HeaderName::from_static("x-proof-uri"), signed.record.uri),
        (HeaderName::from_static("x-manifest-hash"), signed.record.manifest_hash.to_string()),
        (HeaderName::from_static("x-processing-time"), milliseconds.to_string()),
    ] {
        // All of them are ASCII by construction.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

fn refused(error: SignError) -> ApiError {
    const SIGNING_FAILED: &str = "The image could not be signed, and nothing was stored. Try again later.";
    match error {
        SignError::Asset(error) => asset_refused(&error),
        SignError::Embed(error @ EmbedError::Damaged) => {
            ApiError::new(ErrorCode::ValidationFailed, sentence(&error.to_string()))
        }
        SignError::Signer(error) => signer_failed(error),
        SignError::Proofs(error) => store_failed(error),
        error @ (SignError::Embed(_) | SignError::Credential(_) | SignError::OtherImage(_)) => {
            ApiError::fault(ErrorCode::SigningFailed, SIGNING_FAILED, error)
        }
    }
}

/// What a caller is told when there is no signer, or when it fails.
pub(crate) fn signer_failed(error: SignerError) -> ApiError {
    match error {
        SignerError::Unavailable(reason) => {
            tracing::warn!(reason, "the signing key is not available");
            ApiError::unavailable("The signing key is not available now. Try again shortly.", 5)
        }
        error @ SignerError::Unusable(_) => ApiError::fault(
            ErrorCode::CertificateInvalid,
            "The service's own key or certificate is unusable. Its operator must replace it.",
            error,
        ),
    }
}

fn asset_refused(error: &AssetError) -> ApiError {
    let message = sentence(&error.to_string());
    match error {
        AssetError::Empty => form::no_file(),
        AssetError::NotAnImage => ApiError::new(ErrorCode::InvalidFileType, message),
        AssetError::TooLarge { limit, .. } => body::file_too_large(*limit),
        AssetError::Dimensions { width, height, max_width, max_height } => {
            ApiError::new(ErrorCode::ValidationFailed, message)
                .with_detail("width", *width)
                .with_detail("height", *height)
                .with_detail("maxWidth", *max_width)
                .with_detail("maxHeight", *max_height)
        }
        AssetError::Damaged { offset, .. } => {
            ApiError::new(ErrorCode::ValidationFailed, message).with_detail("offset", *offset)
        }
    }
}

/// A message of the pipeline as a sentence.
pub(crate) fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first: String = characters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

fn not_a_form() -> ApiError {
    ApiError::new(
        ErrorCode::UnsupportedMediaType,
        "Send the image as the field \"image\" of a multipart/form-data request.",
    )
}
