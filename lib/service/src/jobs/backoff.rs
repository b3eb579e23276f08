//! How long a failed run waits until it is tried again.

use std::time::Duration;

use uuid::Uuid;

/// The pause before the first retry; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(2);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// The pause before retry number `retry`, counted from one: 2 s, 4 s, 8 s, and so on up to 60 s, less a random part of
/// up to a quarter, so that what failed together is not tried again together.
pub(super) fn pause(retry: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(retry.saturating_sub(1));
    let whole = FIRST.saturating_mul(doubled).min(LONGEST);
    // The lowest bits of a random UUID are random.
    let thousandths = u32::try_from(Uuid::new_v4().as_u64_pair().1 % 251).unwrap_or(0);
    whole.saturating_sub(whole.saturating_mul(thousandths) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_vary() {
        for (retry, seconds) in [(1, 2.0), (2, 4.0), (3, 8.0), (4, 16.0), (5, 32.0), (6, 60.0), (40, 60.0)] {
            let pauses: Vec<f64> = (0..50).map(|_| pause(retry).as_secs_f64()).collect();
            assert!(pauses.iter().all(|pause| (0.75 * seconds..=seconds).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
        }
    }
}
