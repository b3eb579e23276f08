//! A limiter that is down limits nobody: callers are served, and the operator hears of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{self, Instant};

use super::{Asked, Counts, RateLimiter, RateLimiterError, Window};
use crate::{metrics::Metrics, middleware::ClientAddress};

/// How long a request may wait to be counted.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// How long a limiter that failed is left alone, so that not every request waits for it.
const REST: Duration = Duration::from_secs(1);

/// A limiter whose failures are counted, logged once, and survived.
pub(crate) struct WatchedRateLimiter {
    limiter: Arc<dyn RateLimiter>,
    metrics: Metrics,
    /// Until when it is left alone; `None` when the last count succeeded.
    rest: Mutex<Option<Instant>>,
}

impl WatchedRateLimiter {
    pub(crate) fn new(limiter: Arc<dyn RateLimiter>, metrics: Metrics) -> Self {
        Self { limiter, metrics, rest: Mutex::default() }
    }

    /// Counts one request; `None` when nobody counts now.
    pub(crate) async fn count(&self, client: ClientAddress, asked: Asked, window: Window) -> Option<Counts> {
        if self.rests() {
            self.note_failure();
            return None;
        }
        let late = |_| RateLimiterError(format!("no answer within {MAX_WAIT:?}"));
        let counted = time::timeout(MAX_WAIT, self.limiter.count(client, asked, window)).await;
        match counted.map_err(late).flatten() {
            Ok(counts) => {
                if self.put_rest(None).is_some() {
                    tracing::info!("requests are counted again");
                }
                Some(counts)
            }
            Err(error) => {
                self.note_failure();
                if self.put_rest(Some(Instant::now() + REST)).is_none() {
                    tracing::warn!(%error, "nobody is refused for asking too often until requests can be counted");
                }
                None
            }
        }
    }

    fn rests(&self) -> bool {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.is_some_and(|until| Instant::now() < until)
    }

    /// Gives what was there before.
    fn put_rest(&self, rest: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner), rest)
    }

    fn note_failure(&self) {
        self.metrics.within(|| metrics::counter!("rate_limiter_failures_total").increment(1));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future,
        sync::atomic::{AtomicU32, Ordering},
    };

    use async_trait::async_trait;
    use credlink_pipeline::timestamp::Timestamp;

    use super::*;
    use crate::metrics::PrometheusMetrics;

    /// Fails the first times that it is asked, and then never answers at all.
    #[derive(Default)]
    struct Broken(AtomicU32);

    #[async_trait]
    impl RateLimiter for Broken {
        async fn count(&self, _: ClientAddress, _: Asked, _: Window) -> Result<Counts, RateLimiterError> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(RateLimiterError("down".to_owned())),
                1 => future::pending().await,
                _ => Ok(Counts { requests: 1, signs: 0 }),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limiter_that_is_down_is_left_alone_for_a_while() {
        let (broken, metrics) = (Arc::new(Broken::default()), PrometheusMetrics::new().unwrap());
        let watched = WatchedRateLimiter::new(Arc::clone(&broken) as _, metrics.metrics().clone());
        let window = Window::at(Timestamp::parse("2026-03-01T10:00:00Z").unwrap(), REST);
        let ask = || watched.count(ClientAddress::Unknown, Asked::Other, window);
        for _ in 0..3 {
            assert_eq!(ask().await, None);
        }
        assert_eq!(broken.0.load(Ordering::Relaxed), 1, "it rests");
        time::advance(REST).await;
        let before = Instant::now();
        assert_eq!(ask().await, None, "it never answers");
        assert_eq!(before.elapsed(), MAX_WAIT);
        time::advance(REST).await;
        assert_eq!(ask().await, Some(Counts { requests: 1, signs: 0 }));
        assert!(metrics.render().contains("rate_limiter_failures_total 4"), "{}", metrics.render());
    }
}
