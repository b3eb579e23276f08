//! The part of the sweep that goes through the table.

use credlink_pipeline::{proof::ProofStoreError, timestamp::Timestamp};

use super::{
    super::{
        AwsProofStore,
        item::{Entry, Key, Kind},
        table::KEYS_AT_ONCE,
    },
    Place, all,
    listing::Listing,
};
use crate::upkeep::{Sweep, SweptPage};

/// The items of a page that are worth a look, by what they are.
#[derive(Default)]
struct Sorted {
    over: Vec<Entry>,
    /// Proofs whose manifest stores were not listed.
    unlisted: Vec<Entry>,
    look_ups: Vec<(Key, Entry)>,
    idempotency_keys: Vec<(Key, i64)>,
}

impl AwsProofStore {
    /// Looks at the page of items behind `after`, as soon as the bucket behind `from` is listed.
    pub(super) async fn sweep_items(
        &self,
        from: Option<String>,
        after: Option<(String, String)>,
        sweep: Sweep,
    ) -> Result<SweptPage, ProofStoreError> {
        let mut listing = self.listings.take(from.as_deref());
        if !listing.go_on(&self.blobs, self.listings.longest).await? {
            self.listings.keep(listing);
            return Ok(SweptPage::going_on_at(&Place::Items { from, after }));
        }
        let after = after.map(|(pk, sk)| Key { pk, sk });
        let found = self.table.scan(after, i32::try_from(sweep.page.clamp(1, 1000)).unwrap_or(1)).await?;
        let mut page = SweptPage::default();
        let sorted = Sorted::of(found.items, &listing, sweep, &mut page);
        self.sweep_over(sorted.over, sweep, &mut page).await;
        self.sweep_unlisted(sorted.unlisted, sweep.now, &mut page).await;
        self.sweep_look_ups(sorted.look_ups, sweep, &mut page).await?;
        self.sweep_idempotency_keys(sorted.idempotency_keys, sweep, &mut page).await;

        let next = match (found.last, listing.end()) {
            (Some(key), _) => Place::Items { from, after: Some((key.pk, key.sk)) },
            (None, Some(end)) => Place::Items { from: Some(end.to_owned()), after: None },
            (None, None) => Place::Objects { after: None },
        };
        if matches!(next, Place::Items { after: Some(_), .. }) {
            self.listings.keep(listing);
        }
        page.next = Some(next.to_string());
        Ok(page)
    }

    /// Removes what is over: the records with their look-ups, and then the manifest stores.
    async fn sweep_over(&self, over: Vec<Entry>, sweep: Sweep, page: &mut SweptPage) {
        if sweep.dry_run {
            page.tally.expired_proofs_removed += over.len() as u64;
            return;
        }
        let removals = over.into_iter().map(|entry| {
            let table = self.table.clone();
            async move { Ok(table.remove(&entry).await?.then_some(entry)) }
        });
        let mut blobs = Vec::new();
        for removed in all(removals).await {
            match removed {
                Ok(None) => {}
                Ok(Some(entry)) => {
                    page.tally.expired_proofs_removed += 1;
                    blobs.extend(entry.stamped_blob());
                    blobs.push(entry.blob);
                }
                Err(error) => page.faults.add(&error),
            }
        }
        // What stays of them belongs to nobody any more, and is found again as such.
        if let Err(error) = self.blobs.remove_all(&blobs).await {
            page.faults.add(&error);
        }
    }

    /// Asks for the manifest stores that came after the listing, or are missing.
    async fn sweep_unlisted(&self, unlisted: Vec<Entry>, now: Timestamp, page: &mut SweptPage) {
        let looks = unlisted.into_iter().map(|entry| {
            let store = self.clone();
            async move { Ok((store.length_or_missing(&entry).await?, entry)) }
        });
        for look in all(looks).await {
            match look {
                Ok((Found::Length(length), entry)) => page.tally.proofs.add(&entry.record, length, now),
                Ok((Found::Missing, entry)) => {
                    page.tally.proofs.add(&entry.record, 0, now);
                    page.tally.proofs_without_manifest_store.add(entry.record.id);
                }
                Ok((Found::Gone, _)) => {}
                Err(error) => page.faults.add(&error),
            }
        }
    }

