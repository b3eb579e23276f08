//! Going through a proof folder.
//!
//! A page of 1000 takes the names of the folders in `by-id` and of those that its proofs lie in, and the first 4 KiB of
//! each proof's file.

use std::{
    sync::{Arc, Mutex, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use credlink_pipeline::{
    proof::{CataloguePage, ProofCatalogue, ProofId, ProofRecord, ProofStoreError},
    timestamp::Timestamp,
};

use super::{LocalProofStore, file, folder::Folder};
use crate::{
    catalogue::{at_most, id_of_place},
    statistics::{Census, ProofCounts, ProofStatistics},
};

/// How long one call counts: some 100 000 proofs that the operating system has in memory (docs/cleanup.md). What is left is
/// counted by the next call, so that counting never takes more than this out of the time between two calls.
const MAX_COUNTING: Duration = Duration::from_secs(5);

/// Proofs that are counted between two looks at the clock.
const COUNTED_AT_ONCE: usize = 1000;

/// A count that goes on from call to call.
#[derive(Debug, Default)]
pub(super) struct Counting(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// The last count that came to its end.
    last: Option<Census>,
    /// The one that goes on, and behind which proof.
    running: Option<(Census, Option<ProofId>)>,
}

#[async_trait]
impl ProofCatalogue for LocalProofStore {
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<CataloguePage, ProofStoreError> {
        let after = after.map(id_of_place).transpose()?;
        self.run(move |folder| folder.page(after, at_most(limit))).await
    }
}

#[async_trait]
impl ProofStatistics for LocalProofStore {
    /// Counts for five seconds at most, and gives the last count that came to its end. What a store holds that takes
    /// longer is counted by several calls, and known from the last of them on.
    async fn census(&self, now: Timestamp) -> Result<Option<Census>, ProofStoreError> {
        let counting = Arc::clone(&self.counting);
        self.run(move |folder| counting.go_on(folder, now)).await
    }
}

impl Folder {
    fn page(&self, after: Option<ProofId>, limit: usize) -> Result<CataloguePage, ProofStoreError> {
        let ids = self.ids_after(after, limit)?;
        let next = ids.last().filter(|_| ids.len() == limit).map(ProofId::to_string);
        let mut page = CataloguePage { next, ..CataloguePage::default() };
        for id in ids {
            match self.listed(id) {
                Ok(Some((record, is_newer))) => {
                    page.newer.extend(is_newer.then_some(id));
                    page.records.push(record);
                }
                Ok(None) => {}
                Err(ProofStoreError::Damaged { id, .. }) => page.damaged.push(id),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// The record of `id`, and whether a newer version of CredLink wrote it or what it says of its stamped copy.
    fn listed(&self, id: ProofId) -> Result<Option<(ProofRecord, bool)>, ProofStoreError> {
        let Some((record, is_newer)) = self.read(&self.layout.proof(id), id, file::read_listed)? else {
            return Ok(None);
        };
        let record = self.with_stamp(record);
        let is_newer = is_newer || (record.stamped.is_some() && self.has_newer_stamp(id));
        Ok(Some((record, is_newer)))
    }

    fn has_newer_stamp(&self, id: ProofId) -> bool {
        let stamped = self.read(&self.layout.stamped(id), id, file::read_listed);
        matches!(stamped, Ok(Some((_, true))))
    }

    /// The record of `id` and the length of its file.
    pub(super) fn record_and_length(
        &self,
        id: ProofId,
    ) -> Result<Option<(ProofRecord, u64)>, ProofStoreError> {
        self.read(&self.layout.proof(id), id, |file, id| {
            let length = file.metadata()?.len();
            Ok((file::read_record(file, id)?, length))
        })
    }
}

impl Counting {
    /// Goes on counting where the last call stopped, or begins anew; the last whole count.
    fn go_on(&self, folder: &Folder, now: Timestamp) -> Result<Option<Census>, ProofStoreError> {
        let mut counted = match self.0.try_lock() {
            Ok(counted) => counted,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            // Somebody counts already.
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        let until = Instant::now() + MAX_COUNTING;
        let begun = (Census { counts: ProofCounts::default(), as_of: now }, None);
        let (mut census, mut after) = counted.running.take().unwrap_or(begun);
        while Instant::now() < until {
            let ids = folder.ids_after(after, COUNTED_AT_ONCE)?;
            for id in &ids {
                match folder.record_and_length(*id) {
                    Ok(Some((record, length))) => census.counts.add(&record, length, census.as_of),
                    Ok(None) | Err(ProofStoreError::Damaged { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if ids.len() < COUNTED_AT_ONCE {
                counted.last = Some(census);
                return Ok(counted.last.clone());
            }
            after = ids.last().copied();
        }
        counted.running = Some((census, after));
        Ok(counted.last.clone())
    }
}
