//! Headers of requests and answers.

use serde_json::{Map, Value, json};

use crate::{idempotency, middleware::request_id::MAX_REQUEST_ID_LENGTH};

/// What every route takes.
pub(super) const REQUEST: [&str; 2] = ["RequestId", "TraceParent"];

/// How the client stands to the limit that it will reach first. They are absent where nothing limits it.
pub(super) const RATE_LIMIT: [&str; 4] =
    ["RateLimit-Limit", "RateLimit-Policy", "RateLimit-Remaining", "RateLimit-Reset"];

/// What the header is called that stands among the components under `component`.
pub(super) fn name(component: &'static str) -> &'static str {
    match component {
        "X-Request-Id-Unless-Gateway" => "X-Request-Id",
        "Vary-If-Page" => "Vary",
        "Public-Cache-Control" => "Cache-Control",
        other => other,
    }
}

/// Headers of answers.
pub(super) fn components() -> Map<String, Value> {
    let text = || json!({"type": "string"});
    let count = || json!({"type": "integer", "minimum": 0});
    let seconds = || json!({"type": "integer", "minimum": 1});
    let digest = || json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
    let headers = [
        (
            "Cache-Control",
            true,
            "How long the answer may be kept.",
            json!({"enum": ["no-store", "no-cache"]}),
        ),
        (
            "Content-Disposition",
            true,
            "The name to save the image under (RFC 6266), made of the upload's own.",
            text(),
        ),
        (
            "ETag",
            true,
            "Changes with the content. Send it as `If-None-Match`.",
            json!({"type": "string", "pattern": "^\"[0-9a-f]{32}\"$"}),
        ),
        ("Link", true, "The proof's own address, with `rel=\"c2pa-manifest\"`.", text()),
        (
            "Location",
            true,
            "Where to fetch the signed image with `GET`.",
            json!({"type": "string", "format": "uri"}),
        ),
        (
            "Public-Cache-Control",
            true,
            "How long anybody may keep the answer: five minutes, or until the proof expires.",
            json!({"type": "string", "pattern": "^public, max-age=[0-9]+$"}),
        ),
        ("RateLimit-Limit", false, "Requests in each window.", count()),
        (
            "RateLimit-Policy",
            false,
            "The limit and its window in seconds: `100;w=60`.",
            json!({"type": "string", "pattern": "^[0-9]+;w=[0-9]+$"}),
        ),
        ("RateLimit-Remaining", false, "Requests that are left in this window.", count()),
        ("RateLimit-Reset", false, "Seconds until the next window.", count()),
        ("Retry-After", false, "Seconds after which to try again.", seconds()),
        ("Vary-If-Page", false, "A page depends on `Accept`.", text()),
        ("Vary", true, "The answer depends on `Accept`.", text()),
        ("WWW-Authenticate", false, "How to send a key; the scheme is `ApiKey`.", text()),
        ("X-Manifest-Hash", true, "SHA-256 of the embedded manifest store, hexadecimal.", digest()),
        ("X-Processing-Time", true, "How long it took, in milliseconds.", count()),
        ("X-Proof-Uri", true, "Where the proof can be read.", json!({"type": "string", "format": "uri"})),
        (
            "X-Request-Id",
            true,
            "The name of the request: the caller's, or a new one. It is in the log, too.",
            text(),
        ),
        (
            "X-Request-Id-Unless-Gateway",
            false,
            "The name of the request: the caller's, or a new one. Absent when API Gateway answers by itself.",
            text(),
        ),
        (
            "X-Time-Stamp",
            false,
            "Whether the signature got its time-stamp. Absent where no authority is asked.",
            json!({"enum": ["stamped", "missing"]}),
        ),
    ];
    headers
        .into_iter()
        .map(|(name, required, description, schema)| {
            (name.to_owned(), json!({"description": description, "required": required, "schema": schema}))
        })
        .collect()
}

/// Headers of requests.
pub(super) fn parameters() -> Value {
    json!({
        "RequestId": {
            "name": "X-Request-Id",
            "in": "header",
            "description": format!(
                "A name for the request: 1 to {MAX_REQUEST_ID_LENGTH} visible ASCII characters. Anything else is \
                 replaced by a new one."
            ),
            "schema": {"type": "string"},
        },
        "TraceParent": {
            "name": "traceparent",
            "in": "header",
            "description": "The trace that the request belongs to (W3C Trace Context). Anything else begins a new one.",
            "schema": {"type": "string"},
        },
        "IfNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of what the caller has already.",
            "schema": {"type": "string"},
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same key with the same image and fields gives the same proof for 24 hours, also when both \
                            come at once. With an API key, keys are the caller's own; without, everybody shares them, so \
                            make them random.",
            "schema": {"type": "string", "pattern": "^[!-~]+$", "maxLength": idempotency::MAX_KEY_LENGTH},
            "example": "0f0e0d0c-0b0a-4908-8706-050403020100",
        },
    })
}
