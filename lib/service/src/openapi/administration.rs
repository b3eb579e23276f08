//! `GET /health`, `GET /metrics` and `GET /openapi.json`.

use serde_json::json;

use super::{
    operation::{Answer, Operation, json_content, reference},
    pages::not_modified,
};
use crate::api_keys::Scope;

pub(super) fn health() -> Operation {
    let report = |description: &str, example| {
        Answer::new(description)
            .with_header("Cache-Control")
            .with("application/json", json_content("Health", example))
    };
    Operation::new(
        "get",
        "/health",
        "administration",
        "checkHealth",
        "Tells whether the service can do its work",
    )
    .explained("Cheap, and without secrets. It is never refused for being asked too often.")
    .uncounted()
    .answers(200, report("All checks passed.", "health"))
    .answers(503, report("A check failed.", "degraded"))
}

pub(super) fn metrics() -> Operation {
    let example = "# TYPE http_requests_total counter\nhttp_requests_total{method=\"POST\",route=\"/sign\",status=\"200\"} 1\n";
    Operation::new("get", "/metrics", "administration", "showMeasurements", "What was measured")
        .local()
        .explained("In the text form of Prometheus.")
        .guarded(Scope::Admin)
        .answers(
            200,
            Answer::new("The measurements.")
                .with_header("Cache-Control")
                .with("text/plain", json!({"schema": {"type": "string"}, "example": example})),
        )
}

pub(super) fn description() -> Operation {
    Operation::new("get", "/openapi.json", "administration", "describe", "This document")
        .takes(reference("parameters", "IfNoneMatch"))
        .answers(
            200,
            Answer::new("OpenAPI 3.1.")
                .with_headers(&["ETag", "Cache-Control"])
                .with("application/json", json!({"schema": {"type": "object"}})),
        )
        .answers(304, not_modified())
}
