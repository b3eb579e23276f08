//! All proofs of a store, one after the other, onto the disk.

use std::path::Path;

use credlink_pipeline::{
    proof::{ProofCatalogue, ProofId, ProofStoreError},
    timestamp::Timestamp,
};
use uuid::Uuid;

use super::{
    buckets::{self, BucketWriter},
    error::MigrationError,
    mark::{MARK_LENGTH, Mark},
    patience::Patience,
    watch::Watch,
    work::take,
};

/// Proofs of a page.
const PAGE: usize = 1000;

/// An id, a mark and three flags.
const ENTRY_LENGTH: usize = 16 + MARK_LENGTH + 1;

const EXPIRED: u8 = 1;
const DAMAGED: u8 = 2;
const NEWER: u8 = 4;

/// A proof as a list has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: ProofId,
    /// Unknown when it is damaged.
    pub(super) mark: Mark,
    /// Whether it was expired when the run began.
    pub(super) is_expired: bool,
    /// Whether it cannot be read.
    pub(super) is_damaged: bool,
    /// Whether a newer version of CredLink wrote it.
    pub(super) is_newer: bool,
}

/// Why a list is not whole.
pub(super) enum ListingFault {
    /// Somebody asked to stop.
    Asked,
    /// The store does not answer.
    Unavailable(String),
    /// The list cannot be written.
    Folder(MigrationError),
}

impl From<MigrationError> for ListingFault {
    fn from(error: MigrationError) -> Self {
        Self::Folder(error)
    }
}

/// How stores are listed.
pub(super) struct Listing<'a> {
    pub(super) begun: Timestamp,
    pub(super) patience: Patience,
    pub(super) watch: &'a dyn Watch,
    pub(super) must_stop: &'a (dyn Fn() -> bool + Sync),
}

impl Listing<'_> {
    /// Lists `store` into `folder`.
    pub(super) async fn list(&self, store: &dyn ProofCatalogue, folder: &Path) -> Result<(), ListingFault> {
        let mut parts = BucketWriter::create(folder)?;
        let mut after: Option<String> = None;
        loop {
            let page = self.patience.ask(|| store.page(after.as_deref(), PAGE)).await;
            let page = page.map_err(|error| ListingFault::Unavailable(reason_of(error)))?;
            for record in &page.records {
                let listed = Listed {
                    id: record.id,
                    mark: Mark::of(record),
                    is_expired: record.expires_at <= self.begun,
                    is_damaged: false,
                    is_newer: page.newer.contains(&record.id),
                };
                parts.add(listed.id, &listed.to_bytes())?;
            }
            for id in &page.damaged {
                parts.add(*id, &Listed::damaged(*id).to_bytes())?;
            }
            self.watch.advance((page.records.len() + page.damaged.len()) as u64);
            after = page.next;
            if after.is_none() {
                return Ok(parts.finish()?);
            }
            if (self.must_stop)() {
                return Err(ListingFault::Asked);
            }
        }
    }
}

impl Listed {
    fn damaged(id: ProofId) -> Self {
        Self { id, mark: Mark::UNKNOWN, is_expired: false, is_damaged: true, is_newer: false }
    }

    fn to_bytes(self) -> [u8; ENTRY_LENGTH] {
        let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
        let flags =
            flag(self.is_expired, EXPIRED) | flag(self.is_damaged, DAMAGED) | flag(self.is_newer, NEWER);
        let mut bytes = [flags; ENTRY_LENGTH];
        let parts = Uuid::from(self.id).into_bytes().into_iter().chain(self.mark.to_bytes());
        bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
        bytes
    }

    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let id = Uuid::from_bytes(*take(&mut bytes)?).into();
        let mark = Mark::from_bytes(take(&mut bytes)?);
        let [flags] = *take(&mut bytes)?;
        let has = |flag| flags & flag != 0;
        Some(Self { id, mark, is_expired: has(EXPIRED), is_damaged: has(DAMAGED), is_newer: has(NEWER) })
    }
}

/// One part of a list in the order of ids. A proof that was listed twice, because it changed meanwhile, is in it as it was
/// the last time.
pub(super) fn read(folder: &Path, part: u8) -> Result<Vec<Listed>, MigrationError> {
    let bytes = buckets::read(folder, part)?;
    let listed: Option<Vec<Listed>> = bytes.chunks_exact(ENTRY_LENGTH).map(Listed::from_bytes).collect();
    let mut listed =
        listed.ok_or_else(|| MigrationError::damaged(folder, &"it holds something else than a list"))?;
    listed.reverse();
    listed.sort_by_key(|listed| listed.id);
    listed.dedup_by_key(|listed| listed.id);
    Ok(listed)
}

fn reason_of(error: ProofStoreError) -> String {
    match error {
        ProofStoreError::Unavailable(reason) => reason,
        other => other.to_string(),
    }
}
