//! What every proof store promises, as one suite of assertions.
//!
//! A store's tests call [`verify`] with a function that makes a fresh, empty store. Outside this crate the
//! suite comes with the feature `contract`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite of assertions fails by panicking")]

mod catalogue;
mod stamped;
mod statistics;
mod upkeep;

use std::sync::Arc;

use bytes::Bytes;
use credlink_pipeline::{
    asset::Format,
    digest::Sha256Hash,
    proof::{MAX_PROOFS_PER_IMAGE, Proof, ProofId, ProofRecord, ProofStore, ProofStoreError, SignatureLife},
    timestamp::Timestamp,
};

pub use catalogue::{a_record_that_says_more_is_listed_as_newer, verify_catalogue};
pub use statistics::verify_statistics;
pub use upkeep::{Kept, sweep_through, verify_upkeep};

/// Asserts every promise of [`ProofStore`], each on a fresh, empty store. Needs a tokio runtime with several
/// threads, so that concurrent calls really are concurrent.
pub async fn verify(fresh: impl AsyncFn() -> Arc<dyn ProofStore>) {
    a_proof_comes_back_as_it_was(&*fresh().await).await;
    what_is_unknown_is_none(&*fresh().await).await;
    an_empty_and_a_large_manifest_store_come_back(&*fresh().await).await;
    unusual_texts_come_back(&*fresh().await).await;
    a_proof_is_never_overwritten(&*fresh().await).await;
    a_proof_is_invisible_from_its_expiry_on(&*fresh().await).await;
    an_expired_proof_still_holds_its_id(&*fresh().await).await;
    proofs_of_one_image_come_newest_first(&*fresh().await).await;
    a_look_up_by_image_hash_is_bounded(&*fresh().await).await;
    expired_proofs_do_not_use_up_the_bound(&*fresh().await).await;
    a_deleted_proof_is_gone(&*fresh().await).await;
    after_a_deletion_the_id_is_free(&*fresh().await).await;
    of_concurrent_puts_of_one_id_exactly_one_wins(fresh().await).await;
    concurrent_puts_of_one_image_all_stay(fresh().await).await;
    of_concurrent_deletions_exactly_one_removes(fresh().await).await;
    an_id_put_and_deleted_in_turns_stays_consistent(fresh().await).await;
    stamped::verify(&fresh).await;
    fresh().await.check().await.unwrap();
}

/// A proof with a random id of an image with these bytes, made at `created_at` (RFC 3339) and valid for a
/// year.
pub fn sample(image: &[u8], created_at: &str) -> Proof {
    let id = ProofId::random();
    let manifest_store = Bytes::from(format!("manifest store of {id}").repeat(200));
    let created_at = time(created_at);
    Proof {
        record: ProofRecord {
            id,
            uri: format!("https://proofs.example/proofs/{id}"),
            image_hash: Sha256Hash::of(image),
            manifest_hash: Sha256Hash::of(&manifest_store),
            fingerprint: Some("ISCC:EEDWQQ53UV5JKL32JFHL6OUJD4P7OCQIBFYUZ77GABRGV5KJYZ3YBFA".to_owned()),
            format: Format::Jpeg,
            image_length: image.len() as u64,
            created_at,
            expires_at: created_at.plus_days(365),
            signature: Some(SignatureLife { valid_until: created_at.plus_days(90), stamped: false }),
            stamped: None,
        },
        manifest_store,
    }
}

/// Parses RFC 3339.
pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

const NOW: &str = "2026-03-01T00:00:00Z";

async fn a_proof_comes_back_as_it_was(store: &dyn ProofStore) {
    let proof = sample(b"an image", "2026-01-31T08:15:30.250Z");
    let other = sample(b"another image", "2026-01-31T08:15:30.250Z");
    store.put(&proof).await.unwrap();
    store.put(&other).await.unwrap();
    for kept in [&proof, &other] {
        let record = &kept.record;
        assert_eq!(store.record(record.id, time(NOW)).await.unwrap().as_ref(), Some(record));
        assert_eq!(store.proof(record.id, time(NOW)).await.unwrap().as_ref(), Some(kept));
        let found = store.find_by_image_hash(record.image_hash, time(NOW)).await.unwrap();
        assert_eq!(found, std::slice::from_ref(record));
    }
}

async fn what_is_unknown_is_none(store: &dyn ProofStore) {
    let id = ProofId::random();
    assert_eq!(store.record(id, time(NOW)).await.unwrap(), None);
    assert_eq!(store.proof(id, time(NOW)).await.unwrap(), None);
    assert_eq!(store.find_by_image_hash(Sha256Hash::of(b"unknown"), time(NOW)).await.unwrap(), []);
    assert!(!store.delete(id).await.unwrap());
}

async fn an_empty_and_a_large_manifest_store_come_back(store: &dyn ProofStore) {
    let mut large = Vec::with_capacity(3 << 20);
    while large.len() < 3 << 20 {
        large.extend_from_slice(Sha256Hash::of(&large.len().to_be_bytes()).as_bytes());
    }
    for manifest_store in [Bytes::new(), Bytes::from_static(&[0]), Bytes::from(large)] {
        let proof = Proof { manifest_store, ..sample(b"image", "2026-01-01T00:00:00Z") };
        store.put(&proof).await.unwrap();
        assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap(), Some(proof));
    }
}

