//! `POST /sign`.

use serde_json::{Map, Value, json};

use super::{
    fields::{binary, mime_types},
    operation::{Answer, Operation, json_content, reference},
};
use crate::{api_keys::Scope, error::ErrorCode};

/// Headers of a signed image, and of where to fetch it.
const SIGNED: [&str; 5] =
    ["Cache-Control", "X-Proof-Uri", "X-Manifest-Hash", "X-Processing-Time", "X-Time-Stamp"];

pub(super) fn sign() -> Operation {
    Operation::new("post", "/sign", "images", "signImage", "Signs an image")
        .explained(
            "The signed image has a C2PA manifest store, and not one pixel is changed. Its proof is durable when the \
             answer comes. An image that had a credential keeps it as an ingredient. `POST` is not repeated by itself \
             safely: send an `Idempotency-Key` to get the same proof again.",
        )
        .takes(reference("parameters", "IdempotencyKey"))
        .takes_body("The image, or the upload that has it, and what to say about it.", &body())
        .guarded(Scope::Sign)
        .answers(200, signed())
        .answers(303, kept())
        .fails(&[
            ErrorCode::NoFileProvided,
            ErrorCode::InvalidFileType,
            ErrorCode::ValidationFailed,
            ErrorCode::UploadNotFound,
            ErrorCode::RequestTimeout,
            ErrorCode::IdempotencyConflict,
            ErrorCode::FileTooLarge,
            ErrorCode::UnsupportedMediaType,
            ErrorCode::SigningFailed,
            ErrorCode::CertificateInvalid,
        ])
}

fn body() -> Value {
    let mut types: Vec<&str> = mime_types().to_vec();
    types.push("application/octet-stream");
    json!({
        "multipart/form-data": {
            "schema": reference("schemas", "SignForm"),
            "encoding": {"image": {"contentType": types.join(", ")}},
        },
        "application/json": {
            "schema": reference("schemas", "SignUpload"),
            "examples": {"upload": {"value": {
                "uploadId": "b2c5e1de-5f0c-4f0e-9d9c-1f2a3b4c5d6e",
                "creator": "Zoë Ağaoğlu",
                "digitalSourceType": "digitalCapture",
                "customAssertions": [{"label": "com.example.desk", "data": {"assignment": 7}}],
                "training": "notAllowed",
            }}},
        },
    })
}

fn signed() -> Answer {
    let images: Map<String, Value> =
        mime_types().map(|mime| (mime.to_owned(), json!({"schema": binary()}))).into_iter().collect();
    let answer = Answer::new("The signed image, in the format that came.")
        .with_headers(&SIGNED)
        .with_header("Content-Disposition");
    images.into_iter().fold(answer, |answer, (mime, content)| answer.with(&mime, content))
}

fn kept() -> Answer {
    Answer::new(
        "The signed image is too long for an answer. Fetch it from `Location`, within a quarter of an hour.",
    )
    .with_headers(&SIGNED)
    .with_header("Location")
    .with("application/json", json_content("KeptResult", "keptResult"))
}
