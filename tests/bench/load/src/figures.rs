//! What many outcomes say.

use std::time::Duration;

use crate::{client::Answer, open_loop::Outcome};

/// Latencies of what was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latencies {
    pub median: Duration,
    pub p99: Duration,
}

impl Latencies {
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut done: Vec<Duration> =
            outcomes.into_iter().filter(|one| one.answer == Answer::Done).map(|one| one.latency).collect();
        done.sort();
        let at = |share: f64| {
            let place = (done.len() as f64 * share).ceil() as usize;
            done.get(place.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { median: at(0.5), p99: at(0.99) }
    }
}

/// How many of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub sent: usize,
    pub done: usize,
    pub refused: usize,
    /// Of those refused, who was not told when to try again.
    pub without_retry_after: usize,
    pub other: usize,
}

impl Counts {
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            counts.sent += 1;
            match outcome.answer {
                Answer::Done => counts.done += 1,
                Answer::Refused { says_when_to_retry } => {
                    counts.refused += 1;
                    counts.without_retry_after += usize::from(!says_when_to_retry);
                }
                Answer::Status(_) | Answer::Broken => counts.other += 1,
            }
        }
        counts
    }
}

/// The outcomes of requests that were to be sent in this time.
pub fn between(outcomes: &[Outcome], from: Duration, to: Duration) -> &[Outcome] {
    let place = |time| outcomes.partition_point(|outcome| outcome.at < time);
    &outcomes[place(from)..place(to)]
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
