//! The line breaks between any two steps, and in the middle of them; servers end, and come again.

use std::time::{Duration, Instant};

use tokio::{join, time::timeout};
use tokio_postgres::Client;

use super::{
    link::{Fate, FaultyLink},
    *,
};
use crate::postgres::limits::MAX_CALL;

#[tokio::test]
async fn a_put_that_is_lost_is_one_proof() {
    let place = Place::fresh().await;
    for (fate, times) in [(Fate::Lose, 1), (Fate::Lose, 3), (Fate::LoseAnswer, 1), (Fate::LoseAnswer, 3)] {
        let proof = sample(ProofId::random().to_string().as_bytes(), "2026-01-01T00:00:00Z");
        let (store, link) = place.behind(fate, times, proof.record.uri.as_bytes()).await;
        store.put(&proof).await.unwrap();
        place.assert_visible(&proof).await;
        assert!(link.struck() > times, "{fate:?}");
    }
}

#[tokio::test]
async fn a_put_without_an_answer_is_all_or_nothing() {
    let place = Place::fresh().await;
    for (fate, is_there) in [(Fate::Lose, false), (Fate::LoseAnswer, true), (Fate::Silence, true)] {
        let proof = sample(ProofId::random().to_string().as_bytes(), "2026-01-01T00:00:00Z");
        let (store, _link) = place.behind(fate, usize::MAX, proof.record.uri.as_bytes()).await;
        let start = Instant::now();
        let failed = store.put(&proof).await;
        assert!(matches!(failed, Err(ProofStoreError::Unavailable(_))), "{fate:?}: {failed:?}");
        assert!(start.elapsed() < MAX_CALL + Duration::from_secs(5));
        if is_there {
            place.assert_visible(&proof).await;
        } else {
            place.assert_invisible(&proof).await;
        }
    }
}

#[tokio::test]
async fn who_comes_second_is_told_so_though_the_answer_is_lost() {
    let place = Place::fresh().await;
    let first = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().await.put(&first).await.unwrap();
    let mut second = sample(b"another image", "2026-01-01T00:00:00Z");
    second.record.id = first.record.id;
    for fate in [Fate::Lose, Fate::LoseAnswer] {
        let (store, _link) = place.behind(fate, 1, second.record.uri.as_bytes()).await;
        assert!(matches!(store.put(&second).await, Err(ProofStoreError::AlreadyExists(_))), "{fate:?}");
    }
    place.assert_visible(&first).await;
}

