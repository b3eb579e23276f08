use credlink_local_aws::{Fate, FaultyLink};

use super::*;
use crate::upkeep::{Faults, Finding, Sweep, SweptPage, Tally, Upkeep as _};

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

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_an_upkeep() {
    contract::verify_upkeep(async || {
        let place = Place::fresh().await;
        contract::Kept { proofs: Arc::new(place.store()), upkeep: Box::new(move || Arc::new(place.store())) }
    })
    .await;
}

#[tokio::test]
async fn an_expired_proof_leaves_nothing() {
    let place = Place::fresh().await;
    let (store, kept) = (place.store(), lasting(b"image"));
    store.put(&kept).await.unwrap();
    for created_at in ["1969-01-01T00:00:00Z", "2019-01-01T00:00:00Z", "2025-02-28T00:00:00Z"] {
        store.put(&sample(b"image", created_at)).await.unwrap();
    }
    let tally = sweep(&place, time(NOW)).await;
    assert_eq!((tally.expired_proofs_removed, tally.orphan_look_ups_removed), (3, 0));
    assert_eq!(tally.proofs.bytes, kept.manifest_store.len() as u64);
    assert_eq!((place.items().await.len(), place.objects().await.len()), (2, 1));
    assert_eq!(store.proof(kept.record.id, time(NOW)).await.unwrap(), Some(kept));
}

#[tokio::test]
async fn orphans_go_when_they_are_old() {
    let place = Place::fresh().await;
    let store = place.store();
    let (kept, lost, replaced) = (lasting(b"image"), lasting(b"image"), lasting(b"another image"));
    for proof in [&kept, &lost, &replaced] {
        store.put(proof).await.unwrap();
    }
    // Of one proof the record is gone; the other one was put again at another time, after its record was gone.
    place.remove_item(Key::of_record(lost.record.id)).await;
    place.remove_item(Key::of_record(replaced.record.id)).await;
    let mut again = replaced.clone();
    again.record.created_at = time("2026-01-02T00:00:00Z");
    store.put(&again).await.unwrap();
    // And one was never finished.
    store.blobs.write(&Entry::new(lasting(b"image").record).blob, "manifest store".into()).await.unwrap();

    // A day old by the clock, but not by one that is an hour ahead.
    let soon = sweep(&place, time("2026-01-02T00:59:59.999Z")).await;
    assert_eq!(soon, clean(2, &soon));
    let (items, objects) = (place.items().await, place.objects().await);
    let dry = contract::sweep_through(&place.store(), Sweep::new(later(), true)).await;
    assert_eq!((place.items().await, place.objects().await), (items, objects), "a dry run changes nothing");
    let tally = sweep(&place, later()).await;
    assert_eq!((tally.orphan_look_ups_removed, tally.orphan_manifest_stores_removed), (2, 3));
    assert_eq!(tally, dry);

    for proof in [&kept, &again] {
        assert_eq!(store.proof(proof.record.id, later()).await.unwrap().as_ref(), Some(proof));
        let found = store.find_by_image_hash(proof.record.image_hash, later()).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&proof.record));
    }
    let tally = sweep(&place, later()).await;
    assert_eq!(tally, clean(2, &tally));
    assert_eq!((place.items().await.len(), place.objects().await.len()), (4, 2));
}

#[tokio::test]
async fn what_needs_a_person_is_reported_and_left_alone() {
    let place = Place::fresh().await;
    let store = place.store();
    let (missing, damaged, nameless) = (lasting(b"image"), lasting(b"image"), lasting(b"image"));
    for proof in [&missing, &damaged, &nameless] {
        store.put(proof).await.unwrap();
    }
    place.remove_object(&place.stored(missing.record.id).await.2).await;
    place.set(damaged.record.id, "record", "{").await;
    place.set(nameless.record.id, "blob", "").await;
    let (items, objects) = (place.items().await, place.objects().await);

    let tally = sweep(&place, later()).await;
    let expected = Finding { count: 1, ids: vec![missing.record.id] };
    assert_eq!(tally.proofs_without_manifest_store, expected);
    let mut ids = tally.damaged_proofs.ids;
    ids.sort();
    let mut expected = [damaged.record.id, nameless.record.id];
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!((place.items().await, place.objects().await), (items, objects));
}

#[tokio::test]
async fn what_belongs_to_others_stays() {
    let place = Place::fresh().await;
    let key = Key { pk: "signer".to_owned(), sk: "active".to_owned() }.to_attributes();
    place.dynamo().put_item().table_name(&place.table).set_item(Some(key)).send().await.unwrap();
    for name in ["anchors.pem", "manifests/", "manifests/readme.txt", "manifests/a/b"] {
        place.s3().put_object().bucket(&place.bucket).key(name).send().await.unwrap();
    }
    assert_eq!(sweep(&place, later()).await, Tally::default());
    assert_eq!((place.items().await.len(), place.objects().await.len()), (1, 4));
}