async fn unusual_texts_come_back(store: &dyn ProofStore) {
    let mut proof = sample(b"image", "1969-12-31T23:59:59.999Z");
    proof.record.uri = "https://proofs.example/\u{202e}\"\\\n\0/𐍈".to_owned();
    proof.record.fingerprint = None;
    proof.record.format = Format::WebP;
    proof.record.image_length = u64::MAX;
    proof.record.expires_at = time("9999-12-31T23:59:59.999Z");
    store.put(&proof).await.unwrap();
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(&proof));
    let found = store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, [proof.record]);
}

async fn a_proof_is_never_overwritten(store: &dyn ProofStore) {
    let first = sample(b"image", "2026-01-01T00:00:00Z");
    let mut second = sample(b"another image", "2026-01-02T00:00:00Z");
    second.record.id = first.record.id;
    store.put(&first).await.unwrap();
    for again in [&second, &first] {
        let refused = store.put(again).await;
        assert!(matches!(refused, Err(ProofStoreError::AlreadyExists(id)) if id == first.record.id));
    }
    assert_eq!(store.proof(first.record.id, time(NOW)).await.unwrap().as_ref(), Some(&first));
    let found = store.find_by_image_hash(first.record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&first.record));
    assert_eq!(store.find_by_image_hash(second.record.image_hash, time(NOW)).await.unwrap(), []);
}

async fn a_proof_is_invisible_from_its_expiry_on(store: &dyn ProofStore) {
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.record.expires_at = time("2026-02-01T00:00:00.500Z");
    let (id, hash) = (proof.record.id, proof.record.image_hash);
    store.put(&proof).await.unwrap();

    let last = time("2026-02-01T00:00:00.499Z");
    assert_eq!(store.record(id, last).await.unwrap().as_ref(), Some(&proof.record));
    assert_eq!(store.proof(id, last).await.unwrap().as_ref(), Some(&proof));
    assert_eq!(store.find_by_image_hash(hash, last).await.unwrap(), std::slice::from_ref(&proof.record));

    for later in [proof.record.expires_at, time(NOW)] {
        assert_eq!(store.record(id, later).await.unwrap(), None);
        assert_eq!(store.proof(id, later).await.unwrap(), None);
        assert_eq!(store.find_by_image_hash(hash, later).await.unwrap(), []);
    }
}

async fn an_expired_proof_still_holds_its_id(store: &dyn ProofStore) {
    let proof = sample(b"image", "2020-01-01T00:00:00Z");
    store.put(&proof).await.unwrap();
    assert_eq!(store.record(proof.record.id, time(NOW)).await.unwrap(), None);
    assert!(matches!(store.put(&proof).await, Err(ProofStoreError::AlreadyExists(_))));
    assert!(store.delete(proof.record.id).await.unwrap());
}

async fn proofs_of_one_image_come_newest_first(store: &dyn ProofStore) {
    let times = [
        "2026-01-03T00:00:00.000Z",
        "2026-01-01T00:00:00.000Z",
        "2026-01-03T00:00:00.001Z",
        "1969-01-01T00:00:00.000Z",
        "2026-01-02T00:00:00.000Z",
    ];
    let mut expected = Vec::new();
    for created_at in times {
        let mut proof = sample(b"image", created_at);
        proof.record.expires_at = time("2030-01-01T00:00:00Z");
        store.put(&proof).await.unwrap();
        store.put(&sample(b"another image", created_at)).await.unwrap();
        expected.push(proof.record);
    }
    expected.sort_by_key(|record| std::cmp::Reverse(record.created_at));
    assert_eq!(store.find_by_image_hash(Sha256Hash::of(b"image"), time(NOW)).await.unwrap(), expected);
}

async fn a_look_up_by_image_hash_is_bounded(store: &dyn ProofStore) {
    for n in 0..MAX_PROOFS_PER_IMAGE + 3 {
        let created_at = format!("2026-01-01T00:{:02}:{:02}Z", n / 60, n % 60);
        store.put(&sample(b"image", &created_at)).await.unwrap();
    }
    let found = store.find_by_image_hash(Sha256Hash::of(b"image"), time(NOW)).await.unwrap();
    assert_eq!(found.len(), MAX_PROOFS_PER_IMAGE);
    assert!(found.iter().all(|record| record.created_at >= time("2026-01-01T00:00:03Z")));
}

async fn expired_proofs_do_not_use_up_the_bound(store: &dyn ProofStore) {
    for n in 0..MAX_PROOFS_PER_IMAGE {
        let mut proof = sample(b"image", &format!("2026-01-02T00:{:02}:{:02}Z", n / 60, n % 60));
        proof.record.expires_at = time("2026-02-01T00:00:00Z");
        store.put(&proof).await.unwrap();
    }
    let old = sample(b"image", "2026-01-01T00:00:00Z");
    store.put(&old).await.unwrap();
    let found = store.find_by_image_hash(old.record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, [old.record]);
}

