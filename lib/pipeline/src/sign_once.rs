//! Signing that may be asked for twice: events that come again, callers that try again, processes that died
//! half way. However often it is asked, there is one proof, and everybody gets the image of that proof.

use bytes::Bytes;

use crate::{
    asset::Asset,
    credential::CredentialReading,
    digest::Sha256Hash,
    embed::Embedding,
    manifest::SignOptions,
    proof::{Proof, ProofId, ProofStoreError},
    sign::{SignContext, SignError, SignedImage, StampOutcome, record_payloads, sign_as},
};

/// Signs `image` under `id`; when it was signed under that id before, hands out the very same signed image.
/// Nothing but the manifest store needs to be kept for that: all the rest of a signed file follows from the image
/// and the proof URI.
///
/// # Errors
/// [`SignError::OtherImage`] when the proof `id` speaks of another image, and all else that signing can meet.
pub async fn sign_once(
    image: Bytes,
    id: ProofId,
    options: &SignOptions,
    context: &SignContext<'_>,
) -> Result<SignedImage, SignError> {
    // An expired proof, which nobody finds any more, holds its id until it is cleaned up: then the next id is taken.
    // It follows from the first, so that repetitions meet there as well.
    let next = ProofId::derived_from(Sha256Hash::of(id.to_string().as_bytes()));
    match once(&image, id, options, context).await {
        Err(SignError::Proofs(ProofStoreError::AlreadyExists(_))) => {
            once(&image, next, options, context).await
        }
        done => done,
    }
}

async fn once(
    image: &Bytes,
    id: ProofId,
    options: &SignOptions,
    context: &SignContext<'_>,
) -> Result<SignedImage, SignError> {
    if let Some(proof) = context.proofs.proof(id, context.clock.now()).await? {
        return reissue(image, proof, context);
    }
    let refused = match sign_as(id, image.clone(), options, context).await {
        Err(refused @ SignError::Proofs(ProofStoreError::AlreadyExists(_))) => refused,
        done => return done,
    };
    // Perhaps somebody else was quicker.
    match context.proofs.proof(id, context.clock.now()).await? {
        Some(proof) => reissue(image, proof, context),
        None => Err(refused),
    }
}

/// The image as it was signed when `proof` was made.
fn reissue(image: &Bytes, proof: Proof, context: &SignContext<'_>) -> Result<SignedImage, SignError> {
    let Proof { record, manifest_store } = proof;
    if record.image_hash != Sha256Hash::of(image) {
        return Err(SignError::OtherImage(record.id));
    }
    let asset = Asset::parse(image.clone(), &context.settings.limits)?;
    let payloads = record_payloads(&asset, &record.uri);
    let signed = Embedding::plan(&asset, &payloads, manifest_store.len())?.finish(&manifest_store)?;
    // Files may have been laid out differently when the proof was made; nobody gets an image that its own
    // credential does not cover.
    let reading = CredentialReading::of(&manifest_store, &signed.to_vec(), record.format, context.trust);
    if !reading.content_is_unchanged() {
        let reason = format!("the manifest store of proof {} does not cover the image any more", record.id);
        return Err(SignError::Credential(reason));
    }
    Ok(SignedImage { image: signed, record, stamp: StampOutcome::NotAsked })
}
