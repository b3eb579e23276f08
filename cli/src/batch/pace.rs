//! How fast signatures are made, for the quota of whoever makes them.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::time::{Instant, sleep_until};

use super::stop::Stop;

/// The most signatures in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MaxRate(f64);

/// Not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a rate is a number of signatures a second from 0.01 to 100000, such as 50 or 0.5")]
pub(crate) struct MaxRateError;

impl FromStr for MaxRate {
    type Err = MaxRateError;

    fn from_str(text: &str) -> Result<Self, MaxRateError> {
        let rate: f64 = text.parse().map_err(|_| MaxRateError)?;
        if (0.01..=100_000.0).contains(&rate) { Ok(Self(rate)) } else { Err(MaxRateError) }
    }
}

/// Gives turns, evenly: no second has more of them than the rate says.
#[derive(Debug)]
pub(crate) struct Pace {
    /// `None` when nothing limits the rate.
    gap: Option<Duration>,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most so many turns.
    pub(crate) fn new(rate: Option<MaxRate>) -> Self {
        Self { gap: rate.map(|MaxRate(rate)| Duration::from_secs_f64(1.0 / rate)), next: Mutex::default() }
    }

    /// Waits for a turn; false when the run is to end before.
    pub(crate) async fn turn(&self, stop: &Stop) -> bool {
        let Some(gap) = self.gap else { return true };
        let turn = self.take(gap);
        tokio::select! {
            biased;
            () = sleep_until(turn) => true,
            () = stop.wait() => false,
        }
    }

    fn take(&self, gap: Duration) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(Some(Instant::now())).unwrap_or_else(Instant::now);
        *next = Some(turn + gap);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number() {
        assert!("50".parse::<MaxRate>().is_ok() && "0.5".parse::<MaxRate>().is_ok());
        for bad in ["", "0", "-1", "NaN", "inf", "1e9", "fast"] {
            assert_eq!(bad.parse::<MaxRate>(), Err(MaxRateError), "{bad}");
        }
    }

    #[tokio::test]
    async fn turns_are_even_and_end_with_the_run() {
        let pace = Pace::new(Some("50".parse().unwrap()));
        let began = Instant::now();
        for _ in 0..6 {
            assert!(pace.turn(&Stop::new()).await);
        }
        assert!(began.elapsed() >= Duration::from_millis(100));
        let stop = Stop::new();
        stop.set();
        assert!(!Pace::turn(&pace, &stop).await);
    }
}
