//! The trial: before a new key signs for anybody, it signs a real image, and our own verifier has to trust the result.

use std::{collections::HashMap, sync::Arc, sync::Mutex, sync::PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use credlink_pipeline::{
    certificate::CertificateReport,
    credential::ValidationState,
    digest::Sha256Hash,
    manifest::SignOptions,
    proof::{Proof, ProofId, ProofRecord, ProofStore, ProofStoreError, StampedCopy},
    proof_uri::ProofUriBase,
    sign::{SignContext, SignError, SignSettings, sign},
    signer::{Signer, SignerError},
    timestamp::{Clock, Timestamp},
    trust::TrustAnchors,
    verdict::VerificationReport,
    verify::{VerifyContext, verify},
};
use tokio::{runtime::Handle, task};

use super::ports::Fault;
use crate::pem_file::PemFile;

/// Grey, 32 by 32.
const IMAGE: &[u8] = include_bytes!("trial.png");

/// A name that nobody can own (RFC 2606): the image of the trial is thrown away.
const PROOF_URIS: &str = "https://trial.invalid/proofs";

/// Signs an image with `signer` and verifies it, trusting `root` alone.
///
/// # Errors
/// [`Fault`] when the key does not sign, or when the image is not trusted afterwards.
pub(super) async fn run(signer: Arc<dyn Signer>, root: &PemFile, clock: Arc<dyn Clock>) -> Result<(), Fault> {
    let root = String::from_utf8_lossy(root.bytes()).into_owned();
    // Signing is processor work, and its future stays on one thread.
    let work = move || Handle::current().block_on(sign_and_verify(&*signer, &root, &*clock));
    task::spawn_blocking(work).await.map_err(|error| failed(format!("it was broken off ({error})")))?
}

async fn sign_and_verify(signer: &dyn Signer, root: &str, clock: &dyn Clock) -> Result<(), Fault> {
    let trust = TrustAnchors::from_pem(root).map_err(|error| failed(format!("the new root: {error}")))?;
    let proof_uris: ProofUriBase =
        PROOF_URIS.parse().map_err(|error| failed(format!("the base of proof URIs: {error}")))?;
    let (proofs, settings) = (OneProof::default(), SignSettings::default());
    let context = SignContext {
        signer,
        proofs: &proofs,
        clock,
        proof_uris: &proof_uris,
        trust: &trust,
        time_stamps: None,
        revocation: None,
        settings: &settings,
    };
    let signed = sign(Bytes::from_static(IMAGE), &SignOptions::default(), &context).await;
    let signed = signed.map_err(|error| match error {
        SignError::Signer(SignerError::Unavailable(_)) => {
            Fault::passing("the trial signature", error.to_string(), "it is tried again later")
        }
        error => failed(error.to_string()),
    })?;
    let context = VerifyContext {
        proofs: &proofs,
        clock,
        trust: &trust,
        revocation: None,
        proof_uris: &proof_uris,
        max_bytes: settings.limits.max_bytes,
    };
    let report = verify(signed.image.to_vec().into(), &context).await;
    judge(&report.map_err(|error| failed(error.to_string()))?)
}

fn judge(report: &VerificationReport) -> Result<(), Fault> {
    let certificate = report.certificate.as_ref();
    if report.valid
        && report.state == ValidationState::Trusted
        && certificate.is_some_and(CertificateReport::is_valid)
    {
        return Ok(());
    }
    let objection = certificate.and_then(CertificateReport::first_objection);
    let reason = match objection {
        Some(check) => check.detail.clone(),
        None => format!("the state of the image is {:?}", report.state).to_lowercase(),
    };
    Err(failed(format!("our own verifier does not trust what the new key signed ({reason})")))
}

fn failed(problem: String) -> Fault {
    let fix = "the rotation is given up and the next run makes a new key and a new request; look at what the authority \
               issued";
    Fault::lasting("the trial signature", problem, fix)
}

/// Where the proof of the trial is, as long as the trial lasts.
#[derive(Default)]
struct OneProof(Mutex<HashMap<ProofId, Proof>>);

impl OneProof {
    fn with<T>(&self, use_them: impl FnOnce(&mut HashMap<ProofId, Proof>) -> T) -> T {
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl ProofStore for OneProof {
    async fn put(&self, proof: &Proof) -> Result<(), ProofStoreError> {
        self.with(|proofs| proofs.insert(proof.record.id, proof.clone()));
        Ok(())
    }

    async fn record(&self, id: ProofId, now: Timestamp) -> Result<Option<ProofRecord>, ProofStoreError> {
        Ok(self.proof(id, now).await?.map(|proof| proof.record))
    }

    async fn proof(&self, id: ProofId, now: Timestamp) -> Result<Option<Proof>, ProofStoreError> {
        let proof = self.with(|proofs| proofs.get(&id).cloned());
        Ok(proof.filter(|proof| now < proof.record.expires_at))
    }

    async fn find_by_image_hash(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        let matches = |record: &ProofRecord| record.image_hash == hash && now < record.expires_at;
        Ok(self.with(|proofs| {
            proofs.values().map(|proof| &proof.record).filter(|record| matches(record)).cloned().collect()
        }))
    }

    /// A trial is over before anybody could stamp it later.
    async fn keep_stamped(&self, _: &ProofRecord, _: StampedCopy, _: Bytes) -> Result<bool, ProofStoreError> {
        Ok(false)
    }

    async fn stamped_store(&self, _: ProofId, _: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        Ok(None)
    }

    async fn delete(&self, id: ProofId) -> Result<bool, ProofStoreError> {
        Ok(self.with(|proofs| proofs.remove(&id).is_some()))
    }

    async fn check(&self) -> Result<(), ProofStoreError> {
        Ok(())
    }
}
