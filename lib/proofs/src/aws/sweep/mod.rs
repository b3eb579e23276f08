//! The backstop: finds whatever broken puts, broken deletions and late removals left behind.

mod items;
mod objects;
mod report;

use std::time::Instant;

use credlink_pipeline::{proof::ProofStoreError, timestamp::Timestamp};
use tokio::task::JoinSet;

use super::AwsProofStore;

pub use report::{Finding, SweepCursor, SweepReport};

/// What is younger may belong to a put that goes on. In seconds; a put takes less than a minute.
const MIN_AGE: i64 = 24 * 60 * 60;

/// Calls that go on at once.
const CONCURRENCY: usize = 16;

/// After so many failed calls the sweep ends, because AWS seems to have trouble.
const MAX_FAULTS: usize = 10;

impl AwsProofStore {
    /// Goes through the whole table and the whole bucket, from `from` on, until all is seen, or `deadline` has
    /// passed, or too much fails. The report says what was done and where it ended; the next call goes on there. A page
    /// that is begun is finished, which takes some seconds more.
    ///
    /// - A proof that is expired at `now` is removed with all it owns: DynamoDB may be days late, and leaves alone what
    ///   expired more than five years ago.
    /// - A look-up whose record is gone is removed, and so is an object under `manifests/` that no record names, unless
    ///   it is younger than a day.
    /// - A proof whose manifest store is missing, and one that cannot be read, are reported and left alone.
    ///
    /// Besides what [`new`](Self::new) names, the role must be allowed `Scan` and `BatchGetItem`.
    pub async fn sweep(&self, now: Timestamp, from: SweepCursor, deadline: Instant) -> SweepReport {
        let mut report = SweepReport::default();
        let mut cursor = Some(from);
        while let Some(here) = cursor {
            if Instant::now() >= deadline || report.faults.len() >= MAX_FAULTS {
                report.stopped_at = Some(here);
                break;
            }
            let next = match here.clone() {
                SweepCursor::Items(after) => self.sweep_items(after, now, &mut report).await,
                SweepCursor::Objects(after) => self.sweep_objects(after, now, &mut report).await,
            };
            cursor = match next {
                Ok(next) => next,
                Err(error) => {
                    report.faults.push(error.to_string());
                    report.stopped_at = Some(here);
                    None
                }
            };
        }
        report
    }
}

/// Whether what was made at `seconds` since 1970 cannot be a part of anything that goes on at `now`.
fn is_old(seconds: i64, now: Timestamp) -> bool {
    seconds.saturating_add(MIN_AGE) <= now.unix_seconds()
}

/// Awaits all `jobs`, [`CONCURRENCY`] of them at once.
async fn all<T, J>(jobs: impl IntoIterator<Item = J>) -> Vec<Result<T, ProofStoreError>>
where
    T: Send + 'static,
    J: Future<Output = Result<T, ProofStoreError>> + Send + 'static,
{
    let mut jobs = jobs.into_iter();
    let mut running = JoinSet::new();
    for job in jobs.by_ref().take(CONCURRENCY) {
        running.spawn(job);
    }
    let mut done = Vec::new();
    while let Some(ended) = running.join_next().await {
        done.push(ended.unwrap_or_else(|error| {
            Err(ProofStoreError::Unavailable(format!("a part of the sweep was broken off: {error}")))
        }));
        if let Some(job) = jobs.next() {
            running.spawn(job);
        }
    }
    done
}
