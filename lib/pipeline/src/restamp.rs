//! The story of a time-stamp that comes later: a signature that was made without one gets one before its certificate
//! expires, and is provable for good.
//!
//! The image is out in the world, so the stamp goes beside it: the stored manifest store gets an update manifest with a
//! time-stamp assertion (C2PA 2.4, sections 11.2.3 and 18.18). What was embedded stays as it is.

use bytes::Bytes;
use thiserror::Error;

use crate::{
    certificate::{self, revocation::RevocationService},
    credential::{
        ClaimSignature, CredentialError, CredentialReading, SignedStore, StampJudgement, Status, StatusKind,
        Witnesses, judge_later_stamps, judge_stamps, later_stamps, token_of, update_with_stamp,
    },
    digest::Sha256Hash,
    jumbf::{manifest_labels, manifest_of},
    proof::{Proof, SignatureLife, StampedCopy},
    signer::{Signer, SignerError},
    time_stamp_authority::{StampError, TimeStampAuthority},
    timestamp::{Clock, Timestamp},
    trust::TrustAnchors,
};

/// What stamping needs from outside.
#[derive(Clone, Copy)]
pub struct RestampContext<'a> {
    /// Who signs the update manifest: the signer that is active now.
    pub signer: &'a dyn Signer,
    /// Who says the time.
    pub authority: &'a dyn TimeStampAuthority,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whom to trust. Without roots of time-stamp authorities nobody can tell here whether the stamp will count.
    pub trust: &'a TrustAnchors,
    /// Where the OCSP response comes from that is stapled to the update manifest; `None` when nobody is asked.
    pub revocation: Option<&'a RevocationService>,
}

/// A manifest store with a time-stamp that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampedStore {
    /// The store: all manifests of the proof's, to the byte, and the update manifest.
    pub store: Bytes,
    /// What is to be kept of it.
    pub copy: StampedCopy,
}

/// Why a proof got no stamp. Nothing was stored.
#[derive(Debug, Error)]
pub enum RestampError {
    /// The manifest store of the proof is not one that can be carried on.
    #[error("the manifest store of the proof cannot be stamped: {0}")]
    Unsuitable(String),
    /// The certificate has expired: a stamp would come too late.
    #[error("the certificate of the signature expired on {0}; a time-stamp would come too late")]
    TooLate(Timestamp),
    /// The authority gave no stamp.
    #[error(transparent)]
    Authority(#[from] StampError),
    /// The authority gave a stamp that verification would not count.
    #[error("the time-stamp would not count: {0}; check TSA_ANCHORS, or whom TIMESTAMP_URL names")]
    Worthless(String),
    /// The signer failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The update manifest could not be made, or does not hold.
    #[error("the update manifest could not be made: {0}")]
    Credential(String),
}

impl From<CredentialError> for RestampError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Signer(error) => Self::Signer(error),
            CredentialError::Library(_) => Self::Credential(error.to_string()),
        }
    }
}

/// Reads from its manifest store, and from the stamped copy if there is one, how long the signature of `proof` lasts, by
/// stamps that count; `None` when that cannot be read. For records that do not tell, and for those who doubt them.
pub fn signature_life(
    proof: &Proof,
    stamped_store: Option<&[u8]>,
    trust: &TrustAnchors,
    now: Timestamp,
) -> Option<SignatureLife> {
    let label = active_label(proof)?;
    let signature = ClaimSignature::of_manifest(&proof.manifest_store, &label)?;
    let valid_until = certificate::valid_until(&signature.chain)?;
    let (anchors, now) = (trust.time_stamps(), latest(now));
    let kept = stamped_store.map(|store| later_stamps(store, &label)).unwrap_or_default();
    let times = [
        judge_stamps(&signature, anchors, now).time,
        judge_later_stamps(&signature, &kept, anchors, now).time,
    ];
    Some(SignatureLife { valid_until, stamped: times.into_iter().flatten().any(|time| time <= valid_until) })
}