#[tokio::test]
async fn a_stamped_copy_is_kept_though_the_answer_is_lost() {
    let place = Place::fresh().await;
    for fate in [Fate::Lose, Fate::LoseAnswer] {
        let proof = sample(b"image", "2026-01-01T00:00:00Z");
        place.store().await.put(&proof).await.unwrap();
        let stamped = Bytes::from("stamped".repeat(300));
        let at = time("2026-02-01T00:00:00Z");
        let copy = StampedCopy { manifest_hash: Sha256Hash::of(&stamped), time: at, stamped_at: at };
        let (store, link) = place.behind(fate, 2, copy.manifest_hash.to_string().as_bytes()).await;
        assert!(store.keep_stamped(&proof.record, copy, stamped.clone()).await.unwrap());
        assert!(link.struck() > 2);
        let kept = place.store().await.stamped_store(proof.record.id, time(NOW)).await.unwrap();
        assert_eq!(kept, Some(stamped));
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_says_that_it_deleted() {
    let place = Place::fresh().await;
    for fate in [Fate::Lose, Fate::LoseAnswer] {
        let proof = sample(b"image", "2026-01-01T00:00:00Z");
        place.store().await.put(&proof).await.unwrap();
        let id = Uuid::from(proof.record.id);
        let (store, _link) = place.behind(fate, 2, id.as_bytes()).await;
        assert!(store.delete(proof.record.id).await.unwrap());
        place.assert_invisible(&proof).await;
    }
}

#[tokio::test]
async fn connections_that_are_ended_in_the_middle_lose_nothing() {
    let place = Place::fresh().await;
    let (store, other) = (place.store().await, connect(&place.url).await);
    let mut ended = 0;
    for n in 0..40 {
        let proof = sample(format!("image {n}").as_bytes(), "2026-01-01T00:00:00Z");
        let id = proof.record.id;
        let (put, some) = join!(store.put(&proof), end_connections(&other));
        put.unwrap();
        let (read, more) = join!(store.proof(id, time(NOW)), end_connections(&other));
        assert_eq!(read.unwrap().as_ref(), Some(&proof));
        ended += some + more;
        if n % 2 == 0 {
            let (deleted, more) = join!(store.delete(id), end_connections(&other));
            assert!(deleted.unwrap());
            ended += more;
        }
    }
    assert!(ended > 0, "no connection was ended");
    assert_eq!((place.rows("proofs").await, place.rows("manifest_stores").await), (20, 20));
}

/// Ends all connections to the database but this one; how many there were.
async fn end_connections(client: &Client) -> i64 {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_and_comes_again_is_used_again() {
    let postgres = LocalPostgres::start();
    let place = Place { url: postgres.make_database().await };
    let store = place.store().await;
    let first = sample(b"image", "2026-01-01T00:00:00Z");
    store.put(&first).await.unwrap();
    for stop in [LocalPostgres::stop, LocalPostgres::kill] {
        stop(&postgres);
        let start = Instant::now();
        let failed = store.record(first.record.id, time(NOW)).await;
        let Err(ProofStoreError::Unavailable(reason)) = failed else { panic!("{failed:?}") };
        assert!(reason.contains(&postgres.address().to_string()), "{reason}");
        assert!(!reason.contains(postgres.password()), "{reason}");
        assert!(matches!(store.check().await, Err(ProofStoreError::Unavailable(_))));
        assert!(start.elapsed() < 2 * MAX_CALL + Duration::from_secs(5));

        // It comes again while somebody waits.
        let another = sample(b"another image", "2026-01-01T00:00:00Z");
        let putting = tokio::spawn({
            let (store, another) = (store.clone(), another.clone());
            async move {
                let mut put = store.put(&another).await;
                while let Err(ProofStoreError::Unavailable(_)) = put {
                    put = store.put(&another).await;
                }
                put
            }
        });
        postgres.resume();
        putting.await.unwrap().unwrap();
        for proof in [&first, &another] {
            assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(proof));
        }
        store.check().await.unwrap();
        assert!(store.delete(another.record.id).await.unwrap());
    }
}

#[tokio::test]
async fn a_change_that_others_hold_up_ends_in_time() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store().await, sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&proof).await.unwrap();
    let other = connect(&place.url).await;
    other.batch_execute("BEGIN; SELECT * FROM credlink.proofs FOR UPDATE").await.unwrap();
    let start = Instant::now();
    let Err(ProofStoreError::Unavailable(reason)) = store.delete(proof.record.id).await else { panic!() };
    assert!(reason.contains("55P03"), "{reason}");
    assert!(start.elapsed() < MAX_CALL);
    // Who only reads is not held up.
    place.assert_visible(&proof).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert!(store.delete(proof.record.id).await.unwrap());
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_harms_no_other() {
    let place = Place::fresh().await;
    let (store, proof) =
        (place.store_with("&max_connections=1").await, sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&proof).await.unwrap();
    for _ in 0..50 {
        let dropped = timeout(Duration::from_micros(300), store.proof(proof.record.id, time(NOW))).await;
        drop(dropped);
        assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(&proof));
    }
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_half_written() {
    let place = Place::fresh().await;
    let store = place.store().await;
    // As the server says it when the second of the two tables finds no room.
    place
        .execute(
            "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER full_disk BEFORE INSERT ON credlink.manifest_stores
            FOR EACH ROW EXECUTE FUNCTION is_full()",
        )
        .await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let Err(ProofStoreError::Unavailable(reason)) = store.put(&proof).await else { panic!() };
    assert!(reason.contains("53100") && reason.contains("make room"), "{reason}");
    assert_eq!((place.rows("proofs").await, place.rows("manifest_stores").await), (0, 0));
    place.execute("DROP TRIGGER full_disk ON credlink.manifest_stores").await;
    store.put(&proof).await.unwrap();
    place.assert_visible(&proof).await;
}

#[tokio::test]
async fn tables_that_disappear_are_missed() {
    let place = Place::fresh().await;
    let store = place.store().await;
    place.execute("DROP SCHEMA credlink CASCADE").await;
    let Err(ProofStoreError::Unavailable(reason)) = store.check().await else { panic!() };
    assert!(reason.contains("start CredLink anew"), "{reason}");
    place.store().await.check().await.unwrap();
}

impl Place {
    /// A store with a line in between on which messages with this mark are struck.
    async fn behind(&self, fate: Fate, times: usize, mark: &[u8]) -> (PostgresProofStore, FaultyLink) {
        let server = LocalPostgres::shared().address();
        let link = FaultyLink::to(server, fate, times, mark).await;
        let url = self.url.replace(&server.to_string(), &link.address.to_string());
        (Self { url }.store().await, link)
    }

    async fn assert_visible(&self, proof: &Proof) {
        let store = self.store().await;
        assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(proof));
        let found = store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap();
        assert!(found.contains(&proof.record));
    }

    async fn assert_invisible(&self, proof: &Proof) {
        let store = self.store().await;
        assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap(), None);
        assert_eq!(store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap(), []);
    }
}
