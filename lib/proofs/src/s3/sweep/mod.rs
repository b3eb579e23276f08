//! The backstop: removes what is over, and whatever broken puts and broken deletions left behind.
//!
//! It goes through records and manifest stores side by side, both in the order of ids, as lists show them: some three calls
//! for a thousand proofs. Names say when a proof was made and when it expires. A record is read only when it is over, or
//! when the lists do not tell which of several manifest stores it names, or that it has any.

mod section;

use async_trait::async_trait;
use credlink_pipeline::proof::{ProofId, ProofStoreError};

use super::{S3ProofStore, put_name::PutName, records::Removed};
use crate::{
    aws::{item::Entry, manifest_stores::Entries as _, sweep::all},
    catalogue::at_most,
    upkeep::{Sweep, SweptPage, Upkeep, UpkeepError},
};
use section::{ListedProof, ListedPut, Section};

#[async_trait]
impl Upkeep for S3ProofStore {
    fn subject(&self) -> &'static str {
        "proofs"
    }

    /// - A proof that is over is removed with all it owns.
    /// - What a put left that has no record, or another one, is removed when it is old, with its look-up.
    /// - A proof whose manifest store is missing, and one that is over and cannot be read, are reported and left alone.
    ///   Of others that cannot be read the [catalogue](credlink_pipeline::proof::ProofCatalogue) tells.
    ///
    /// Needs what [`new`](Self::new) names, and no more.
    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        let place = |text: &str| text.parse().map_err(|_| UpkeepError::UnknownPlace(text.to_owned()));
        let section = Section::list(self, after.map(place).transpose()?, at_most(sweep.page)).await?;
        let mut page =
            SweptPage { next: section.end.map(|id: ProofId| id.to_string()), ..SweptPage::default() };
        let sorted = Sorted::of(section.proofs, sweep, &mut page);
        self.sweep_over(sorted.over, sweep, &mut page).await;
        let left_over = self.sweep_unclear(sorted.unclear, sweep, &mut page).await;
        self.sweep_left_over(left_over, sweep, &mut page).await;
        Ok(page)
    }
}

/// The proofs of a section that are worth a look, by what is to be done.
#[derive(Default)]
struct Sorted {
    /// By their names they are over.
    over: Vec<PutName>,
    /// The lists do not tell all, or there is something that may belong to nobody.
    unclear: Vec<ListedProof>,
}

impl Sorted {
    /// Sorts `proofs`, and counts those that nothing is to be done about.
    fn of(proofs: Vec<ListedProof>, sweep: Sweep, page: &mut SweptPage) -> Self {
        let mut sorted = Self::default();
        for proof in proofs {
            match proof.puts.as_slice() {
                [put] if proof.has_record && put.is_whole() => {
                    let PutName { created_at, expires_at, .. } = put.name;
                    if sweep.is_over(expires_at) {
                        sorted.over.push(put.name.clone());
                    } else {
                        page.tally.proofs.add_made_at(created_at, expires_at, put.length(), sweep.now);
                    }
                }
                // Without a record, and too young to be anybody's left-over.
                puts if !proof.has_record && !puts.iter().any(|put| is_old(put, sweep)) => {}
                _ => sorted.unclear.push(proof),
            }
        }
        sorted
    }
}

impl S3ProofStore {
    /// Removes what is over: the records, then the look-ups, then the manifest stores.
    async fn sweep_over(&self, over: Vec<PutName>, sweep: Sweep, page: &mut SweptPage) {
        let removals = over.into_iter().map(|name| {
            let store = self.clone();
            async move { store.remove_over(name, sweep).await }
        });
        let (mut names, mut blobs) = (Vec::new(), Vec::new());
        for removal in all(removals).await {
            match removal {
                Ok(None) => {}
                Ok(Some((name, entry))) => {
                    page.tally.expired_proofs_removed += 1;
                    names.push(name);
                    blobs.extend(entry.stamped_blob());
                    blobs.push(entry.blob);
                }
                Err(ProofStoreError::Damaged { id, .. }) => page.tally.damaged_proofs.add(id),
                Err(error) => page.faults.add(&error),
            }
        }
        if sweep.dry_run {
            return;
        }
        // What stays of them belongs to nobody any more, and is found again as such.
        if let Err(error) = self.remove_objects(&names, &blobs).await {
            page.faults.add(&error);
        }
    }

    /// Removes the record of a put, if it is its proof's last one and over; in a dry run nothing.
    async fn remove_over(
        &self,
        name: PutName,
        sweep: Sweep,
    ) -> Result<Option<(PutName, Entry)>, ProofStoreError> {
        let Some(stored) = self.records.stored(name.id).await? else { return Ok(None) };
        let is_meant = |entry: &Entry| entry.blob == name.blob() && sweep.is_over(entry.record.expires_at);
        match &stored.entry {
            Ok(entry) if is_meant(entry) => {}
            Ok(_) => return Ok(None),
            Err(_) => return stored.entry.map(|_| None),
        }
        let removed = sweep.dry_run || self.records.remove(name.id, &stored).await? == Removed::Done;
        let entry = stored.entry.ok().filter(|_| removed);
        Ok(entry.map(|entry| (name, entry)))
    }

