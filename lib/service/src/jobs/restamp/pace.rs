//! How fast proofs are stamped.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::jobs::JobRun;

/// So often a run that waits looks whether it must end.
const LOOK: Duration = Duration::from_millis(250);

/// Lets one proof through, then none for a while.
pub(super) struct Pace {
    gap: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// At most so many in a minute.
    pub(super) fn new(per_minute: u32) -> Self {
        Self { gap: Duration::from_secs(60) / per_minute.max(1), next: None }
    }

    /// Waits for the next turn; false when the run must end before.
    pub(super) async fn wait(&mut self, run: &JobRun<'_>) -> bool {
        loop {
            let now = Instant::now();
            let turn = self.next.unwrap_or(now);
            if run.must_end() || turn >= run.deadline {
                return false;
            }
            let left = turn.saturating_duration_since(now);
            if left.is_zero() {
                self.next = Some(now + self.gap);
                return true;
            }
            sleep(left.min(LOOK)).await;
        }
    }
}
