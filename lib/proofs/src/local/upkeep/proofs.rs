//! The part of the cleanup that goes through `by-id`.

use std::{fs, path::Path};

use credlink_pipeline::proof::{ProofId, ProofStoreError};

use super::{
    super::{
        folder::{Folder, cannot, for_each_name, shards_from, sync_dir},
        layout::{IndexEntry, id_of_proof_file},
        session::ignore_missing,
        turn::Turn,
    },
    Place,
};
use crate::upkeep::{Sweep, SweptPage};

impl Folder {
    pub(super) fn sweep_proofs(&self, after: &str, sweep: Sweep) -> Result<SweptPage, ProofStoreError> {
        let mut page = SweptPage::default();
        let mut seen = 0;
        let mut changed = None;
        let mut next = Place::LookUps { after: String::new() };
        for name in shards_from(&self.layout.by_id, after)?.into_iter().filter(|name| name != after) {
            let shard = self.layout.by_id.join(&name);
            let removed_before = page.tally.expired_proofs_removed;
            seen += self.sweep_shard_of_proofs(&shard, sweep, &mut page)?;
            if page.tally.expired_proofs_removed > removed_before {
                changed = Some(shard);
            }
            if seen >= sweep.page {
                next = Place::Proofs { after: name };
                break;
            }
        }
        if let Some(changed) = changed.filter(|_| !sweep.dry_run) {
            sync_dir(&changed).map_err(cannot("flush", &changed))?;
        }
        page.next = Some(next.to_string());
        Ok(page)
    }

    /// Sweeps one folder; how many proofs were seen.
    fn sweep_shard_of_proofs(
        &self,
        shard: &Path,
        sweep: Sweep,
        page: &mut SweptPage,
    ) -> Result<usize, ProofStoreError> {
        let mut ids: Vec<ProofId> = Vec::new();
        for_each_name(shard, |name| ids.extend(id_of_proof_file(name)))?;
        let seen = ids.len();
        ids.retain(|id| self.is_over(*id, sweep, page));
        if sweep.dry_run {
            page.tally.expired_proofs_removed += ids.len() as u64;
        } else if !ids.is_empty() {
            self.remove_all(shard, &ids, sweep, page);
        }
        Ok(seen)
    }

    /// Whether the proof is over. Counts one that is not, and one that is damaged.
    fn is_over(&self, id: ProofId, sweep: Sweep, page: &mut SweptPage) -> bool {
        match self.record_and_length(id) {
            Ok(Some((record, _))) if sweep.is_over(record.expires_at) => return true,
            Ok(Some((record, length))) => page.tally.proofs.add(&record, length, sweep.now),
            Ok(None) => {}
            Err(ProofStoreError::Damaged { id, .. }) => page.tally.damaged_proofs.add(id),
            Err(error) => page.faults.add(&error),
        }
        false
    }

    /// Removes the proofs `ids` of one folder.
    fn remove_all(&self, shard: &Path, ids: &[ProofId], sweep: Sweep, page: &mut SweptPage) {
        let _turn = match Turn::take(shard) {
            Ok(turn) => turn,
            Err(error) => return page.faults.add(&error),
        };
        for id in ids {
            match self.remove_if_over(*id, sweep) {
                Ok(removed) => page.tally.expired_proofs_removed += u64::from(removed),
                Err(error) => page.faults.add(&error),
            }
        }
    }

    /// Who has the turn reads once more: somebody may have removed the proof meanwhile, and put another one of this id.
    /// From then on its name stays until it is removed here.
    fn remove_if_over(&self, id: ProofId, sweep: Sweep) -> Result<bool, ProofStoreError> {
        let Some(record) = self.record(id)?.filter(|record| sweep.is_over(record.expires_at)) else {
            return Ok(false);
        };
        // Last of all its name in `by-id`: a put that waits for it makes its names anew.
        let names =
            [self.layout.entry(IndexEntry::of(&record)), self.layout.stamped(id), self.layout.proof(id)];
        for path in names {
            ignore_missing(fs::remove_file(&path)).map_err(cannot("remove", &path))?;
        }
        Ok(true)
    }
}
