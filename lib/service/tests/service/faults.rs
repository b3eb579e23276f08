//! What callers get when something behind the service fails. They learn that it did, and nothing of how.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use credlink_pipeline::{
    proof::ProofStoreError,
    signer::{Signer, SignerError, SigningAlgorithm},
};
use http_body_util::channel::Channel;
use tokio::time::Instant;

use crate::support::{
    Answer, form, form_type, get, png, ports_signing_with, ports_with_proofs, ports_with_signer, post,
    post_form, service, service_with,
};

async fn sign(router: &axum::Router) -> Answer {
    post_form(router, "/sign", &[("image", None, &png(4, 4))]).await
}

#[tokio::test]
async fn a_key_that_cannot_be_reached_is_worth_another_try() {
    let service = service_with(ports_with_signer(|| Err(SignerError::Unavailable("secret".into()))), &[]);
    let answer = sign(&service).await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").parse::<u16>().is_ok());
    assert!(!answer.error("SERVICE_UNAVAILABLE").to_string().contains("secret"));
}

#[tokio::test]
async fn an_unusable_key_is_the_operators_to_replace() {
    let service = service_with(ports_with_signer(|| Err(SignerError::Unusable("secret".into()))), &[]);
    let answer = sign(&service).await;
    assert_eq!(answer.status, 500);
    assert!(!answer.error("CERTIFICATE_INVALID").to_string().contains("secret"));
}

#[tokio::test]
async fn a_proof_store_that_is_down() {
    let down = || ProofStoreError::Unavailable("secret".into());
    let service = service_with(ports_with_proofs(down), &[]);
    let path = "/proofs/0f0e0d0c-0b0a-4908-8706-050403020100";
    for answer in [sign(&service).await, get(&service, path, &[]).await] {
        assert_eq!(answer.status, 503);
        assert!(answer.header("retry-after").parse::<u16>().is_ok());
        assert!(!answer.error("SERVICE_UNAVAILABLE").to_string().contains("secret"));
    }
    let health = get(&service, "/health", &[]).await;
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["status"], "degraded");
    assert_eq!(health.json()["checks"], serde_json::json!({"proofs": "failed", "signer": "ok"}));
}

#[tokio::test]
async fn a_proof_that_cannot_be_read() {
    let damaged = || ProofStoreError::Damaged {
        id: "0f0e0d0c-0b0a-4908-8706-050403020100".parse().unwrap(),
        reason: "secret".into(),
    };
    let service = service_with(ports_with_proofs(damaged), &[]);
    let answer = get(&service, "/proofs/0f0e0d0c-0b0a-4908-8706-050403020100", &[]).await;
    assert!(!answer.error("INTERNAL_ERROR").to_string().contains("secret"));
}

#[tokio::test]
async fn a_panic_is_an_answer_and_not_the_end() {
    let service = service_with(ports_with_signer(|| panic!("secret")), &[]);
    for _ in 0..3 {
        let answer = sign(&service).await;
        assert_eq!(answer.status, 500);
        assert!(!answer.error("INTERNAL_ERROR").to_string().contains("secret"));
    }
    let signed = sign(&self::service()).await;
    let service = service_with(ports_with_proofs(|| panic!("secret")), &[]);
    post(&service, "/verify", "image/png", signed.body.clone()).await.error("EXTRACTION_FAILED");
    get(&service, "/proofs/0f0e0d0c-0b0a-4908-8706-050403020100", &[]).await.error("INTERNAL_ERROR");
    assert_eq!(get(&service, "/", &[]).await.status, 200);
}

#[tokio::test]
async fn work_that_takes_too_long() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let ports = ports_with_signer(move || {
        let _released = wait.lock().map(|wait| wait.recv());
        Ok(())
    });
    let service = service_with(ports, &[("IMAGE_PROCESSING_TIMEOUT_MS", "100")]);
    let answer = sign(&service).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.error("TIMEOUT")["details"]["limitMs"], 100);
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let begun = form(&[("image", None, &png(4, 4))])[..40].to_vec();
    sender.send_data(begun.into()).await.unwrap();
    let answer = post(&service(), "/sign", &form_type(), Body::new(body)).await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.header("connection"), "close");
    answer.error("REQUEST_TIMEOUT");
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let dripping = async move {
        while sender.send_data(Bytes::from_static(b"-")).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(15)).await;
        }
    };
    let started = Instant::now();
    let service = service();
    let form_type = form_type();
    let (answer, ()) = tokio::join!(post(&service, "/sign", &form_type, Body::new(body)), dripping);
    answer.error("REQUEST_TIMEOUT");
    assert!(started.elapsed() < Duration::from_secs(320), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_body_that_breaks_off() {
    let (sender, body) = Channel::new(1);
    sender.abort(io::Error::other("reset"));
    post(&service(), "/verify", "image/png", Body::new(body)).await.error("INVALID_REQUEST");
}

#[tokio::test]
async fn the_signer_that_has_no_chain_is_not_healthy() {
    struct NoChain;
    #[async_trait]
    impl Signer for NoChain {
        fn algorithm(&self) -> SigningAlgorithm {
            SigningAlgorithm::Es256
        }
        fn chain(&self) -> &[Vec<u8>] {
            &[]
        }
        fn signature_length(&self) -> usize {
            64
        }
        async fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignerError> {
            Err(SignerError::Unusable("no chain".into()))
        }
    }
    let ports = ports_signing_with(Arc::new(NoChain));
    let health = get(&service_with(ports, &[]), "/health", &[]).await;
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["checks"]["signer"], "failed");
}
