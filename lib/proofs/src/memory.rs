//! Proofs in the memory of this process.

mod catalogue;
mod upkeep;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{MAX_PROOFS_PER_IMAGE, Proof, ProofId, ProofRecord, ProofStore, ProofStoreError, StampedCopy},
    timestamp::Timestamp,
};

/// A store that forgets everything when it is dropped. It grows with every proof: it is meant for tests, not
/// for a service that runs long.
#[derive(Debug, Default)]
pub struct MemoryProofStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_id: BTreeMap<ProofId, Proof>,
    by_image_hash: HashMap<Sha256Hash, BTreeSet<(Timestamp, ProofId)>>,
    stamped: HashMap<ProofId, Bytes>,
}

impl MemoryProofStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// No change of the state can be interrupted half way by a panic, so a poisoned lock is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Removes a proof and its look-up; whether there was one.
    fn remove(&mut self, id: ProofId) -> bool {
        self.stamped.remove(&id);
        let Some(Proof { record, .. }) = self.by_id.remove(&id) else { return false };
        if let Entry::Occupied(mut entries) = self.by_image_hash.entry(record.image_hash) {
            entries.get_mut().remove(&(record.created_at, id));
            if entries.get().is_empty() {
                entries.remove();
            }
        }
        true
    }
}

#[async_trait]
impl ProofStore for MemoryProofStore {
    async fn put(&self, proof: &Proof) -> Result<(), ProofStoreError> {
        let mut state = self.state();
        let record = &proof.record;
        match state.by_id.entry(record.id) {
            btree_map::Entry::Occupied(_) => return Err(ProofStoreError::AlreadyExists(record.id)),
            btree_map::Entry::Vacant(place) => place.insert(proof.clone()),
        };
        state.by_image_hash.entry(record.image_hash).or_default().insert((record.created_at, record.id));
        Ok(())
    }

    async fn record(&self, id: ProofId, now: Timestamp) -> Result<Option<ProofRecord>, ProofStoreError> {
        let state = self.state();
        Ok(state.by_id.get(&id).map(|proof| &proof.record).filter(|record| now < record.expires_at).cloned())
    }

    async fn proof(&self, id: ProofId, now: Timestamp) -> Result<Option<Proof>, ProofStoreError> {
        let state = self.state();
        Ok(state.by_id.get(&id).filter(|proof| now < proof.record.expires_at).cloned())
    }

    async fn find_by_image_hash(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        let state = self.state();
        Ok(state
            .by_image_hash
            .get(&hash)
            .into_iter()
            .flat_map(|entries| entries.iter().rev())
            .filter_map(|(_, id)| state.by_id.get(id))
            .map(|proof| &proof.record)
            .filter(|record| now < record.expires_at)
            .take(MAX_PROOFS_PER_IMAGE)
            .cloned()
            .collect())
    }

    async fn keep_stamped(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: Bytes,
    ) -> Result<bool, ProofStoreError> {
        let mut state = self.state();
        let Some(proof) = state.by_id.get_mut(&seen.id).filter(|proof| proof.record == *seen) else {
            return Ok(false);
        };
        proof.record.stamped = Some(copy);
        state.stamped.insert(seen.id, stamped_store);
        Ok(true)
    }

    async fn stamped_store(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        let state = self.state();
        let is_visible = state.by_id.get(&id).is_some_and(|proof| now < proof.record.expires_at);
        Ok(state.stamped.get(&id).filter(|_| is_visible).cloned())
    }

    async fn delete(&self, id: ProofId) -> Result<bool, ProofStoreError> {
        Ok(self.state().remove(id))
    }

    async fn check(&self) -> Result<(), ProofStoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::contract;

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_contract() {
        contract::verify(async || Arc::new(MemoryProofStore::new()) as Arc<dyn ProofStore>).await;
    }

    #[tokio::test]
    async fn keeps_the_contract_of_a_catalogue() {
        contract::verify_catalogue(async || Arc::new(MemoryProofStore::new()) as _).await;
    }

    #[tokio::test]
    async fn keeps_the_contract_of_statistics() {
        let store = Arc::new(MemoryProofStore::new());
        contract::verify_statistics(Arc::clone(&store) as _, store).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_contract_of_an_upkeep() {
        contract::verify_upkeep(async || {
            let store = Arc::new(MemoryProofStore::new());
            contract::Kept {
                proofs: Arc::clone(&store) as _,
                upkeep: Box::new(move || Arc::clone(&store) as _),
            }
        })
        .await;
    }
}
