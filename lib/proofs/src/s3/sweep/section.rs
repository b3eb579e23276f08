//! A part of the store, as lists of its objects show it.

use std::collections::BTreeMap;

use credlink_pipeline::proof::{ProofId, ProofStoreError};

use super::super::{S3ProofStore, put_name::PutName};
use crate::aws::{
    bucket::{ListedObject, MAX_LISTED_AT_ONCE},
    item::{BLOB_PREFIX, original_of, proof_of_blob},
};

/// How many calls one section lists manifest stores with. A section of a thousand proofs takes two or three.
const MAX_CALLS: usize = 20;

/// All that there is of some proofs, in the order of their ids.
pub(super) struct Section {
    pub(super) proofs: Vec<ListedProof>,
    /// The last proof, when there may be more behind it.
    pub(super) end: Option<ProofId>,
}

/// What there is of one proof.
pub(super) struct ListedProof {
    pub(super) id: ProofId,
    pub(super) has_record: bool,
    /// Its manifest stores: one, when nothing went wrong.
    pub(super) puts: Vec<ListedPut>,
}

/// What there is of one put.
pub(super) struct ListedPut {
    pub(super) name: PutName,
    /// The manifest store and its stamped copies.
    pub(super) objects: Vec<ListedObject>,
}

impl Section {
    /// Lists the next proofs behind `after`, about `limit`.
    ///
    /// Records come first: whatever manifest store has none in these lists, and is old, belonged to nobody already.
    pub(super) async fn list(
        store: &S3ProofStore,
        after: Option<ProofId>,
        limit: usize,
    ) -> Result<Self, ProofStoreError> {
        let (ids, is_last) = store.records.ids_after(after, limit).await?;
        let mut end = ids.last().copied().filter(|_| !is_last);
        let mut listed: BTreeMap<ProofId, Vec<ListedObject>> = BTreeMap::new();
        let mut cursor = after.map(behind);
        let mut is_whole = false;
        for _ in 0..MAX_CALLS {
            let objects = store.blobs.list(cursor.as_deref(), MAX_LISTED_AT_ONCE).await?;
            let Some(last) = objects.last() else {
                is_whole = true;
                break;
            };
            cursor = Some(last.key.clone());
            for object in objects {
                if let Some(id) = proof_of_blob(&object.key) {
                    listed.entry(id).or_default().push(object);
                }
            }
            let last = listed.last_key_value().map(|(id, _)| *id);
            if end.is_some() && last > end {
                is_whole = true;
                break;
            }
        }
        if !is_whole {
            end = last_whole(&listed).or(end);
        }
        let is_within = |id: &ProofId| end.is_none_or(|end| *id <= end);
        let mut proofs: BTreeMap<ProofId, ListedProof> = BTreeMap::new();
        for id in ids.into_iter().filter(is_within) {
            proofs.insert(id, ListedProof { id, has_record: true, puts: Vec::new() });
        }
        for (id, objects) in listed.into_iter().filter(|(id, _)| is_within(id)) {
            let unknown = ListedProof { id, has_record: false, puts: Vec::new() };
            proofs.entry(id).or_insert(unknown).puts = puts_of(objects);
        }
        Ok(Self { proofs: proofs.into_values().collect(), end })
    }
}

impl ListedPut {
    /// How long all its objects are, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.objects.iter().map(|object| object.length).sum()
    }

    /// Whether the manifest store itself is there, not only a copy of it.
    pub(super) fn is_whole(&self) -> bool {
        let blob = self.name.blob();
        self.objects.iter().any(|object| object.key == blob)
    }

    /// The names of all its objects.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        self.objects.iter().map(|object| object.key.clone())
    }
}

/// The name behind all manifest stores of a proof, and before those of the next one: a zero follows a slash.
fn behind(id: ProofId) -> String {
    format!("{BLOB_PREFIX}{id}0")
}

/// The last proof whose manifest stores are all listed, when the list ends anywhere: the one before the last, or the
/// last one, where there is no other. Nobody has twenty thousand objects.
fn last_whole(listed: &BTreeMap<ProofId, Vec<ListedObject>>) -> Option<ProofId> {
    let mut ids = listed.keys().rev();
    let last = ids.next().copied();
    ids.next().copied().or(last)
}

/// Objects that are not named like manifest stores are somebody else's.
fn puts_of(objects: Vec<ListedObject>) -> Vec<ListedPut> {
    let mut puts: BTreeMap<String, ListedPut> = BTreeMap::new();
    for object in objects {
        let blob = original_of(&object.key).to_owned();
        if let Some(put) = puts.get_mut(&blob) {
            put.objects.push(object);
        } else if let Some(name) = PutName::of_blob(&blob) {
            puts.insert(blob, ListedPut { name, objects: vec![object] });
        }
    }
    puts.into_values().collect()
}
