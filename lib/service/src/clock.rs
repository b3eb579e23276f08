//! The machine's clock.

use std::time::SystemTime;

use credlink_pipeline::timestamp::{Clock, Timestamp};

/// Tells the time of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(SystemTime::now().into())
    }
}
