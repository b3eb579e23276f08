//! The proofs that are cleaned up. Each is known by its number, so that nobody need remember them.

use std::time::SystemTime;

use bytes::Bytes;
use credlink_pipeline::{
    asset::Format,
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofStore},
    timestamp::Timestamp,
};
use serde_json::json;

use crate::Result;

const WRITERS: usize = 16;

/// The time of the cleanup: two days from now, so that everything is old.
pub(crate) fn in_two_days() -> Timestamp {
    Timestamp::new(SystemTime::now().into()).plus_days(2)
}

/// Whether the proof of this number is expired at that time.
pub(crate) fn is_expired(number: usize) -> bool {
    number % 2 == 1
}

/// The proof of this number, with a manifest store of 4 KiB.
pub(crate) fn proof(number: usize) -> Result<Proof> {
    let image_hash = Sha256Hash::of(format!("image {number}").as_bytes());
    let id = ProofId::derived_from(Sha256Hash::of(format!("proof {number}").as_bytes()));
    let manifest_store = Bytes::from(image_hash.as_bytes().repeat(128));
    let expires_at = if is_expired(number) { "2026-02-01T00:00:00Z" } else { "9999-01-01T00:00:00Z" };
    let record = serde_json::from_value(json!({
        "id": id,
        "uri": format!("https://proofs.example/proofs/{id}"),
        "imageHash": image_hash,
        "manifestHash": Sha256Hash::of(&manifest_store),
        "fingerprint": "ISCC:EEDWQQ53UV5JKL32JFHL6OUJD4P7OCQIBFYUZ77GABRGV5KJYZ3YBFA",
        "format": Format::Jpeg,
        "imageLength": 3_000_000,
        "createdAt": "2026-01-01T00:00:00Z",
        "expiresAt": expires_at,
    }))?;
    Ok(Proof { record, manifest_store })
}

/// Puts so many proofs.
pub(crate) async fn fill<S: ProofStore + Clone + 'static>(store: &S, proofs: usize) -> Result<()> {
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (writer..proofs).step_by(WRITERS) {
                    store.put(&proof(number)?).await?;
                }
                Result::Ok(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    Ok(())
}

/// Fails unless every proof that is valid is there as it was put, and found by its image, and every other is gone.
pub(crate) async fn verify(store: &impl ProofStore, proofs: usize) -> Result<()> {
    // At this time nothing was expired yet: what is still there shows itself.
    let then = Timestamp::parse("2026-01-15T00:00:00Z")?;
    for number in 0..proofs {
        let expected = proof(number)?;
        let there = store.proof(expected.record.id, then).await?;
        let found = store.find_by_image_hash(expected.record.image_hash, then).await?;
        let is_right = if is_expired(number) {
            there.is_none() && found.is_empty()
        } else {
            there.as_ref() == Some(&expected) && found == [expected.record]
        };
        if !is_right {
            return Err(format!("proof {number} is not as it should be").into());
        }
    }
    Ok(())
}