async fn a_deleted_proof_is_gone(store: &dyn ProofStore) {
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let other = sample(b"image", "2026-01-02T00:00:00Z");
    let (id, hash) = (proof.record.id, proof.record.image_hash);
    store.put(&proof).await.unwrap();
    store.put(&other).await.unwrap();
    assert!(store.delete(id).await.unwrap());
    assert!(!store.delete(id).await.unwrap());
    assert_eq!(store.record(id, time(NOW)).await.unwrap(), None);
    assert_eq!(store.proof(id, time(NOW)).await.unwrap(), None);
    assert_eq!(store.find_by_image_hash(hash, time(NOW)).await.unwrap(), std::slice::from_ref(&other.record));
    assert_eq!(store.proof(other.record.id, time(NOW)).await.unwrap(), Some(other));
}

async fn after_a_deletion_the_id_is_free(store: &dyn ProofStore) {
    let first = sample(b"image", "2026-01-01T00:00:00Z");
    let mut second = sample(b"another image", "2026-01-02T00:00:00Z");
    second.record.id = first.record.id;
    for proof in [&first, &second, &first] {
        store.put(proof).await.unwrap();
        let (id, hash) = (proof.record.id, proof.record.image_hash);
        assert_eq!(store.proof(id, time(NOW)).await.unwrap().as_ref(), Some(proof));
        let found = store.find_by_image_hash(hash, time(NOW)).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&proof.record));
        assert!(store.delete(id).await.unwrap());
        assert_eq!(store.find_by_image_hash(hash, time(NOW)).await.unwrap(), []);
    }
}

async fn of_concurrent_puts_of_one_id_exactly_one_wins(store: Arc<dyn ProofStore>) {
    let id = ProofId::random();
    let proofs: Vec<Proof> = (0..8)
        .map(|n| {
            let mut proof = sample(format!("image {n}").as_bytes(), "2026-01-01T00:00:00Z");
            proof.record.id = id;
            proof
        })
        .collect();
    let puts: Vec<_> = proofs
        .iter()
        .cloned()
        .map(|proof| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { (store.put(&proof).await, proof) })
        })
        .collect();
    let mut winner = None;
    for put in puts {
        match put.await.unwrap() {
            (Ok(()), proof) => assert!(winner.replace(proof).is_none(), "two puts of one id won"),
            (Err(error), _) => assert!(matches!(error, ProofStoreError::AlreadyExists(of) if of == id)),
        }
    }
    let winner = winner.unwrap();
    assert_eq!(store.proof(id, time(NOW)).await.unwrap().as_ref(), Some(&winner));
    for proof in &proofs {
        let found = store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap();
        let expected = if *proof == winner { std::slice::from_ref(&proof.record) } else { &[] };
        assert_eq!(found, expected);
    }
}

async fn concurrent_puts_of_one_image_all_stay(store: Arc<dyn ProofStore>) {
    let puts: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            let proof = sample(b"image", &format!("2026-01-01T00:00:0{n}Z"));
            tokio::spawn(async move { store.put(&proof).await.map(|()| proof.record) })
        })
        .collect();
    let mut expected = Vec::new();
    for put in puts {
        expected.push(put.await.unwrap().unwrap());
    }
    expected.sort_by_key(|record| std::cmp::Reverse(record.created_at));
    assert_eq!(store.find_by_image_hash(Sha256Hash::of(b"image"), time(NOW)).await.unwrap(), expected);
}

async fn of_concurrent_deletions_exactly_one_removes(store: Arc<dyn ProofStore>) {
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let (id, hash) = (proof.record.id, proof.record.image_hash);
    store.put(&proof).await.unwrap();
    let deletions: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.delete(id).await.unwrap() })
        })
        .collect();
    let mut removed = 0;
    for deletion in deletions {
        removed += usize::from(deletion.await.unwrap());
    }
    assert_eq!(removed, 1);
    assert_eq!(store.record(id, time(NOW)).await.unwrap(), None);
    assert_eq!(store.find_by_image_hash(hash, time(NOW)).await.unwrap(), []);
}

async fn an_id_put_and_deleted_in_turns_stays_consistent(store: Arc<dyn ProofStore>) {
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let (id, hash) = (proof.record.id, proof.record.image_hash);
    let tasks: Vec<_> = (0..4)
        .map(|n| {
            let (store, proof) = (Arc::clone(&store), proof.clone());
            tokio::spawn(async move {
                for _ in 0..10 {
                    if n % 2 == 0 {
                        match store.put(&proof).await {
                            Ok(()) | Err(ProofStoreError::AlreadyExists(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                    } else {
                        store.delete(id).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let record = store.record(id, time(NOW)).await.unwrap();
    let found = store.find_by_image_hash(hash, time(NOW)).await.unwrap();
    assert_eq!(found, Vec::from_iter(record), "the record and the index say the same");
}
