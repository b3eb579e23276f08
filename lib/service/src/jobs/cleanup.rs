//! The job that removes what is past its time: proofs with all they own, uploads, results, idempotency keys.

use std::sync::Arc;

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use credlink_proofs::{
    Census, ProofCounts,
    upkeep::{Faults, Finding, Sweep, Tally, Upkeep, UpkeepError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Counts, Job, JobError, JobName, JobRun};

/// After so many faults a run ends, because a store seems to have trouble. The next one goes on behind them.
const MAX_FAULTS: u64 = 10;

/// Goes through everything that is cleaned up, page by page. Where it ended is kept after each page, and the next run goes
/// on there.
///
/// A dry run goes through all from the beginning, and leaves the place of the others as it is.
///
/// Counts: how many of each kind were removed by this run (`expiredProofsRemoved`, `orphanLookUpsRemoved`,
/// `orphanManifestStoresRemoved`, `temporaryFilesRemoved`, `uploadsRemoved`, `resultsRemoved`,
/// `idempotencyKeysRemoved`), what somebody should look at (`proofsWithoutManifestStore`, `damagedProofs`, and the first
/// hundred ids in `proofsWithoutManifestStoreIds`, `damagedProofsIds`), `faults`, and whether all was seen (`finished`).
/// Then, and only then, they also say what is there, counted by this run and those that it went on from: `proofsKept`,
/// `proofsCreatedLastDay`, `proofsExpiredWaiting`, `proofsBytes`, and since when in `countedAt`.
pub struct ProofCleanup {
    upkeeps: Vec<Arc<dyn Upkeep>>,
}

/// How far a cleanup came.
struct Walk {
    /// Which of the upkeeps it is at; their number at the end.
    at: usize,
    /// Where there.
    after: Option<String>,
    /// What was counted so far.
    census: Census,
}

/// How far a cleanup came, as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    census: Census,
}

/// What a run did.
#[derive(Default)]
struct Done {
    tally: Tally,
    faults: Faults,
    /// What is there, when all was seen.
    census: Option<Census>,
}

impl ProofCleanup {
    /// Cleans up `upkeeps`, one after the other. Each must have a subject of its own.
    pub fn new(upkeeps: Vec<Arc<dyn Upkeep>>) -> Self {
        Self { upkeeps }
    }

    async fn go_through(&self, run: &JobRun<'_>, done: &mut Done) -> Result<(), JobError> {
        let sweep = Sweep::new(run.now, run.dry_run);
        let mut walk = self.begin(run);
        while let Some(upkeep) = self.upkeeps.get(walk.at) {
            if run.must_end() || done.faults.count >= MAX_FAULTS {
                return Ok(());
            }
            match upkeep.sweep_page(sweep, walk.after.as_deref()).await {
                Ok(page) => {
                    walk.go_on(page.next, page.tally.proofs);
                    done.tally.add(page.tally);
                    done.faults.join(page.faults);
                }
                Err(UpkeepError::UnknownPlace(_)) if walk.after.is_some() => {
                    tracing::warn!(
                        subject = upkeep.subject(),
                        "the place that was kept is unknown; begun anew"
                    );
                    walk = Walk::begin(run.now);
                }
                Err(error) => return Err(JobError::Passing(format!("{}: {error}", upkeep.subject()))),
            }
            self.keep(run, &walk).await?;
        }
        done.census = Some(walk.census);
        Ok(())
    }

    fn begin(&self, run: &JobRun<'_>) -> Walk {
        let kept = if run.dry_run { None } else { run.progress.last() };
        let Some(kept) = kept else { return Walk::begin(run.now) };
        self.walk_from(kept).unwrap_or_else(|| {
            tracing::warn!("how far the last cleanup came cannot be read; begun anew");
            Walk::begin(run.now)
        })
    }

    fn walk_from(&self, kept: Value) -> Option<Walk> {
        let Place { subject, after, census } = serde_json::from_value(kept).ok()?;
        let at = self.upkeeps.iter().position(|upkeep| upkeep.subject() == subject)?;
        Some(Walk { at, after, census })
    }

    async fn keep(&self, run: &JobRun<'_>, walk: &Walk) -> Result<(), JobError> {
        if run.dry_run {
            return run.progress.keep(run.progress.last()).await;
        }
        let place = self.upkeeps.get(walk.at).map(|upkeep| Place {
            subject: upkeep.subject().to_owned(),
            after: walk.after.clone(),
            census: walk.census.clone(),
        });
        let place = place.map(serde_json::to_value).transpose();
        run.progress.keep(place.map_err(|error| JobError::Lasting(error.to_string()))?).await
    }
}

#[async_trait]
impl Job for ProofCleanup {
    fn name(&self) -> JobName {
        JobName::ProofCleanup
    }

    async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError> {
        let mut done = Done::default();
        let ended = self.go_through(run, &mut done).await;
        let counts = done.to_counts();
        let failure = match (ended, done.faults.first) {
            (Ok(()), None) => return Ok(counts),
            (Ok(()), Some(first)) => {
                let count = done.faults.count;
                JobError::Passing(format!("{count} things could not be cleaned up, the first: {first}"))
            }
            (Err(error), _) => error,
        };
        let shown = Value::from_iter(counts);
        tracing::warn!(counts = %shown, "the cleanup did only a part");
        Err(failure)
    }
}

impl Walk {
    fn begin(now: Timestamp) -> Self {
        let census = Census { counts: ProofCounts::default(), as_of: now };
        Self { at: 0, after: None, census }
    }

    fn go_on(&mut self, next: Option<String>, counted: ProofCounts) {
        self.census.counts.join(counted);
        self.at += usize::from(next.is_none());
        self.after = next;
    }
}

impl Done {
    fn to_counts(&self) -> Counts {
        let tally = &self.tally;
        let mut counts = Counts::new();
        let mut add = |name: &str, value: Value| counts.insert(name.to_owned(), value);
        add("expiredProofsRemoved", tally.expired_proofs_removed.into());
        add("orphanLookUpsRemoved", tally.orphan_look_ups_removed.into());
        add("orphanManifestStoresRemoved", tally.orphan_manifest_stores_removed.into());
        add("temporaryFilesRemoved", tally.temporary_files_removed.into());
        add("uploadsRemoved", tally.uploads_removed.into());
        add("resultsRemoved", tally.results_removed.into());
        add("idempotencyKeysRemoved", tally.idempotency_keys_removed.into());
        for (name, Finding { count, ids }) in [
            ("proofsWithoutManifestStore", &tally.proofs_without_manifest_store),
            ("damagedProofs", &tally.damaged_proofs),
        ] {
            add(name, (*count).into());
            if !ids.is_empty() {
                add(&format!("{name}Ids"), ids.iter().map(ToString::to_string).collect());
            }
        }
        add("faults", self.faults.count.into());
        add("finished", self.census.is_some().into());
        if let Some(Census { counts: there, as_of }) = &self.census {
            add("proofsKept", there.valid.into());
            add("proofsCreatedLastDay", there.created_last_day.into());
            add("proofsExpiredWaiting", there.expired_waiting.into());
            add("proofsBytes", there.bytes.into());
            add("countedAt", as_of.to_string().into());
        }
        counts
    }
}
