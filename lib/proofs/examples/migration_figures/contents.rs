//! What stores are filled with, and whether it is there.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofRecord, StampedCopy},
    timestamp::Timestamp,
};
use credlink_proofs::ProofArchive;
use serde_json::json;

use crate::Result;

const WRITERS: usize = 16;

/// Of so many proofs one has a stamped copy.
const STAMPED: usize = 10;

/// Of so many proofs one is read as a whole.
const READ: usize = 20;

/// All records of a store.
pub(crate) type Records = BTreeMap<ProofId, ProofRecord>;

/// The proof of this number, with a manifest store of 4 KiB.
fn proof(name: &str, number: usize) -> Result<Proof> {
    let image_hash = Sha256Hash::of(format!("image {number}").as_bytes());
    let id = ProofId::derived_from(Sha256Hash::of(format!("{name} {number}").as_bytes()));
    let manifest_store = Bytes::from(image_hash.as_bytes().repeat(128));
    let record = serde_json::from_value(json!({
        "id": id,
        "uri": format!("https://proofs.example/proofs/{id}"),
        "imageHash": image_hash,
        "manifestHash": Sha256Hash::of(&manifest_store),
        "fingerprint": "ISCC:EEDWQQ53UV5JKL32JFHL6OUJD4P7OCQIBFYUZ77GABRGV5KJYZ3YBFA",
        "format": "jpeg",
        "imageLength": 3_000_000,
        "createdAt": "2026-01-01T00:00:00Z",
        "expiresAt": "9999-01-01T00:00:00Z",
    }))?;
    Ok(Proof { record, manifest_store })
}

fn stamped(number: usize) -> Result<(StampedCopy, Bytes)> {
    let store = Bytes::from(Sha256Hash::of(format!("stamped {number}").as_bytes()).as_bytes().repeat(150));
    let time = Timestamp::parse("2026-02-01T00:00:00Z")?;
    Ok((StampedCopy { manifest_hash: Sha256Hash::of(&store), time, stamped_at: time }, store))
}

/// Puts so many proofs.
pub(crate) async fn fill(store: &Arc<dyn ProofArchive>, name: &'static str, proofs: usize) -> Result<()> {
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                for number in (writer..proofs).step_by(WRITERS) {
                    let proof = proof(name, number)?;
                    store.put(&proof).await?;
                    if number % STAMPED == 0 {
                        let (copy, stamped) = stamped(number)?;
                        store.keep_stamped(&proof.record, copy, stamped).await?;
                    }
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

/// All records.
pub(crate) async fn records(store: &dyn ProofArchive) -> Result<Records> {
    let mut records = Records::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.page(after.as_deref(), 1000).await?;
        records.extend(page.records.into_iter().map(|record| (record.id, record)));
        after = page.next;
        if after.is_none() {
            return Ok(records);
        }
    }
}

/// Fails unless `store` holds `expected` and nothing else; of one in twenty all bytes are looked at.
pub(crate) async fn verify(store: &dyn ProofArchive, expected: &Records, proofs: usize) -> Result<()> {
    if records(store).await? != *expected {
        return Err("the records are not what they should be".into());
    }
    let now = Timestamp::parse("2026-03-01T00:00:00Z")?;
    for number in (0..proofs).step_by(READ) {
        let proof = proof("proof", number)?;
        let there = store.proof(proof.record.id, now).await?.ok_or("a proof is missing")?;
        let copy = store.stamped_store(proof.record.id, now).await?;
        let of_number = if number % STAMPED == 0 { Some(stamped(number)?.1) } else { None };
        if there.manifest_store != proof.manifest_store || copy != of_number {
            return Err(format!("proof {number} is not as it should be").into());
        }
    }
    Ok(())
}
