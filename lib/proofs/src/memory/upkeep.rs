//! Cleaning up the proofs in memory. They have no orphans: whatever owns something goes together with it.

use async_trait::async_trait;

use super::MemoryProofStore;
use crate::{
    catalogue::at_most,
    upkeep::{Sweep, SweptPage, Upkeep, UpkeepError},
};

#[async_trait]
impl Upkeep for MemoryProofStore {
    fn subject(&self) -> &'static str {
        "proofs"
    }

    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        let place = |text: &str| text.parse().map_err(|_| UpkeepError::UnknownPlace(text.to_owned()));
        let limit = at_most(sweep.page);
        let proofs = self.proofs_after(after.map(place).transpose()?, limit);
        let next = proofs.last().filter(|_| proofs.len() == limit).map(|proof| proof.record.id.to_string());
        let mut page = SweptPage { next, ..SweptPage::default() };
        for proof in proofs {
            let record = &proof.record;
            if !sweep.is_over(record.expires_at) {
                page.tally.proofs.add(record, proof.manifest_store.len() as u64, sweep.now);
                continue;
            }
            let mut state = self.state();
            // Somebody may have removed it meanwhile, and put another one.
            let is_there = state.by_id.get(&record.id).is_some_and(|now| now.record == *record);
            if is_there && (sweep.dry_run || state.remove(record.id)) {
                page.tally.expired_proofs_removed += 1;
            }
        }
        Ok(page)
    }
}
