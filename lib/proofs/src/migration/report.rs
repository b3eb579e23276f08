//! What a run tells in the end.

use std::path::PathBuf;

use credlink_pipeline::digest::Sha256Hash;
use serde::Serialize;

use super::{findings::Finding, plan::Plan};

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was to be moved where.
    #[serde(flatten)]
    pub plan: Plan,
    /// Whether the run only looked.
    pub dry_run: bool,
    /// How it ended.
    pub ending: Ending,
    /// Why it did not come to its end; `None` when it did.
    pub reason: Option<String>,
    /// How many times the stores were compared.
    pub rounds: u32,
    /// How long this process worked on it.
    pub milliseconds: u64,
    /// How many proofs became what.
    pub counts: Counts,
    /// What the last comparison found. `None` when the run did not come to its end: then nothing was compared after the last
    /// proof was copied.
    pub reconciliation: Option<Reconciliation>,
    /// The first hundred proofs that were not moved.
    pub failures: Vec<Finding>,
    /// The first hundred conflicts in which the destination's proof was left as it is.
    pub conflicts: Vec<Finding>,
    /// Where all of them stand, one JSON object a line. `None` after a dry run, which leaves nothing.
    pub findings: Option<PathBuf>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// Everything is there, but what the policy left out.
    Complete,
    /// It came to its end, and some proofs are not there.
    Incomplete,
    /// There are conflicts, and the policy is to fail.
    Conflict,
    /// It was asked to stop, and can be resumed.
    Interrupted,
    /// The source did not answer any more; the run can be resumed.
    SourceUnavailable,
    /// The destination did not answer any more; the run can be resumed.
    DestinationUnavailable,
}

impl Ending {
    /// Whether the run goes on when it is resumed.
    pub fn can_be_resumed(self) -> bool {
        !matches!(self, Self::Complete | Self::Incomplete)
    }
}

/// How many proofs became what. After a dry run, what would become of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Written by this run, and read back.
    pub copied: u64,
    /// Those of them that took the place of an older one.
    pub overwritten: u64,
    /// The manifest stores and stamped copies of those that were copied, in bytes.
    pub bytes: u64,
    /// There already, with the same record, which names the SHA-256 of its manifest stores. They were not read.
    pub already_there: u64,
    /// Left because the destination has another proof of the same id.
    pub conflicts: u64,
    /// Left out because they were expired.
    pub expired: u64,
    /// Not moved.
    pub failed: u64,
    /// Not dealt with yet.
    pub remaining: u64,
    /// Those copied that came into the source after the run had begun.
    pub came_meanwhile: u64,
    /// Those copied that changed in the source after they had been copied, and were copied again.
    pub changed_meanwhile: u64,
    /// Those copied that the source does not have any more.
    pub gone_meanwhile: u64,
}

/// The last comparison of both stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// Of the source: what is to be moved.
    pub source: SideCounts,
    /// Of the destination: what has the id of something that is to be moved.
    pub destination: SideCounts,
    /// Whether both digests are the same.
    pub equal: bool,
    /// Not in the destination.
    pub only_in_source: u64,
    /// In both, and not the same.
    pub different: u64,
    /// In the destination only, and before the run began.
    pub only_in_destination_before: u64,
    /// In the destination only, from others since the run began.
    pub only_in_destination_since: u64,
}

/// How much there is on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideCounts {
    /// How many proofs.
    pub proofs: u64,
    /// SHA-256 over the SHA-256 of each of 256 parts, by the first byte of the id: id, SHA-256 of the record without its stamped
    /// copy, and SHA-256 of what it says of that copy, of all proofs in the order of their ids.
    pub digest: Sha256Hash,
}

/// What a rollback did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackReport {
    /// What the run had moved where.
    #[serde(flatten)]
    pub plan: Plan,
    /// Whether it came to its end.
    pub finished: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Proofs that were removed.
    pub removed: u64,
    /// Proofs that came back in the place of those that had overwritten them.
    pub restored: u64,
    /// Proofs that somebody else had removed already.
    pub gone: u64,
    /// Proofs that are not as the run wrote them any more, and were left.
    pub left: u64,
    /// The first hundred of them.
    pub left_proofs: Vec<Finding>,
}
