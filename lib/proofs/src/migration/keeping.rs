//! The proofs that a run overwrites, kept in its folder.

use std::path::Path;

use credlink_pipeline::proof::{ProofId, ProofStore as _, ProofStoreError};

use super::{
    patience::Patience,
    whole::{ReadFault, Whole},
};
use crate::local::LocalProofStore;

/// A proof store with what was overwritten.
#[derive(Clone)]
pub(super) struct Kept {
    store: LocalProofStore,
}

impl Kept {
    /// Opens the store in `folder`, and makes it where there is none.
    pub(super) fn open(folder: &Path) -> Result<Self, ProofStoreError> {
        Ok(Self { store: LocalProofStore::open(folder)? })
    }

    /// The store in `folder`, if anything was kept.
    pub(super) fn open_if_any(folder: &Path) -> Result<Option<Self>, ProofStoreError> {
        if folder.exists() { Self::open(folder).map(Some) } else { Ok(None) }
    }

    /// Keeps a proof, in place of one that was kept under its id before. It is durable when this returns.
    pub(super) async fn keep(&self, whole: &Whole) -> Result<(), ProofStoreError> {
        let record = &whole.proof.record;
        if let Ok(Some(kept)) = self.find(record.id).await
            && kept.mark() == whole.mark()
        {
            return Ok(());
        }
        self.store.delete(record.id).await?;
        self.store.put(&whole.proof).await?;
        match &whole.stamped {
            Some((copy, store)) => self.store.keep_stamped(record, *copy, store.clone()).await.map(drop),
            None => Ok(()),
        }
    }

    /// What was kept under this id.
    pub(super) async fn find(&self, id: ProofId) -> Result<Option<Whole>, String> {
        let once = Patience { attempts: 1, ..Patience::default() };
        match Whole::read(&self.store, id, once).await {
            Ok(whole) => Ok(Some(whole)),
            Err(ReadFault::Gone) => Ok(None),
            Err(ReadFault::Damaged(reason) | ReadFault::Unavailable(reason)) => {
                Err(format!("what was kept of it cannot be read: {reason}"))
            }
        }
    }
}
