//! Stamped copies, as objects beside the manifest stores.

use bytes::Bytes;
use credlink_pipeline::proof::StampedCopy;

use super::*;
use crate::upkeep::Sweep;

/// A stamped copy, and what is kept of it.
pub(super) fn stamped() -> (StampedCopy, Bytes) {
    let store = Bytes::from_static(b"stamped manifest store");
    let time = time("2026-02-01T00:00:00Z");
    (StampedCopy { manifest_hash: Sha256Hash::of(&store), time, stamped_at: time }, store)
}

/// A store with a proof that has a stamped copy.
async fn scene() -> (Place, Proof) {
    let place = Place::fresh().await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().put(&proof).await.unwrap();
    let (copy, store) = stamped();
    assert!(place.store().keep_stamped(&proof.record, copy, store).await.unwrap());
    (place, proof)
}

#[tokio::test]
async fn a_stamped_copy_is_one_more_object() {
    let (place, proof) = scene().await;
    let (_, record, blob) = place.stored(proof.record.id).await;
    let copy = format!("{blob}.{}", stamped().0.manifest_hash);
    assert_eq!(place.objects().await, [blob, copy]);
    assert_eq!(place.items().await.len(), 2);
    let record: ProofRecord = serde_json::from_str(&record).unwrap();
    assert_eq!(record.stamped, Some(stamped().0));
    assert!(place.store().delete(proof.record.id).await.unwrap());
    assert!(place.items().await.is_empty() && place.objects().await.is_empty());
}

#[tokio::test]
async fn a_copy_that_is_tampered_with_or_missing_is_damage_and_the_proof_is_not() {
    let (place, proof) = scene().await;
    let (id, store) = (proof.record.id, place.store());
    let key = place.objects().await.remove(1);
    for content in [Some("another store"), None] {
        match content {
            Some(content) => store.blobs.write(&key, content.into()).await.unwrap(),
            None => place.remove_object(&key).await,
        }
        let read = store.stamped_store(id, time(NOW)).await;
        assert!(matches!(read, Err(ProofStoreError::Damaged { id: of, .. }) if of == id), "{content:?}");
        let read = store.proof(id, time(NOW)).await.unwrap().unwrap();
        assert_eq!(read.manifest_store, proof.manifest_store);
    }
    // A new one takes its place.
    let seen = store.record(id, time(NOW)).await.unwrap().unwrap();
    let (copy, content) = stamped();
    assert!(store.keep_stamped(&seen, copy, content.clone()).await.unwrap());
    assert_eq!(store.stamped_store(id, time(NOW)).await.unwrap(), Some(content));
}

#[tokio::test]
async fn what_is_refused_or_replaced_leaves_nothing() {
    let (place, proof) = scene().await;
    let store = place.store();
    let objects = place.objects().await;
    let later = Bytes::from_static(b"stamped later");
    let copy = StampedCopy { manifest_hash: Sha256Hash::of(&later), ..stamped().0 };
    assert!(!store.keep_stamped(&proof.record, copy, later.clone()).await.unwrap());
    assert_eq!(place.objects().await, objects);

    let seen = store.record(proof.record.id, time(NOW)).await.unwrap().unwrap();
    assert!(store.keep_stamped(&seen, copy, later).await.unwrap());
    let now = place.objects().await;
    assert!(now.len() == 2 && now.contains(&objects[0]) && !now.contains(&objects[1]), "{now:?}");
}

#[tokio::test]
async fn a_removed_record_takes_the_copy_along() {
    let (place, proof) = scene().await;
    let (pk, record, blob) = place.stored(proof.record.id).await;
    let removed = RemovedProof::from_attributes(&pk, &record, &blob).unwrap();
    place.remove_item(Key::of_record(proof.record.id)).await;
    for _ in 0..2 {
        place.store().reap(&removed).await.unwrap();
        assert!(place.items().await.is_empty() && place.objects().await.is_empty());
    }
}

#[tokio::test]
async fn a_sweep_keeps_the_copies_of_living_proofs_and_removes_those_of_nobody() {
    let (place, proof) = scene().await;
    let store = place.store();
    let lost = Entry::new(sample(b"another image", "2026-01-01T00:00:00Z").record);
    let hash = stamped().0.manifest_hash;
    store.blobs.write(&format!("{}.{hash}", lost.blob), "stamped".into()).await.unwrap();
    let later = Timestamp::new(std::time::SystemTime::now().into()).plus_days(3);
    // The proof is valid still when the objects are old.
    assert!(later < proof.record.expires_at);
    let tally = contract::sweep_through(&store, Sweep::new(later, false)).await;
    assert_eq!((tally.orphan_manifest_stores_removed, tally.expired_proofs_removed), (1, 0));
    assert_eq!(store.stamped_store(proof.record.id, time(NOW)).await.unwrap(), Some(stamped().1));
}
