//! Moving proofs from one store to another, without losing one.
//!
//! A run goes in rounds. Each round lists both stores, record by record, and compares them on disk; what the destination
//! lacks is the round's work. The first round copies all that is to move; the next ones copy what came or changed meanwhile;
//! the last one finds nothing to do, and its comparison is the reconciliation that the report tells. There is no other
//! count: a report says what is in the stores, not what the run believes to have done.
//!
//! # What the run folder holds
//! ```text
//! plan.json        what is moved where, and how; never changes but for the policy of a run that is resumed
//! state.json       how far the run is, replaced after each batch
//! journal          one line before anything is written under an id, and one after it was read back
//! kept/            a proof store with the proofs that were overwritten
//! work             what the round has to do
//! listed/          the lists of both stores, while the run goes on
//! findings.jsonl   every proof that is not as it should be, and why; written at the end
//! report.json      the last report
//! lock             held by the process that works on the run
//! ```
//!
//! # Why a kill does no harm
//! Nothing is written to the destination before the journal says so, durably. A run that is resumed does its last batch
//! again, and knows by the journal what of it is its own. A rollback goes through the journal too, and removes a proof only if
//! it is there as this run wrote it.
//!
//! # Memory
//! It does not grow with the number of proofs. Lists, journal and work are read in 256 parts, by the first byte of the id:
//! of a million proofs a part has four thousand. Beside that there are as many proofs in memory as are copied at once.

mod batch;
mod buckets;
mod comparing;
mod copying;
mod error;
mod findings;
mod journal;
mod keeping;
mod listing;
mod mark;
mod measuring;
mod patience;
mod plan;
mod report;
mod rollback;
mod run;
mod run_folder;
#[cfg(test)]
mod tests;
mod trace;
mod watch;
mod whole;
mod work;

pub use error::MigrationError;
pub use findings::{Finding, FindingKind};
pub use patience::Patience;
pub use plan::{OnConflict, Options, Plan, RunId};
pub use report::{Counts, Ending, Reconciliation, Report, RollbackReport, SideCounts};
pub use run::Migration;
pub use run_folder::{RunFolder, RunSummary, Runs, Stage};
pub use watch::{Step, Unwatched, Watch};
