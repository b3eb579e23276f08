//! How a run is wanted, and what became of that.

use std::fmt;

use credlink_pipeline::timestamp::Timestamp;
use tokio::time::Instant;

use super::{
    record::{RunRecord, Trigger},
    state::Lease,
    store::JobStoreError,
};

/// How a run is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// What wants it.
    pub trigger: Trigger,
    /// Nothing is to be changed, only counted.
    pub dry_run: bool,
    /// Also when the job is disabled, and although it is not due.
    pub forced: bool,
    /// The time of the schedule that it is for.
    pub covers: Option<Timestamp>,
    /// When all must be over, retries included; `None` when only the limit of each attempt counts.
    pub until: Option<Instant>,
}

/// What became of an order.
#[derive(Debug)]
pub enum Outcome {
    /// It ran; this is its last attempt.
    Ran(RunRecord),
    /// It did not run, for a reason that is no failure.
    Skipped(Skip),
    /// It ran, and another run took over meanwhile.
    LostLease,
    /// It did not run, because its state is not known.
    Unknown(JobStoreError),
}

/// Why a job did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Somebody disabled it.
    Disabled(&'static str),
    /// It runs already.
    Busy(Box<Lease>),
    /// Too many others run.
    Full,
    /// The service ends.
    Stopping,
    /// This program has no such job.
    Missing,
    /// Another process did it meanwhile.
    Covered,
}

impl Order {
    /// What somebody wants now.
    pub fn by_command(dry_run: bool, forced: bool) -> Self {
        Self { trigger: Trigger::Command, dry_run, forced, covers: None, until: None }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled(by) => write!(f, "it is disabled: {by}"),
            Self::Busy(lease) => {
                write!(f, "it runs already, since {}, by {}", lease.run.started, lease.holder)
            }
            Self::Full => f.write_str("too many other jobs run now"),
            Self::Stopping => f.write_str("the service ends"),
            Self::Missing => f.write_str("this program has no such job"),
            Self::Covered => f.write_str("another process did it, or it was disabled, a moment ago"),
        }
    }
}
