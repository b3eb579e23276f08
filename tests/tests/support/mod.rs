//! A small newsroom: keys on disk, proofs in memory, pictures that are made here.

// Each test program uses a part of it.
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by a panic")]

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use credlink_keys::{KeyKind, LocalKeys, LocalSigner};
use credlink_pipeline::{
    manifest::SignOptions,
    proof::{ProofId, ProofRecord},
    proof_uri::ProofUriBase,
    sign::{SignContext, SignError, SignSettings, SignedImage, sign},
    sign_once::sign_once,
    timestamp::{Clock, Timestamp},
    trust::TrustAnchors,
    verdict::VerificationReport,
    verify::{VerifyContext, verify},
};
use credlink_proofs::MemoryProofStore;
use std::sync::Arc;

/// Everything that signs and verifies.
pub struct Newsroom {
    pub signer: Arc<LocalSigner>,
    pub proofs: MemoryProofStore,
    pub clock: SetClock,
    pub trust: TrustAnchors,
    pub root_pem: String,
    pub proof_uris: ProofUriBase,
    pub settings: SignSettings,
    _keys: tempfile::TempDir,
}

/// A clock that tells real time plus what it was moved by.
#[derive(Default)]
pub struct SetClock(AtomicI64);

impl SetClock {
    pub fn advance_days(&self, days: i64) {
        self.0.fetch_add(days, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        let moved = time::Duration::days(self.0.load(Ordering::SeqCst));
        Timestamp::new(time::OffsetDateTime::now_utc() + moved)
    }
}

impl Newsroom {
    pub fn new(kind: KeyKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = SetClock::default();
        let keys = LocalKeys::open_or_create(folder.path(), kind, clock.now()).unwrap();
        let root_pem = keys.trust_anchors().unwrap();
        Self {
            signer: keys.signer(),
            proofs: MemoryProofStore::default(),
            clock,
            trust: TrustAnchors::from_pem(&root_pem).unwrap(),
            root_pem,
            proof_uris: "https://proofs.example.com".parse().unwrap(),
            settings: SignSettings::default(),
            _keys: folder,
        }
    }

    pub async fn try_sign(
        &self,
        image: &[u8],
        options: &SignOptions,
    ) -> Result<(Vec<u8>, ProofRecord), SignError> {
        let signed = sign(Bytes::copy_from_slice(image), options, &self.context()).await?;
        Ok((signed.image.to_vec(), signed.record))
    }

    pub async fn sign_once(&self, image: &[u8], id: ProofId) -> Result<SignedImage, SignError> {
        sign_once(Bytes::copy_from_slice(image), id, &SignOptions::default(), &self.context()).await
    }

    fn context(&self) -> SignContext<'_> {
        SignContext {
            signer: self.signer.as_ref(),
            proofs: &self.proofs,
            clock: &self.clock,
            proof_uris: &self.proof_uris,
            trust: &self.trust,
            time_stamps: None,
            revocation: None,
            settings: &self.settings,
        }
    }

    pub async fn sign(&self, image: &[u8]) -> Vec<u8> {
        self.try_sign(image, &SignOptions::default()).await.unwrap().0
    }

    pub async fn verify(&self, image: &[u8]) -> VerificationReport {
        let context = VerifyContext {
            proofs: &self.proofs,
            clock: &self.clock,
            trust: &self.trust,
            revocation: None,
            proof_uris: &self.proof_uris,
            max_bytes: self.settings.limits.max_bytes,
        };
        verify(Bytes::copy_from_slice(image), &context).await.unwrap()
    }
}

/// Red, green and blue of a small picture with some structure.
pub fn pixels(width: usize, height: usize) -> Vec<u8> {
    let level = |x: usize, y: usize| [(x * 5) % 256, (y * 7) % 256, (x * y / 8) % 256].map(|c| c as u8);
    (0..height).flat_map(|y| (0..width).flat_map(move |x| level(x, y))).collect()
}

pub fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
    let pixels = pixels(width.into(), height.into());
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels(width as usize, height as usize)).unwrap();
    writer.finish().unwrap();
    bytes
}

pub fn webp(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = pixels(width as usize, height as usize);
    image_webp::WebPEncoder::new(&mut bytes)
        .encode(&pixels, width, height, image_webp::ColorType::Rgb8)
        .unwrap();
    bytes
}

/// One small picture of each format.
pub fn of_each_format(width: u16, height: u16) -> [(&'static str, Vec<u8>); 3] {
    let (w, h) = (u32::from(width), u32::from(height));
    [("jpeg", jpeg(width, height)), ("png", png(w, h)), ("webp", webp(w, h))]
}
