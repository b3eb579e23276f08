//! A credential with everything that can be said of it without asking for its proof.

use crate::{
    certificate::{self, CertificateReport, Question},
    credential::{
        ClaimSignature, CredentialReading, StampJudgement, Status, StatusKind, ValidationState,
        judge_later_stamps, judge_stamps,
    },
    extract::FoundStore,
    jumbf::objection_to_form,
    proof::ProofId,
    timestamp::Timestamp,
    verify::VerifyContext,
};

/// A credential, its signer's certificate and its time-stamps judged by ourselves.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    /// What the C2PA library read.
    pub(crate) reading: CredentialReading,
    /// The library's statuses and ours.
    pub(crate) status: Vec<Status>,
    /// The signer's certificate.
    pub(crate) certificate: Option<CertificateReport>,
}

impl Judged {
    /// Judges the signer at the time of a trusted stamp, else at `now`. The stamp is in the signature, or among
    /// `kept_stamps`, which were made of it later.
    pub(crate) async fn of(
        reading: CredentialReading,
        kept_stamps: &[Vec<u8>],
        context: &VerifyContext<'_>,
        now: Timestamp,
    ) -> Self {
        let mut status = reading.status.clone();
        let mut report = None;
        if let Some(signature) = &reading.signature {
            let stamps = judge_all_stamps(signature, kept_stamps, context, now);
            let question = Question {
                signature,
                anchors: context.trust.signers(),
                stamped: stamps.time,
                now,
                revocation: context.revocation,
            };
            let judgement = certificate::judge(question).await;
            status.retain(|status| status.ingredient.is_some() || !is_ours_to_say(&status.code));
            status.extend(stamps.status);
            status.extend(judgement.status);
            report = judgement.report;
        }
        Self { reading, status, certificate: report }
    }

    /// The state that the statuses amount to (C2PA 2.4, section 14.3); none for a manifest that is not of C2PA.
    pub(crate) fn state(&self) -> ValidationState {
        const UNTRUSTED: &str = "signingCredential.untrusted";
        if self.reading.is_legacy() {
            return ValidationState::None;
        }
        let failures = || self.status.iter().filter(|status| status.kind == StatusKind::Failure);
        let succeeded = |code: &str| self.status.iter().any(|status| status.is_success_of_active(code));
        let holds = succeeded("claimSignature.validated") && succeeded(INSIDE_VALIDITY);
        if !holds || failures().any(|status| status.code != UNTRUSTED) {
            ValidationState::Invalid
        } else if failures().next().is_none() && succeeded("signingCredential.trusted") {
            ValidationState::Trusted
        } else {
            ValidationState::Valid
        }
    }
}

/// The time-stamp in the signature goes before those that were made later (C2PA 2.4, section 15.8.1.2).
fn judge_all_stamps(
    signature: &ClaimSignature,
    kept_stamps: &[Vec<u8>],
    context: &VerifyContext<'_>,
    now: Timestamp,
) -> StampJudgement {
    let anchors = context.trust.time_stamps();
    let mut stamps = judge_stamps(signature, anchors, now);
    if stamps.time.is_none() {
        let kept = judge_later_stamps(signature, kept_stamps, anchors, now);
        stamps.time = kept.time;
        stamps.status.extend(kept.status);
        if kept.time.is_some() {
            let reason = "the time-stamp is not in the image: it was made later, and is kept with the proof";
            stamps.status.push(Status::new(StatusKind::Informational, KEPT_STAMP, reason));
        }
    }
    stamps
}

/// The status that says: the time-stamp that counts was not in the image, but kept.
const KEPT_STAMP: &str = "com.credlink.timeStamp.kept";

/// What speaks against a store that was found in the file, although what is signed in it may be right.
pub(crate) fn objections_to_store(found: &FoundStore, reading: &CredentialReading) -> Vec<Status> {
    [objection_to_place(found), objection_to_bytes(found, reading)].into_iter().flatten().collect()
}

/// A store that does not stand where C2PA wants it is not the file's credential, whatever it says
/// (C2PA 2.4, appendix A.3).
fn objection_to_place(found: &FoundStore) -> Option<Status> {
    let reason = format!("the manifest store is not in its place ({:?})", found.source);
    (!found.well_placed).then(|| Status::new(StatusKind::Failure, "com.credlink.store.misplaced", reason))
}

/// What stands around the signed parts of a store (segment numbers, checksums, box descriptions) is covered by
/// no hash. What we wrote ourselves is known to the byte, so a change there does not pass unnoticed.
fn objection_to_bytes(found: &FoundStore, reading: &CredentialReading) -> Option<Status> {
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

/// What the library says about the signer's certificate and the time, of which we have an opinion of our own.
fn is_ours_to_say(code: &str) -> bool {
    code.starts_with("signingCredential.")
        || code.starts_with("timeStamp.")
        || code.starts_with("timeOfSigning.")
        || code == INSIDE_VALIDITY
        || code == "claimSignature.outsideValidity"
}

const INSIDE_VALIDITY: &str = "claimSignature.insideValidity";
