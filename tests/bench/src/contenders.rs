//! The ways to sign and to verify that are compared, all with the same ES256 key.

use std::{io::Cursor, sync::Arc};

use bytes::Bytes;
use c2pa::{Builder, Context, Reader};
use credlink_keys::{KeyKind, LocalKeys, LocalSigner};
use credlink_pipeline::{
    manifest::SignOptions,
    proof_uri::ProofUriBase,
    sign::{SignContext, SignSettings, SignedImage, sign},
    timestamp::{Clock, Timestamp},
    trust::TrustAnchors,
    verify::{VerifyContext, verify},
};
use credlink_proofs::MemoryProofStore;
use image_hasher::{HashAlg, HasherConfig};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::timing::in_turns;

pub const SIGN_PLAIN: &str = "CredLink sign, without fingerprint";
pub const SIGN_WHOLE: &str = "CredLink sign, whole";
pub const NAIVE: &str = "naive: image RGB + image_hasher + Builder::sign";
pub const READER: &str = "c2pa Reader";
pub const VERIFY: &str = "CredLink verify";

/// Keys, trust and the runtime that all share.
pub struct Contenders {
    signer: Arc<LocalSigner>,
    signer_pem: (Vec<u8>, Vec<u8>),
    trust_pem: String,
    trust: TrustAnchors,
    proof_uris: ProofUriBase,
    runtime: tokio::runtime::Runtime,
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(time::OffsetDateTime::now_utc())
    }
}

impl Contenders {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys =
            LocalKeys::open_or_create(folder.path(), KeyKind::P256, SystemClock.now()).expect("new keys");
        let trust_pem = keys.trust_anchors().expect("the new root");
        let pem = std::fs::read_to_string(folder.path().join("signer.pem")).expect("the new signer");
        let chain_start = pem.find("-----BEGIN CERTIFICATE").expect("a certificate");
        let (key, chain) = pem.split_at(chain_start);
        Self {
            signer: keys.signer(),
            signer_pem: (chain.into(), key.into()),
            trust: TrustAnchors::from_pem(&trust_pem).expect("our own root"),
            trust_pem,
            proof_uris: "https://proofs.example.com".parse().expect("a base"),
            runtime: tokio::runtime::Builder::new_current_thread().build().expect("a runtime"),
        }
    }

    /// Median seconds of each way, the floor first.
    pub fn measure(&self, mime: &str, bytes: &[u8]) -> Vec<(String, f64)> {
        let image = Bytes::copy_from_slice(bytes);
        let plain = SignSettings { fingerprint: false, ..SignSettings::default() };
        let whole = SignSettings::default();
        let proofs = MemoryProofStore::default();
        let signed = Bytes::from(self.sign(&image, &whole, &proofs).image.to_vec());
        let c2pa_signer = self.c2pa_signer();
        let c2pa_signer = c2pa_signer.as_ref();
        let mut contenders: Vec<(&'static str, Box<dyn FnMut() + '_>)> = vec![
            ("SHA-256 alone", Box::new(|| _ = std::hint::black_box(Sha256::digest(bytes)))),
            (
                "c2pa Builder::sign, thumbnails off",
                Box::new(|| builder_sign(c2pa_signer, mime, bytes, false)),
            ),
            ("c2pa Builder::sign, thumbnails on", Box::new(|| builder_sign(c2pa_signer, mime, bytes, true))),
            (SIGN_PLAIN, Box::new(|| drop(self.sign(&image, &plain, &MemoryProofStore::default())))),
            (SIGN_WHOLE, Box::new(|| drop(self.sign(&image, &whole, &MemoryProofStore::default())))),
            (NAIVE, Box::new(|| naive(c2pa_signer, mime, bytes))),
            (READER, Box::new(|| self.read(mime, &signed))),
            (VERIFY, Box::new(|| self.verify(&signed, &proofs))),
        ];
        in_turns(15, &mut contenders)
    }

    /// Signs once, as the service would.
    pub fn sign(&self, image: &Bytes, settings: &SignSettings, proofs: &MemoryProofStore) -> SignedImage {
        let context = SignContext {
            signer: self.signer.as_ref(),
            proofs,
            clock: &SystemClock,
            proof_uris: &self.proof_uris,
            trust: &self.trust,
            time_stamps: None,
            revocation: None,
            settings,
        };
        let options = SignOptions::default();
        self.runtime.block_on(sign(image.clone(), &options, &context)).expect("the picture can be signed")
    }

    fn verify(&self, signed: &Bytes, proofs: &MemoryProofStore) {
        let context = VerifyContext {
            proofs,
            clock: &SystemClock,
            trust: &self.trust,
            revocation: None,
            proof_uris: &self.proof_uris,
            max_bytes: usize::MAX,
        };
        let report = self.runtime.block_on(verify(signed.clone(), &context)).expect("a report");
        assert!(report.valid, "{report:#?}");
    }

    fn read(&self, mime: &str, signed: &[u8]) {
        let settings = json!({"trust": {"trust_anchors": self.trust_pem}});
        let context = Context::new().with_settings(settings).expect("valid settings");
        let reader =
            Reader::from_context(context).with_stream(mime, Cursor::new(signed)).expect("a credential");
        assert_eq!(reader.validation_state(), c2pa::ValidationState::Trusted);
        std::hint::black_box(reader.json());
    }

    fn c2pa_signer(&self) -> c2pa::BoxedSigner {
        let (chain, key) = &self.signer_pem;
        c2pa::create_signer::from_keys(chain, key, c2pa::SigningAlg::Es256, None).expect("our own key")
    }
}

fn builder_sign(signer: &dyn c2pa::Signer, mime: &str, bytes: &[u8], thumbnails: bool) {
    let settings =
        json!({"builder": {"thumbnail": {"enabled": thumbnails}}, "verify": {"verify_after_sign": false}});
    let context = Context::new().with_settings(settings).expect("valid settings");
    let definition = json!({
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
        }]}}],
    });
    let mut builder =
        Builder::from_context(context).with_definition(definition.to_string()).expect("a definition");
    let mut output = Cursor::new(Vec::with_capacity(bytes.len() + 100_000));
    builder.sign(signer, mime, &mut Cursor::new(bytes), &mut output).expect("the picture can be signed");
    std::hint::black_box(output);
}

/// What one would write first: decode to RGB, a DCT hash of it, SHA-256 of the file, `Builder::sign`.
fn naive(signer: &dyn c2pa::Signer, mime: &str, bytes: &[u8]) {
    let picture = image::load_from_memory(bytes).expect("the picture decodes");
    let hasher = HasherConfig::new().hash_alg(HashAlg::Mean).hash_size(16, 16).preproc_dct().to_hasher();
    std::hint::black_box(hasher.hash_image(&picture));
    std::hint::black_box(Sha256::digest(bytes));
    builder_sign(signer, mime, bytes, false);
}
