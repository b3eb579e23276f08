//! One way to each failure, over the same interface as callers have.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use bytes::Bytes;
use credlink_pipeline::signer::{Signer, SignerError, SigningAlgorithm};
use credlink_service::{Entrance, Ports, api_keys::MemoryApiKeys, error::ErrorCode};
use http_body_util::channel::Channel;
use serde_json::json;

use crate::{
    support::{
        Answer, certificate, form, form_type, get, noise_png, png, ports, ports_signing_with,
        ports_with_proofs, ports_with_signer, post, post_form, send, service, service_with,
    },
    uploads::local,
};

/// What a caller gets whose request fails like this. Each name needs a way to it.
pub(crate) async fn failure(code: ErrorCode) -> Answer {
    const UNKNOWN: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";
    match code {
        ErrorCode::NoFileProvided => post_form(&service(), "/sign", &[]).await,
        ErrorCode::InvalidRequest => {
            let fields = [("image", None, png(4, 4)), ("training", None, b"maybe".to_vec())];
            post_form(
                &service(),
                "/sign",
                &fields.each_ref().map(|(name, file, text)| (*name, *file, &text[..])),
            )
            .await
        }
        ErrorCode::InvalidFileType => sign_with(&service(), b"%PDF-1.7").await,
        ErrorCode::ValidationFailed => sign_with(&service(), &png(10_001, 1)).await,
        ErrorCode::Unauthorized => {
            let entrance = Entrance { api_keys: Some(Arc::new(MemoryApiKeys::new())), ..Entrance::default() };
            sign(&service_with(Ports { entrance, ..ports() }, &[])).await
        }
        ErrorCode::ProofNotFound => get(&service(), &format!("/proofs/{UNKNOWN}"), &[]).await,
        ErrorCode::UploadNotFound => {
            local(ports(), &[]).post_json("/sign", json!({"uploadId": UNKNOWN})).await
        }
        ErrorCode::NotFound => get(&service(), "/nothing", &[]).await,
        ErrorCode::MethodNotAllowed => get(&service(), "/sign", &[]).await,
        ErrorCode::RequestTimeout => stopped_body().await,
        ErrorCode::IdempotencyConflict => key_of_another_image().await,
        ErrorCode::FileTooLarge => {
            let local = local(ports(), &[("INLINE_LIMIT_BYTES", "65536")]);
            sign_with(&local.router, &noise_png(300, 300)).await
        }
        ErrorCode::UnsupportedMediaType => post(&service(), "/verify", "text/plain", "an image").await,
        ErrorCode::RateLimitExceeded => one_too_many().await,
        ErrorCode::SigningFailed => {
            let Ports { identity, .. } = ports_signing_with(Arc::new(TooLong(vec![certificate()])));
            sign(&service_with(Ports { identity, ..ports() }, &[])).await
        }
        ErrorCode::ExtractionFailed => {
            let signed = sign(&service()).await;
            let service = service_with(ports_with_proofs(|| panic!("a fault")), &[]);
            post(&service, "/verify", "image/png", signed.body).await
        }
        ErrorCode::CertificateInvalid => {
            let unusable = || Err(SignerError::Unusable("it expired".into()));
            sign(&service_with(ports_with_signer(unusable), &[])).await
        }
        ErrorCode::InternalError => sign(&service_with(ports_with_signer(|| panic!("a fault")), &[])).await,
        ErrorCode::ServiceUnavailable => {
            let unavailable = || Err(SignerError::Unavailable("it is throttled".into()));
            sign(&service_with(ports_with_signer(unavailable), &[])).await
        }
        ErrorCode::Timeout => slow_signature().await,
    }
}

async fn sign(service: &Router) -> Answer {
    sign_with(service, &png(4, 4)).await
}

async fn sign_with(service: &Router, image: &[u8]) -> Answer {
    post_form(service, "/sign", &[("image", None, image)]).await
}

async fn stopped_body() -> Answer {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let begun = form(&[("image", None, &png(4, 4))])[..40].to_vec();
    sender.send_data(begun.into()).await.unwrap();
    tokio::time::pause();
    let answer = post(&service(), "/sign", &form_type(), Body::new(body)).await;
    tokio::time::resume();
    drop(sender);
    answer
}

async fn key_of_another_image() -> Answer {
    let service = service();
    let request = |image: &[u8]| {
        let request =
            Request::post("/sign").header(header::CONTENT_TYPE, form_type()).header("idempotency-key", "a");
        request.body(form(&[("image", None, image)]).into()).unwrap()
    };
    assert_eq!(send(&service, request(&png(4, 4))).await.status, 200);
    send(&service, request(&png(5, 5))).await
}

/// The window may turn meanwhile, so it asks until it is one too many.
async fn one_too_many() -> Answer {
    let service = service_with(ports(), &[("RATE_LIMIT_MAX", "1")]);
    for _ in 0..10 {
        let answer = get(&service, "/nothing", &[]).await;
        if answer.status == 429 {
            return answer;
        }
    }
    panic!("nobody was refused");
}

async fn slow_signature() -> Answer {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let ports = ports_with_signer(move || {
        let _released = wait.lock().map(|wait| wait.recv());
        Ok(())
    });
    let answer = sign(&service_with(ports, &[("IMAGE_PROCESSING_TIMEOUT_MS", "100")])).await;
    drop(release);
    answer
}

/// A signer whose signatures are longer than it said.
struct TooLong(Vec<Vec<u8>>);

#[async_trait]
impl Signer for TooLong {
    fn algorithm(&self) -> SigningAlgorithm {
        SigningAlgorithm::Es256
    }

    fn chain(&self) -> &[Vec<u8>] {
        &self.0
    }

    fn signature_length(&self) -> usize {
        64
    }

    async fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(vec![0; 100_000])
    }
}
