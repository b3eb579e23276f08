//! The proofs that a store is filled with. Each is known by its number, so that nobody need remember them.

use bytes::Bytes;
use credlink_pipeline::{
    asset::Format,
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofRecord, SignatureLife},
    timestamp::Timestamp,
};

use crate::Result;

/// How many digests a manifest store consists of: it has 6 KiB, and no two parts of it are alike.
const DIGESTS: usize = 192;

/// When look-ups are made: all proofs are valid.
pub(crate) fn now() -> Result<Timestamp> {
    Ok(Timestamp::parse("2026-03-01T00:00:00Z")?)
}

/// The id of the proof of this number.
pub(crate) fn id(number: usize) -> ProofId {
    ProofId::derived_from(Sha256Hash::of(format!("proof {number}").as_bytes()))
}

/// The hash of its image.
pub(crate) fn image_hash(number: usize) -> Sha256Hash {
    Sha256Hash::of(format!("image {number}").as_bytes())
}

/// The proof of this number.
pub(crate) fn proof(number: usize) -> Result<Proof> {
    let (id, image_hash) = (id(number), image_hash(number));
    let mut manifest_store = Vec::with_capacity(DIGESTS * 32);
    let mut digest = image_hash;
    for _ in 0..DIGESTS {
        digest = Sha256Hash::of(digest.as_bytes());
        manifest_store.extend_from_slice(digest.as_bytes());
    }
    let manifest_store = Bytes::from(manifest_store);
    let created_at = Timestamp::parse("2026-01-01T00:00:00Z")?.plus_days(u32::try_from(number % 59)?);
    let record = ProofRecord {
        id,
        uri: format!("https://proofs.example/proofs/{id}"),
        image_hash,
        manifest_hash: Sha256Hash::of(&manifest_store),
        fingerprint: Some("ISCC:EEDWQQ53UV5JKL32JFHL6OUJD4P7OCQIBFYUZ77GABRGV5KJYZ3YBFA".to_owned()),
        format: Format::Jpeg,
        image_length: 3_000_000,
        created_at,
        expires_at: created_at.plus_days(365),
        signature: Some(SignatureLife { valid_until: created_at.plus_days(90), stamped: false }),
        stamped: None,
    };
    Ok(Proof { record, manifest_store })
}
