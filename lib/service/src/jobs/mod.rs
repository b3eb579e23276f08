//! What runs beside requests: cleanup, rotation, re-stamping, measuring. The same jobs run in `credlink serve`, from the
//! command line, and as functions of AWS.
//!
//! A [`Job`] does the work. The [`Runner`] runs it: one instance at a time across processes, by a [`Lease`]
//! in the job's [`JobState`], which a [`JobStore`] keeps; with retries, limits of time and a history. The
//! [`Scheduler`] says when.

mod attempt;
mod backoff;
mod cleanup;
#[cfg(test)]
pub(crate) mod contract;
pub mod health;
mod job;
mod lease;
mod local;
mod memory;
mod metering;
mod order;
mod process;
mod record;
mod report;
mod restamp;
pub mod rotation;
mod runner;
mod schedule;
mod scheduler;
mod state;
mod store;
mod switches;
#[cfg(test)]
mod tests;

pub use cleanup::ProofCleanup;
pub use job::{Counts, Job, JobError, JobName, JobRun, Progress, UnknownJob};
pub use local::LocalJobStore;
pub use memory::MemoryJobStore;
pub use order::{Order, Outcome, Skip};
pub use process::holder;
pub use record::{MAX_COUNTS_BYTES, RunRecord, RunResult, Trigger};
pub use report::RunReport;
pub use restamp::{RestampJob, RestampPorts, RestampSettings};
pub use runner::{MAX_AT_ONCE, MAX_STOP_TIME, Runner, time_limit};
pub use schedule::{Due, Schedule, ScheduleError};
pub use scheduler::Scheduler;
pub use state::{JobState, Lease, Lost, MAX_PROGRESS_BYTES, MAX_RUNS, SCHEMA, Start};
pub use store::{JobBook, JobStore, JobStoreError, Kept, MAX_DOCUMENT_BYTES};
pub use switches::Switches;
