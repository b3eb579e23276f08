//! The names of failures and their statuses, which callers decide by.

use credlink_service::error::ErrorCode;

use crate::failures::failure;

const TABLE: [(ErrorCode, &str, u16); 20] = [
    (ErrorCode::NoFileProvided, "NO_FILE_PROVIDED", 400),
    (ErrorCode::InvalidRequest, "INVALID_REQUEST", 400),
    (ErrorCode::InvalidFileType, "INVALID_FILE_TYPE", 400),
    (ErrorCode::ValidationFailed, "VALIDATION_FAILED", 400),
    (ErrorCode::Unauthorized, "UNAUTHORIZED", 401),
    (ErrorCode::ProofNotFound, "PROOF_NOT_FOUND", 404),
    (ErrorCode::UploadNotFound, "UPLOAD_NOT_FOUND", 404),
    (ErrorCode::NotFound, "NOT_FOUND", 404),
    (ErrorCode::MethodNotAllowed, "METHOD_NOT_ALLOWED", 405),
    (ErrorCode::RequestTimeout, "REQUEST_TIMEOUT", 408),
    (ErrorCode::IdempotencyConflict, "IDEMPOTENCY_CONFLICT", 409),
    (ErrorCode::FileTooLarge, "FILE_TOO_LARGE", 413),
    (ErrorCode::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", 415),
    (ErrorCode::RateLimitExceeded, "RATE_LIMIT_EXCEEDED", 429),
    (ErrorCode::SigningFailed, "SIGNING_FAILED", 500),
    (ErrorCode::ExtractionFailed, "EXTRACTION_FAILED", 500),
    (ErrorCode::CertificateInvalid, "CERTIFICATE_INVALID", 500),
    (ErrorCode::InternalError, "INTERNAL_ERROR", 500),
    (ErrorCode::ServiceUnavailable, "SERVICE_UNAVAILABLE", 503),
    (ErrorCode::Timeout, "TIMEOUT", 504),
];

#[test]
fn names_and_statuses_stay() {
    for (code, name, status) in TABLE {
        assert_eq!((code.name(), code.status().as_u16()), (name, status));
    }
    assert_eq!(TABLE.map(|(code, ..)| code), ErrorCode::ALL);
}

#[test]
fn the_page_for_callers_lists_them_all() {
    let page = include_str!("../../../../docs/errors.md");
    let (own, gateway) = page.split_once("## From API Gateway alone").unwrap();
    let documented: Vec<_> = own.lines().filter_map(row).collect();
    assert_eq!(documented, TABLE.map(|(_, name, status)| (name, status)));
    let known = |code| documented.iter().any(|(name, _)| *name == code);
    assert!(gateway.lines().filter_map(row).all(|(name, _)| !known(name)), "these are the gateway's own");
}

/// Code and status in a row of a table.
fn row(line: &str) -> Option<(&str, u16)> {
    let (code, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
    Some((code, rest.split_once(" |")?.0.parse().ok()?))
}

#[tokio::test]
async fn each_happens_and_has_its_envelope() {
    for code in ErrorCode::ALL {
        let answer = failure(code).await;
        assert_eq!(answer.status, code.status(), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.error(code.name());
    }
}
