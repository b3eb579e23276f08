//! The port to what is cleaned up from time to time.
//!
//! Whoever cleans up goes through a subject page by page, and keeps the place after each page. A page may be swept twice,
//! by several at once, or broken off anywhere: what is due goes, and nothing else.
//!
//! # Clocks
//! What expired is invisible at once, so nobody misses it if it is removed later. It stays for [`CLOCK_MARGIN`] more: a
//! clock that is an hour ahead removes nothing that is still valid. What has no owner must be a day and this margin old,
//! because it may be a part of something that is being written.

use async_trait::async_trait;
use credlink_pipeline::{
    proof::{ProofId, ProofStoreError},
    timestamp::Timestamp,
};
use thiserror::Error;

use crate::statistics::ProofCounts;

/// By how many seconds a clock may be wrong.
pub const CLOCK_MARGIN: i64 = 60 * 60;

/// How old in seconds, without the margin, what has no owner must be.
const MIN_ORPHAN_AGE: i64 = 24 * 60 * 60;

/// How many ids a finding names.
const MAX_NAMED: usize = 100;

/// Things of one kind, such as all proofs of a store, that are cleaned up from time to time.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// What is cleaned up here, in a word that never changes: a place that was kept is found again by it.
    fn subject(&self) -> &'static str;

    /// Looks at the next page behind `after`, removes from it what is past its time, and says what was done. `None`
    /// begins. A page takes some seconds at most.
    ///
    /// # Errors
    /// [`UpkeepError`] when the page could not be looked at. What could not be done about a single thing is a fault in
    /// the answer, and does not stop the others.
    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError>;
}

/// How to clean up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The time now.
    pub now: Timestamp,
    /// Nothing is changed; what would be removed is counted as if it were.
    pub dry_run: bool,
    /// About how many things a page looks at, from 1 to 1000.
    pub page: usize,
}

/// What became of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweptPage {
    /// What was found and done.
    pub tally: Tally,
    /// What could not be done.
    pub faults: Faults,
    /// Where the next page begins; text that only this subject understands. `None` when all was seen.
    pub next: Option<String>,
}

/// What was found and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Expired proofs that were removed with all they owned.
    pub expired_proofs_removed: u64,
    /// Look-ups by image hash without their proof that were removed.
    pub orphan_look_ups_removed: u64,
    /// Manifest stores without their record that were removed.
    pub orphan_manifest_stores_removed: u64,
    /// Files of dead processes that were removed.
    pub temporary_files_removed: u64,
    /// Uploads past their time that were removed.
    pub uploads_removed: u64,
    /// Results past their time that were removed: signed copies that nobody can fetch any more.
    pub results_removed: u64,
    /// Idempotency keys past their time that were removed.
    pub idempotency_keys_removed: u64,
    /// Proofs whose manifest store is missing. They are left alone: a backup may have it.
    pub proofs_without_manifest_store: Finding,
    /// Proofs, or look-ups of proofs, that cannot be read. They are left alone.
    pub damaged_proofs: Finding,
    /// The proofs that are still there.
    pub proofs: ProofCounts,
}

/// Proofs that somebody should look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// How many there are.
    pub count: u64,
    /// The first hundred of them.
    pub ids: Vec<ProofId>,
}

/// What could not be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How often.
    pub count: u64,
    /// Why, the first time.
    pub first: Option<String>,
}

/// Why a page could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UpkeepError {
    /// The place was not given by this version of this subject.
    #[error("{0:?} is no place in this upkeep; begin anew")]
    UnknownPlace(String),
    /// The store cannot answer.
    #[error("{0}")]
    Failed(String),
}

impl Sweep {
    /// A sweep in pages of the usual length, 1000.
    pub fn new(now: Timestamp, dry_run: bool) -> Self {
        Self { now, dry_run, page: 1000 }
    }

    /// Whether what expires at this time is removed.
    pub fn is_over(&self, expires_at: Timestamp) -> bool {
        self.now.milliseconds_since(expires_at) >= 1000 * CLOCK_MARGIN.unsigned_abs()
    }

    /// Whether what was made at `seconds` since 1970 and has no owner is removed.
    pub fn is_old(&self, seconds: i64) -> bool {
        seconds.saturating_add(MIN_ORPHAN_AGE + CLOCK_MARGIN) <= self.now.unix_seconds()
    }
}

impl Tally {
    /// Adds what was found and done elsewhere.
    pub fn add(&mut self, other: Self) {
        self.expired_proofs_removed += other.expired_proofs_removed;
        self.orphan_look_ups_removed += other.orphan_look_ups_removed;
        self.orphan_manifest_stores_removed += other.orphan_manifest_stores_removed;
        self.temporary_files_removed += other.temporary_files_removed;
        self.uploads_removed += other.uploads_removed;
        self.results_removed += other.results_removed;
        self.idempotency_keys_removed += other.idempotency_keys_removed;
        self.proofs_without_manifest_store.join(other.proofs_without_manifest_store);
        self.damaged_proofs.join(other.damaged_proofs);
        self.proofs.join(other.proofs);
    }
}

impl Finding {
    /// Adds a proof.
    pub fn add(&mut self, id: ProofId) {
        self.join(Self { count: 1, ids: vec![id] });
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        let room = MAX_NAMED.saturating_sub(self.ids.len());
        self.ids.extend(other.ids.into_iter().take(room));
    }
}

impl Faults {
    /// Adds one.
    pub fn add(&mut self, fault: &impl ToString) {
        self.join(Self { count: 1, first: Some(fault.to_string()) });
    }

    /// Adds those of elsewhere.
    pub fn join(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.take().or(other.first);
    }
}

impl From<ProofStoreError> for UpkeepError {
    fn from(error: ProofStoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_the_first_hundred() {
        let mut finding = Finding::default();
        let ids: Vec<ProofId> = (0..250).map(|_| ProofId::random()).collect();
        for some in ids.chunks(60) {
            finding.join(Finding { count: some.len() as u64, ids: some.to_vec() });
        }
        assert_eq!((finding.count, finding.ids.as_slice()), (250, &ids[..100]));
    }

    #[test]
    fn the_first_fault_is_kept() {
        let mut faults = Faults::default();
        faults.add(&"the first");
        faults.add(&"the second");
        assert_eq!(faults, Faults { count: 2, first: Some("the first".to_owned()) });
    }
}
