//! Where the measurements of a function go, and under which name.

use credlink_pipeline::timestamp::Clock as _;

use super::metric_lines::MetricLines;
use crate::clock::SystemClock;

/// Measurements of a function, kept until they are written.
#[derive(Clone)]
pub struct Measured {
    /// They are kept here.
    pub lines: MetricLines,
    /// The name of the stack, which they carry.
    pub stack: String,
}

impl Measured {
    /// Writes what was measured since the last time. To be called before each answer, because afterwards the process may
    /// be frozen.
    pub(super) fn write(&self) {
        if let Err(error) = self.lines.flush(&self.stack, SystemClock.now()) {
            tracing::error!(%error, "measurements are not written");
        }
    }
}
