//! What somebody did to the tables by hand, or a disk to them.

use credlink_pipeline::proof::ProofCatalogue as _;

use super::*;
use crate::upkeep::{Sweep, Upkeep as _};

/// What damages the proof of a row.
const DAMAGES: [&str; 8] = [
    "UPDATE credlink.proofs SET record = '{' WHERE id = ",
    "UPDATE credlink.proofs SET record = '{\"id\":1}' WHERE id = ",
    "UPDATE credlink.proofs SET record = replace(record, id::text, gen_random_uuid()::text) WHERE id = ",
    "UPDATE credlink.proofs SET version = 2 WHERE id = ",
    "UPDATE credlink.proofs SET image_hash = sha256('another image') WHERE id = ",
    "UPDATE credlink.proofs SET image_hash = '' WHERE id = ",
    "UPDATE credlink.proofs SET created_at = created_at + 1 WHERE id = ",
    "UPDATE credlink.proofs SET expires_at = expires_at + 1 WHERE id = ",
];

#[tokio::test]
async fn a_damaged_record_is_reported_and_can_be_deleted() {
    let place = Place::fresh().await;
    let store = place.store().await;
    let other = sample(b"image", "2026-01-01T00:00:00Z");
    store.put(&other).await.unwrap();
    for damage in DAMAGES {
        let proof = sample(b"image", "2025-06-01T00:00:00Z");
        let id = proof.record.id;
        store.put(&proof).await.unwrap();
        place.execute(&format!("{damage}'{id}'")).await;
        let reads = [store.record(id, time(NOW)).await.map(drop), store.proof(id, time(NOW)).await.map(drop)];
        for read in reads {
            assert!(matches!(read, Err(ProofStoreError::Damaged { id: of, .. }) if of == id), "{damage}");
        }
        let found = store.find_by_image_hash(other.record.image_hash, time(NOW)).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&other.record), "{damage}");
        assert_eq!(store.page(None, 10).await.unwrap().damaged, [id]);
        // Long after it would have expired it is still there: a person or a backup may mend it.
        let late = Sweep::new(time("2026-12-01T00:00:00Z"), false);
        let swept = store.sweep_page(late, None).await.unwrap().tally;
        assert_eq!((swept.damaged_proofs.ids, swept.expired_proofs_removed), (vec![id], 0));
        assert!(store.delete(id).await.unwrap());
        assert_eq!(store.record(id, time(NOW)).await.unwrap(), None);
    }
    assert_eq!(store.proof(other.record.id, time(NOW)).await.unwrap(), Some(other));
}

#[tokio::test]
async fn a_damaged_or_missing_manifest_store_is_reported() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store().await, sample(b"image", "2026-01-01T00:00:00Z"));
    let id = proof.record.id;
    store.put(&proof).await.unwrap();
    for damage in ["UPDATE credlink.manifest_stores SET bytes = 'x'", "DELETE FROM credlink.manifest_stores"]
    {
        place.execute(damage).await;
        let read = store.proof(id, time(NOW)).await;
        assert!(matches!(read, Err(ProofStoreError::Damaged { id: of, .. }) if of == id), "{damage}");
        assert_eq!(store.record(id, time(NOW)).await.unwrap().as_ref(), Some(&proof.record));
    }
    let swept = store.sweep_page(Sweep::new(time(NOW), false), None).await.unwrap().tally;
    assert_eq!((swept.proofs_without_manifest_store.ids, swept.proofs.valid), (vec![id], 1));
}

#[tokio::test]
async fn a_missing_stamped_copy_is_reported_and_the_proof_is_read() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store().await, sample(b"image", "2026-01-01T00:00:00Z"));
    let id = proof.record.id;
    store.put(&proof).await.unwrap();
    let at = time("2026-02-01T00:00:00Z");
    let copy = StampedCopy { manifest_hash: Sha256Hash::of(b"stamped"), time: at, stamped_at: at };
    assert!(store.keep_stamped(&proof.record, copy, Bytes::from_static(b"stamped")).await.unwrap());
    place.execute("DELETE FROM credlink.stamped_copies").await;
    assert!(matches!(store.stamped_store(id, time(NOW)).await, Err(ProofStoreError::Damaged { .. })));
    assert_eq!(store.proof(id, time(NOW)).await.unwrap().unwrap().manifest_store, proof.manifest_store);
}

#[tokio::test]
async fn what_is_not_known_in_a_record_is_no_damage() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store().await, sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&proof).await.unwrap();
    place.execute("UPDATE credlink.proofs SET record = '{\"later\":[1],' || substr(record, 2)").await;
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(&proof));
    let at = time("2026-02-01T00:00:00Z");
    let copy = StampedCopy { manifest_hash: Sha256Hash::of(b"stamped"), time: at, stamped_at: at };
    assert!(store.keep_stamped(&proof.record, copy, Bytes::from_static(b"stamped")).await.unwrap());
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_leaves_nothing() {
    let place = Place::fresh().await;
    let store = place.store().await;
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.record.uri = "x".repeat(64 << 10);
    assert!(matches!(store.put(&proof).await, Err(ProofStoreError::Damaged { .. })));
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.manifest_store = vec![0; (64 << 20) + 1].into();
    assert!(matches!(store.put(&proof).await, Err(ProofStoreError::Damaged { .. })));
    assert_eq!(place.rows("proofs").await, 0);
}
