//! Cleaning up the folder of uploads, for the nights in which nobody uploads.

use std::{collections::BTreeSet, fs};

use async_trait::async_trait;
use credlink_proofs::upkeep::{CLOCK_MARGIN, Sweep, SweptPage, Upkeep, UpkeepError};

use super::{
    LocalUploads,
    folder::{Folder, Kind},
};
use crate::uploads::UploadError;

#[async_trait]
impl Upkeep for LocalUploads {
    fn subject(&self) -> &'static str {
        "uploads"
    }

    /// All in one page: there are never more than [`MAX_KEPT`](super::MAX_KEPT) of each kind.
    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        if let Some(place) = after {
            return Err(UpkeepError::UnknownPlace(place.to_owned()));
        }
        let page = self.blocking(move |folder| folder.clean_up(sweep)).await;
        page.map_err(|error| UpkeepError::Failed(error.to_string()))
    }
}

impl Folder {
    fn clean_up(&self, sweep: Sweep) -> Result<SweptPage, UploadError> {
        let mut page = SweptPage::default();
        let (mut uploads, mut results) = (BTreeSet::new(), BTreeSet::new());
        // A clock that is an hour ahead takes nothing from a caller who may use it still.
        for file in self.files_past_their_time(sweep.now, CLOCK_MARGIN.unsigned_abs())? {
            if !sweep.dry_run
                && let Err(error) = fs::remove_file(&file.path)
            {
                page.faults.add(&format!("cannot remove a file of uploads: {error}"));
                continue;
            }
            match file.kind {
                Kind::Upload => drop(uploads.insert(file.id)),
                Kind::Result => drop(results.insert(file.id)),
                Kind::Partial => page.tally.temporary_files_removed += 1,
            }
        }
        page.tally.uploads_removed = uploads.len() as u64;
        page.tally.results_removed = results.len() as u64;
        Ok(page)
    }
}
