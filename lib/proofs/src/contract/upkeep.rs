//! What the upkeep of every proof store promises.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use credlink_pipeline::{
    proof::{Proof, ProofCatalogue, ProofId, ProofStoreError},
    timestamp::Timestamp,
};

use super::{sample, time};
use crate::upkeep::{Faults, Sweep, Tally, Upkeep, UpkeepError};

/// More pages than any of these sweeps can have.
const MAX_PAGES: usize = 10_000;

const NOW: &str = "2026-03-01T00:00:00Z";

/// A store and whoever cleans it up.
pub struct Kept {
    /// The store.
    pub proofs: Arc<dyn ProofCatalogue>,
    /// Its upkeep, each time as a new process has it.
    pub upkeep: Box<dyn Fn() -> Arc<dyn Upkeep> + Send + Sync>,
}

/// Asserts every promise of [`Upkeep`] that is about proofs, each on a fresh, empty store. Needs a tokio runtime with
/// several threads.
pub async fn verify_upkeep(fresh: impl AsyncFn() -> Kept) {
    an_empty_store_is_clean(&fresh().await).await;
    what_is_over_goes_and_nothing_else(&fresh().await).await;
    a_dry_run_counts_the_same_and_changes_nothing(&fresh().await).await;
    a_clock_that_is_an_hour_wrong_removes_nothing_valid(&fresh().await).await;
    a_sweep_goes_on_from_every_place_in_another_process(&fresh().await).await;
    what_comes_and_goes_meanwhile_is_safe(&fresh().await).await;
    several_sweeps_at_once_lose_nothing(fresh().await).await;
    an_unknown_place_is_refused(&fresh().await).await;
    super::stamped::a_sweep_takes_stamped_copies_along(&fresh().await).await;
}

/// Sweeps from the beginning to the end, and asserts that nothing failed.
pub async fn sweep_through(upkeep: &dyn Upkeep, sweep: Sweep) -> Tally {
    let mut tally = Tally::default();
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let page = upkeep.sweep_page(sweep, after.as_deref()).await.unwrap();
        assert_eq!(page.faults, Faults::default());
        tally.add(page.tally);
        after = page.next;
        if after.is_none() {
            return tally;
        }
    }
    panic!("the sweep has no end: {after:?}");
}

async fn an_empty_store_is_clean(kept: &Kept) {
    assert_eq!(sweep_through(&*(kept.upkeep)(), Sweep::new(time(NOW), false)).await, Tally::default());
}

async fn what_is_over_goes_and_nothing_else(kept: &Kept) {
    let going = kept
        .put_all(&[
            "1969-01-01T00:00:00Z",
            "2019-01-01T00:00:00Z",
            "2026-02-28T22:59:59Z",
            "2026-02-28T23:00:00Z",
        ])
        .await;
    let waiting = kept.put_all(&["2026-02-28T23:00:01Z", NOW]).await;
    let valid =
        kept.put_all(&["2026-03-01T00:00:00.001Z", "2026-03-02T00:00:00Z", "9999-12-31T23:59:59Z"]).await;

    let tally = sweep_through(&*(kept.upkeep)(), Sweep::new(time(NOW), false)).await;
    assert_eq!(tally.expired_proofs_removed, going.len() as u64);
    let counts = tally.proofs;
    let manifest_store_length = valid.first().unwrap().manifest_store.len() as u64;
    assert_eq!((counts.valid, counts.expired_waiting, counts.created_last_day), (3, 2, 0));
    assert!(counts.bytes >= 5 * manifest_store_length, "{counts:?}");
    let staying: BTreeSet<ProofId> = waiting.iter().chain(&valid).map(|proof| proof.record.id).collect();
    assert_eq!(kept.ids().await, staying);
    for proof in &valid {
        kept.assert_is_whole(proof).await;
    }
    assert_eq!(
        sweep_through(&*(kept.upkeep)(), Sweep::new(time(NOW), false)).await,
        Tally { proofs: counts, ..Tally::default() }
    );
    for proof in &going {
        kept.proofs.put(proof).await.unwrap();
    }
}

