//! What every proof store promises of stamped copies.

use std::sync::Arc;

use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofRecord, ProofStore, StampedCopy},
};

use super::{sample, time, upkeep::Kept};
use crate::upkeep::Sweep;

const NOW: &str = "2026-03-01T00:00:00Z";

/// Asserts every promise, each on a fresh, empty store.
pub(super) async fn verify(fresh: &impl AsyncFn() -> Arc<dyn ProofStore>) {
    a_stamped_copy_stands_beside_the_original(&*fresh().await).await;
    a_stamped_copy_is_of_the_proof_that_was_seen(&*fresh().await).await;
    a_stamped_copy_can_be_replaced(&*fresh().await).await;
    a_stamped_copy_goes_with_its_proof(&*fresh().await).await;
    of_concurrent_first_copies_exactly_one_is_kept(fresh().await).await;
}

/// Asserts that a sweep takes the copies of expired proofs along, and no others.
pub(super) async fn a_sweep_takes_stamped_copies_along(kept: &Kept) {
    let going = sample(b"image", "2025-01-01T00:00:00Z");
    let staying = sample(b"image", "2026-01-01T00:00:00Z");
    let bytes = (staying.manifest_store.len() + stamped_copy("stamped").1.len()) as u64;
    for proof in [&going, &staying] {
        kept.proofs.put(proof).await.unwrap();
        let (copy, stamped) = stamped_copy("stamped");
        assert!(kept.proofs.keep_stamped(&proof.record, copy, stamped).await.unwrap());
    }
    let tally = super::sweep_through(&*(kept.upkeep)(), Sweep::new(time(NOW), false)).await;
    assert_eq!((tally.expired_proofs_removed, tally.orphan_manifest_stores_removed), (1, 0));
    assert_eq!(tally.proofs.valid, 1);
    assert!(tally.proofs.bytes <= bytes * 2, "{} for {bytes} bytes", tally.proofs.bytes);
    // Nothing is left of it that a proof under the same id would meet.
    kept.proofs.put(&going).await.unwrap();
    let before = time("2025-06-01T00:00:00Z");
    assert_eq!(kept.proofs.stamped_store(going.record.id, before).await.unwrap(), None);
    let stamped = kept.proofs.stamped_store(staying.record.id, time(NOW)).await.unwrap();
    assert_eq!(stamped, Some(stamped_copy("stamped").1));
}

/// A stamped manifest store that no other is like, and what is kept of it.
fn stamped_copy(text: &str) -> (StampedCopy, Bytes) {
    let store = Bytes::from(text.repeat(300));
    let time = time("2026-02-01T00:00:00Z");
    (StampedCopy { manifest_hash: Sha256Hash::of(&store), time, stamped_at: time }, store)
}

async fn a_stamped_copy_stands_beside_the_original(store: &dyn ProofStore) {
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let other = sample(b"image", "2026-01-02T00:00:00Z");
    let id = proof.record.id;
    store.put(&proof).await.unwrap();
    store.put(&other).await.unwrap();
    assert_eq!(store.stamped_store(id, time(NOW)).await.unwrap(), None);
    let (copy, stamped) = stamped_copy("stamped");
    assert!(store.keep_stamped(&proof.record, copy, stamped.clone()).await.unwrap());

    let record = ProofRecord { stamped: Some(copy), ..proof.record.clone() };
    assert_eq!(store.record(id, time(NOW)).await.unwrap().as_ref(), Some(&record));
    let expected = Proof { record: record.clone(), manifest_store: proof.manifest_store.clone() };
    assert_eq!(store.proof(id, time(NOW)).await.unwrap(), Some(expected));
    assert_eq!(store.stamped_store(id, time(NOW)).await.unwrap(), Some(stamped));
    let found = store.find_by_image_hash(record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, [other.record.clone(), record]);
    assert_eq!(store.proof(other.record.id, time(NOW)).await.unwrap().as_ref(), Some(&other));
    assert_eq!(store.stamped_store(other.record.id, time(NOW)).await.unwrap(), None);
}

