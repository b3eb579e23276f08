//! A proof with all it owns, out of a store.

use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofCatalogue, ProofId, ProofRecord, ProofStoreError, StampedCopy},
    timestamp::Timestamp,
};
use time::macros::datetime;

use super::{mark::Mark, patience::Patience};

/// A proof, and its stamped copy where it has one. Both manifest stores are those that the record names.
#[derive(Debug)]
pub(super) struct Whole {
    /// As it was before it got its stamped copy.
    pub(super) proof: Proof,
    pub(super) stamped: Option<(StampedCopy, Bytes)>,
}

/// Why a proof cannot be had as a whole.
#[derive(Debug)]
pub(super) enum ReadFault {
    /// It is not there.
    Gone,
    /// It cannot be read, or is not what its record says.
    Damaged(String),
    /// The store does not answer.
    Unavailable(String),
}

/// A time at which nothing is expired yet: RFC 3339 knows none before.
pub(super) fn before_all() -> Timestamp {
    Timestamp::new(datetime!(0000-01-01 0:00 UTC))
}

impl Whole {
    /// Reads the proof `id`, expired or not, and looks whether it is what its record says.
    pub(super) async fn read(
        store: &dyn ProofCatalogue,
        id: ProofId,
        patience: Patience,
    ) -> Result<Self, ReadFault> {
        let read = patience.ask(|| store.proof(id, before_all())).await;
        let mut proof = read.map_err(ReadFault::of)?.ok_or(ReadFault::Gone)?;
        if Sha256Hash::of(&proof.manifest_store) != proof.record.manifest_hash {
            return Err(ReadFault::Damaged(
                "its manifest store is not the one that its record names".to_owned(),
            ));
        }
        let Some(copy) = proof.record.stamped.take() else { return Ok(Self { proof, stamped: None }) };
        let read = patience.ask(|| store.stamped_store(id, before_all())).await;
        match read.map_err(ReadFault::of)? {
            Some(stamped) if Sha256Hash::of(&stamped) == copy.manifest_hash => {
                Ok(Self { proof, stamped: Some((copy, stamped)) })
            }
            Some(_) => {
                Err(ReadFault::Damaged("its stamped copy is not the one that its record names".to_owned()))
            }
            None => Err(ReadFault::Damaged("its stamped copy is missing".to_owned())),
        }
    }

    /// The record, which tells of the stamped copy.
    pub(super) fn record(&self) -> ProofRecord {
        let stamped = self.stamped.as_ref().map(|(copy, _)| *copy);
        ProofRecord { stamped, ..self.proof.record.clone() }
    }

    /// What tells it from others.
    pub(super) fn mark(&self) -> Mark {
        Mark::of(&self.record())
    }

    /// The length of its manifest stores, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let stamped = self.stamped.as_ref().map_or(0, |(_, store)| store.len());
        (self.proof.manifest_store.len() + stamped) as u64
    }
}

impl ReadFault {
    fn of(error: ProofStoreError) -> Self {
        match error {
            ProofStoreError::Unavailable(reason) => Self::Unavailable(reason),
            ProofStoreError::Damaged { reason, .. } => Self::Damaged(reason),
            // No read says so.
            ProofStoreError::AlreadyExists(_) => Self::Damaged("it cannot be read".to_owned()),
        }
    }
}
