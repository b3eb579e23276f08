//! Real answers, which the document shows as examples.

use axum::body::Body;
use axum::http::{Request, header};
use credlink_pipeline::proof::ProofStoreError;
use credlink_service::error::ErrorCode;
use serde_json::{Map, Value, json};

use crate::{
    failures::failure,
    support::{get, noise_png, png, ports, ports_with_proofs, post, post_form, send, service, service_with},
    uploads::{HOST, local},
};

/// An answer of each kind, by the name under which the document shows it.
pub(super) async fn real_answers() -> Map<String, Value> {
    let mut answers = Map::new();
    let mut add = |name: &str, answer: Value| answers.insert(name.to_owned(), answer);
    let (report, record) = report_and_record().await;
    add("report", report);
    add("record", record);
    add("uploadTicket", ticket().await);
    add("keptResult", kept_result().await);
    add("health", get(&service(), "/health", &[]).await.json());
    let down = || ProofStoreError::Unavailable("it is down".into());
    add("degraded", get(&service_with(ports_with_proofs(down), &[]), "/health", &[]).await.json());
    for code in ErrorCode::ALL {
        add(code.name(), failure(code).await.json());
    }
    answers
}

async fn report_and_record() -> (Value, Value) {
    let service = service();
    let image = png(64, 48);
    let fields = [
        ("image", Some("harbour.png"), image.as_slice()),
        ("creator", None, "Zoë Ağaoğlu".as_bytes()),
        ("digitalSourceType", None, b"digitalCapture"),
    ];
    let signed = post_form(&service, "/sign", &fields).await;
    let report = post(&service, "/verify", "image/png", signed.body.clone()).await.json();
    let path = signed.header("x-proof-uri").strip_prefix("http://127.0.0.1:3001").unwrap();
    (report, get(&service, path, &[]).await.json())
}

async fn ticket() -> Value {
    local(ports(), &[]).begin(json!({"contentType": "image/jpeg", "contentLength": 8_388_608})).await.json()
}

async fn kept_result() -> Value {
    let local = local(ports(), &[("INLINE_LIMIT_BYTES", "65536")]);
    let upload = local.upload(&noise_png(300, 300)).await;
    let request =
        Request::post("/sign").header(header::CONTENT_TYPE, "application/json").header(header::HOST, HOST);
    let body = json!({"uploadId": upload}).to_string();
    let answer = send(&local.router, request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.json()
}

/// Whether two answers differ in nothing but ids, times, digests and the like, which are new each time.
pub(super) fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            // The C2PA engine lists some members in no order.
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| alike(one, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::String(one), Value::String(other)) => one == other || lasting(one) == lasting(other),
        // Milliseconds and seconds that something took.
        (Value::Number(one), Value::Number(other)) => one == other || (one.is_u64() && other.is_u64()),
        (one, other) => one == other,
    }
}

/// A text without its longer words of digits. A slash is part of a word, as in Base64.
fn lasting(text: &str) -> String {
    let is_new =
        |word: &&str| word.len() >= 8 && word.bytes().any(|byte| byte.is_ascii_digit()) || word.len() > 20;
    let words =
        text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '/' | '=' | ':' | '.')));
    words.filter(|word| !is_new(word)).collect::<Vec<_>>().join(" ")
}
