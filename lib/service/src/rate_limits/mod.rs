//! How often a client may ask: so many requests in each window of time, and so many of them to sign.
//!
//! Windows are fixed, and the same for all clients: from one multiple of their length to the next. So a counter is one
//! number, which any instance can add to in one call, and a client may at worst ask twice as often around the turn of a
//! window.

mod memory;
mod watched;

use std::{num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use thiserror::Error;

pub use memory::MemoryRateLimiter;
pub(crate) use watched::WatchedRateLimiter;

use crate::middleware::ClientAddress;

/// What one client may do within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// How long a window is.
    pub window: Duration,
    /// Requests of all kinds; `None` means as many as it likes.
    pub requests: Option<NonZeroU32>,
    /// Requests to sign, which count as requests besides; `None` means as many as it likes.
    pub signs: Option<NonZeroU32>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To sign.
    Sign,
    /// Anything else.
    Other,
}

/// What a client asked for within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests of all kinds.
    pub requests: u32,
    /// Requests to sign.
    pub signs: u32,
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Milliseconds since 1970.
    start: i64,
    /// Milliseconds.
    length: i64,
}

/// Nobody counts now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("requests cannot be counted: {0}")]
pub struct RateLimiterError(pub String);

/// Counts what clients ask for.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one request of `client`: how many there were in `window`, this one included.
    ///
    /// # Errors
    /// When it cannot be counted. The request may have been counted all the same.
    async fn count(
        &self,
        client: ClientAddress,
        asked: Asked,
        window: Window,
    ) -> Result<Counts, RateLimiterError>;
}

impl Counts {
    /// With one more.
    pub(crate) fn and(self, asked: Asked) -> Self {
        let signs = u32::from(asked == Asked::Sign);
        Self { requests: self.requests.saturating_add(1), signs: self.signs.saturating_add(signs) }
    }
}

impl Window {
    /// The one that `now` lies in.
    pub fn at(now: Timestamp, length: Duration) -> Self {
        let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1);
        Self { start: milliseconds(now).div_euclid(length).saturating_mul(length), length }
    }

    /// When it began, in milliseconds since 1970.
    pub fn start(self) -> i64 {
        self.start
    }

    /// When it is over, in whole seconds since 1970, rounded up.
    pub fn end_seconds(self) -> i64 {
        // Rounding up by hand: there is no stable `div_ceil` for signed numbers.
        self.start.saturating_add(self.length).saturating_add(999).div_euclid(1000)
    }

    /// Seconds from `now` until it is over, rounded up.
    pub fn seconds_left(self, now: Timestamp) -> u64 {
        let left = self.start.saturating_add(self.length).saturating_sub(milliseconds(now));
        u64::try_from(left).unwrap_or(0).div_ceil(1000)
    }

    /// How long it is, in whole seconds, rounded up.
    pub fn length_seconds(self) -> u64 {
        u64::try_from(self.length).unwrap_or(0).div_ceil(1000)
    }
}

fn milliseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_offset_date_time().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// How a client stands to the limit that it will reach first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) exceeded: bool,
}

impl RateLimits {
    /// Whether anything of this kind is limited.
    pub(crate) fn concern(&self, asked: Asked) -> bool {
        self.requests.is_some() || (asked == Asked::Sign && self.signs.is_some())
    }

    /// How a client stands that asked so often, the last time for this; `None` when nothing limits it.
    pub(crate) fn standing(&self, counts: Counts, asked: Asked) -> Option<Standing> {
        let of = |limit: Option<NonZeroU32>, count: u32| {
            limit.map(NonZeroU32::get).map(|limit| Standing {
                limit,
                remaining: limit.saturating_sub(count),
                exceeded: count > limit,
            })
        };
        let signs = of(self.signs, counts.signs).filter(|_| asked == Asked::Sign);
        let requests = of(self.requests, counts.requests);
        // Of two that are used up, the one that is exceeded decides.
        signs.into_iter().chain(requests).min_by_key(|standing| (!standing.exceeded, standing.remaining))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u32, signs: u32) -> RateLimits {
        let (requests, signs) = (NonZeroU32::new(requests), NonZeroU32::new(signs));
        RateLimits { window: Duration::from_secs(60), requests, signs }
    }

    #[test]
    fn windows_follow_each_other_without_a_gap() {
        let at = |text| Window::at(Timestamp::parse(text).unwrap(), Duration::from_secs(60));
        assert_eq!(at("2026-03-01T10:00:00.000Z"), at("2026-03-01T10:00:59.999Z"));
        assert_ne!(at("2026-03-01T10:00:59.999Z"), at("2026-03-01T10:01:00.000Z"));
        let window = at("2026-03-01T10:00:00.001Z");
        assert_eq!(window.seconds_left(Timestamp::parse("2026-03-01T10:00:00.001Z").unwrap()), 60);
        assert_eq!(window.seconds_left(Timestamp::parse("2026-03-01T10:00:59.999Z").unwrap()), 1);
        assert_eq!(window.seconds_left(Timestamp::parse("2026-03-01T10:02:00.000Z").unwrap()), 0);
        assert_eq!(window.end_seconds(), Timestamp::parse("2026-03-01T10:01:00Z").unwrap().unix_seconds());
    }

    #[test]
    fn the_limit_that_is_reached_first_decides() {
        let standing = |limits: RateLimits, requests, signs, asked| {
            limits.standing(Counts { requests, signs }, asked).map(|s| (s.limit, s.remaining, s.exceeded))
        };
        assert_eq!(standing(limits(10, 3), 4, 2, Asked::Sign), Some((3, 1, false)));
        assert_eq!(standing(limits(10, 3), 4, 2, Asked::Other), Some((10, 6, false)));
        assert_eq!(standing(limits(10, 3), 10, 4, Asked::Sign), Some((3, 0, true)));
        assert_eq!(standing(limits(10, 3), 11, 3, Asked::Sign), Some((10, 0, true)));
        assert_eq!(standing(limits(0, 3), 11, 3, Asked::Other), None);
        assert_eq!(standing(limits(0, 0), 11, 3, Asked::Sign), None);
        assert!(limits(0, 3).concern(Asked::Sign) && !limits(0, 3).concern(Asked::Other));
    }
}
