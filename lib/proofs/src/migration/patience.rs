//! How often, and after which pause, a store is asked again.

use std::{future::Future, pin::Pin, time::Duration};

use credlink_pipeline::proof::ProofStoreError;
use tokio::time::sleep;
use uuid::Uuid;

/// A call of a store.
pub(super) type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProofStoreError>> + Send + 'a>>;

/// How long a run bears with a store that is not available. Stores try again by themselves what helps within seconds; this
/// is for what takes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often a call is made, at least once.
    pub attempts: u32,
    /// The pause before the second time; before each further one it is twice as long, up to a minute. A random part of up to
    /// a half is left out, so that what failed together is not tried again together.
    pub first_pause: Duration,
}

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

impl Default for Patience {
    /// Five times, within 7.5 to 15 seconds.
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_secs(1) }
    }
}

impl Patience {
    /// Makes a call until it is answered. Only what is not available is tried again.
    ///
    /// # Errors
    /// The last one.
    pub(super) async fn ask<'a, T>(
        self,
        mut call: impl FnMut() -> Call<'a, T>,
    ) -> Result<T, ProofStoreError> {
        for attempt in 1..self.attempts {
            match call().await {
                Err(ProofStoreError::Unavailable(_)) => sleep(self.pause_after(attempt)).await,
                answer => return answer,
            }
        }
        call().await
    }

    /// The pause after the attempt of this number, counted from one.
    pub(super) fn pause_after(self, attempt: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let whole = self.first_pause.saturating_mul(doubled).min(LONGEST);
        // The lowest bits of a random UUID are random.
        let thousandths = u32::try_from(Uuid::new_v4().as_u64_pair().1 % 501).unwrap_or(0);
        whole.saturating_sub(whole.saturating_mul(thousandths) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn only_what_is_not_available_is_tried_again_and_not_for_ever() {
        let patience = Patience { attempts: 3, first_pause: Duration::from_millis(1) };
        let calls = AtomicU32::new(0);
        let fail = |is_there: bool| {
            let calls = &calls;
            move || -> Call<'_, ()> {
                calls.fetch_add(1, Ordering::Relaxed);
                let id = credlink_pipeline::proof::ProofId::random();
                let error = match is_there {
                    true => ProofStoreError::AlreadyExists(id),
                    false => ProofStoreError::Unavailable("gone".to_owned()),
                };
                Box::pin(async move { Err(error) })
            }
        };
        assert!(patience.ask(fail(true)).await.is_err());
        assert_eq!(calls.swap(0, Ordering::Relaxed), 1);
        assert!(patience.ask(fail(false)).await.is_err());
        assert_eq!(calls.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let patience = Patience { attempts: 9, first_pause: Duration::from_secs(1) };
        for (attempt, seconds) in [(1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (40, 60.0)] {
            let pause = patience.pause_after(attempt).as_secs_f64();
            assert!((seconds / 2.0..=seconds).contains(&pause), "{attempt}: {pause}");
        }
    }
}