    async fn length_or_missing(&self, entry: &Entry) -> Result<Found, ProofStoreError> {
        if let Some(length) = self.blobs.length(&entry.blob).await? {
            return Ok(Found::Length(length));
        }
        // It may have been deleted since the page was read.
        let id = entry.record.id;
        let current = self.table.blobs_of([id]).await?;
        let is_current = current.get(&id).is_some_and(|blob| blob.as_ref() == Some(&entry.blob));
        Ok(if is_current { Found::Missing } else { Found::Gone })
    }

    /// Removes those of `look_ups` whose record is gone, or belongs to a later put.
    async fn sweep_look_ups(
        &self,
        look_ups: Vec<(Key, Entry)>,
        sweep: Sweep,
        page: &mut SweptPage,
    ) -> Result<(), ProofStoreError> {
        let mut orphans = Vec::new();
        for some in look_ups.chunks(KEYS_AT_ONCE) {
            let current = self.table.blobs_of(some.iter().map(|(_, entry)| entry.record.id)).await?;
            orphans.extend(some.iter().filter(|(_, entry)| match current.get(&entry.record.id) {
                Some(Some(blob)) => *blob != entry.blob,
                // A record that names no object is damaged, and reported as such.
                Some(None) => false,
                None => true,
            }));
        }
        if sweep.dry_run {
            page.tally.orphan_look_ups_removed += orphans.len() as u64;
            return Ok(());
        }
        let removals = orphans.into_iter().cloned().map(|(key, entry)| {
            let table = self.table.clone();
            async move { table.remove_look_up(&key, &entry.blob).await }
        });
        let removed = count(all(removals).await, page);
        page.tally.orphan_look_ups_removed += removed;
        Ok(())
    }

    async fn sweep_idempotency_keys(&self, old: Vec<(Key, i64)>, sweep: Sweep, page: &mut SweptPage) {
        if sweep.dry_run {
            page.tally.idempotency_keys_removed += old.len() as u64;
            return;
        }
        let removals = old.into_iter().map(|(key, ttl)| {
            let table = self.table.clone();
            async move { table.remove_idempotency_key(&key, ttl).await }
        });
        let removed = count(all(removals).await, page);
        page.tally.idempotency_keys_removed += removed;
    }
}

/// What there is where a proof's manifest store should be.
enum Found {
    /// An object of so many bytes.
    Length(u64),
    /// Nothing.
    Missing,
    /// The proof itself is gone.
    Gone,
}

impl Sorted {
    /// Sorts `items`, those whose manifest stores stand in the part of the bucket that is listed. Counts proofs that
    /// nothing is to be done about, and damaged ones.
    fn of(items: Vec<Kind>, listing: &Listing, sweep: Sweep, page: &mut SweptPage) -> Self {
        let mut sorted = Self::default();
        for item in items {
            match item {
                Kind::Record(_, Ok(entry)) if listing.covers(&entry.blob) => {
                    if sweep.is_over(entry.record.expires_at) {
                        sorted.over.push(entry);
                    } else if let Some(length) = listing.length_of(&entry.blob) {
                        let stamped = entry.stamped_blob().and_then(|blob| listing.length_of(&blob));
                        page.tally.proofs.add(&entry.record, length + stamped.unwrap_or(0), sweep.now);
                    } else {
                        sorted.unlisted.push(entry);
                    }
                }
                Kind::LookUp(_, key, Ok(entry))
                    if listing.covers(&entry.blob)
                        && sweep.is_old(entry.record.created_at.unix_seconds()) =>
                {
                    sorted.look_ups.push((key, entry));
                }
                // The others have no manifest store by which they could belong to a later part.
                Kind::Record(id, Err(_)) | Kind::LookUp(id, _, Err(_)) if listing.is_first() => {
                    page.tally.damaged_proofs.add(id);
                }
                Kind::IdempotencyKey(key, ttl) if listing.is_first() && sweep.is_old(ttl) => {
                    sorted.idempotency_keys.push((key, ttl));
                }
                _ => {}
            }
        }
        sorted
    }
}

impl SweptPage {
    /// A page on which nothing was looked at.
    fn going_on_at(place: &Place) -> Self {
        Self { next: Some(place.to_string()), ..Self::default() }
    }
}

/// How many were removed; those that could not be are faults.
fn count(removals: Vec<Result<bool, ProofStoreError>>, page: &mut SweptPage) -> u64 {
    let mut removed = 0;
    for removal in removals {
        match removal {
            Ok(was_there) => removed += u64::from(was_there),
            Err(error) => page.faults.add(&error),
        }
    }
    removed
}
