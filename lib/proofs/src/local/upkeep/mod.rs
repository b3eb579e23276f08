//! Cleaning up a proof folder: what dead processes left, then `by-id`, then `by-hash`. A page is some whole folders.
//!
//! A valid proof costs its file opened, looked at twice, read and closed, and one look at its name in `by-hash`; an expired
//! one is read twice, and both names are removed. Nothing is flushed but one folder for each page (docs/cleanup.md).

mod look_ups;
mod place;
mod proofs;

use async_trait::async_trait;
use credlink_pipeline::proof::ProofStoreError;

use super::{
    LocalProofStore,
    folder::Folder,
    session::{count_dead, remove_dead},
};
use crate::upkeep::{Sweep, SweptPage, Upkeep, UpkeepError};
use place::Place;

#[async_trait]
impl Upkeep for LocalProofStore {
    fn subject(&self) -> &'static str {
        "proofs"
    }

    /// - What killed processes left in their sessions' folders is removed.
    /// - A proof that is over is removed with all it owns.
    /// - A name in `by-hash` whose proof is gone, or says otherwise, is removed when its file is old.
    /// - A proof that cannot be read is reported and left alone, and so are its names.
    ///
    /// A proof's file holds its manifest store as well: neither is ever without the other.
    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        let place = after.map_or(Ok(Place::default()), str::parse)?;
        Ok(self.run(move |folder| folder.sweep_page(&place, sweep)).await?)
    }
}

impl Folder {
    fn sweep_page(&self, place: &Place, sweep: Sweep) -> Result<SweptPage, ProofStoreError> {
        match place {
            Place::Sessions => Ok(self.sweep_sessions(sweep)),
            Place::Proofs { after } => self.sweep_proofs(after, sweep),
            Place::LookUps { after } => self.sweep_look_ups(after, sweep),
        }
    }

    fn sweep_sessions(&self, sweep: Sweep) -> SweptPage {
        let sessions = &self.layout.sessions;
        let removed = match sweep.dry_run {
            true => count_dead(sessions),
            false => remove_dead(sessions, |entry| self.settle(entry)),
        };
        let mut page = SweptPage::default();
        match removed {
            Ok(removed) => page.tally.temporary_files_removed = removed,
            Err(error) => page.faults.add(&format!("cannot clean up {}: {error}", sessions.display())),
        }
        page.next = Some(Place::Proofs { after: String::new() }.to_string());
        page
    }
}