    /// Reads the records of proofs that the lists do not tell enough of. What is left of other puts than theirs.
    async fn sweep_unclear(
        &self,
        unclear: Vec<ListedProof>,
        sweep: Sweep,
        page: &mut SweptPage,
    ) -> Vec<ListedPut> {
        let looks = unclear.into_iter().map(|proof| {
            let store = self.clone();
            async move { store.look_at(proof).await }
        });
        let (mut left_over, mut over) = (Vec::new(), Vec::new());
        for look in all(looks).await {
            let Look { finding, others } = match look {
                Ok(look) => look,
                Err(error) => {
                    page.faults.add(&error);
                    continue;
                }
            };
            left_over.extend(others);
            match finding {
                Found::Nothing => {}
                Found::Damaged(id) => page.tally.damaged_proofs.add(id),
                Found::Proof(entry, _) if sweep.is_over(entry.record.expires_at) => {
                    over.extend(PutName::of_blob(&entry.blob));
                }
                Found::Proof(entry, length) => {
                    page.tally.proofs.add(&entry.record, length.unwrap_or(0), sweep.now);
                    if length.is_none() {
                        page.tally.proofs_without_manifest_store.add(entry.record.id);
                    }
                }
            }
        }
        self.sweep_over(over, sweep, page).await;
        left_over
    }

    /// Reads the record of a proof, and looks what it owns.
    async fn look_at(&self, ListedProof { id, puts, .. }: ListedProof) -> Result<Look, ProofStoreError> {
        let entry = match self.records.read(id).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Look { finding: Found::Nothing, others: puts }),
            // One of these may be the manifest store that the record should name.
            Err(ProofStoreError::Damaged { .. }) => return Ok(Look::alone(Found::Damaged(id))),
            Err(error) => return Err(error),
        };
        let (own, others): (Vec<_>, Vec<_>) = puts.into_iter().partition(|put| put.name.blob() == entry.blob);
        let listed = own.iter().find(|put| put.is_whole()).map(ListedPut::length);
        // It may have come after the lists.
        let length = if listed.is_some() { listed } else { self.blobs.length(&entry.blob).await? };
        if length.is_none() && self.records.read(id).await?.is_none_or(|now| now.blob != entry.blob) {
            return Ok(Look::alone(Found::Nothing));
        }
        Ok(Look { finding: Found::Proof(Box::new(entry), length), others })
    }

    /// Removes what belongs to nobody and is old.
    async fn sweep_left_over(&self, mut puts: Vec<ListedPut>, sweep: Sweep, page: &mut SweptPage) {
        puts.retain(|put| is_old(put, sweep));
        let names: Vec<PutName> = puts.iter().map(|put| put.name.clone()).collect();
        let blobs: Vec<String> = puts.iter().flat_map(ListedPut::keys).collect();
        let looks = names.iter().cloned().map(|name| {
            let look_ups = self.look_ups.clone();
            async move { look_ups.has(&name).await }
        });
        let mut look_ups = 0;
        for look in all(looks).await {
            match look {
                Ok(is_there) => look_ups += u64::from(is_there),
                Err(error) => page.faults.add(&error),
            }
        }
        if !sweep.dry_run
            && let Err(error) = self.remove_objects(&names, &blobs).await
        {
            page.faults.add(&error);
            return;
        }
        page.tally.orphan_look_ups_removed += look_ups;
        page.tally.orphan_manifest_stores_removed += blobs.len() as u64;
    }

    /// Removes look-ups, and then manifest stores: what is left is found by these.
    async fn remove_objects(&self, names: &[PutName], blobs: &[String]) -> Result<(), ProofStoreError> {
        self.look_ups.remove_all(names).await?;
        self.blobs.remove_all(blobs).await
    }
}

/// What there is of a proof, and what of other puts under its id.
struct Look {
    finding: Found,
    others: Vec<ListedPut>,
}

enum Found {
    /// No proof.
    Nothing,
    /// A record that cannot be read.
    Damaged(ProofId),
    /// A proof, and the length of its manifest store, if that is there.
    Proof(Box<Entry>, Option<u64>),
}

impl Look {
    /// With nothing that may be removed.
    fn alone(finding: Found) -> Self {
        Self { finding, others: Vec::new() }
    }
}

/// Whether all of it is old enough to be nobody's, if no record names it.
fn is_old(put: &ListedPut, sweep: Sweep) -> bool {
    put.objects.iter().all(|object| sweep.is_old(object.written_at))
}
