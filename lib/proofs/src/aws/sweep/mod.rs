//! The backstop: finds whatever broken puts, broken deletions and late removals left behind.
//!
//! First it goes through the table, then through the bucket. So that it need not ask for the manifest store of each
//! proof by itself, it lists the bucket before, a thousand objects with each call, and keeps 16 bytes of each in memory:
//! of at most [`MAX_LISTED`]; where there are more, the table is gone through several times, each time for the proofs whose
//! manifest stores stand in the next part of the bucket. Only what the listing lacks, because it came later or is
//! missing, is asked for by itself.

mod items;
mod listing;
mod objects;
mod place;

use async_trait::async_trait;
use credlink_pipeline::proof::ProofStoreError;
use tokio::task::JoinSet;

use super::AwsProofStore;
use crate::upkeep::{Sweep, SweptPage, Upkeep, UpkeepError};
use place::Place;

pub(super) use listing::Listings;

/// Calls that go on at once.
const CONCURRENCY: usize = 16;

#[async_trait]
impl Upkeep for AwsProofStore {
    fn subject(&self) -> &'static str {
        "proofs"
    }

    /// - A proof that is over is removed with all it owns: DynamoDB may be days late, and leaves alone what expired more
    ///   than five years ago.
    /// - A look-up whose record is gone is removed, and so is an object under `manifests/` that no record names, when they
    ///   are old.
    /// - A proof whose manifest store is missing, and one that cannot be read, are reported and left alone.
    /// - Of the table's other items, those are removed whose partition key begins with `idempotency#` and whose `ttl`,
    ///   in seconds since 1970, is old.
    ///
    /// Besides what [`new`](Self::new) names, the role must be allowed `Scan` and `BatchGetItem`.
    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        let place = after.map_or(Ok(Place::default()), str::parse)?;
        let page = match place.clone() {
            Place::Items { from, after } => self.sweep_items(from, after, sweep).await?,
            Place::Objects { after } => self.sweep_objects(after, sweep).await?,
        };
        Ok(page)
    }
}

/// Awaits all `jobs`, [`CONCURRENCY`] of them at once.
pub(crate) async fn all<T, J>(jobs: impl IntoIterator<Item = J>) -> Vec<Result<T, ProofStoreError>>
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
