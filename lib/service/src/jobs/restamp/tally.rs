//! What a run of re-stamping counts, and what it tells of signatures that are going to expire.

use std::collections::{BTreeMap, BTreeSet};

use credlink_pipeline::{proof::ProofId, timestamp::Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::jobs::Counts;

/// How many proofs are named in the log: those that expire first.
const MAX_LOGGED: usize = 100;

/// How many of them are named in the counts, of which the history keeps some 4 KB.
const MAX_NAMED: usize = 15;

/// How many days are told apart in the counts; the others count as `later`.
const MAX_DAYS: usize = 60;

/// How many reasons are told apart. There are fewer, but for what a proof store says.
const MAX_REASONS: usize = 10;

/// A proof whose signature has no time-stamp. The first to expire is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unstamped {
    /// When its certificate expires.
    expires_at: Timestamp,
    pub(super) id: ProofId,
}

impl Unstamped {
    pub(super) fn new(id: ProofId, expires_at: Timestamp) -> Self {
        Self { expires_at, id }
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
    first_to_expire: BTreeSet<Unstamped>,
    will_expire: u64,
    /// One entry for each day on which a certificate ends.
    per_day: BTreeMap<String, u64>,
}

impl Tally {
    /// One more proof got no stamp, for this reason.
    pub(super) fn fail(&mut self, reason: &str) {
        let is_known = self.failed.len() < MAX_REASONS || self.failed.contains_key(reason);
        *self.failed.entry(if is_known { reason } else { "another reason" }.to_owned()).or_default() += 1;
    }

    /// One more signature expires unless it gets a stamp.
    pub(super) fn will_expire(&mut self, proof: Unstamped) {
        self.will_expire += 1;
        self.first_to_expire.insert(proof);
        if self.first_to_expire.len() > MAX_LOGGED {
            self.first_to_expire.pop_last();
        }
        let time = proof.expires_at.to_string();
        *self.per_day.entry(time.get(..10).unwrap_or(&time).to_owned()).or_default() += 1;
    }

    /// Tells the log which signatures expire first.
    pub(super) fn log(&self) {
        if self.will_expire > 0 {
            let first: Vec<String> = self
                .first_to_expire
                .iter()
                .map(|proof| format!("{} {}", proof.expires_at, proof.id))
                .collect();
            tracing::warn!(
                count = self.will_expire,
                ?first,
                "signatures expire unless they get a time-stamp"
            );
        }
    }

    /// By name, for the history.
    pub(super) fn into_counts(self) -> Counts {
        let first: Vec<Unstamped> = self.first_to_expire.into_iter().take(MAX_NAMED).collect();
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
            ("willExpirePerDay", json!(first_days(self.per_day))),
            ("willExpireProofs", json!(first)),
            ("finished", json!(!self.unfinished)),
        ];
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The days that come first.
fn first_days(per_day: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut days = per_day.into_iter();
    let mut first: BTreeMap<String, u64> = days.by_ref().take(MAX_DAYS).collect();
    let later: u64 = days.map(|(_, count)| count).sum();
    if later > 0 {
        first.insert("later".to_owned(), later);
    }
    first
}
