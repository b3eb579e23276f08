//! S3 fails between any two steps, and in the middle of them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use credlink_aws::MAX_CALL_TIME;
use credlink_local_aws::{Call, Fate, FaultyLink};

use super::*;

/// The fate of the first `times` calls that `concerns`; the others pass. And how many such calls there were.
fn link(
    times: usize,
    concerns: impl Fn(&Call) -> bool + Send + 'static,
    fate: Fate,
) -> (FaultyLink, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let link = FaultyLink::to(LocalAws::shared(), move |call| {
        let hit = concerns(call) && seen.fetch_add(1, Ordering::Relaxed) < times;
        if hit { fate.clone() } else { Fate::Pass }
    });
    (link, count)
}

fn is(method: &'static str, folder: &'static str) -> impl Fn(&Call) -> bool {
    move |call| call.method == method && call.path.contains(&format!("/{folder}/"))
}

fn new_proof() -> Proof {
    sample(ProofId::random().to_string().as_bytes(), "2026-01-01T00:00:00Z")
}

#[tokio::test]
async fn one_fault_of_s3_does_no_harm() {
    let place = Place::fresh().await;
    for folder in ["manifests", "images", "records"] {
        for fate in [Fate::server_fault(), Fate::Fail(503, "SlowDown"), Fate::Lose, Fate::LoseAnswer] {
            let (link, calls) = link(1, is("PUT", folder), fate);
            let proof = new_proof();
            place.store_behind(&link.sdk_config()).put(&proof).await.unwrap();
            assert_visible(&place, &proof).await;
            assert_eq!(calls.load(Ordering::Relaxed), 2);
        }
    }
    assert_eq!(place.objects().await.len(), 3 * 3 * 4);
}

#[tokio::test]
async fn a_broken_s3_leaves_all_or_nothing() {
    let place = Place::fresh().await;
    let without_end = usize::MAX;
    for (folder, fate, is_there) in [
        ("manifests", Fate::server_fault(), false),
        ("manifests", Fate::LoseAnswer, false),
        ("images", Fate::LoseAnswer, false),
        ("records", Fate::Lose, false),
        ("records", Fate::LoseAnswer, true),
    ] {
        let (link, _) = link(without_end, is("PUT", folder), fate);
        let (proof, start) = (new_proof(), Instant::now());
        let failed = place.store_behind(&link.sdk_config()).put(&proof).await;
        assert!(matches!(failed, Err(ProofStoreError::Unavailable(_))), "{failed:?}");
        assert!(start.elapsed() < MAX_CALL_TIME + Duration::from_secs(5));
        if is_there { assert_visible(&place, &proof).await } else { assert_invisible(&place, &proof).await }
    }
}

#[tokio::test]
async fn a_conflict_passes_and_what_is_not_allowed_is_not_tried_again() {
    let place = Place::fresh().await;
    let (conflict, calls) = link(3, is("PUT", "records"), Fate::Fail(409, "ConditionalRequestConflict"));
    let proof = new_proof();
    place.store_behind(&conflict.sdk_config()).put(&proof).await.unwrap();
    assert_visible(&place, &proof).await;
    assert_eq!(calls.load(Ordering::Relaxed), 4);

    let (denied, calls) = link(usize::MAX, is("PUT", "records"), Fate::Fail(403, "AccessDenied"));
    let Err(ProofStoreError::Unavailable(reason)) =
        place.store_behind(&denied.sdk_config()).put(&new_proof()).await
    else {
        panic!()
    };
    assert!(reason.contains("AccessDenied") && reason.contains("role"), "{reason}");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_stamped_copy_is_kept_though_the_answer_is_lost() {
    let place = Place::fresh().await;
    let proof = new_proof();
    place.store().put(&proof).await.unwrap();
    let (copy, content) = stamped();
    for fate in [Fate::LoseAnswer, Fate::Fail(409, "ConditionalRequestConflict")] {
        let (link, _) = link(2, is("PUT", "records"), fate);
        let store = place.store_behind(&link.sdk_config());
        let seen = store.record(proof.record.id, time(NOW)).await.unwrap().unwrap();
        assert!(store.keep_stamped(&seen, copy, content.clone()).await.unwrap());
        assert_eq!(store.stamped_store(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(&content));
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_says_that_it_deleted() {
    let place = Place::fresh().await;
    for fate in [Fate::LoseAnswer, Fate::Lose, Fate::Fail(409, "ConditionalRequestConflict")] {
        let proof = new_proof();
        place.store().put(&proof).await.unwrap();
        let (link, _) = link(2, is("DELETE", "records"), fate);
        assert!(place.store_behind(&link.sdk_config()).delete(proof.record.id).await.unwrap());
        assert_eq!(place.objects().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_proof_that_is_stamped_in_the_middle_of_its_deletion_goes_all_the_same() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), new_proof());
    let id = proof.record.id;
    store.put(&proof).await.unwrap();
    let before = store.records.stored(id).await.unwrap().unwrap();
    let (copy, content) = stamped();
    assert!(store.keep_stamped(&proof.record, copy, content).await.unwrap());
    assert_eq!(store.records.remove(id, &before).await.unwrap(), Removed::Changed);
    assert!(store.delete(id).await.unwrap());
    assert_eq!(store.records.remove(id, &before).await.unwrap(), Removed::ByOthers);
    store.put(&proof).await.unwrap();
    assert_eq!(store.records.remove(id, &before).await.unwrap(), Removed::ByOthers);
    assert_visible(&place, &proof).await;
}

#[tokio::test]
async fn a_manifest_store_is_read_again_when_the_connection_breaks() {
    let place = Place::fresh().await;
    let proof = new_proof();
    place.store().put(&proof).await.unwrap();
    for (folder, times, comes) in
        [("manifests", 2, true), ("records", 2, true), ("manifests", usize::MAX, false)]
    {
        let (link, _) = link(times, is("GET", folder), Fate::CutAnswer);
        let read = place.store_behind(&link.sdk_config()).proof(proof.record.id, time(NOW)).await;
        match comes {
            true => assert_eq!(read.unwrap().as_ref(), Some(&proof)),
            false => assert!(matches!(read, Err(ProofStoreError::Unavailable(_)))),
        }
    }
}

#[tokio::test]
async fn a_proof_replaced_while_it_is_read_comes_whole() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), new_proof());
    let id = proof.record.id;
    store.put(&proof).await.unwrap();
    let old = serde_json::json!({"record": proof.record, "manifestStore": place.blob(id).await}).to_string();
    store.delete(id).await.unwrap();
    store.put(&proof).await.unwrap();
    // The first read finds a record whose manifest store was removed in the meantime.
    let (link, calls) = link(1, is("GET", "records"), Fate::Answer(200, old));
    let read = place.store_behind(&link.sdk_config()).proof(id, time(NOW)).await.unwrap();
    assert_eq!((read, calls.load(Ordering::Relaxed)), (Some(proof), 2));
}
