//! Time-stamps that come later: images stay provable when their certificate expires.

mod answers;
mod authority;
mod job;
mod story;

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use credlink_pipeline::{
    manifest::SignOptions,
    proof::{Proof, ProofId, ProofRecord, ProofStore},
    restamp::{RestampContext, RestampError, StampedStore, restamp},
    sign::{SignContext, SignSettings, sign},
    timestamp::Timestamp,
    trust::TrustAnchors,
    verdict::VerificationReport,
    verify::{VerifyContext, verify},
};
use credlink_proofs::MemoryProofStore;

use crate::support::png;
use authority::{Authority, Root, SetClock, ShortSigner, trust};

pub(crate) fn now() -> Timestamp {
    Timestamp::new(SystemTime::now().into())
}

pub(crate) fn days_from_now(days: i64) -> Timestamp {
    let seconds = std::time::Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60);
    let now = SystemTime::now();
    Timestamp::new(if days < 0 { now - seconds } else { now + seconds }.into())
}

/// When the certificate ends with which images are signed here.
const LIFE: i64 = 10;

/// Everything that signs, stamps and verifies here.
pub(crate) struct Scene {
    pub(crate) signers: Root,
    pub(crate) authority: Arc<Authority>,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) proofs: Arc<MemoryProofStore>,
    pub(crate) trust: TrustAnchors,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let (signers, authorities) = (Root::new("Signers"), Root::new("Time-stamp authorities"));
        Self {
            authority: Arc::new(Authority::new(&authorities, now())),
            trust: trust(&signers, Some(&authorities)),
            clock: Arc::new(SetClock::at(now())),
            proofs: Arc::new(MemoryProofStore::new()),
            signers,
        }
    }

    /// Signs an image of its own with a certificate that ends after [`LIFE`].
    pub(crate) async fn sign(&self, width: u32) -> (Bytes, ProofRecord) {
        let signer = ShortSigner::new(&self.signers, days_from_now(LIFE));
        self.sign_with(&signer, width, None).await
    }

    /// The same, of proofs that are kept for so many days.
    pub(crate) async fn sign_for(&self, proof_lifetime_days: u32, width: u32) -> ProofRecord {
        let signer = ShortSigner::new(&self.signers, days_from_now(LIFE));
        let settings = SignSettings { proof_lifetime_days, ..SignSettings::default() };
        self.sign_as(&signer, width, None, &settings).await.1
    }

    pub(crate) async fn sign_with(
        &self,
        signer: &ShortSigner,
        width: u32,
        authority: Option<&Authority>,
    ) -> (Bytes, ProofRecord) {
        self.sign_as(signer, width, authority, &SignSettings::default()).await
    }

    async fn sign_as(
        &self,
        signer: &ShortSigner,
        width: u32,
        authority: Option<&Authority>,
        settings: &SignSettings,
    ) -> (Bytes, ProofRecord) {
        let context = SignContext {
            signer,
            proofs: &*self.proofs,
            clock: &*self.clock,
            proof_uris: &"http://127.0.0.1:3001/proofs".parse().unwrap(),
            trust: &self.trust,
            time_stamps: authority.map(|authority| authority as _),
            revocation: None,
            settings,
        };
        let signed = sign(png(width, 8).into(), &SignOptions::default(), &context).await.unwrap();
        (signed.image.to_vec().into(), signed.record)
    }

    pub(crate) async fn proof(&self, id: ProofId) -> Proof {
        self.proofs.proof(id, self.clock_time()).await.unwrap().unwrap()
    }

    pub(crate) async fn restamp(&self, proof: &Proof) -> Result<StampedStore, RestampError> {
        self.restamp_trusting(proof, &self.trust).await
    }

    pub(crate) async fn restamp_trusting(
        &self,
        proof: &Proof,
        trust: &TrustAnchors,
    ) -> Result<StampedStore, RestampError> {
        let signer = ShortSigner::new(&self.signers, days_from_now(300));
        let context = RestampContext {
            signer: &signer,
            authority: &*self.authority,
            clock: &*self.clock,
            trust,
            revocation: None,
        };
        restamp(proof, &context).await
    }

    pub(crate) async fn keep(&self, record: &ProofRecord, stamped: StampedStore) {
        assert!(self.proofs.keep_stamped(record, stamped.copy, stamped.store).await.unwrap());
    }

    /// What verification says of `image` so many days from now.
    pub(crate) async fn verify_in(&self, days: i64, image: &Bytes) -> VerificationReport {
        self.verify_trusting(days, image, &self.trust).await
    }

    pub(crate) async fn verify_trusting(
        &self,
        days: i64,
        image: &Bytes,
        trust: &TrustAnchors,
    ) -> VerificationReport {
        self.verify_with(days, image, trust, &*self.proofs).await
    }

    pub(crate) async fn verify_with(
        &self,
        days: i64,
        image: &Bytes,
        trust: &TrustAnchors,
        proofs: &dyn ProofStore,
    ) -> VerificationReport {
        let clock = SetClock::at(days_from_now(days));
        let context = VerifyContext {
            proofs,
            clock: &clock,
            trust,
            revocation: None,
            proof_uris: &"http://127.0.0.1:3001/proofs".parse().unwrap(),
            max_bytes: 50 << 20,
        };
        verify(image.clone(), &context).await.unwrap()
    }

    fn clock_time(&self) -> Timestamp {
        use credlink_pipeline::timestamp::Clock as _;
        self.clock.now()
    }
}

pub(crate) fn codes(report: &VerificationReport) -> Vec<&str> {
    report.status.iter().map(|status| status.code.as_str()).collect()
}
