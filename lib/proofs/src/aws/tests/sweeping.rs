use std::time::{Duration, Instant};

use credlink_local_aws::{Fate, FaultyLink};

use super::*;

/// Two days after the tests run: what they write is old then. Samples of this year and the next are valid still.
fn later() -> Timestamp {
    Timestamp::new(std::time::SystemTime::now().into()).plus_days(2)
}

fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

async fn sweep(place: &Place, now: Timestamp) -> SweepReport {
    place.store().sweep(now, SweepCursor::default(), in_a_minute()).await
}

/// A proof that is valid for long.
fn lasting(image: &[u8]) -> Proof {
    let mut proof = sample(image, "2026-01-01T00:00:00Z");
    proof.record.expires_at = time("9999-01-01T00:00:00Z");
    proof
}

#[tokio::test]
async fn an_empty_place_is_clean() {
    assert_eq!(sweep(&Place::fresh().await, later()).await, SweepReport::default());
}

#[tokio::test]
async fn what_is_valid_stays() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), lasting(b"image"));
    store.put(&proof).await.unwrap();
    let report = sweep(&place, later()).await;
    assert_eq!(report, SweepReport { items_seen: 2, objects_seen: 1, ..SweepReport::default() });
    assert_eq!(store.proof(proof.record.id, later()).await.unwrap(), Some(proof));
}

#[tokio::test]
async fn expired_proofs_go_with_all_they_own() {
    let place = Place::fresh().await;
    let (store, kept) = (place.store(), lasting(b"image"));
    store.put(&kept).await.unwrap();
    for created_at in ["1969-01-01T00:00:00Z", "2019-01-01T00:00:00Z", "2025-03-01T00:00:00Z"] {
        store.put(&sample(b"image", created_at)).await.unwrap();
    }
    let report = sweep(&place, time(NOW)).await;
    assert_eq!((report.expired_proofs_removed, report.orphan_look_ups_removed), (3, 0));
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

    let soon = time("2026-01-01T23:59:59.999Z");
    let report = sweep(&place, soon).await;
    assert_eq!((report.orphan_look_ups_removed, report.orphan_objects_removed), (0, 0));
    let report = sweep(&place, later()).await;
    assert_eq!((report.orphan_look_ups_removed, report.orphan_objects_removed), (2, 3));
    assert_eq!(report.faults, Vec::<String>::new());

    for proof in [&kept, &again] {
        assert_eq!(store.proof(proof.record.id, later()).await.unwrap().as_ref(), Some(proof));
        let found = store.find_by_image_hash(proof.record.image_hash, later()).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&proof.record));
    }
    let report = sweep(&place, later()).await;
    assert_eq!(report, SweepReport { items_seen: 4, objects_seen: 2, ..SweepReport::default() });
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

    let report = sweep(&place, later()).await;
    assert_eq!(report.without_manifest_store, Finding { count: 1, ids: vec![missing.record.id] });
    let mut ids = report.damaged.ids;
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
    assert_eq!(sweep(&place, later()).await, SweepReport::default());
    assert_eq!((place.items().await.len(), place.objects().await.len()), (1, 4));
}

#[tokio::test]
async fn a_sweep_goes_on_where_it_stopped() {
    let place = Place::fresh().await;
    let store = place.store();
    for n in 0..60 {
        store.put(&sample(format!("image {n}").as_bytes(), "2019-01-01T00:00:00Z")).await.unwrap();
    }
    let mut at = SweepCursor::default();
    let stopped = store.sweep(later(), at.clone(), Instant::now()).await;
    assert_eq!(stopped, SweepReport { stopped_at: Some(at.clone()), ..SweepReport::default() });

    // The line breaks after one page of each kind.
    let mut removed = 0;
    for broken in ["Scan", "List", "nothing"] {
        let mut pages = 0;
        let link = FaultyLink::to(LocalAws::shared(), move |call| {
            let is_list = call.method == "GET" && call.operation.is_empty();
            pages += usize::from(call.operation == "Scan");
            let fails = (broken == "Scan" && pages == 2) || (broken == "List" && is_list);
            if fails { Fate::Fail(400, "AccessDenied") } else { Fate::Pass }
        });
        let report = place.store_behind(&link.sdk_config()).sweep(later(), at, in_a_minute()).await;
        removed += report.expired_proofs_removed;
        assert_eq!(report.faults.len(), usize::from(broken != "nothing"));
        let Some(stopped_at) = report.stopped_at else { break };
        let json = serde_json::to_string(&stopped_at).unwrap();
        at = serde_json::from_str(&json).unwrap();
        assert_eq!(at == SweepCursor::Objects(None), broken == "List", "{json}");
    }
    assert_eq!(removed, 60);
    assert!(place.items().await.is_empty() && place.objects().await.is_empty());
}

#[tokio::test]
async fn a_sweep_ends_when_much_fails() {
    let place = Place::fresh().await;
    for _ in 0..12 {
        place.store().put(&lasting(b"image")).await.unwrap();
    }
    let link = FaultyLink::to(LocalAws::shared(), |call| {
        if call.method == "HEAD" { Fate::Fail(403, "AccessDenied") } else { Fate::Pass }
    });
    let store = place.store_behind(&link.sdk_config());
    let report = store.sweep(later(), SweepCursor::default(), in_a_minute()).await;
    assert_eq!((report.faults.len(), report.stopped_at), (12, Some(SweepCursor::Objects(None))));
    assert_eq!(report.without_manifest_store, Finding::default());
}
