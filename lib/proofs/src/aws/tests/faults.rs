//! AWS fails between any two steps, and in the middle of them.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use credlink_aws::MAX_CALL_TIME;
use credlink_local_aws::{Call, Fate, FaultyLink};

use super::*;

/// The operation that writes a proof's items, and removes them.
const TRANSACTION: &str = "TransactWriteItems";

#[tokio::test]
async fn a_stamped_copy_is_kept_though_the_answer_is_lost() {
    let place = Place::fresh().await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().put(&proof).await.unwrap();
    let (link, calls) = link(first(2, is(TRANSACTION), Fate::LoseAnswer));
    let (copy, stamped) = stamping::stamped();
    let store = place.store_behind(&link.sdk_config());
    assert!(store.keep_stamped(&proof.record, copy, stamped.clone()).await.unwrap());
    assert_eq!(calls.of(TRANSACTION), 3);
    assert_eq!(place.store().stamped_store(proof.record.id, time(NOW)).await.unwrap(), Some(stamped));
    assert_eq!(place.objects().await.len(), 2);
}

#[tokio::test]
async fn one_fault_of_s3_does_no_harm() {
    let place = Place::fresh().await;
    let (link, _) = link(first(1, is_upload, Fate::server_fault()));
    put_and_find(&place, &link).await;
}

