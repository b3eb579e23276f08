use super::*;

#[tokio::test]
async fn what_an_expired_proof_owned_is_removed() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    let kept = sample(b"image", "2026-01-01T00:00:00Z");
    store.put(&proof).await.unwrap();
    store.put(&kept).await.unwrap();
    let removed = removed(&place, &proof).await;
    place.remove_item(Key::of_record(proof.record.id)).await;
    for _ in 0..2 {
        store.reap(&removed).await.unwrap();
        assert_eq!(place.objects().await, [place.stored(kept.record.id).await.2]);
        assert_eq!(place.items().await.len(), 2);
    }
    let found = store.find_by_image_hash(kept.record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&kept.record));
    assert_eq!(store.proof(kept.record.id, time(NOW)).await.unwrap(), Some(kept));
}

#[tokio::test]
async fn a_proof_put_again_under_the_same_id_and_time_stays() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    let id = proof.record.id;
    store.put(&proof).await.unwrap();
    let removed = removed(&place, &proof).await;
    place.remove_item(Key::of_record(id)).await;
    store.put(&proof).await.unwrap();
    assert_eq!(place.objects().await.len(), 2);

    store.reap(&removed).await.unwrap();
    assert_eq!(place.objects().await, [place.stored(id).await.2]);
    let found = store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&proof.record));
    assert_eq!(store.proof(id, time(NOW)).await.unwrap(), Some(proof));
}

#[tokio::test]
async fn a_record_that_was_put_back_keeps_what_it_owns() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&proof).await.unwrap();
    store.reap(&removed(&place, &proof).await).await.unwrap();
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(&proof));
    let found = store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, [proof.record]);
}

#[test]
fn only_records_of_proofs_are_removed_proofs() {
    let record = sample(b"image", "2026-01-01T00:00:00Z").record;
    let (id, other) = (record.id, ProofId::random());
    let json = serde_json::to_string(&record).unwrap();
    let (pk, blob) = (format!("proof#{id}"), format!("manifests/{id}/{other}"));
    assert_eq!(RemovedProof::from_attributes(&pk, &json, &blob).unwrap().id(), id);
    assert!(
        RemovedProof::from_attributes(&pk, "{", &blob).is_some(),
        "its object can be removed all the same"
    );
    for (pk, blob) in [
        (format!("image#{}", record.image_hash), blob.clone()),
        ("signer".to_owned(), blob.clone()),
        (format!("proof#{other}"), blob.clone()),
        ("proof#".to_owned(), blob),
        (pk.clone(), format!("manifests/{id}/")),
        (pk.clone(), format!("manifests/{id}")),
        (pk.clone(), format!("../manifests/{id}/x")),
        (pk, String::new()),
    ] {
        assert_eq!(RemovedProof::from_attributes(&pk, &json, &blob), None, "{pk} {blob}");
    }
}

async fn removed(place: &Place, proof: &Proof) -> RemovedProof {
    let (pk, record, blob) = place.stored(proof.record.id).await;
    RemovedProof::from_attributes(&pk, &record, &blob).unwrap()
}
