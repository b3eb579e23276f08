//! The credential that is kept for an image which does not carry it any more: whether it is this image's, and whether
//! the image is still what was signed.
//!
//! All of a signed file but the manifest store follows from the rest of it. So the kept store is put back where it
//! stood; if the hard binding then holds, the file differs from the signed one in nothing but the store. If it does
//! not, the picture itself says whether it is the one that was signed.

use crate::{
    asset::{Asset, Format},
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
    /// The image is, to the byte, what was sent to be signed.
    Original,
    /// With the store put back, the hard binding holds: nothing that was signed has changed.
    Unchanged,
    /// As before, but the file has remains of a manifest store, which had to go first.
    UnchangedButStore,
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

/// The most bits of a fingerprint that may differ in pictures that look the same. Measured, a picture that was saved
/// again at half the size and in poor quality differs in at most 14, two different photographs in at least 108
/// (`docs/fingerprint.md`).
pub const SAME_PICTURE: u32 = 32;

/// A kept credential, judged against an image.
pub(crate) struct KeptCredential {
    pub(crate) reading: CredentialReading,
    pub(crate) belonging: Belonging,
}

impl KeptCredential {
    /// Validates the manifest store of `proof` against `asset`.
    pub(crate) fn judge(asset: &Asset, proof: &Proof, trust: &TrustAnchors) -> Self {
        if let Some(mended) = Mended::new(asset, proof) {
            let reading = CredentialReading::of(&proof.manifest_store, &mended.image, asset.format(), trust);
            if reading.content_is_unchanged() {
                return Self { reading, belonging: mended.belonging };
            }
        }
        let reading = CredentialReading::of(&proof.manifest_store, asset.bytes(), asset.format(), trust);
        // What stands in the store's place is not covered by the hard binding.
        let belonging = if reading.content_is_unchanged() {
            Belonging::UnchangedButStore
        } else {
            belonging_by_looks(asset, &proof.record)
        };
        Self { reading, belonging }
    }
}

/// A file with the kept store in its place.
struct Mended {
    image: Vec<u8>,
    /// If the hard binding holds.
    belonging: Belonging,
}

impl Mended {
    /// An image from before it was signed gets the recovery record, too.
    fn new(asset: &Asset, proof: &Proof) -> Option<Self> {
        if asset.format() != proof.record.format {
            return None;
        }
        let length = asset.bytes().len();
        let is_original = length as u64 == proof.record.image_length
            && Sha256Hash::of(asset.bytes()) == proof.record.image_hash;
        let record =
            if is_original { record_payloads(asset, &proof.record.uri) } else { RecordPayloads::default() };
        let embedding = Embedding::plan(asset, &record, proof.manifest_store.len()).ok()?;
        let taken_over: usize = embedding.hashed().iter().map(|piece| piece.len()).sum();
        // The byte that a WebP is padded with behind a store of odd length goes and comes with the store, but is hashed.
        let is_padded = asset.format() == Format::WebP && proof.manifest_store.len() % 2 == 1;
        let belonging = if is_original {
            Belonging::Original
        } else if taken_over == length + usize::from(is_padded) {
            Belonging::Unchanged
        } else {
            Belonging::UnchangedButStore
        };
        Some(Self { image: embedding.finish(&proof.manifest_store).ok()?.to_vec(), belonging })
    }
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
