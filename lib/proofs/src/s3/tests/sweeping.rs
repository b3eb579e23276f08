//! What belongs to nobody goes, and nothing else.

use credlink_local_aws::{Call, Fate, FaultyLink};

use super::*;
use crate::upkeep::{Finding, Sweep, Tally, Upkeep as _};

/// Three days after the tests run: what they write is old then.
fn later() -> Timestamp {
    Timestamp::new(std::time::SystemTime::now().into()).plus_days(3)
}

async fn sweep(place: &Place, now: Timestamp) -> Tally {
    contract::sweep_through(&place.store(), Sweep::new(now, false)).await
}

/// What a sweep says where there is nothing to do but to count so many proofs.
fn clean(valid: u64, tally: &Tally) -> Tally {
    assert_eq!(tally.proofs.valid, valid);
    Tally { proofs: tally.proofs, ..Tally::default() }
}

/// A proof that is valid for long.
fn lasting(image: &[u8]) -> Proof {
    let mut proof = sample(image, "2026-01-01T00:00:00Z");
    proof.record.expires_at = time("9999-01-01T00:00:00Z");
    proof
}

#[tokio::test]
async fn an_expired_proof_leaves_nothing() {
    let place = Place::fresh().await;
    let (store, kept) = (place.store(), lasting(b"image"));
    store.put(&kept).await.unwrap();
    let (copy, content) = stamped();
    for created_at in ["1969-01-01T00:00:00Z", "2019-01-01T00:00:00Z", "2025-02-28T00:00:00Z"] {
        let proof = sample(b"image", created_at);
        store.put(&proof).await.unwrap();
        assert!(store.keep_stamped(&proof.record, copy, content.clone()).await.unwrap());
    }
    let dry = contract::sweep_through(&store, Sweep::new(time(NOW), true)).await;
    assert_eq!(place.objects().await.len(), 3 * 4 + 3, "a dry run changes nothing");
    let tally = sweep(&place, time(NOW)).await;
    assert_eq!((tally.expired_proofs_removed, tally.orphan_look_ups_removed), (3, 0));
    assert_eq!((tally.proofs.bytes, &tally), (kept.manifest_store.len() as u64, &dry));
    assert_eq!(place.objects().await.len(), 3);
    assert_visible(&place, &kept).await;
}

#[tokio::test]
async fn orphans_go_when_they_are_old() {
    let place = Place::fresh().await;
    let store = place.store();
    let (kept, lost, replaced) = (lasting(b"image"), lasting(b"image"), lasting(b"another image"));
    for proof in [&kept, &lost, &replaced] {
        store.put(proof).await.unwrap();
    }
    // Of one proof the record is gone; the other one was put again after its record was gone.
    for proof in [&lost, &replaced] {
        place.remove(&format!("records/{}", proof.record.id)).await;
    }
    store.put(&replaced).await.unwrap();
    // One was never finished, and of one there is a copy alone.
    place.write(&PutName::new(&lasting(b"image").record).blob(), "manifest store").await;
    let copy = format!("{}.{}", PutName::new(&lasting(b"image").record).blob(), stamped().0.manifest_hash);
    place.write(&copy, "stamped").await;

    let now = Timestamp::new(std::time::SystemTime::now().into());
    let young = sweep(&place, now.plus_days(1)).await;
    assert_eq!(young, clean(2, &young), "a day old by the clock, but not by one that is an hour ahead");
    let objects = place.objects().await;
    let dry = contract::sweep_through(&place.store(), Sweep::new(later(), true)).await;
    assert_eq!(place.objects().await, objects, "a dry run changes nothing");
    let tally = sweep(&place, later()).await;
    assert_eq!((tally.orphan_look_ups_removed, tally.orphan_manifest_stores_removed), (2, 4));
    assert_eq!(tally, dry);

    assert_visible(&place, &kept).await;
    assert_visible(&place, &replaced).await;
    let tally = sweep(&place, later()).await;
    assert_eq!(tally, clean(2, &tally));
    assert_eq!(place.objects().await.len(), 6);
}

#[tokio::test]
async fn what_needs_a_person_is_reported_and_left_alone() {
    let place = Place::fresh().await;
    let store = place.store();
    let (missing, damaged, over) =
        (lasting(b"image"), lasting(b"image"), sample(b"image", "2019-01-01T00:00:00Z"));
    for proof in [&missing, &damaged, &over] {
        store.put(proof).await.unwrap();
    }
    place.remove(&place.blob(missing.record.id).await).await;
    // Beside the one that it should name there is another manifest store.
    place.write(&PutName::new(&damaged.record).blob(), "manifest store").await;
    for id in [damaged.record.id, over.record.id] {
        place.write(&format!("records/{id}"), "{").await;
    }
    let objects = place.objects().await;
    let tally = sweep(&place, later()).await;
    assert_eq!(tally.proofs_without_manifest_store, Finding { count: 1, ids: vec![missing.record.id] });
    let (mut ids, mut expected) = (tally.damaged_proofs.ids, vec![damaged.record.id, over.record.id]);
    ids.sort();
    expected.sort();
    assert_eq!((ids, place.objects().await), (expected, objects));
}

#[tokio::test]
async fn what_belongs_to_others_stays() {
    let place = Place::fresh().await;
    let id = ProofId::random();
    let names = ["anchors.pem", "manifests/", "manifests/readme.txt", "manifests/a/b", "images/a/b"];
    for name in names.map(str::to_owned).into_iter().chain([
        format!("manifests/{id}/0b5a53c8-9a43-4fb4-9b4f-5f1d4c6b0c1e"),
        format!("records/{}", id.to_string().to_uppercase()),
    ]) {
        place.write(&name, "somebody else's").await;
    }
    assert_eq!(sweep(&place, later()).await, Tally::default());
    assert_eq!(place.objects().await.len(), 7);
}

/// Names tell when proofs expire: those that stay cost no call of their own.
#[tokio::test]
async fn no_proof_that_stays_is_asked_for() {
    let place = Place::fresh().await;
    for n in 0..25 {
        place.store().put(&lasting(format!("image {n}").as_bytes())).await.unwrap();
    }
    let is_list = |call: &Call| call.method == "GET" && !call.path.contains("/records/");
    let link = FaultyLink::to(LocalAws::shared(), move |call| {
        if is_list(call) { Fate::Pass } else { Fate::Fail(403, "AccessDenied") }
    });
    let store = place.store_behind(&link.sdk_config());
    let tally = contract::sweep_through(&store, Sweep::new(later(), false)).await;
    assert_eq!(tally, clean(25, &tally));
}

#[tokio::test]
async fn what_fails_is_counted_and_does_not_stop_the_rest() {
    let place = Place::fresh().await;
    for _ in 0..12 {
        place.store().put(&sample(b"image", "2019-01-01T00:00:00Z")).await.unwrap();
    }
    let mut deletions = 0;
    let link = FaultyLink::to(LocalAws::shared(), move |call| {
        deletions += i32::from(call.method == "DELETE");
        let fails = call.method == "DELETE" && deletions % 3 == 0;
        if fails { Fate::Fail(403, "AccessDenied") } else { Fate::Pass }
    });
    let page =
        place.store_behind(&link.sdk_config()).sweep_page(Sweep::new(later(), false), None).await.unwrap();
    assert_eq!((page.faults.count, page.tally.expired_proofs_removed), (4, 8));
    let first = page.faults.first.unwrap();
    assert!(first.contains("remove a proof") && first.contains("role"), "{first}");
    assert_eq!(place.objects().await.len(), 3 * 4);
}
