//! What a sweep did, and where it ended.

use credlink_pipeline::proof::ProofId;
use serde::{Deserialize, Serialize};

/// How many ids a finding names.
const MAX_NAMED: usize = 100;

/// Where a sweep goes on. The default is the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SweepCursor {
    /// In the table, after the item with this partition key and sort key.
    Items(Option<(String, String)>),
    /// In the bucket, after the object with this name; all of the table is done.
    Objects(Option<String>),
}

impl Default for SweepCursor {
    fn default() -> Self {
        Self::Items(None)
    }
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// Records and look-ups that were looked at.
    pub items_seen: u64,
    /// Manifest stores that were looked at.
    pub objects_seen: u64,
    /// Expired proofs that were removed with all they own.
    pub expired_proofs_removed: u64,
    /// Look-ups without their record that were removed.
    pub orphan_look_ups_removed: u64,
    /// Manifest stores without their record that were removed.
    pub orphan_objects_removed: u64,
    /// Proofs whose manifest store is missing. They are left alone: a backup may have it.
    pub without_manifest_store: Finding,
    /// Records and look-ups that cannot be read. They are left alone.
    pub damaged: Finding,
    /// Calls that failed, with the reason.
    pub faults: Vec<String>,
    /// Where the sweep ended before its time; `None` when all was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<SweepCursor>,
}

/// Proofs that somebody should look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How many there are.
    pub count: u64,
    /// The first hundred of them.
    pub ids: Vec<ProofId>,
}

impl Finding {
    pub(super) fn add(&mut self, id: ProofId) {
        self.count += 1;
        if self.ids.len() < MAX_NAMED {
            self.ids.push(id);
        }
    }
}