async fn a_dry_run_counts_the_same_and_changes_nothing(kept: &Kept) {
    kept.put_all(&["2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]).await;
    let before = kept.ids().await;
    let upkeep = (kept.upkeep)();
    let dry = sweep_through(&*upkeep, Sweep::new(time(NOW), true)).await;
    assert_eq!((dry.expired_proofs_removed, dry.proofs.valid), (2, 1));
    assert_eq!(kept.ids().await, before);
    assert_eq!(sweep_through(&*upkeep, Sweep::new(time(NOW), false)).await, dry);
    assert_eq!(kept.ids().await.len(), 1);
}

async fn a_clock_that_is_an_hour_wrong_removes_nothing_valid(kept: &Kept) {
    let valid = kept.put_all(&["2026-03-01T00:00:00.001Z", "2026-03-01T00:30:00Z"]).await;
    let over = kept.put_all(&["2026-02-28T21:59:59Z"]).await;
    for now in ["2026-02-28T23:00:00Z", "2026-03-01T01:00:00Z", NOW] {
        sweep_through(&*(kept.upkeep)(), Sweep::new(time(now), false)).await;
    }
    assert_eq!(kept.ids().await, valid.iter().map(|proof| proof.record.id).collect());
    for proof in &valid {
        kept.assert_is_whole(proof).await;
    }
    assert_eq!(over.len(), 1);
}

/// A page is swept a second time, as when a process is killed before it could keep the next place.
async fn a_sweep_goes_on_from_every_place_in_another_process(kept: &Kept) {
    let going = kept.put_all(&["2019-01-01T00:00:00Z"; 12]).await;
    let valid = kept.put_all(&["2027-01-01T00:00:00Z"; 12]).await;
    let sweep = Sweep { page: 1, ..Sweep::new(time(NOW), false) };
    let (mut removed, mut pages) = (0, 0);
    let mut after: Option<String> = None;
    loop {
        let killed = (kept.upkeep)().sweep_page(sweep, after.as_deref()).await.unwrap();
        let again = (kept.upkeep)().sweep_page(sweep, after.as_deref()).await.unwrap();
        removed += killed.tally.expired_proofs_removed + again.tally.expired_proofs_removed;
        pages += 1;
        after = again.next;
        if after.is_none() {
            break;
        }
    }
    assert!(pages > 12, "{pages} pages");
    assert_eq!(removed, going.len() as u64);
    assert_eq!(kept.ids().await, valid.iter().map(|proof| proof.record.id).collect());
    for proof in &valid {
        kept.assert_is_whole(proof).await;
    }
}

async fn what_comes_and_goes_meanwhile_is_safe(kept: &Kept) {
    let going = kept.put_all(&["2019-01-01T00:00:00Z"; 12]).await;
    let mut valid = kept.put_all(&["2027-01-01T00:00:00Z"; 12]).await;
    let sweep = Sweep { page: 1, ..Sweep::new(time(NOW), false) };
    let upkeep = (kept.upkeep)();
    let mut after = None;
    loop {
        let page = upkeep.sweep_page(sweep, after.as_deref()).await.unwrap();
        // Of those that are gone one comes back under its old id, and one that is valid is deleted.
        let there = kept.ids().await;
        if let Some(gone) = going.iter().find(|proof| !there.contains(&proof.record.id)) {
            let mut again = gone.clone();
            again.record.expires_at = time("2027-01-01T00:00:00Z");
            kept.proofs.put(&again).await.unwrap();
            valid.push(again);
            let deleted = valid.swap_remove(0);
            assert!(kept.proofs.delete(deleted.record.id).await.unwrap());
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(kept.ids().await, valid.iter().map(|proof| proof.record.id).collect());
    for proof in &valid {
        kept.assert_is_whole(proof).await;
    }
}

/// While four sweep, each expired proof is put anew as soon as its id is free; and some are deleted by others.
async fn several_sweeps_at_once_lose_nothing(kept: Kept) {
    let going = kept.put_all(&["2019-01-01T00:00:00Z"; 24]).await;
    let kept = Arc::new(kept);
    let is_done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = going
        .into_iter()
        .map(|mut proof| {
            let (kept, is_done) = (Arc::clone(&kept), Arc::clone(&is_done));
            tokio::spawn(async move {
                proof.record.expires_at = time("2027-01-01T00:00:00Z");
                loop {
                    // Before it is tried: the last sweep may end in between.
                    let is_last = is_done.load(Ordering::Relaxed);
                    match kept.proofs.put(&proof).await {
                        Ok(()) => return Some(proof),
                        Err(ProofStoreError::AlreadyExists(_)) if is_last => return None,
                        Err(ProofStoreError::AlreadyExists(_)) => tokio::task::yield_now().await,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    let sweeps: Vec<_> = [1, 2, 5, 1000]
        .into_iter()
        .map(|page| {
            let upkeep = (kept.upkeep)();
            let sweep = Sweep { page, ..Sweep::new(time(NOW), false) };
            tokio::spawn(async move { sweep_through(&*upkeep, sweep).await })
        })
        .collect();
    let mut removed = 0;
    for sweep in sweeps {
        removed += sweep.await.unwrap().expired_proofs_removed;
    }
    is_done.store(true, Ordering::Relaxed);
    assert_eq!(removed, 24, "each is removed, and none of those that came after it");
    for writer in writers {
        let proof = writer.await.unwrap().unwrap();
        kept.assert_is_whole(&proof).await;
    }
}

async fn an_unknown_place_is_refused(kept: &Kept) {
    for place in ["", "{}", "../../etc", "by-name/0ff", "[\"a\",\"b\"]"] {
        let refused = (kept.upkeep)().sweep_page(Sweep::new(time(NOW), false), Some(place)).await;
        assert_eq!(refused, Err(UpkeepError::UnknownPlace(place.to_owned())));
    }
}

impl Kept {
    /// Puts a proof for each time of expiry.
    async fn put_all(&self, expiring_at: &[&str]) -> Vec<Proof> {
        let mut proofs = Vec::new();
        for (n, expires_at) in expiring_at.iter().enumerate() {
            let mut proof = sample(format!("image {}", n / 2).as_bytes(), "2026-01-01T00:00:00Z");
            proof.record.expires_at = time(expires_at);
            self.proofs.put(&proof).await.unwrap();
            proofs.push(proof);
        }
        proofs
    }

    /// The ids of all proofs, expired ones too.
    async fn ids(&self) -> BTreeSet<ProofId> {
        let mut ids = BTreeSet::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.proofs.page(after.as_deref(), 1000).await.unwrap();
            ids.extend(page.records.iter().map(|record| record.id));
            after = page.next;
            if after.is_none() {
                return ids;
            }
        }
    }

    async fn assert_is_whole(&self, proof: &Proof) {
        let (id, now): (ProofId, Timestamp) = (proof.record.id, time(NOW));
        assert_eq!(self.proofs.proof(id, now).await.unwrap().as_ref(), Some(proof));
        let found = self.proofs.find_by_image_hash(proof.record.image_hash, now).await.unwrap();
        assert!(found.contains(&proof.record), "{id} is not found by its image");
    }
}