async fn a_stamped_copy_is_of_the_proof_that_was_seen(store: &dyn ProofStore) {
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let id = proof.record.id;
    let (copy, stamped) = stamped_copy("stamped");
    assert!(!store.keep_stamped(&proof.record, copy, stamped.clone()).await.unwrap(), "it is not there");
    assert_eq!(store.stamped_store(id, time(NOW)).await.unwrap(), None);

    let mut put = sample(b"another image", "2026-01-02T00:00:00Z");
    put.record.id = id;
    store.put(&put).await.unwrap();
    assert!(!store.keep_stamped(&proof.record, copy, stamped.clone()).await.unwrap(), "it is another one");
    assert_eq!(store.proof(id, time(NOW)).await.unwrap().as_ref(), Some(&put));

    assert!(store.keep_stamped(&put.record, copy, stamped.clone()).await.unwrap());
    let (late, late_store) = stamped_copy("stamped later");
    assert!(!store.keep_stamped(&put.record, late, late_store).await.unwrap(), "it has one meanwhile");
    assert_eq!(store.stamped_store(id, time(NOW)).await.unwrap(), Some(stamped));
}

async fn a_stamped_copy_can_be_replaced(store: &dyn ProofStore) {
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    store.put(&proof).await.unwrap();
    let mut seen = proof.record.clone();
    for text in ["first", "second", "second", "third"] {
        let (copy, stamped) = stamped_copy(text);
        assert!(store.keep_stamped(&seen, copy, stamped.clone()).await.unwrap(), "{text}");
        seen.stamped = Some(copy);
        assert_eq!(store.record(seen.id, time(NOW)).await.unwrap().as_ref(), Some(&seen));
        assert_eq!(store.stamped_store(seen.id, time(NOW)).await.unwrap(), Some(stamped));
    }
    assert_eq!(store.proof(seen.id, time(NOW)).await.unwrap().unwrap().manifest_store, proof.manifest_store);
}

async fn a_stamped_copy_goes_with_its_proof(store: &dyn ProofStore) {
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.record.expires_at = time("2026-02-15T00:00:00Z");
    let id = proof.record.id;
    let (copy, stamped) = stamped_copy("stamped");
    store.put(&proof).await.unwrap();
    assert!(store.keep_stamped(&proof.record, copy, stamped.clone()).await.unwrap());
    let last = time("2026-02-14T23:59:59.999Z");
    assert_eq!(store.stamped_store(id, last).await.unwrap().as_ref(), Some(&stamped));
    assert_eq!(store.stamped_store(id, proof.record.expires_at).await.unwrap(), None);

    assert!(store.delete(id).await.unwrap());
    assert_eq!(store.stamped_store(id, last).await.unwrap(), None);
    store.put(&proof).await.unwrap();
    assert_eq!(store.proof(id, last).await.unwrap().as_ref(), Some(&proof));
    assert_eq!(store.stamped_store(id, last).await.unwrap(), None);
    assert!(store.keep_stamped(&proof.record, copy, stamped).await.unwrap());
}

async fn of_concurrent_first_copies_exactly_one_is_kept(store: Arc<dyn ProofStore>) {
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    store.put(&proof).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (store, seen) = (Arc::clone(&store), proof.record.clone());
            let (copy, stamped) = stamped_copy(&format!("stamped {n}"));
            tokio::spawn(async move { (store.keep_stamped(&seen, copy, stamped).await.unwrap(), copy) })
        })
        .collect();
    let mut kept = Vec::new();
    for task in tasks {
        let (is_kept, copy) = task.await.unwrap();
        kept.extend(is_kept.then_some(copy));
    }
    assert_eq!(kept.len(), 1, "{kept:?}");
    let record = store.record(proof.record.id, time(NOW)).await.unwrap().unwrap();
    assert_eq!(record.stamped, kept.first().copied());
    let stamped = store.stamped_store(record.id, time(NOW)).await.unwrap().unwrap();
    assert_eq!(Some(Sha256Hash::of(&stamped)), kept.first().map(|copy| copy.manifest_hash));
}