/// Has the signature of `proof` stamped, and puts the stamp into an update manifest over its manifest store. Asks the
/// authority for two stamps: the update manifest is stamped as well, so that it does not expire either.
///
/// What comes out was verified: the stamp is of this signature, counts if there are roots of time-stamp authorities, and
/// is not later than the certificates allow; the update manifest holds; and what was signed before is there to the byte.
///
/// # Errors
/// [`RestampError`].
pub async fn restamp(proof: &Proof, context: &RestampContext<'_>) -> Result<StampedStore, RestampError> {
    let unsuitable = |reason: &str| RestampError::Unsuitable(reason.to_owned());
    let label = active_label(proof).ok_or_else(|| unsuitable("its active manifest is not the proof's"))?;
    let signature = ClaimSignature::of_manifest(&proof.manifest_store, &label)
        .ok_or_else(|| unsuitable("its claim signature cannot be read"))?;
    let valid_until = certificate::valid_until(&signature.chain)
        .ok_or_else(|| unsuitable("its certificates cannot be read"))?;
    let started = context.clock.now();
    if valid_until <= started {
        return Err(RestampError::TooLate(valid_until));
    }
    let reading = CredentialReading::without_image(&proof.manifest_store, proof.record.format, context.trust);
    let parent = reading
        .into_parent(&proof.manifest_store)
        .ok_or_else(|| unsuitable("its active manifest cannot be read"))?;

    let staple = match context.revocation {
        Some(revocation) => revocation.staple(context.signer.chain(), started).await,
        None => None,
    };
    let witnesses = Witnesses::gather(Some(context.authority), staple).await;
    let message = signature.stamped_later.first().ok_or_else(|| unsuitable("its signature is empty"))?;
    let response = context.authority.stamp(message).await?;
    let token = token_of(&response)
        .ok_or_else(|| StampError::Refused("its answer holds no time-stamp token".to_owned()))?;
    let time = judge(&signature, std::slice::from_ref(&token), valid_until, context)?;
    let SignedStore { store, stamp } =
        update_with_stamp(parent, proof.record.format, &token, context.signer, &witnesses).await?;
    if let Some(Err(error)) = stamp {
        return Err(error.into());
    }
    check(&store, proof, &label, context.trust)?;
    judge(&signature, &later_stamps(&store, &label), valid_until, context)?;
    let copy = StampedCopy { manifest_hash: Sha256Hash::of(&store), time, stamped_at: context.clock.now() };
    Ok(StampedStore { store: store.into(), copy })
}

/// The label of the manifest that was made with the proof, which is the active one.
fn active_label(proof: &Proof) -> Option<String> {
    let label = proof.record.id.manifest_label();
    (manifest_labels(&proof.manifest_store).last() == Some(&label.as_str())).then_some(label)
}

/// The time in the stamps, when they do what they are for.
fn judge(
    signature: &ClaimSignature,
    tokens: &[Vec<u8>],
    valid_until: Timestamp,
    context: &RestampContext<'_>,
) -> Result<Timestamp, RestampError> {
    let anchors = context.trust.time_stamps();
    let now = latest(context.clock.now());
    let StampJudgement { time, attested, status } = judge_later_stamps(signature, tokens, anchors, now);
    let judged = if anchors.certificates().is_empty() { attested } else { time };
    let time = judged.ok_or_else(|| RestampError::Worthless(in_words(&status)))?;
    if time > valid_until {
        return Err(RestampError::TooLate(valid_until));
    }
    Ok(time)
}

/// The latest time that a new stamp may have: the authority's clock may be ahead of ours, but not by days.
fn latest(now: Timestamp) -> Timestamp {
    now.plus_days(1)
}

/// Whether the update manifest holds, and everything that was signed before is there, to the byte.
fn check(store: &[u8], proof: &Proof, label: &str, trust: &TrustAnchors) -> Result<(), RestampError> {
    let wrong = |reason: String| RestampError::Credential(reason);
    for manifest in manifest_labels(&proof.manifest_store) {
        if manifest_of(store, manifest) != manifest_of(&proof.manifest_store, manifest) {
            return Err(wrong(format!("the manifest {manifest} came out changed")));
        }
    }
    let reading = CredentialReading::without_image(store, proof.record.format, trust);
    if reading.active_manifest.is_none() || reading.active_manifest.as_deref() == Some(label) {
        return Err(wrong(format!("it cannot be read: {}", in_words(&reading.status))));
    }
    let of_update = reading.status.iter().filter(|status| status.ingredient.is_none());
    let failures: Vec<Status> = of_update
        .filter(|status| status.kind == StatusKind::Failure && !is_about_trust(status))
        .cloned()
        .collect();
    if failures.is_empty()
        && reading.status.iter().any(|s| s.is_success_of_active("claimSignature.validated"))
    {
        return Ok(());
    }
    Err(wrong(format!("it does not hold: {}", in_words(&failures))))
}

/// Whom to trust is judged when somebody verifies, by both lists of roots.
fn is_about_trust(status: &Status) -> bool {
    status.code == "signingCredential.untrusted"
}

fn in_words(status: &[Status]) -> String {
    let words = |status: &Status| match &status.explanation {
        Some(explanation) => format!("{}: {explanation}", status.code),
        None => status.code.clone(),
    };
    status
        .iter()
        .filter(|status| status.kind != StatusKind::Success)
        .map(words)
        .collect::<Vec<_>>()
        .join("; ")
}
