//! What runs beside requests: cleanup, rotation, re-stamping, measuring. The same jobs run in `credlink serve`, from the
//! command line, and as functions of AWS.

mod cleanup;
mod job;
mod restamp;
pub mod rotation;

pub use cleanup::ProofCleanup;
pub use job::{Counts, Job, JobError, JobName, JobRun, Progress};
pub use restamp::{RestampJob, RestampPorts, RestampSettings};
