//! How often something is tried, and how long everybody waits.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::ApiClientError;

/// How often one request is made at most.
pub const MAX_TRIES: u32 = 10;

/// The pause before the second try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that is taken without being asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that a service may ask for. Whoever wants more is not waited for.
const LONGEST_WANTED: Duration = Duration::from_secs(5 * 60);

/// How long one request is tried in all.
const LONGEST_TRIAL: Duration = Duration::from_secs(15 * 60);

/// What may be better the next time.
pub(super) struct Failure {
    /// What is in the way.
    pub(super) reason: String,
    /// How long the service wants to be left alone.
    pub(super) after: Option<Duration>,
    /// Whether that goes for everybody, not for this request alone.
    pub(super) for_all: bool,
}

impl Failure {
    /// Nobody said how long it lasts.
    pub(super) fn passing(reason: String) -> Self {
        Self { reason, after: None, for_all: false }
    }
}

/// The pauses that all callers share.
pub(super) struct Patience {
    /// Until when nobody asks.
    rest: Mutex<Option<Instant>>,
    ended: watch::Sender<bool>,
}

/// The tries of one request.
pub(super) struct Trial {
    tries: u32,
    began: Instant,
    last: String,
}

impl Trial {
    pub(super) fn new() -> Self {
        Self { tries: 0, began: Instant::now(), last: String::new() }
    }
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { rest: Mutex::default(), ended: watch::Sender::new(false) }
    }

    /// From now on nobody waits.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Nobody asks for this time.
    pub(super) fn pause_all(&self, time: Duration) {
        let until = Instant::now() + time.min(LONGEST_WANTED);
        let mut rest = self.rest();
        *rest = (*rest).max(Some(until));
    }

    /// Waits until the service may be asked, and counts the try that follows.
    pub(super) async fn wait_for_all(&self, trial: &mut Trial) -> Result<(), ApiClientError> {
        loop {
            let until = *self.rest();
            match until.filter(|until| *until > Instant::now()) {
                None => break,
                Some(until) => self.sleep(until, &trial.last).await?,
            }
        }
        trial.tries += 1;
        Ok(())
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// When there were enough.
    pub(super) async fn wait_after(&self, failure: Failure, trial: &mut Trial) -> Result<(), ApiClientError> {
        let Failure { reason, after, for_all } = failure;
        let pause = after.unwrap_or_default().max(pause(trial.tries));
        let is_enough = trial.tries >= MAX_TRIES
            || pause > LONGEST_WANTED + LONGEST_PAUSE
            || trial.began.elapsed() + pause > LONGEST_TRIAL;
        if is_enough {
            return Err(ApiClientError::GaveUp { tries: trial.tries, reason });
        }
        if let (true, Some(after)) = (for_all, after) {
            self.pause_all(after);
        }
        trial.last = reason;
        self.sleep(Instant::now() + pause, &trial.last).await
    }

    async fn sleep(&self, until: Instant, why: &str) -> Result<(), ApiClientError> {
        let mut ended = self.ended.subscribe();
        tokio::select! {
            () = sleep_until(until) => Ok(()),
            _ = ended.wait_for(|ended| *ended) => Err(ApiClientError::Ended(why.to_owned())),
        }
    }

    fn rest(&self) -> MutexGuard<'_, Option<Instant>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after so many tries, less a random part of up to a quarter: those who failed together do not come together.
fn pause(tries: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    let whole = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
    // The lowest bits of a random UUID are random.
    let thousandths = u32::try_from(Uuid::new_v4().as_u64_pair().1 % 251).unwrap_or(0);
    whole.saturating_sub(whole.saturating_mul(thousandths) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(after: Option<u64>) -> Failure {
        Failure { reason: "busy".to_owned(), after: after.map(Duration::from_secs), for_all: true }
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_waits_as_long_as_the_service_wants() {
        let patience = Patience::new();
        let began = Instant::now();
        patience.wait_after(failure(Some(7)), &mut Trial::new()).await.unwrap();
        patience.wait_for_all(&mut Trial::new()).await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn tries_are_counted_and_so_is_their_time() {
        let patience = Patience::new();
        let mut trial = Trial::new();
        for tries in 1..MAX_TRIES {
            patience.wait_for_all(&mut trial).await.unwrap();
            patience.wait_after(failure(None), &mut trial).await.unwrap();
            assert_eq!(trial.tries, tries);
        }
        patience.wait_for_all(&mut trial).await.unwrap();
        let error = patience.wait_after(failure(None), &mut trial).await.unwrap_err();
        assert_eq!(error, ApiClientError::GaveUp { tries: MAX_TRIES, reason: "busy".to_owned() });
        let error = patience.wait_after(failure(Some(3600)), &mut Trial::new()).await.unwrap_err();
        assert!(matches!(error, ApiClientError::GaveUp { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_after_the_end() {
        let patience = Patience::new();
        patience.pause_all(Duration::from_secs(60));
        patience.end();
        let error = patience.wait_for_all(&mut Trial::new()).await.unwrap_err();
        assert!(matches!(error, ApiClientError::Ended(_)));
    }
}
