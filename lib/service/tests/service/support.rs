//! A service with keys of its own, requests, and small images.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use credlink_keys::{KeyKind, LocalKeys};
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofRecord, ProofStore, ProofStoreError, StampedCopy},
    signer::{Signer, SignerError, SigningAlgorithm},
    timestamp::{Clock as _, Timestamp},
    trust::TrustAnchors,
};
use credlink_proofs::MemoryProofStore;
use credlink_service::{
    Authorities, Entrance, Measured, Ports, Service, Settings,
    clock::SystemClock,
    config::Config,
    identity::FixedIdentity,
    jobs::{JobBook, MemoryJobStore},
    metrics::PrometheusMetrics,
    router,
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

/// The boundary of all forms made here.
pub(crate) const BOUNDARY: &str = "fence";

/// Keys that all tests share.
fn keys() -> (Arc<dyn Signer>, TrustAnchors) {
    static KEYS: OnceLock<LocalKeys> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        LocalKeys::open_or_create(&folder, KeyKind::P256, SystemClock.now()).unwrap()
    });
    (keys.signer(), TrustAnchors::from_pem(&keys.trust_anchors().unwrap()).unwrap())
}

/// The certificate that signs, in DER.
pub(crate) fn certificate() -> Vec<u8> {
    keys().0.chain()[0].clone()
}

/// What a service with defaults works with.
pub(crate) fn ports() -> Ports {
    ports_signing_with(keys().0)
}

/// What a service works with that signs with `signer`.
pub(crate) fn ports_signing_with(signer: Arc<dyn Signer>) -> Ports {
    let identity = Arc::new(FixedIdentity { signer, trust: keys().1 });
    Ports {
        identity,
        proofs: Arc::new(MemoryProofStore::new()),
        uploads: None,
        clock: Arc::new(SystemClock),
        authorities: Authorities::default(),
        entrance: Entrance::default(),
    }
}

/// Settings, as variables choose them.
pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let config = Config::from_env(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    });
    let config = config.unwrap();
    config.settings(config.listen).unwrap()
}

/// A router over these ports.
pub(crate) fn service_with(ports: Ports, variables: &[(&str, &str)]) -> Router {
    router::all(Arc::new(Service::new(ports, settings(variables))))
}

/// What is shown of a service whose jobs never ran.
pub(crate) fn measured() -> Arc<Measured> {
    let jobs = JobBook::new(Arc::new(MemoryJobStore::new()));
    Arc::new(Measured { process: PrometheusMetrics::new().unwrap(), jobs })
}

/// A router with defaults.
pub(crate) fn service() -> Router {
    service_with(ports(), &[])
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks the envelope; gives the error in it.
    pub(crate) fn error(&self, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        let envelope = self.json();
        let error = &envelope["error"];
        assert_eq!(error["code"], code, "{envelope}");
        assert_eq!(error["statusCode"], self.status.as_u16(), "{envelope}");
        assert_eq!(error["requestId"], self.header("x-request-id"), "{envelope}");
        assert!(error["message"].as_str().unwrap().ends_with('.'), "{envelope}");
        assert!(Timestamp::parse(error["timestamp"].as_str().unwrap()).is_ok(), "{envelope}");
        assert!(error["details"].is_object(), "{envelope}");
        assert_eq!(envelope.as_object().unwrap().len(), 1);
        assert_eq!(error.as_object().unwrap().len(), 6);
        error.clone()
    }
}

/// Sends a request; reads the whole answer.
pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    whole(router.clone().oneshot(request).await.unwrap()).await
}

async fn whole(response: Response) -> Answer {
    let (head, body) = response.into_parts();
    Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
}

pub(crate) async fn get(router: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(Body::empty()).unwrap()).await
}

pub(crate) async fn post(router: &Router, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap();
    send(router, request).await
}

/// Sends a form.
pub(crate) async fn post_form(router: &Router, path: &str, fields: &[Field<'_>]) -> Answer {
    post(router, path, &form_type(), form(fields)).await
}

pub(crate) fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// Name, file name and content of a form's field.
pub(crate) type Field<'a> = (&'a str, Option<&'a str>, &'a [u8]);

pub(crate) fn form(fields: &[Field<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file_name, content) in fields {
        let file = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// A picture of these dimensions.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    png_of(width, height, |i| (i % 251) as u8)
}

/// A picture that does not compress: its file has a little more bytes than it has pixels.
pub(crate) fn noise_png(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    png_of(width, height, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
}

fn png_of(width: u32, height: u32, pixel: impl FnMut(u32) -> u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let pixels: Vec<u8> = (0..width * height).map(pixel).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

/// A signer of which each call does something first.
pub(crate) struct TamperedSigner<F> {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) before: F,
}

#[async_trait]
impl<F: Fn() -> Result<(), SignerError> + Send + Sync> Signer for TamperedSigner<F> {
    fn algorithm(&self) -> SigningAlgorithm {
        self.signer.algorithm()
    }

    fn chain(&self) -> &[Vec<u8>] {
        self.signer.chain()
    }

    fn signature_length(&self) -> usize {
        self.signer.signature_length()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        (self.before)()?;
        self.signer.sign(message).await
    }
}

/// Ports whose signer does `before` on each call.
pub(crate) fn ports_with_signer(
    before: impl Fn() -> Result<(), SignerError> + Send + Sync + 'static,
) -> Ports {
    ports_signing_with(Arc::new(TamperedSigner { signer: keys().0, before }))
}

/// A proof store that answers nothing but what the function says.
pub(crate) struct BrokenProofs<F>(pub(crate) F);

#[async_trait]
impl<F: Fn() -> ProofStoreError + Send + Sync> ProofStore for BrokenProofs<F> {
    async fn put(&self, _: &Proof) -> Result<(), ProofStoreError> {
        Err((self.0)())
    }

    async fn record(&self, _: ProofId, _: Timestamp) -> Result<Option<ProofRecord>, ProofStoreError> {
        Err((self.0)())
    }

    async fn proof(&self, _: ProofId, _: Timestamp) -> Result<Option<Proof>, ProofStoreError> {
        Err((self.0)())
    }

    async fn find_by_image_hash(
        &self,
        _: Sha256Hash,
        _: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        Err((self.0)())
    }

    async fn keep_stamped(&self, _: &ProofRecord, _: StampedCopy, _: Bytes) -> Result<bool, ProofStoreError> {
        Err((self.0)())
    }

    async fn stamped_store(&self, _: ProofId, _: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        Err((self.0)())
    }

    async fn delete(&self, _: ProofId) -> Result<bool, ProofStoreError> {
        Err((self.0)())
    }

    async fn check(&self) -> Result<(), ProofStoreError> {
        Err((self.0)())
    }
}

/// Ports whose proof store fails like this.
pub(crate) fn ports_with_proofs(fail: impl Fn() -> ProofStoreError + Send + Sync + 'static) -> Ports {
    Ports { proofs: Arc::new(BrokenProofs(fail)), ..ports() }
}
