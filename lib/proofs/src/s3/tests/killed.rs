//! A process that is killed at its nth call makes no further one.

use std::sync::atomic::{AtomicUsize, Ordering};

use credlink_local_aws::{Fate, FaultyLink};

use super::*;
use crate::upkeep::{Faults, Sweep, SweptPage, Upkeep as _};

/// Three days after the tests run: what they write is old then.
fn later() -> Timestamp {
    Timestamp::new(std::time::SystemTime::now().into()).plus_days(3)
}

/// A proof that is valid for long.
fn lasting(image: &[u8]) -> Proof {
    let mut proof = sample(image, "2026-01-01T00:00:00Z");
    proof.record.expires_at = time("9999-01-01T00:00:00Z");
    proof
}

/// A line on which calls pass, and after them nothing. Those that did not.
fn dying_after(calls: usize) -> (FaultyLink, Arc<AtomicUsize>) {
    let (mut left, missed) = (calls, Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&missed);
    let link = FaultyLink::to(LocalAws::shared(), move |_| {
        if left == 0 {
            counted.fetch_add(1, Ordering::Relaxed);
            return Fate::Fail(403, "AccessDenied");
        }
        left -= 1;
        Fate::Pass
    });
    (link, missed)
}

/// Sweeps away what is nobody's; afterwards there are exactly these proofs, three objects each.
async fn assert_only(place: &Place, proofs: &[&Proof]) {
    contract::sweep_through(&place.store(), Sweep::new(later(), false)).await;
    assert_eq!(place.objects().await.len(), 3 * proofs.len());
    for proof in proofs {
        assert_visible(place, proof).await;
    }
}

#[tokio::test]
async fn a_put_is_whole_or_nothing() {
    for calls in 0.. {
        let (place, proof) = (Place::fresh().await, lasting(b"image"));
        let (link, missed) = dying_after(calls);
        let put = place.store_behind(&link.sdk_config()).put(&proof).await;
        if put.is_ok() {
            assert_visible(&place, &proof).await;
        } else {
            assert_invisible(&place, &proof).await;
        }
        let proofs = if put.is_ok() { vec![&proof] } else { vec![] };
        assert_only(&place, &proofs).await;
        if missed.load(Ordering::Relaxed) == 0 {
            assert_eq!(calls, 3, "a put is three calls");
            break;
        }
    }
}

#[tokio::test]
async fn a_refused_put_never_harms_the_one_that_is_there() {
    for calls in 0.. {
        let (place, proof) = (Place::fresh().await, lasting(b"image"));
        place.store().put(&proof).await.unwrap();
        let (link, missed) = dying_after(calls);
        drop(place.store_behind(&link.sdk_config()).put(&proof).await);
        assert_visible(&place, &proof).await;
        assert_only(&place, &[&proof]).await;
        if missed.load(Ordering::Relaxed) == 0 {
            break;
        }
    }
}

#[tokio::test]
async fn a_deletion_is_whole_or_nothing() {
    for calls in 0.. {
        let (place, proof) = (Place::fresh().await, lasting(b"image"));
        place.store().put(&proof).await.unwrap();
        let (link, missed) = dying_after(calls);
        let deleted = place.store_behind(&link.sdk_config()).delete(proof.record.id).await;
        match deleted {
            Ok(was_there) => {
                assert!(was_there);
                assert_invisible(&place, &proof).await;
                assert_only(&place, &[]).await;
            }
            Err(_) => {
                assert_visible(&place, &proof).await;
                assert_only(&place, &[&proof]).await;
            }
        }
        if missed.load(Ordering::Relaxed) == 0 {
            break;
        }
    }
}

#[tokio::test]
async fn a_stamped_copy_is_kept_or_not() {
    let (copy, content) = stamped();
    for calls in 0.. {
        let (place, proof) = (Place::fresh().await, lasting(b"image"));
        place.store().put(&proof).await.unwrap();
        let (link, missed) = dying_after(calls);
        let kept =
            place.store_behind(&link.sdk_config()).keep_stamped(&proof.record, copy, content.clone()).await;
        let there = place.store().stamped_store(proof.record.id, time(NOW)).await.unwrap();
        assert_eq!(there, kept.is_ok().then(|| content.clone()));
        assert_eq!(
            place.store().proof(proof.record.id, time(NOW)).await.unwrap().unwrap().manifest_store,
            proof.manifest_store
        );
        assert!(place.store().delete(proof.record.id).await.unwrap());
        assert_only(&place, &[]).await;
        if missed.load(Ordering::Relaxed) == 0 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_finished_by_the_next() {
    let place = Place::fresh().await;
    let store = place.store();
    let mut kept = Vec::new();
    for n in 0..120 {
        store.put(&sample(b"image", "2019-01-01T00:00:00Z")).await.unwrap();
        if n % 10 == 0 {
            let valid = lasting(format!("{n}").as_bytes());
            store.put(&valid).await.unwrap();
            kept.push(valid);
        }
    }
    let sweep = Sweep { page: 20, ..Sweep::new(later(), false) };
    let (mut after, mut kills) = (None, 0);
    'killed: for calls in (1..).map(|n| n * 4) {
        let (link, _) = dying_after(calls);
        let store = place.store_behind(&link.sdk_config());
        loop {
            match store.sweep_page(sweep, after.as_deref()).await {
                Ok(SweptPage { faults, .. }) if faults != Faults::default() => break,
                Err(_) => break,
                Ok(page) => {
                    after = page.next;
                    if after.is_none() {
                        break 'killed;
                    }
                }
            }
        }
        kills += 1;
    }
    assert!(kills > 5, "{kills} kills");
    assert_only(&place, &kept.iter().collect::<Vec<_>>()).await;
}
