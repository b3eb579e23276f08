//! Stamped copies of manifest stores, beside the proofs.

use std::{
    fs::{self, File},
    io::Write as _,
};

use bytes::Bytes;
use credlink_pipeline::proof::{Proof, ProofId, ProofRecord, ProofStoreError, StampedCopy};

use super::{
    file,
    folder::{Folder, cannot, sync_dir},
    layout::IndexEntry,
    session::ignore_missing,
    turn::Turn,
};

impl Folder {
    /// Keeps a stamped copy, if the proof is still as `seen`.
    pub(super) fn keep_stamped(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: Bytes,
    ) -> Result<bool, ProofStoreError> {
        let id = seen.id;
        if self.record(id)?.as_ref() != Some(seen) {
            return Ok(false);
        }
        let record = ProofRecord { stamped: Some(copy), ..seen.clone() };
        let stamped = Proof { record, manifest_store: stamped_store };
        let head = file::encode_head(&stamped).map_err(|reason| ProofStoreError::Damaged { id, reason })?;
        let temp = self.temp(Some(IndexEntry::of(seen)))?;
        let mut file = File::create_new(&temp.path).map_err(cannot("create", &temp.path))?;
        file.write_all(&head)
            .and_then(|()| file.write_all(&stamped.manifest_store))
            .and_then(|()| file.sync_all())
            .map_err(cannot("write", &temp.path))?;

        // Nobody removes the proof, or adds a copy, as long as this one has the turn.
        let shard = self.layout.id_shard(id);
        let _turn = Turn::take(&shard)?;
        if self.record(id)?.as_ref() != Some(seen) {
            return Ok(false);
        }
        let place = self.layout.stamped(id);
        fs::rename(&temp.path, &place).map_err(cannot("create", &place))?;
        sync_dir(&shard).map_err(cannot("flush", &shard))?;
        Ok(true)
    }

    /// The stamped copy of a proof: its record, and the stamped manifest store.
    pub(super) fn stamped(&self, id: ProofId) -> Result<Option<Proof>, ProofStoreError> {
        let Some(record) = self.record(id)? else { return Ok(None) };
        let stamped = self.read(&self.layout.stamped(id), id, file::read_proof)?;
        Ok(stamped.filter(|stamped| is_copy_of(&stamped.record, &record)))
    }

    /// The record of a proof, with what is known of its stamped copy.
    pub(super) fn with_stamp(&self, record: ProofRecord) -> ProofRecord {
        match self.read(&self.layout.stamped(record.id), record.id, file::read_record) {
            Ok(Some(stamped)) if is_copy_of(&stamped, &record) => stamped,
            Ok(_) => record,
            Err(error) => {
                tracing::warn!(%error, "a stamped copy cannot be read; the proof is used without it");
                record
            }
        }
    }

    /// Removes the stamped copy of a proof that is not there any more.
    pub(super) fn remove_stamp_without_proof(&self, id: ProofId) {
        if self.layout.proof(id).exists() {
            return;
        }
        let place = self.layout.stamped(id);
        if let Err(error) = ignore_missing(fs::remove_file(&place)) {
            tracing::warn!(path = %place.display(), %error, "cannot remove the stamped copy of a deleted proof");
        }
    }
}

/// Whether `stamped` was made of the proof with this record, and not of an earlier one under the same id.
fn is_copy_of(stamped: &ProofRecord, record: &ProofRecord) -> bool {
    stamped.stamped.is_some()
        && ProofRecord { stamped: None, ..stamped.clone() } == ProofRecord { stamped: None, ..record.clone() }
}
