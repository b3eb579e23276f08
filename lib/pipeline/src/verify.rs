//! The story of a verification: from an image to a report.

use bytes::Bytes;
use thiserror::Error;

use crate::{
    asset::{Asset, NotAnImage},
    certificate::{self, CertificateReport, Question, revocation::RevocationService},
    credential::{CredentialReading, Status, StatusKind, ValidationState},
    digest::Sha256Hash,
    extract::{Extraction, extract},
    jumbf::objection_to_form,
    proof::{ProofId, ProofStore},
    proof_uri::{ProofUriBase, parse_proof_uri},
    timestamp::{Clock, Timestamp},
    trust::TrustAnchors,
    verdict::{Evidence, ProofLookup, ProofSummary, VerificationReport, details, is_valid},
};

/// What verification needs from outside.
#[derive(Clone, Copy)]
pub struct VerifyContext<'a> {
    /// Where proofs are kept.
    pub proofs: &'a dyn ProofStore,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whom to trust.
    pub trust: &'a TrustAnchors,
    /// Asks whether certificates were revoked; `None` when nobody is to be asked.
    pub revocation: Option<&'a RevocationService>,
    /// Which proof URIs are our own.
    pub proof_uris: &'a ProofUriBase,
    /// The longest file that is read, in bytes.
    pub max_bytes: usize,
}

/// Why there is no report. A damaged image is not a reason: it gets a report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// Not a single byte.
    #[error("the file is empty; send an image")]
    Empty,
    /// The first bytes are those of no known format.
    #[error(transparent)]
    NotAnImage(#[from] NotAnImage),
    /// Longer than the limit.
    #[error("the file has {length} bytes; send one of at most {limit} bytes")]
    TooLarge {
        /// Bytes in the file.
        length: usize,
        /// Bytes that are taken.
        limit: usize,
    },
}

/// Verifies `image`.
///
/// # Errors
/// [`VerifyError`], only when there is no image to speak of.
pub async fn verify(image: Bytes, context: &VerifyContext<'_>) -> Result<VerificationReport, VerifyError> {
    let started = context.clock.now();
    if image.is_empty() {
        return Err(VerifyError::Empty);
    }
    if image.len() > context.max_bytes {
        return Err(VerifyError::TooLarge { length: image.len(), limit: context.max_bytes });
    }
    let (asset, damage) = Asset::read_leniently(image)?;
    let extraction = extract(&asset, &damage);
    let reading = extraction
        .store
        .as_ref()
        .map(|found| CredentialReading::of(&found.store, asset.bytes(), asset.format(), context.trust));
    let judged = Judged::of(&extraction, reading, context, started).await;
    let lookup = look_up_proof(&extraction, judged.reading.as_ref(), context, started).await;
    Ok(report(judged, &extraction, &lookup, started, context.clock))
}

/// The credential as it was found, with everything that can be said without the proof.
struct Judged {
    reading: Option<CredentialReading>,
    status: Vec<Status>,
    certificate: Option<CertificateReport>,
    manifest_hash: Option<Sha256Hash>,
}

impl Judged {
    async fn of(
        extraction: &Extraction,
        mut reading: Option<CredentialReading>,
        context: &VerifyContext<'_>,
        now: Timestamp,
    ) -> Self {
        if let Some(reading) = &mut reading {
            reading.status.extend(place_objection(extraction));
            reading.status.extend(form_objection(extraction, reading));
        }
        let mut status = reading.as_ref().map(|reading| reading.status.clone()).unwrap_or_default();
        let mut certificate = None;
        if let Some(signature) = reading.as_ref().and_then(|reading| reading.signature.as_ref()) {
            let anchors = context.trust.signers();
            let revocation = context.revocation;
            let question = Question { signature, anchors, stamped: None, now, revocation };
            let judgement = certificate::judge(question).await;
            status.retain(|status| status.ingredient.is_some() || !is_of_certificate(&status.code));
            status.extend(judgement.status);
            certificate = judgement.report;
        }
        Self {
            status,
            certificate,
            manifest_hash: extraction.store.as_ref().map(|found| Sha256Hash::of(&found.store)),
            reading,
        }
    }
}

/// What the library says about the signer's certificate and the time, of which we have an opinion of our own.
fn is_of_certificate(code: &str) -> bool {
    code.starts_with("signingCredential.") || code == INSIDE_VALIDITY || code == OUTSIDE_VALIDITY
}

