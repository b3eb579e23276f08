//! How requests fail, from the names of failures themselves.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{
    headers,
    operation::{Answer, reference},
};
use crate::error::ErrorCode;

/// Answers that come from before all routes: their statuses, and their names among the components.
pub(super) const BEFORE_ROUTES: [(&str, &str); 3] =
    [("403", "AccessDenied"), ("414", "AddressTooLong"), ("431", "HeadersTooLong")];

/// What API Gateway alone says.
const ACCESS_DENIED: &str = "ACCESS_DENIED";

/// When a failure has this name. One without a text does not compile.
fn meaning(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NoFileProvided => "There is no image, or an empty one.",
        ErrorCode::InvalidRequest => {
            "The form or the JSON is malformed, a field is unknown, missing, there twice or not as it must be \
             (`details.field` names it), or a header is (`details.header`)."
        }
        ErrorCode::InvalidFileType => {
            "The image is no JPEG, PNG or WebP by its bytes, whatever its type says."
        }
        ErrorCode::ValidationFailed => {
            "The image is damaged (`details.offset`), or has more pixels than are taken (`details.width`, \
             `details.maxWidth` and so on)."
        }
        ErrorCode::Unauthorized => "An API key is needed, and none came, or none that is good for this.",
        ErrorCode::ProofNotFound => "There is no such proof, or not any more.",
        ErrorCode::UploadNotFound => "There is no such upload, nothing came yet, or it has expired.",
        ErrorCode::NotFound => "There is nothing at this address.",
        ErrorCode::MethodNotAllowed => "The address does not take this method; `Allow` names those it takes.",
        ErrorCode::RequestTimeout => "The body came too slowly.",
        ErrorCode::IdempotencyConflict => {
            "The `Idempotency-Key` stands for another request, or its request is still being worked on; then \
             `Retry-After` is there."
        }
        ErrorCode::FileTooLarge => {
            "The image is longer than any may be (`details.limitBytes`), or than one inside of a request may be; then \
             `details.uploads` says how to go on. Or the JSON is longer than 1 MB."
        }
        ErrorCode::UnsupportedMediaType => "The type of the body is none that the route takes.",
        ErrorCode::RateLimitExceeded => "Too many requests came from this address.",
        ErrorCode::SigningFailed => "The credential could not be made; nothing was stored.",
        ErrorCode::ExtractionFailed => {
            "The service failed while it read the image. A broken image is no failure, but gets a report."
        }
        ErrorCode::CertificateInvalid => "The service's own key or certificate is unusable.",
        ErrorCode::InternalError => "Anything else that is the service's fault.",
        ErrorCode::ServiceUnavailable => {
            "Something that the service needs is down or throttled, or too many requests wait."
        }
        ErrorCode::Timeout => "It took longer than the limit (`details.limitMs`).",
    }
}

/// The answer of `status`, whose failure is one of `codes`.
pub(super) fn answer(status: u16, codes: &[ErrorCode]) -> Answer {
    let names: Vec<&str> = codes.iter().map(|code| code.name()).collect();
    let meanings: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.name(), meaning(*code))).collect();
    let examples: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), reference("examples", name))).collect();
    let content = json!({"schema": envelope(status, &names), "examples": examples});
    let mut answer = Answer::new(meanings.join("\n\n"))
        .with("application/json", content)
        .with_headers(&["X-Request-Id-Unless-Gateway", "Cache-Control"]);
    for code in codes {
        answer = answer.with_headers(match code {
            ErrorCode::Unauthorized => &["WWW-Authenticate"],
            ErrorCode::IdempotencyConflict | ErrorCode::RateLimitExceeded | ErrorCode::ServiceUnavailable => {
                &["Retry-After"]
            }
            _ => &[],
        });
    }
    answer
}

fn envelope(status: u16, names: &[&str]) -> Value {
    json!({
        "allOf": [reference("schemas", "Error")],
        "properties": {"error": {"properties": {"code": {"enum": names}, "statusCode": {"const": status}}}},
    })
}

/// Answers that are the same wherever they come: of each failure by its name, and those from before all routes.
pub(super) fn components() -> Map<String, Value> {
    let failures = ErrorCode::ALL.map(|code| {
        let answer = answer(code.status().as_u16(), &[code]).with_headers(&headers::RATE_LIMIT);
        (code.name().to_owned(), answer.json())
    });
    let before = [
        (
            "AccessDenied",
            json!({
                "description": "On AWS alone: API Gateway does not let the request in.",
                "content": {"application/json": {"schema": envelope(403, &[ACCESS_DENIED])}},
            }),
        ),
        (
            "AddressTooLong",
            json!({"description": "The address has more than 64 KB. The answer has no body."}),
        ),
        (
            "HeadersTooLong",
            json!({"description": "There are more than 100 headers, or they are too long. The answer has no body."}),
        ),
    ];
    failures.into_iter().chain(before.map(|(name, answer)| (name.to_owned(), answer))).collect()
}

impl JsonSchema for ErrorCode {
    fn schema_name() -> Cow<'static, str> {
        "ErrorCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes = ErrorCode::ALL.map(|code| (code.name(), meaning(code)));
        let gateway = (ACCESS_DENIED, "On AWS alone: API Gateway does not let the request in.");
        let choices: Vec<Value> = codes
            .into_iter()
            .chain([gateway])
            .map(|(name, meaning)| json!({"const": name, "description": meaning}))
            .collect();
        json_schema!({"type": "string", "oneOf": choices})
    }
}
