//! The OpenAPI 3.1 document of the API, made of the code: of the types that cross the wire, the names of failures, the
//! fields and the limits that the routes themselves use.
//!
//! It is made by tests, not by the service, which answers `GET /openapi.json` with `lib/service/openapi.json` as it is.
//! A test says when that file is out of date; `make openapi` makes it anew. Every route has its line in `operations`,
//! and another test compares these with the router.

mod administration;
mod errors;
mod fields;
mod headers;
mod operation;
mod pages;
mod proofs;
mod schemas;
mod signing;
mod uploads;
mod verifying;

use serde_json::{Map, Value, json};

use self::operation::Operation;

/// The document. `examples` are real answers, by the names under which operations show them; those of failures are
/// called like their code.
pub fn document(examples: &Map<String, Value>) -> Value {
    let shown: Map<String, Value> =
        examples.iter().map(|(name, value)| (name.clone(), json!({"value": value}))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "CredLink",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Signs images with C2PA Content Credentials, and tells what an image can prove.",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0 or MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        // Relative to this document: so it is right behind the path of a stage, too.
        "servers": [{"url": ".", "description": "The service that this document comes from."}],
        "tags": tags(),
        "paths": paths(),
        "components": {
            "schemas": schemas::components(),
            "responses": errors::components(),
            "parameters": headers::parameters(),
            "headers": headers::components(),
            "examples": shown,
            "securitySchemes": {"apiKey": {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-Key",
                "description": "Where the operator wants one (`ENABLE_API_KEY_AUTH`). The names beside it are the scopes \
                                that the key must have: `sign`, `verify` or `admin`.",
            }},
        },
    })
}

fn paths() -> Map<String, Value> {
    let mut paths = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.path()).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method().to_owned(), operation.json());
        }
    }
    paths
}

/// Every route.
fn operations() -> Vec<Operation> {
    vec![
        signing::sign(),
        verifying::verify(),
        uploads::begin(),
        uploads::take(),
        uploads::result(),
        proofs::proof(),
        pages::verify(),
        pages::sign(),
        pages::asset(),
        administration::health(),
        administration::metrics(),
        administration::description(),
    ]
}

fn tags() -> Value {
    json!([
        {"name": "images", "description": "To sign and to verify."},
        {"name": "uploads", "description": "For images that are too long for a request."},
        {"name": "proofs", "description": "What is kept of every signature."},
        {"name": "pages", "description": "For people with a browser."},
        {"name": "administration", "description": "For who runs or watches the service."},
        {
            "name": "local",
            "description": "There on one machine only. On AWS, S3 takes uploads and serves results, under addresses that \
                            the service gives, and CloudWatch has the measurements.",
        },
    ])
}

const DESCRIPTION: &str = "\
JSON is camelCase, times are RFC 3339 in UTC with milliseconds, ids are lower-case UUIDs.

**Failures.** Whatever goes wrong, the answer is one envelope (schema `Error`). Decide by `code`, whose name and status never \
change; `message` says what to do next. Only a request whose head cannot be read (400, 414, 431) is answered without it. On \
AWS, API Gateway uses the same envelope for what it answers by itself: there `timestamp` looks like \
`22/Nov/2026:10:49:00 +0000`, and `x-amzn-RequestId` takes the place of `X-Request-Id`. An address where there is nothing \
gets 404 `NOT_FOUND`, a method that an address does not take gets 405 `METHOD_NOT_ALLOWED` with `Allow`.

**Methods.** Every `GET` answers `HEAD` as well. `OPTIONS` is for preflights of browsers, which end before everything else \
and get 200; any other gets 405.

**Every answer** has `Strict-Transport-Security`, `X-Frame-Options`, `X-Content-Type-Options`, `Referrer-Policy`, \
`Permissions-Policy`, `X-XSS-Protection` and `Content-Security-Policy`. Where pages of other origins may call, it has \
`Access-Control-Allow-Origin`, `Access-Control-Allow-Credentials`, `Access-Control-Expose-Headers` and `Vary`. \
`Connection: close` comes when a request was refused before all of it had come.

**Limits.** Lengths and times in this document are the defaults; an operator may choose smaller ones. Requests of one address \
are limited, and those to sign besides: see the headers `RateLimit-*`.

**Fields** of forms and of JSON come at most once, and none may come that is not named here.";
