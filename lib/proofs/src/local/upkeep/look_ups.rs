//! The part of the cleanup that goes through `by-hash`.

use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    time::UNIX_EPOCH,
};

use credlink_pipeline::proof::ProofStoreError;

use super::{
    super::{
        folder::{Folder, cannot, for_each_name, shards_from},
        layout::IndexEntry,
    },
    Place,
};
use crate::upkeep::{Sweep, SweptPage};

impl Folder {
    pub(super) fn sweep_look_ups(&self, after: &str, sweep: Sweep) -> Result<SweptPage, ProofStoreError> {
        let mut page = SweptPage::default();
        let mut seen = 0;
        for shard in shards_from(&self.layout.by_hash, after)?.into_iter().filter(|shard| shard != after) {
            let mut entries: Vec<IndexEntry> = Vec::new();
            for_each_name(&self.layout.by_hash.join(&shard), |name| {
                entries.extend(name.parse::<IndexEntry>());
            })?;
            seen += entries.len();
            for entry in entries {
                match self.sweep_look_up(entry, sweep) {
                    Ok(removed) => page.tally.orphan_look_ups_removed += u64::from(removed),
                    Err(error) => page.faults.add(&error),
                }
            }
            if seen >= sweep.page {
                page.next = Some(Place::LookUps { after: shard }.to_string());
                break;
            }
        }
        Ok(page)
    }

    /// Removes an entry that is old and whose proof is gone or says otherwise; whether it did.
    fn sweep_look_up(&self, entry: IndexEntry, sweep: Sweep) -> Result<bool, ProofStoreError> {
        let path = self.layout.entry(entry);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(cannot("look at", &path)(error)),
        };
        if has_another_name(&metadata) || !sweep.is_old(written_at(&metadata)) || self.confirms(entry)? {
            return Ok(false);
        }
        if !sweep.dry_run {
            self.try_settle(entry)?;
        }
        Ok(true)
    }
}

/// An entry whose file has another name has its proof. Only in a copy of the folder that did not keep hard links none
/// has one, and each proof is read.
#[cfg(unix)]
fn has_another_name(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

/// Elsewhere the number of names is not told, and each proof is read.
#[cfg(not(unix))]
fn has_another_name(_metadata: &Metadata) -> bool {
    false
}

/// In seconds since 1970. A file that does not know is new.
fn written_at(metadata: &Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(i64::MAX)
}
