//! How long to wait before something is tried again.

use std::time::Duration;

use uuid::Uuid;

/// Between two attempts lies a random time, at most this long at first, doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(40);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A random part of what doubles with each attempt, so that those who met once do not meet again. Nothing before the first
/// one, which is 0.
pub(crate) fn pause_before(attempt: u32) -> Duration {
    let Some(doublings) = attempt.checked_sub(1) else { return Duration::ZERO };
    let longest = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
    let (random, _) = Uuid::new_v4().as_u64_pair();
    longest.mul_f64(random as f64 / u64::MAX as f64)
}
