//! `POST /uploads`, and what the service does in S3's place on one machine.

use serde_json::{Map, Value, json};

use super::{
    fields::{binary, mime_types},
    operation::{Answer, Operation, json_content, reference},
};
use crate::{api_keys::Scope, error::ErrorCode};

pub(super) fn begin() -> Operation {
    Operation::new("post", "/uploads", "uploads", "beginUpload", "Announces an image that is too long for a request")
        .explained(
            "The answer says how to send it: one request, within a quarter of an hour. Then `uploadId` stands for the \
             image in `POST /sign` and `POST /verify`.",
        )
        .takes_body("What is going to be sent.", &json!({"application/json": {
            "schema": reference("schemas", "UploadRequest"),
            "examples": {"photograph": {"value": {"contentType": "image/jpeg", "contentLength": 8_388_608}}},
        }}))
        .guarded(Scope::Sign)
        .answers(201, ticket())
        .fails(&[
            ErrorCode::NotFound,
            ErrorCode::RequestTimeout,
            ErrorCode::FileTooLarge,
            ErrorCode::UnsupportedMediaType,
        ])
}

fn ticket() -> Answer {
    let id = "$response.body#/uploadId";
    Answer::new("How to send it.")
        .with_header("Cache-Control")
        .with("application/json", json_content("UploadTicket", "uploadTicket"))
        .with_link("send", json!({"operationId": "sendUpload", "parameters": {"id": id}}))
        .with_link("sign", json!({"operationId": "signImage", "requestBody": {"uploadId": id}}))
        .with_link("verify", json!({"operationId": "verifyImage", "requestBody": {"uploadId": id}}))
}

pub(super) fn take() -> Operation {
    Operation::new("put", "/uploads/{id}", "uploads", "sendUpload", "Takes an image that was announced")
        .local()
        .explained("What the answer to `POST /uploads` names as `url`. It needs no API key: the address is the secret.")
        .takes(id("id", "The `uploadId`."))
        .takes_body("The image, of the type, length and digest that were announced.", &images())
        .answers(204, Answer::new("It is there, for a quarter of an hour."))
        .fails(&[ErrorCode::UploadNotFound, ErrorCode::RequestTimeout])
}

pub(super) fn result() -> Operation {
    let answer = Answer::new("The signed image.").with_headers(&["Cache-Control", "Content-Disposition"]);
    let answer =
        mime_types().into_iter().fold(answer, |answer, mime| answer.with(mime, json!({"schema": binary()})));
    Operation::new(
        "get",
        "/results/{name}",
        "uploads",
        "fetchResult",
        "Serves a signed image that was too long for its answer",
    )
    .local()
    .explained("What `POST /sign` names as `Location`. It needs no API key: the address is the secret.")
    .takes(id("name", "A name that only the caller was told."))
    .answers(200, answer)
    .fails(&[ErrorCode::NotFound])
}

fn images() -> Value {
    let images: Map<String, Value> =
        mime_types().map(|mime| (mime.to_owned(), json!({"schema": binary()}))).into_iter().collect();
    Value::Object(images)
}

fn id(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": {"type": "string", "format": "uuid"},
    })
}