#[tokio::test]
async fn a_broken_s3_leaves_nothing_visible() {
    let place = Place::fresh().await;
    for fate in [Fate::server_fault(), Fate::Fail(503, "SlowDown"), Fate::Lose] {
        let (link, _) = link(first(usize::MAX, is_upload, fate));
        let proof = put_and_fail(&place, &link).await;
        assert_invisible(&place, &proof).await;
    }
    assert!(place.objects().await.is_empty());
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_leaves_nothing_visible() {
    let place = Place::fresh().await;
    let (link, _) = link(first(usize::MAX, is_upload, Fate::LoseAnswer));
    let proof = put_and_fail(&place, &link).await;
    assert_invisible(&place, &proof).await;
    assert_eq!(place.objects().await.len(), 1, "an orphan for the sweep");
}

#[tokio::test]
async fn a_record_whose_answer_is_lost_is_one_proof() {
    let place = Place::fresh().await;
    for times in 1..=3 {
        let (link, calls) = link(first(times, is(TRANSACTION), Fate::LoseAnswer));
        put_and_find(&place, &link).await;
        assert_eq!(calls.of(TRANSACTION), times + 1);
    }
}

#[tokio::test]
async fn a_record_that_was_written_is_ours_though_its_token_is_forgotten() {
    let place = Place::fresh().await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let entry = Entry::new(proof.record.clone());
    let table = place.store().table;
    for _ in 0..2 {
        assert_eq!(table.add(&entry).await.unwrap(), Added::Done);
    }
    assert_eq!(table.add(&Entry::new(proof.record)).await.unwrap(), Added::IdIsTaken);
}

#[tokio::test]
async fn a_table_that_never_answers_is_all_or_nothing() {
    let place = Place::fresh().await;
    for (fate, is_there) in [(Fate::LoseAnswer, true), (Fate::Lose, false)] {
        let (link, _) = link(first(usize::MAX, is(TRANSACTION), fate));
        let proof = put_and_fail(&place, &link).await;
        if is_there {
            assert_visible(&place, &proof).await;
        } else {
            assert_invisible(&place, &proof).await;
        }
    }
}

#[tokio::test]
async fn throttling_passes() {
    let place = Place::fresh().await;
    for fate in [Fate::throttled(), Fate::server_fault(), cancelled("None", "ThrottlingError")] {
        let (link, calls) = link(first(2, is(TRANSACTION), fate));
        put_and_find(&place, &link).await;
        assert_eq!(calls.of(TRANSACTION), 3);
    }
}

#[tokio::test]
async fn throttling_without_end_is_unavailable_in_time() {
    let place = Place::fresh().await;
    for fate in [Fate::throttled(), cancelled("TransactionConflict", "None")] {
        let (link, _) = link(first(usize::MAX, is(TRANSACTION), fate));
        let start = Instant::now();
        let proof = put_and_fail(&place, &link).await;
        assert!(start.elapsed() < MAX_CALL_TIME + Duration::from_secs(2));
        assert_invisible(&place, &proof).await;
    }
}

#[tokio::test]
async fn who_comes_second_leaves_no_object_whatever_else_hinders() {
    let place = Place::fresh().await;
    let first_proof = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().put(&first_proof).await.unwrap();
    let objects = place.objects().await;
    let (link, calls) = link(first(1, is(TRANSACTION), cancelled("TransactionConflict", "None")));
    let refused = place.store_behind(&link.sdk_config()).put(&first_proof).await;
    assert!(matches!(refused, Err(ProofStoreError::AlreadyExists(id)) if id == first_proof.record.id));
    assert_eq!((place.objects().await, calls.of(TRANSACTION)), (objects, 2));
}

#[tokio::test]
async fn what_is_not_allowed_is_not_tried_again() {
    let place = Place::fresh().await;
    let (link, calls) = link(first(usize::MAX, is(TRANSACTION), Fate::Fail(400, "AccessDeniedException")));
    put_and_fail(&place, &link).await;
    assert_eq!(calls.of(TRANSACTION), 1);
}

#[tokio::test]
async fn a_manifest_store_is_read_again_when_the_connection_breaks() {
    let place = Place::fresh().await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().put(&proof).await.unwrap();
    let read = async |times| {
        let (link, _) = link(first(times, is_download, Fate::CutAnswer));
        place.store_behind(&link.sdk_config()).proof(proof.record.id, time(NOW)).await
    };
    assert_eq!(read(2).await.unwrap().as_ref(), Some(&proof));
    assert!(matches!(read(usize::MAX).await, Err(ProofStoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_proof_replaced_while_it_is_read_comes_whole() {
    let place = Place::fresh().await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let id = proof.record.id;
    place.store().put(&proof).await.unwrap();
    // The first read finds a record whose manifest store was removed in the meantime.
    let old = place.stored(id).await.2;
    place.store().delete(id).await.unwrap();
    place.store().put(&proof).await.unwrap();
    let new = place.stored(id).await;
    let item = format!(
        r#"{{"Item":{{"pk":{{"S":"{}"}},"sk":{{"S":"record"}},"record":{{"S":{}}},"blob":{{"S":"{old}"}}}}}}"#,
        new.0,
        serde_json::to_string(&new.1).unwrap()
    );
    let (link, calls) = link(first(1, is("GetItem"), Fate::Answer(200, item)));
    let read = place.store_behind(&link.sdk_config()).proof(id, time(NOW)).await.unwrap();
    assert_eq!((read, calls.of("GetItem")), (Some(proof), 2));
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_says_that_it_deleted() {
    let place = Place::fresh().await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().put(&proof).await.unwrap();
    let (link, _) = link(first(2, is(TRANSACTION), Fate::LoseAnswer));
    assert!(place.store_behind(&link.sdk_config()).delete(proof.record.id).await.unwrap());
    assert!(place.items().await.is_empty() && place.objects().await.is_empty());
}

#[tokio::test]
async fn what_a_broken_deletion_leaves_is_reaped() {
    let place = Place::fresh().await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().put(&proof).await.unwrap();
    let (pk, record, blob) = place.stored(proof.record.id).await;
    let (link, _) = link(first(usize::MAX, is_removal, Fate::server_fault()));
    assert!(place.store_behind(&link.sdk_config()).delete(proof.record.id).await.unwrap());
    assert_invisible(&place, &proof).await;
    assert_eq!(place.objects().await.len(), 1);

    let removed = RemovedProof::from_attributes(&pk, &record, &blob).unwrap();
    let broken = place.store_behind(&link.sdk_config()).reap(&removed).await;
    assert!(matches!(broken, Err(ProofStoreError::Unavailable(_))), "the event must come again");
    place.store().reap(&removed).await.unwrap();
    assert!(place.items().await.is_empty() && place.objects().await.is_empty());
}

/// What went over a line.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    /// How often an operation was called.
    fn of(&self, operation: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|call| call.operation == operation).count()
    }
}

fn link(mut decide: impl FnMut(&Call) -> Fate + Send + 'static) -> (FaultyLink, Calls) {
    let calls = Calls::default();
    let seen = calls.clone();
    let link = FaultyLink::to(LocalAws::shared(), move |call| {
        seen.0.lock().unwrap().push(call.clone());
        decide(call)
    });
    (link, calls)
}

/// The fate of the first `times` calls that `concerns`; the others pass.
fn first(
    times: usize,
    concerns: impl Fn(&Call) -> bool + Send + 'static,
    fate: Fate,
) -> impl FnMut(&Call) -> Fate + Send {
    let seen = AtomicUsize::new(0);
    move |call| {
        let hit = concerns(call) && seen.fetch_add(1, Ordering::Relaxed) < times;
        if hit { fate.clone() } else { Fate::Pass }
    }
}

fn is(operation: &'static str) -> impl Fn(&Call) -> bool {
    move |call| call.operation == operation
}

fn is_upload(call: &Call) -> bool {
    call.method == "PUT" && call.path.contains("/manifests/")
}

fn is_download(call: &Call) -> bool {
    call.method == "GET" && call.path.contains("/manifests/")
}

fn is_removal(call: &Call) -> bool {
    call.method == "DELETE" && call.path.contains("/manifests/")
}

/// DynamoDB breaks a transaction off, with these reasons for the record and for the look-up.
fn cancelled(record: &str, look_up: &str) -> Fate {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    Fate::Answer(
        400,
        format!(
            r#"{{"__type":"{kind}","CancellationReasons":[{{"Code":"{record}"}},{{"Code":"{look_up}"}}]}}"#
        ),
    )
}

async fn put_and_find(place: &Place, link: &FaultyLink) {
    let proof = sample(ProofId::random().to_string().as_bytes(), "2026-01-01T00:00:00Z");
    place.store_behind(&link.sdk_config()).put(&proof).await.unwrap();
    assert_visible(place, &proof).await;
}

async fn put_and_fail(place: &Place, link: &FaultyLink) -> Proof {
    let proof = sample(ProofId::random().to_string().as_bytes(), "2026-01-01T00:00:00Z");
    let failed = place.store_behind(&link.sdk_config()).put(&proof).await;
    assert!(matches!(failed, Err(ProofStoreError::Unavailable(_))), "{failed:?}");
    proof
}

async fn assert_visible(place: &Place, proof: &Proof) {
    let store = place.store();
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(proof));
    let found = store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&proof.record));
    let folder = format!("manifests/{}/", proof.record.id);
    assert_eq!(place.objects().await.iter().filter(|key| key.starts_with(&folder)).count(), 1);
}

async fn assert_invisible(place: &Place, proof: &Proof) {
    let store = place.store();
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap(), None);
    assert_eq!(store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap(), []);
}
