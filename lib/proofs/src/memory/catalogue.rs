//! Going through the proofs in memory.

use std::ops::Bound;

use async_trait::async_trait;
use credlink_pipeline::{
    proof::{CataloguePage, Proof, ProofCatalogue, ProofId, ProofStoreError},
    timestamp::Timestamp,
};

use super::MemoryProofStore;
use crate::{
    catalogue::{at_most, id_of_place},
    statistics::{Census, ProofCounts, ProofStatistics},
};

impl MemoryProofStore {
    /// The next proofs in the order of their ids, at most `limit`.
    pub(super) fn proofs_after(&self, after: Option<ProofId>, limit: usize) -> Vec<Proof> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        state.by_id.range((begin, Bound::Unbounded)).take(limit).map(|(_, proof)| proof.clone()).collect()
    }
}

#[async_trait]
impl ProofCatalogue for MemoryProofStore {
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<CataloguePage, ProofStoreError> {
        let limit = at_most(limit);
        let proofs = self.proofs_after(after.map(id_of_place).transpose()?, limit);
        let last = proofs.last().map(|proof| proof.record.id.to_string());
        let next = last.filter(|_| proofs.len() == limit);
        let records = proofs.into_iter().map(|proof| proof.record).collect();
        Ok(CataloguePage { records, next, ..CataloguePage::default() })
    }
}

#[async_trait]
impl ProofStatistics for MemoryProofStore {
    async fn census(&self, now: Timestamp) -> Result<Option<Census>, ProofStoreError> {
        let mut counts = ProofCounts::default();
        for proof in self.state().by_id.values() {
            counts.add(&proof.record, proof.manifest_store.len() as u64, now);
        }
        Ok(Some(Census { counts, as_of: now }))
    }
}
