//! The OpenAPI document is what the code makes of itself, and speaks of every route.
//!
//! Whether real answers are as it says is tested from outside, with validators of others.

mod examples;
mod routes;

use std::{env, fs, path::PathBuf};

use credlink_service::openapi::document;
use serde_json::{Map, Value};

use crate::support::{get, service};
use examples::{alike, real_answers};

/// Set by `make openapi`: writes what is compared otherwise.
const BLESS: &str = "BLESS_OPENAPI";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn committed(name: &str) -> Value {
    serde_json::from_slice(&fs::read(file(name)).unwrap()).unwrap()
}

fn bless(name: &str, content: &Value) {
    fs::write(file(name), serde_json::to_string_pretty(content).unwrap() + "\n").unwrap();
}

#[tokio::test]
async fn the_committed_document_is_what_the_code_makes() {
    let blessing = env::var_os(BLESS).is_some();
    let mut examples = committed("openapi-examples.json");
    let real = Value::Object(real_answers().await);
    if blessing && !alike(&examples, &real) {
        bless("openapi-examples.json", &real);
        examples = real.clone();
    }
    assert!(
        alike(&examples, &real),
        "answers have changed; run `make openapi` and look at the difference:\n{real:#}"
    );
    let made = document(examples.as_object().unwrap_or(&Map::new()));
    if blessing {
        bless("openapi.json", &made);
    }
    assert!(
        committed("openapi.json") == made,
        "the API has changed; run `make openapi` and look at the difference"
    );
}

#[tokio::test]
async fn it_is_served_as_it_is_committed() {
    let service = service();
    let answer = get(&service, "/openapi.json", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.json(), committed("openapi.json"));
    let again = get(&service, "/openapi.json", &[("if-none-match", answer.header("etag"))]).await;
    assert_eq!(again.status, 304);
}
