//! What every catalogue promises.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

use credlink_pipeline::proof::{ProofCatalogue, ProofId, ProofRecord, ProofStoreError};

use super::{sample, time};

/// More pages than any of these walks can have.
const MAX_PAGES: usize = 1000;

/// Asserts every promise of [`ProofCatalogue`], each on a fresh, empty store.
pub async fn verify_catalogue(fresh: impl AsyncFn() -> Arc<dyn ProofCatalogue>) {
    assert_eq!(walk(&*fresh().await, 10, async || {}).await, []);
    the_pages_hold_every_proof_once(&*fresh().await).await;
    expired_proofs_are_in_the_pages(&*fresh().await).await;
    what_comes_and_goes_disturbs_nothing_else(&*fresh().await).await;
    a_place_of_another_store_is_refused(&*fresh().await).await;
}

/// Asserts that a record that says more than this version of CredLink understands is listed as newer, on an empty store;
/// `add_a_member` writes such a record in the place of a proof's.
pub async fn a_record_that_says_more_is_listed_as_newer(
    store: &dyn ProofCatalogue,
    add_a_member: impl AsyncFnOnce(ProofId),
) {
    let [plain, newer] = [1, 2].map(|_| sample(b"image", "2026-01-01T00:00:00Z"));
    for proof in [&plain, &newer] {
        store.put(proof).await.unwrap();
    }
    let id = newer.record.id;
    add_a_member(id).await;
    let page = store.page(None, 10).await.unwrap();
    assert_eq!((page.records.len(), page.newer), (2, vec![id]));
}

async fn the_pages_hold_every_proof_once(store: &dyn ProofCatalogue) {
    let mut expected = Vec::new();
    for n in 0..23 {
        let proof = sample(format!("image {}", n / 3).as_bytes(), "2026-01-01T00:00:00Z");
        store.put(&proof).await.unwrap();
        expected.push(proof.record);
    }
    expected.sort_by_key(|record| record.id);
    for limit in [0, 1, 7, 23, 24, 1000, usize::MAX] {
        assert_eq!(walk(store, limit, async || {}).await, expected, "pages of {limit}");
    }
}

async fn expired_proofs_are_in_the_pages(store: &dyn ProofCatalogue) {
    let proof = sample(b"image", "2001-01-01T00:00:00Z");
    store.put(&proof).await.unwrap();
    assert_eq!(store.record(proof.record.id, time("2026-03-01T00:00:00Z")).await.unwrap(), None);
    assert_eq!(walk(store, 10, async || {}).await, [proof.record]);
}

async fn what_comes_and_goes_disturbs_nothing_else(store: &dyn ProofCatalogue) {
    let (mut staying, mut going) = (BTreeSet::new(), Vec::new());
    for n in 0..40 {
        let proof = sample(format!("image {n}").as_bytes(), "2026-01-01T00:00:00Z");
        store.put(&proof).await.unwrap();
        if n % 2 == 0 {
            staying.insert(proof.record.id);
        } else {
            going.push(proof.record.id);
        }
    }
    let going = RefCell::new(going);
    let seen = walk(store, 3, async || {
        store.put(&sample(b"another image", "2026-01-02T00:00:00Z")).await.unwrap();
        let gone = going.borrow_mut().pop();
        if let Some(id) = gone {
            assert!(store.delete(id).await.unwrap());
        }
    })
    .await;
    let seen: Vec<ProofId> = seen.iter().map(|record| record.id).filter(|id| staying.contains(id)).collect();
    assert!(seen.iter().eq(&staying));
}

async fn a_place_of_another_store_is_refused(store: &dyn ProofCatalogue) {
    for place in ["", "[]", "../../etc/passwd", "{\"pk\":1}"] {
        let refused = store.page(Some(place), 10).await;
        assert!(matches!(refused, Err(ProofStoreError::Unavailable(_))), "{place:?}: {refused:?}");
    }
}

/// All records in pages of `limit`, sorted; `between` is done after each page.
async fn walk(store: &dyn ProofCatalogue, limit: usize, between: impl AsyncFn()) -> Vec<ProofRecord> {
    let mut records = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = store.page(after.as_deref(), limit).await.unwrap();
        assert_eq!(page.damaged, []);
        records.extend(page.records);
        after = page.next;
        if after.is_none() {
            break;
        }
        between().await;
    }
    assert_eq!(after, None, "the catalogue has no end");
    records.sort_by_key(|record| record.id);
    records
}
