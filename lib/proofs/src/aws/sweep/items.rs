//! The part of the sweep that goes through the table.

use credlink_pipeline::{
    proof::{ProofId, ProofStoreError},
    timestamp::Timestamp,
};

use super::{
    super::{
        AwsProofStore,
        item::{Entry, Key, Kind},
    },
    SweepCursor, SweepReport, all, is_old,
};

/// What was done about one item.
enum Done {
    Nothing,
    ExpiredProofRemoved,
    OrphanLookUpRemoved,
    ManifestStoreMissing(ProofId),
}

impl AwsProofStore {
    /// Looks at the page of items behind `after`; where it goes on.
    pub(super) async fn sweep_items(
        &self,
        after: Option<(String, String)>,
        now: Timestamp,
        report: &mut SweepReport,
    ) -> Result<Option<SweepCursor>, ProofStoreError> {
        let page = self.table.scan(after.map(|(pk, sk)| Key { pk, sk })).await?;
        let mut records = Vec::new();
        let mut look_ups = Vec::new();
        for item in page.items {
            match item {
                Kind::Other => continue,
                Kind::Record(_, Ok(entry)) => records.push(entry),
                Kind::LookUp(_, key, Ok(entry)) => look_ups.push((key, entry)),
                Kind::Record(id, Err(_)) | Kind::LookUp(id, _, Err(_)) => report.damaged.add(id),
            }
            report.items_seen += 1;
        }
        let mut done = all(records.into_iter().map(|entry| self.clone().sweep_record(entry, now))).await;
        // After the records, because an expired one takes its look-up along.
        let orphans = self.orphans(look_ups, now).await?;
        done.extend(all(orphans.into_iter().map(|orphan| self.clone().sweep_look_up(orphan))).await);
        for outcome in done {
            report.count(outcome);
        }
        let last = page.last.map(|key| (key.pk, key.sk));
        Ok(Some(if last.is_some() { SweepCursor::Items(last) } else { SweepCursor::Objects(None) }))
    }

    async fn sweep_record(self, entry: Entry, now: Timestamp) -> Result<Done, ProofStoreError> {
        if entry.record.expires_at <= now {
            return self.sweep_expired(&entry).await;
        }
        if self.blobs.is_there(&entry.blob).await? {
            return Ok(Done::Nothing);
        }
        // It may have been deleted since the page was read.
        let id = entry.record.id;
        let current = self.table.blobs_of([id]).await?;
        let is_current = current.get(&id).is_some_and(|blob| blob.as_ref() == Some(&entry.blob));
        Ok(if is_current { Done::ManifestStoreMissing(id) } else { Done::Nothing })
    }

    async fn sweep_expired(&self, entry: &Entry) -> Result<Done, ProofStoreError> {
        if !self.table.remove(entry).await? {
            return Ok(Done::Nothing);
        }
        self.blobs.discard(&entry.blob).await;
        Ok(Done::ExpiredProofRemoved)
    }

    /// Those of `look_ups` whose record is gone, or belongs to a later put.
    async fn orphans(
        &self,
        look_ups: Vec<(Key, Entry)>,
        now: Timestamp,
    ) -> Result<Vec<(Key, Entry)>, ProofStoreError> {
        let mut old = look_ups;
        old.retain(|(_, entry)| is_old(entry.record.created_at.unix_seconds(), now));
        let current = self.table.blobs_of(old.iter().map(|(_, entry)| entry.record.id)).await?;
        old.retain(|(_, entry)| match current.get(&entry.record.id) {
            Some(Some(blob)) => *blob != entry.blob,
            // A record that names no object is damaged, and reported as such.
            Some(None) => false,
            None => true,
        });
        Ok(old)
    }

    async fn sweep_look_up(self, (key, entry): (Key, Entry)) -> Result<Done, ProofStoreError> {
        let removed = self.table.remove_look_up(&key, &entry.blob).await?;
        Ok(if removed { Done::OrphanLookUpRemoved } else { Done::Nothing })
    }
}

impl SweepReport {
    fn count(&mut self, outcome: Result<Done, ProofStoreError>) {
        match outcome {
            Ok(Done::Nothing) => {}
            Ok(Done::ExpiredProofRemoved) => self.expired_proofs_removed += 1,
            Ok(Done::OrphanLookUpRemoved) => self.orphan_look_ups_removed += 1,
            Ok(Done::ManifestStoreMissing(id)) => self.without_manifest_store.add(id),
            Err(error) => self.faults.push(error.to_string()),
        }
    }
}
