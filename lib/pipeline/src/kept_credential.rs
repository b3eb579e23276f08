//! The credential that is kept for an image which does not carry it any more: whether it is this image's, and whether
//! the image is still what was signed.
//!
//! All of a signed file but the manifest store follows from the rest of it. So the kept store is put back where it
//! stood; if the hard binding then holds, the file differs from the signed one in nothing but the store. If it does
//! not, the picture itself says whether it is the one that was signed.

use crate::{
    asset::Asset,
    credential::CredentialReading,
    digest::Sha256Hash,
    embed::{Embedding, RecordPayloads},
    fingerprint::Fingerprint,
    proof::{Proof, ProofRecord},
    sign::record_payloads,
    trust::TrustAnchors,
};

/// How an image and the credential that is kept for it belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// With the store put back, the hard binding holds: nothing that was signed has changed.
    Unchanged,
    /// The hard binding is broken, but the picture looks like the one that was signed.
    Changed {
        /// How many of the 256 bits of the fingerprint differ.
        distance: u32,
    },
    /// The hard binding is broken, and this is another picture.
    OtherPicture {
        /// How many of the 256 bits of the fingerprint differ.
        distance: u32,
    },
    /// The hard binding is broken, and the pictures cannot be compared.
    Unknown,
}

/// The most bits of a fingerprint that may differ in pictures that look the same. Saved again in poor quality or half
/// the size, a picture differs in less than 20; two that have nothing in common differ in about 128.
pub const SAME_PICTURE: u32 = 32;

/// A kept credential, judged against an image.
pub(crate) struct KeptCredential {
    pub(crate) reading: CredentialReading,
    pub(crate) belonging: Belonging,
}

impl KeptCredential {
    /// Validates the manifest store of `proof` against `asset`.
    pub(crate) fn judge(asset: &Asset, proof: &Proof, trust: &TrustAnchors) -> Self {
        if let Some(image) = with_store(asset, proof) {
            let reading = CredentialReading::of(&proof.manifest_store, &image, asset.format(), trust);
            if reading.content_is_unchanged() {
                return Self { reading, belonging: Belonging::Unchanged };
            }
        }
        let reading = CredentialReading::of(&proof.manifest_store, asset.bytes(), asset.format(), trust);
        Self { reading, belonging: belonging_by_looks(asset, &proof.record) }
    }
}

/// The file with the kept store in its place. An image from before it was signed gets the recovery record, too.
fn with_store(asset: &Asset, proof: &Proof) -> Option<Vec<u8>> {
    if asset.format() != proof.record.format {
        return None;
    }
    let is_original = asset.bytes().len() as u64 == proof.record.image_length
        && Sha256Hash::of(asset.bytes()) == proof.record.image_hash;
    let record =
        if is_original { record_payloads(asset, &proof.record.uri) } else { RecordPayloads::default() };
    let embedding = Embedding::plan(asset, &record, proof.manifest_store.len()).ok()?;
    Some(embedding.finish(&proof.manifest_store).ok()?.to_vec())
}

fn belonging_by_looks(asset: &Asset, record: &ProofRecord) -> Belonging {
    let signed: Option<Fingerprint> = record.fingerprint.as_deref().and_then(|text| text.parse().ok());
    let (Some(signed), Ok(seen)) = (signed, Fingerprint::of_image(asset.bytes(), asset.format())) else {
        return Belonging::Unknown;
    };
    match signed.distance(&seen) {
        distance @ 0..=SAME_PICTURE => Belonging::Changed { distance },
        distance => Belonging::OtherPicture { distance },
    }
}