#[tokio::test]
async fn idempotency_keys_go_a_day_after_their_time() {
    let place = Place::fresh().await;
    let put = async |pk: &str, ttl: AttributeValue| {
        let mut item = Key { pk: pk.to_owned(), sk: "key".to_owned() }.to_attributes();
        item.insert("ttl".to_owned(), ttl);
        place.dynamo().put_item().table_name(&place.table).set_item(Some(item)).send().await.unwrap();
    };
    let number = |text: &str| AttributeValue::N((time(text).unix_seconds()).to_string());
    put("idempotency#old", number("2026-02-27T23:00:00Z")).await;
    put("idempotency#young", number("2026-02-27T23:00:01Z")).await;
    put("idempotency#odd", AttributeValue::S("2019".to_owned())).await;
    put("another#old", number("2019-01-01T00:00:00Z")).await;
    let dry = contract::sweep_through(&place.store(), Sweep::new(time(NOW), true)).await;
    assert_eq!(place.items().await.len(), 4);
    let tally = sweep(&place, time(NOW)).await;
    assert_eq!(tally, Tally { idempotency_keys_removed: 1, ..Tally::default() });
    assert_eq!(tally, dry);
    let left: Vec<String> = place.items().await.into_iter().map(|(pk, _)| pk).collect();
    assert_eq!(left, ["another#old", "idempotency#odd", "idempotency#young"]);
}

/// A process that is killed at its nth call makes no further one; the next one goes on at the place that was kept last.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_is_killed_at_any_call_is_finished_by_the_next() {
    let place = Place::fresh().await;
    let store = place.store();
    let mut kept = Vec::new();
    for n in 0..300 {
        let (expired, valid) = (sample(b"image", "2019-01-01T00:00:00Z"), lasting(format!("{n}").as_bytes()));
        store.put(&expired).await.unwrap();
        if n % 10 == 0 {
            store.put(&valid).await.unwrap();
            kept.push(valid);
        }
    }
    let sweep = Sweep { page: 40, ..Sweep::new(later(), false) };
    let (mut after, mut removed, mut kills) = (None, 0, 0);
    'killed: for calls in (1..).map(|n| n * 3) {
        let mut left = calls;
        let link = FaultyLink::to(LocalAws::shared(), move |_| {
            left -= 1;
            if left >= 0 { Fate::Pass } else { Fate::Fail(403, "AccessDenied") }
        });
        let store = place.store_behind(&link.sdk_config());
        loop {
            match store.sweep_page(sweep, after.as_deref()).await {
                Ok(SweptPage { faults, .. }) if faults != Faults::default() => break,
                Err(_) => break,
                Ok(page) => {
                    removed += page.tally.expired_proofs_removed;
                    after = page.next;
                    if after.is_none() {
                        break 'killed;
                    }
                }
            }
        }
        kills += 1;
    }
    assert!(kills > 10, "{kills} kills; {removed} removed in pages that were finished");
    assert_eq!((place.items().await.len(), place.objects().await.len()), (2 * kept.len(), kept.len()));
    for proof in kept {
        assert_eq!(store.proof(proof.record.id, later()).await.unwrap(), Some(proof));
    }
}

#[tokio::test]
async fn a_bucket_longer_than_a_listing_is_gone_through_in_parts() {
    let place = Place::fresh().await;
    let mut store = place.store();
    store.listings.longest = 7;
    let mut lost = Vec::new();
    for n in 0..30 {
        let proof = lasting(format!("image {n}").as_bytes());
        store.put(&proof).await.unwrap();
        if n % 10 == 0 {
            place.remove_object(&place.stored(proof.record.id).await.2).await;
            lost.push(proof.record.id);
        }
        store.put(&sample(b"image", "2019-01-01T00:00:00Z")).await.unwrap();
    }
    let tally = contract::sweep_through(&store, Sweep::new(later(), false)).await;
    assert_eq!((tally.expired_proofs_removed, tally.proofs.valid), (30, 30));
    let mut ids = tally.proofs_without_manifest_store.ids;
    ids.sort();
    lost.sort();
    assert_eq!(ids, lost);
}

#[tokio::test]
async fn no_proof_is_asked_for_by_itself() {
    let place = Place::fresh().await;
    for n in 0..25 {
        place.store().put(&lasting(format!("image {n}").as_bytes())).await.unwrap();
    }
    let link = FaultyLink::to(LocalAws::shared(), |call| {
        if call.method == "HEAD" { Fate::Fail(403, "AccessDenied") } else { Fate::Pass }
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
    let mut transactions = 0;
    let link = FaultyLink::to(LocalAws::shared(), move |call| {
        transactions += i32::from(call.operation == "TransactWriteItems");
        let fails = call.operation == "TransactWriteItems" && transactions % 3 == 0;
        if fails { Fate::Fail(400, "AccessDeniedException") } else { Fate::Pass }
    });
    let store = place.store_behind(&link.sdk_config());
    let page = store.sweep_page(Sweep::new(later(), false), None).await.unwrap();
    assert_eq!((page.faults.count, page.tally.expired_proofs_removed), (4, 8));
    let first = page.faults.first.unwrap();
    assert!(first.contains("remove a proof") && first.contains("role"), "{first}");
    assert!(page.next.is_some());
}