/// A store that does not stand where C2PA wants it is not the file's credential, whatever it says
/// (C2PA 2.4, appendix A.3).
fn place_objection(extraction: &Extraction) -> Option<Status> {
    let found = extraction.store.as_ref().filter(|found| !found.well_placed)?;
    let reason = format!("the manifest store is not in its place ({:?})", found.source);
    Some(Status::new(StatusKind::Failure, "com.credlink.store.misplaced", reason))
}

/// What stands around the signed parts of a store (segment numbers, checksums, box descriptions) is covered by
/// no hash. What we wrote ourselves is known to the byte, so a change there does not pass unnoticed.
fn form_objection(extraction: &Extraction, reading: &CredentialReading) -> Option<Status> {
    let found = extraction.store.as_ref()?;
    let proof_uri = reading.proof_uri.as_deref()?;
    let label = reading.active_manifest.as_deref().and_then(ProofId::from_manifest_label);
    let reason = if !found.canonical {
        "the bytes around the manifest store are not those that were written with it"
    } else if !label.is_some_and(|id| proof_uri.ends_with(&id.to_string())) {
        "the manifest's label is not the name of its proof"
    } else {
        objection_to_form(&found.store)?
    };
    Some(Status::new(StatusKind::Failure, "com.credlink.store.altered", reason))
}

/// Looks the proof up under the URI that the manifest asserts; without a manifest under the one that travels
/// beside it.
async fn look_up_proof(
    extraction: &Extraction,
    reading: Option<&CredentialReading>,
    context: &VerifyContext<'_>,
    now: Timestamp,
) -> ProofLookup {
    let asserted = reading.and_then(|reading| reading.proof_uri.as_deref());
    let Some(uri) = asserted.or(extraction.proof_uri.as_deref()) else {
        return ProofLookup::NotNamed;
    };
    let Ok(id) = parse_proof_uri(uri, context.proof_uris) else {
        return ProofLookup::Foreign;
    };
    match context.proofs.record(id, now).await {
        Ok(Some(record)) => ProofLookup::Found(record),
        Ok(None) => ProofLookup::Unknown,
        Err(error) => {
            tracing::error!(%id, %error, "the proof store did not answer");
            ProofLookup::NotAnswered
        }
    }
}

fn report(
    judged: Judged,
    extraction: &Extraction,
    lookup: &ProofLookup,
    started: Timestamp,
    clock: &dyn Clock,
) -> VerificationReport {
    let evidence = Evidence {
        reading: judged.reading.as_ref(),
        certificate: judged.certificate.as_ref(),
        lookup,
        manifest_hash: judged.manifest_hash,
    };
    let score = evidence.score();
    let substitution = evidence.substitution();
    let details = details(&score);
    let valid = is_valid(&details, &judged.status, substitution.as_ref());
    let state = state(judged.reading.as_ref(), &judged.status);
    let (manifest, ingredients) = match judged.reading {
        Some(reading) => (reading.manifest, reading.ingredients),
        None => (None, Vec::new()),
    };
    let finished = clock.now();
    VerificationReport {
        valid,
        confidence: score.iter().map(|row| row.points).sum(),
        details,
        state,
        extraction: extraction.report(),
        score,
        status: judged.status,
        certificate: judged.certificate,
        proof: match lookup {
            ProofLookup::Found(record) => Some(ProofSummary::from(record)),
            _ => None,
        },
        substitution,
        manifest,
        ingredients,
        timestamp: finished,
        processing_time: finished.milliseconds_since(started),
    }
}

/// The state that the statuses amount to (C2PA 2.4, section 14.3).
fn state(reading: Option<&CredentialReading>, status: &[Status]) -> ValidationState {
    const UNTRUSTED: &str = "signingCredential.untrusted";
    if reading.is_none() {
        return ValidationState::None;
    }
    let failures = || status.iter().filter(|status| status.kind == StatusKind::Failure);
    let succeeded = |code: &str| status.iter().any(|status| status.is_success_of_active(code));
    let holds = succeeded("claimSignature.validated") && succeeded(INSIDE_VALIDITY);
    if !holds || failures().any(|status| status.code != UNTRUSTED) {
        ValidationState::Invalid
    } else if failures().next().is_none() && succeeded("signingCredential.trusted") {
        ValidationState::Trusted
    } else {
        ValidationState::Valid
    }
}

const INSIDE_VALIDITY: &str = "claimSignature.insideValidity";
const OUTSIDE_VALIDITY: &str = "claimSignature.outsideValidity";
