//! `Idempotency-Key` on `POST /sign`.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, http::Request};
use credlink_pipeline::{
    signer::SignerError,
    timestamp::{Clock as _, Timestamp},
};
use credlink_service::{
    Entrance, Ports,
    api_keys::{ApiKey, ApiKeyStore as _, MemoryApiKeys, Scope},
    clock::SystemClock,
};
use tokio::task::JoinSet;

use crate::support::{
    Answer, Field, form, form_type, noise_png, png, ports, ports_with_signer, send, service, service_with,
};

const KEY: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";

async fn sign(service: &Router, key: &str, fields: &[Field<'_>]) -> Answer {
    sign_as(service, &[("idempotency-key", key)], fields).await
}

async fn sign_as(service: &Router, headers: &[(&str, &str)], fields: &[Field<'_>]) -> Answer {
    let mut request = Request::post("/sign").header("content-type", form_type());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(service, request.body(form(fields).into()).unwrap()).await
}

#[tokio::test]
async fn the_same_request_gets_the_same_image() {
    let (service, image) = (service(), noise_png(60, 40));
    let fields = [("image", Some("a.png"), image.as_slice()), ("creator", None, b"Jane")];
    let first = sign(&service, KEY, &fields).await;
    assert_eq!(first.status, 200);
    // Under another file name and in another order it is the same.
    let again = sign(&service, KEY, &[("creator", None, b"Jane"), ("image", Some("b.png"), &image)]).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("x-proof-uri"), first.header("x-proof-uri"));
    assert_eq!(again.header("x-manifest-hash"), first.header("x-manifest-hash"));
    for other in [sign(&service, "another", &fields).await, sign_as(&service, &[], &fields).await] {
        assert_ne!(other.header("x-proof-uri"), first.header("x-proof-uri"));
    }
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let (service, image) = (service(), png(8, 8));
    let first = [("image", None, image.as_slice()), ("creator", None, b"Jane"), ("title", None, b"Sea")];
    assert_eq!(sign(&service, KEY, &first).await.status, 200);
    let other = png(9, 9);
    for fields in [
        &[("image", None, other.as_slice()), first[1], first[2]][..],
        &[first[0], ("creator", None, b"Jan"), first[2]],
        &[first[0], first[1]],
        &[first[0], ("creator", None, b"JaneSea")],
        &[first[0], ("title", None, b"Jane"), ("creator", None, b"Sea")],
        &[first[0], first[1], first[2], ("training", None, b"allowed")],
    ] {
        let refused = sign(&service, KEY, fields).await;
        assert_eq!(refused.status, 409);
        refused.error("IDEMPOTENCY_CONFLICT");
        assert!(!refused.headers.contains_key("retry-after"), "another time is no better");
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let (service, image) = (service(), png(8, 8));
    let fields = [("image", None, image.as_slice())];
    for key in ["", "two words", &"x".repeat(256)] {
        let error = sign(&service, key, &fields).await.error("INVALID_REQUEST");
        assert_eq!(error["details"]["header"], "Idempotency-Key");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    sign_as(&service, &twice, &fields).await.error("INVALID_REQUEST");
    assert_eq!(sign(&service, &"x".repeat(255), &fields).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_make_one_proof() {
    let unlimited = [("RATE_LIMIT_MAX", "0"), ("SIGN_RATE_LIMIT_MAX", "0")];
    let (service, image) = (service_with(ports(), &unlimited), noise_png(300, 200));
    let mut requests = JoinSet::new();
    for _ in 0..12 {
        let (service, image) = (service.clone(), image.clone());
        requests.spawn(async move {
            loop {
                let answer = sign(&service, KEY, &[("image", None, image.as_slice())]).await;
                if answer.status == 200 {
                    return answer;
                }
                assert_eq!(answer.header("retry-after"), "2");
                answer.error("IDEMPOTENCY_CONFLICT");
                tokio::task::yield_now().await;
            }
        });
    }
    let answers = requests.join_all().await;
    let proofs: HashSet<&str> = answers.iter().map(|answer| answer.header("x-proof-uri")).collect();
    let bodies: HashSet<_> = answers.iter().map(|answer| &answer.body).collect();
    assert_eq!((proofs.len(), bodies.len()), (1, 1));
}

#[tokio::test]
async fn a_refused_image_does_not_use_up_the_key() {
    let (service, image) = (service(), png(30, 30));
    let cut = &image[..image.len() - 20];
    sign(&service, KEY, &[("image", None, cut)]).await.error("VALIDATION_FAILED");
    assert_eq!(sign(&service, KEY, &[("image", None, &image)]).await.status, 200);
}

#[tokio::test]
async fn a_failed_attempt_can_be_repeated_at_once() {
    let broken = Arc::new(AtomicBool::new(true));
    let fail = Arc::clone(&broken);
    let ports = ports_with_signer(move || {
        if fail.load(Ordering::Relaxed) { Err(SignerError::Unavailable("down".to_owned())) } else { Ok(()) }
    });
    let (service, image) = (service_with(ports, &[]), png(8, 8));
    let fields = [("image", None, image.as_slice())];
    sign(&service, KEY, &fields).await.error("SERVICE_UNAVAILABLE");
    broken.store(false, Ordering::Relaxed);
    let first = sign(&service, KEY, &fields).await;
    assert_eq!(first.status, 200);
    assert_eq!(sign(&service, KEY, &fields).await.body, first.body);
}

#[tokio::test]
async fn holders_of_api_keys_have_their_keys_to_themselves() {
    let keys = Arc::new(MemoryApiKeys::new());
    let now: Timestamp = SystemClock.now();
    let mut texts = Vec::new();
    for name in ["one", "two"] {
        let (key, text) =
            ApiKey::generate(name.to_owned(), BTreeSet::from([Scope::Sign]), now, None).unwrap();
        keys.add(&key).await.unwrap();
        texts.push(text.to_string());
    }
    let entrance = Entrance { api_keys: Some(keys), ..Entrance::default() };
    let (service, image) = (service_with(Ports { entrance, ..ports() }, &[]), png(8, 8));
    let fields = [("image", None, image.as_slice())];
    let mut proofs = HashSet::new();
    for text in [&texts[0], &texts[1], &texts[0]] {
        let answer = sign_as(&service, &[("idempotency-key", KEY), ("x-api-key", text)], &fields).await;
        assert_eq!(answer.status, 200);
        proofs.insert(answer.header("x-proof-uri").to_owned());
    }
    assert_eq!(proofs.len(), 2);
}
