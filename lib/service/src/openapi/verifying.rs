//! `POST /verify`.

use serde_json::{Map, Value, json};

use super::{
    fields::{binary, mime_types},
    operation::{Answer, Operation, json_content, reference},
};
use crate::{api_keys::Scope, error::ErrorCode};

pub(super) fn verify() -> Operation {
    Operation::new("post", "/verify", "images", "verifyImage", "Tells what an image can prove")
        .explained(
            "However broken the image is, the answer is a report: its `valid`, its six rows of `score` and its \
             `extraction` say what was found and what was not. Every `Content-Type` of `image/*` is taken; what counts \
             are the bytes.",
        )
        .takes(json!({
            "name": "thumbnails",
            "in": "query",
            "description": "`true` for the pictures of ingredients, of up to a megabyte together. Anything else counts as \
                            if it were not there.",
            "schema": {"type": "string"},
            "examples": {"true": {"value": "true"}},
        }))
        .takes_body("The image, or the upload that has it.", &body())
        .guarded(Scope::Verify)
        .answers(200, report())
        .fails(&[
            ErrorCode::NoFileProvided,
            ErrorCode::InvalidFileType,
            ErrorCode::UploadNotFound,
            ErrorCode::RequestTimeout,
            ErrorCode::FileTooLarge,
            ErrorCode::UnsupportedMediaType,
            ErrorCode::ExtractionFailed,
            ErrorCode::CertificateInvalid,
        ])
}

fn body() -> Value {
    let whole = mime_types().into_iter().chain(["application/octet-stream"]);
    let mut content: Map<String, Value> =
        whole.map(|kind| (kind.to_owned(), json!({"schema": binary()}))).collect();
    content.insert("multipart/form-data".to_owned(), json!({"schema": reference("schemas", "VerifyForm")}));
    content.insert(
        "application/json".to_owned(),
        json!({
            "schema": reference("schemas", "VerifyUpload"),
            "examples": {"upload": {"value": {"uploadId": "b2c5e1de-5f0c-4f0e-9d9c-1f2a3b4c5d6e"}}},
        }),
    );
    Value::Object(content)
}

fn report() -> Answer {
    Answer::new("What the image can prove.")
        .with_header("Cache-Control")
        .with("application/json", json_content("VerificationReport", "report"))
        .with_link(
            "proof",
            json!({"operationId": "readProof", "parameters": {"id": "$response.body#/proof/id"}}),
        )
}
