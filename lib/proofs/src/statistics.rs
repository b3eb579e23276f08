//! How much there is in a store.

use async_trait::async_trait;
use credlink_pipeline::{
    proof::{ProofRecord, ProofStoreError},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// A store that knows how much it holds, for whoever watches it.
#[async_trait]
pub trait ProofStatistics: Send + Sync {
    /// What is there at `now`, or a little before; `None` when this store has not counted yet or cannot count cheaply:
    /// then the last cleanup's counts are what is known. Takes some seconds at most.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn census(&self, now: Timestamp) -> Result<Option<Census>, ProofStoreError>;
}

/// A count of all proofs of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Census {
    /// What was counted.
    #[serde(flatten)]
    pub counts: ProofCounts,
    /// When counting began.
    pub as_of: Timestamp,
}

/// How many proofs there are. Damaged ones are none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProofCounts {
    /// Proofs that are valid.
    pub valid: u64,
    /// Those of them that were made in the last 24 hours.
    pub created_last_day: u64,
    /// Proofs that are expired and not removed yet.
    pub expired_waiting: u64,
    /// What all of them take, in bytes: their manifest stores and, where a record lies beside, that too.
    pub bytes: u64,
}

impl ProofCounts {
    /// Counts the proof with this record, which takes `bytes`, at `now`.
    pub fn add(&mut self, record: &ProofRecord, bytes: u64, now: Timestamp) {
        self.add_made_at(record.created_at, record.expires_at, bytes, now);
    }

    /// Counts a proof of which this is known, at `now`.
    pub(crate) fn add_made_at(
        &mut self,
        created_at: Timestamp,
        expires_at: Timestamp,
        bytes: u64,
        now: Timestamp,
    ) {
        self.bytes = self.bytes.saturating_add(bytes);
        if expires_at <= now {
            self.expired_waiting += 1;
            return;
        }
        self.valid += 1;
        let age = now.unix_seconds().saturating_sub(created_at.unix_seconds());
        self.created_last_day += u64::from(age < DAY);
    }

    /// Adds what was counted elsewhere.
    pub fn join(&mut self, other: Self) {
        self.valid += other.valid;
        self.created_last_day += other.created_last_day;
        self.expired_waiting += other.expired_waiting;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}
