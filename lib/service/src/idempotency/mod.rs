//! Requests that may come again: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).
//!
//! Whoever comes first with a key writes an entry, which names the request and the proof that its image will have.
//! Whoever comes again gets that proof: signing under an id that is taken gives the image that was signed first. The
//! entry also says until when the first one is waited for; should it have died, the next one goes on in its place, and
//! under the same id, so that even two who go on at once make one proof.

mod key;
mod local;
mod memory;

use std::time::Duration;

use async_trait::async_trait;
use credlink_pipeline::{digest::Sha256Hash, proof::ProofId, timestamp::Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

pub use key::{IdempotencyKey, MAX_KEY_LENGTH, NoIdempotencyKey};
pub use local::LocalIdempotency;
pub use memory::MemoryIdempotency;

/// How long a key stands for its request.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Of the request.
    pub request: Sha256Hash,
    /// The proof that the image has, or will have.
    pub proof: ProofId,
    /// Who works on it, or did.
    pub holder: Uuid,
    /// Until when the holder is waited for; `None` once it is done.
    pub held_until: Option<Timestamp>,
    /// From when on the key is free.
    pub expires_at: Timestamp,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The caller is the one to do it, under the name in this entry.
    Granted(Entry),
    /// It was done before.
    Done(ProofId),
    /// Somebody else does it now, and is waited for until then.
    Busy(Timestamp),
    /// The key stands for another request.
    OtherRequest,
}

/// Entries cannot be read or written now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("idempotency keys cannot be read or kept: {0}")]
pub struct IdempotencyError(pub String);

/// Where entries are kept. Each call is atomic: of several callers at once one is granted.
#[async_trait]
pub trait IdempotencyStore: Send + Sync {
    /// Claims `key` for `wanted`, which is new and held by the caller. When the key is free, or when the one who held
    /// it for the same request is past its time, the claim is granted.
    ///
    /// # Errors
    /// When nobody knows; the claim may have been granted.
    async fn claim(
        &self,
        key: IdempotencyKey,
        wanted: &Entry,
        now: Timestamp,
    ) -> Result<Claim, IdempotencyError>;

    /// Writes `entry` in the place of what its holder holds; nothing happens when that is somebody else by now.
    ///
    /// # Errors
    /// When that could not be kept.
    async fn update(&self, key: IdempotencyKey, entry: &Entry) -> Result<(), IdempotencyError>;

    /// Gives the key up, because nothing was done; unless somebody else holds it by now.
    ///
    /// # Errors
    /// When that could not be kept. The key is free when the holder's time is over.
    async fn release(&self, key: IdempotencyKey, entry: &Entry) -> Result<(), IdempotencyError>;
}

impl Entry {
    /// What a caller wants who comes first at `now`, and will be done within `time`.
    pub fn new(request: Sha256Hash, now: Timestamp, time: Duration) -> Self {
        Self {
            request,
            proof: ProofId::random(),
            holder: Uuid::new_v4(),
            held_until: Some(later(now, time)),
            expires_at: later(now, LIFETIME),
        }
    }

    /// What a claim for `wanted` leads to when this entry is there.
    pub(crate) fn answer(&self, wanted: &Self, now: Timestamp) -> Claim {
        if now >= self.expires_at {
            return Claim::Granted(wanted.clone());
        }
        if self.request != wanted.request {
            return Claim::OtherRequest;
        }
        match self.held_until {
            None => Claim::Done(self.proof),
            // A clock that jumped back must not make anybody wait for longer than a holder may take.
            Some(until) if now < until && until <= wanted.held_until.unwrap_or(until) => Claim::Busy(until),
            Some(_) => Claim::Granted(self.taken_over(wanted)),
        }
    }

    /// This entry, held by whoever wanted the other.
    fn taken_over(&self, wanted: &Self) -> Self {
        Self { holder: wanted.holder, held_until: wanted.held_until, ..self.clone() }
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    let moved = time.as_offset_date_time().checked_add(time::Duration::milliseconds(by));
    moved.map_or(time, Timestamp::new)
}
