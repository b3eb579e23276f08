//! What a run of re-stamping counts, and what it tells of signatures that are going to expire.

use std::collections::BTreeMap;

use credlink_pipeline::{proof::ProofId, timestamp::Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::jobs::Counts;

/// How many proofs are named.
const MAX_NAMED: usize = 100;

/// The most days, and the most reasons, that are told apart.
const MAX_KINDS: usize = 1000;

/// A proof whose signature has no time-stamp.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unstamped {
    pub(super) id: ProofId,
    /// When its certificate expires.
    expires_at: Timestamp,
}

impl Unstamped {
    pub(super) fn new(id: ProofId, expires_at: Timestamp) -> Self {
        Self { id, expires_at }
    }
}

/// What a run found and did.
#[derive(Default)]
pub(super) struct Tally {
    /// Living proofs that were looked at.
    pub(super) proofs_seen: u64,
    /// Those that have a stamp already.
    pub(super) already_stamped: u64,
    /// Those that expire before their certificate.
    pub(super) not_needed: u64,
    /// Those without a stamp for which it is too early.
    pub(super) not_due: u64,
    /// Those that need a stamp now.
    pub(super) due: u64,
    /// Those that got one.
    pub(super) stamped: u64,
    /// Those that were deleted or stamped by somebody else meanwhile.
    pub(super) changed_meanwhile: u64,
    /// Those whose certificate expired without a stamp.
    pub(super) expired_unstamped: u64,
    /// Those that cannot be read.
    pub(super) damaged: u64,
    /// Whether the run ended before all was seen.
    pub(super) unfinished: bool,
    failed: BTreeMap<String, u64>,
    first_to_expire: Vec<Unstamped>,
    will_expire: u64,
    per_day: BTreeMap<String, u64>,
}

impl Tally {
    /// One more proof got no stamp, for this reason.
    pub(super) fn fail(&mut self, reason: &str) {
        count(&mut self.failed, reason);
    }

    /// One more signature expires unless it gets a stamp.
    pub(super) fn will_expire(&mut self, proof: Unstamped) {
        self.will_expire += 1;
        if self.first_to_expire.len() < MAX_NAMED {
            self.first_to_expire.push(proof);
        }
        let day = proof.expires_at.to_string();
        count(&mut self.per_day, day.get(..10).unwrap_or(&day));
    }

    /// By name, for the history.
    pub(super) fn into_counts(self) -> Counts {
        let mut first = self.first_to_expire;
        first.sort_by_key(|proof| proof.expires_at);
        let entries: [(&str, Value); 14] = [
            ("proofsSeen", json!(self.proofs_seen)),
            ("alreadyStamped", json!(self.already_stamped)),
            ("notNeeded", json!(self.not_needed)),
            ("notDue", json!(self.not_due)),
            ("due", json!(self.due)),
            ("stamped", json!(self.stamped)),
            ("changedMeanwhile", json!(self.changed_meanwhile)),
            ("expiredUnstamped", json!(self.expired_unstamped)),
            ("damaged", json!(self.damaged)),
            ("failed", json!(self.failed)),
            ("willExpire", json!(self.will_expire)),
            ("willExpirePerDay", json!(self.per_day)),
            ("willExpireProofs", json!(first)),
            ("finished", json!(!self.unfinished)),
        ];
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn count(counts: &mut BTreeMap<String, u64>, kind: &str) {
    if counts.len() < MAX_KINDS || counts.contains_key(kind) {
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
}
