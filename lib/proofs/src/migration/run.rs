//! The rounds of a run, from listing to the report.

use std::{sync::Arc, time::Instant};

use credlink_pipeline::proof::{ProofCatalogue, ProofStoreError};

use super::{
    batch::{Halt, work_off},
    buckets::LAST_PART,
    comparing::{BEFORE, Comparison, DESTINATION, JOURNAL, SOURCE, compare, traces_in},
    copying::{Copier, Side},
    error::MigrationError,
    findings::{FindingKind, Findings},
    journal::{self, Journal},
    keeping::Kept,
    listing::{Listing, ListingFault},
    measuring::measure,
    patience::Patience,
    plan::OnConflict,
    report::{Counts, Ending, Report},
    run_folder::{RunFolder, Stage, State},
    trace::Standing,
    watch::{Step, Unwatched, Watch},
    work::Work,
};

/// How often the stores are compared at most. What still changes then is reported, and is for the next run.
pub(super) const MAX_ROUNDS: u32 = 6;

/// Moves proofs from one store to another. The source is only read.
pub struct Migration {
    pub(super) source: Arc<dyn ProofCatalogue>,
    pub(super) destination: Arc<dyn ProofCatalogue>,
    pub(super) patience: Patience,
    pub(super) watch: Arc<dyn Watch>,
}

impl Migration {
    /// Between these stores, which must not be the same one.
    pub fn new(source: Arc<dyn ProofCatalogue>, destination: Arc<dyn ProofCatalogue>) -> Self {
        Self { source, destination, patience: Patience::default(), watch: Arc::new(Unwatched) }
    }

    /// With another patience for stores that are not available.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Watched by somebody.
    #[must_use]
    pub fn watched_by(self, watch: Arc<dyn Watch>) -> Self {
        Self { watch, ..self }
    }

    /// Begins the run, or goes on where it was broken off. It stops between two batches once `must_stop` says so.
    ///
    /// # Errors
    /// When the run folder cannot be used, or the run has ended before. Whatever the stores do is in the report.
    pub async fn run(
        &self,
        run: &mut RunFolder,
        must_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Report, MigrationError> {
        let name = || run.plan().run.clone();
        match run.stage() {
            Stage::Finished => return Err(MigrationError::Finished(name())),
            Stage::RollingBack | Stage::RolledBack => return Err(MigrationError::RolledBack(name())),
            Stage::Listing | Stage::Copying => {}
        }
        let begun = Instant::now();
        let ended = self.rounds(run, must_stop).await;
        let mut report = match ended {
            Ok((comparison, ending)) => report_of(run, comparison, ending),
            Err(Halt::Folder(error)) => return Err(error),
            Err(halt) => halted(run, halt)?,
        };
        report.milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        run.write_report("report.json", &report)?;
        if !report.ending.can_be_resumed() {
            run.set_state(State { stage: Stage::Finished, ..run.state() })?;
            run.remove_lists()?;
        }
        Ok(report)
    }

    /// Looks what a run would do, and writes nothing but its lists into the folder of a trial. Every proof that would be copied
    /// is read.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub async fn dry_run(
        &self,
        trial: &mut RunFolder,
        must_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Report, MigrationError> {
        let begun = Instant::now();
        let looked = self.look(trial, must_stop).await;
        let mut report = match looked {
            Ok(comparison) => {
                let ending = ending_of(trial, &comparison);
                report_of(trial, comparison, ending)
            }
            Err(Halt::Folder(error)) => return Err(error),
            Err(halt) => halted(trial, halt)?,
        };
        report.milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(report)
    }

    async fn look(
        &self,
        trial: &mut RunFolder,
        must_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Comparison, Halt> {
        trial.set_state(State { round: 1, ..State::default() })?;
        self.list(trial, must_stop).await?;
        let mut comparison = compare(trial, 1, false)?;
        measure(trial, &self.copier(trial)?, &*self.watch, must_stop, &mut comparison).await?;
        Ok(comparison)
    }

    async fn rounds(
        &self,
        run: &mut RunFolder,
        must_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Comparison, Ending), Halt> {
        loop {
            if run.stage() == Stage::Copying {
                work_off(run, &self.copier(run)?, &*self.watch, must_stop).await?;
                let round = run.state().round;
                self.begin_round(run, round + 1)?;
            } else if run.state().round == 0 {
                self.begin_round(run, 1)?;
            }
            self.list(run, must_stop).await?;
            let round = run.state().round;
            let comparison = compare(run, round, round >= MAX_ROUNDS)?;
            let has_failed =
                run.plan().options.on_conflict == OnConflict::Fail && comparison.counts.conflicts > 0;
            if has_failed || comparison.tasks == 0 {
                let ending = ending_of(run, &comparison);
                return Ok((comparison, ending));
            }
            let journal = Journal::open(&run.journal())?.length();
            run.set_state(State { stage: Stage::Copying, round, done: 0, journal })?;
        }
    }

    fn begin_round(&self, run: &mut RunFolder, round: u32) -> Result<(), Halt> {
        Ok(run.set_state(State { stage: Stage::Listing, round, ..run.state() })?)
    }

    /// Lists both stores. The destination as it was before the run stays as it was listed first.
    async fn list(&self, run: &RunFolder, must_stop: &(dyn Fn() -> bool + Sync)) -> Result<(), Halt> {
        let round = run.state().round;
        let listing =
            Listing { begun: run.plan().started, patience: self.patience, watch: &*self.watch, must_stop };
        self.watch.begin(Step::ListingDestination { round });
        let name = if round == 1 { BEFORE } else { DESTINATION };
        let listed = listing.list(&*self.destination, &run.listed(name)).await;
        listed.map_err(|fault| halt_of(fault, Side::Destination))?;
        self.watch.begin(Step::ListingSource { round });
        let listed = listing.list(&*self.source, &run.listed(SOURCE)).await;
        listed.map_err(|fault| halt_of(fault, Side::Source))
    }

    fn copier(&self, run: &RunFolder) -> Result<Arc<Copier>, Halt> {
        let on_conflict = run.plan().options.on_conflict;
        let kept = match on_conflict == OnConflict::OverwriteIfNewer && !run.is_trial() {
            true => Some(Kept::open(&run.kept()).map_err(|error| unusable(run, &error))?),
            false => Kept::open_if_any(&run.kept()).map_err(|error| unusable(run, &error))?,
        };
        Ok(Arc::new(Copier {
            source: Arc::clone(&self.source),
            destination: Arc::clone(&self.destination),
            kept,
            on_conflict,
            patience: self.patience,
        }))
    }
}

/// The proofs that were overwritten cannot be kept, or read.
pub(super) fn unusable(run: &RunFolder, error: &ProofStoreError) -> MigrationError {
    MigrationError::damaged(run.kept(), &error)
}

fn halt_of(fault: ListingFault, side: Side) -> Halt {
    match fault {
        ListingFault::Asked => Halt::Asked,
        ListingFault::Unavailable(reason) => Halt::Unreachable(side, reason),
        ListingFault::Folder(error) => Halt::Folder(error),
    }
}

fn ending_of(run: &RunFolder, comparison: &Comparison) -> Ending {
    let counts = &comparison.counts;
    if run.plan().options.on_conflict == OnConflict::Fail && counts.conflicts > 0 {
        Ending::Conflict
    } else if counts.failed == 0 && counts.remaining == 0 {
        Ending::Complete
    } else {
        Ending::Incomplete
    }
}

fn report_of(run: &RunFolder, comparison: Comparison, ending: Ending) -> Report {
    let Comparison { mut counts, reconciliation, failures, conflicts, tasks } = comparison;
    let reason = (ending == Ending::Conflict).then(|| {
        format!("{} proofs of the source have the ids of others in the destination", counts.conflicts)
    });
    if !run.is_trial() {
        counts.remaining += tasks;
    }
    Report {
        plan: run.plan().clone(),
        dry_run: run.is_trial(),
        ending,
        reason,
        rounds: run.state().round,
        milliseconds: 0,
        counts,
        reconciliation: Some(reconciliation),
        failures,
        conflicts,
        findings: (!run.is_trial()).then(|| run.findings()),
    }
}

/// The report of a run that did not come to its end: what the journal tells.
fn halted(run: &RunFolder, halt: Halt) -> Result<Report, MigrationError> {
    let (ending, reason) = match halt {
        Halt::Asked => (Ending::Interrupted, "it was asked to stop".to_owned()),
        Halt::Unreachable(Side::Source, reason) => (Ending::SourceUnavailable, reason),
        Halt::Unreachable(Side::Destination, reason) => (Ending::DestinationUnavailable, reason),
        Halt::Folder(error) => return Err(error),
    };
    let (mut counts, mut findings) = (Counts::default(), Findings::create(&run.findings())?);
    journal::spread(&run.journal(), &run.listed(JOURNAL))?;
    for part in 0..=LAST_PART {
        for (id, trace) in traces_in(run, part)? {
            match &trace.standing {
                Standing::Written => {
                    counts.copied += 1;
                    counts.bytes += trace.bytes;
                    counts.overwritten += u64::from(trace.replaced);
                }
                Standing::Failed { reason, .. } => {
                    counts.failed += 1;
                    findings.add(id, FindingKind::Failed, reason)?;
                }
                Standing::Left { reason, .. } => {
                    counts.conflicts += 1;
                    findings.add(id, FindingKind::Conflict, reason)?;
                }
                Standing::Untouched | Standing::Open | Standing::RolledBack => {}
            }
        }
    }
    findings.finish()?;
    if run.stage() == Stage::Copying {
        let tasks = Work::open(&run.work())?.count();
        counts.remaining = tasks.saturating_sub(run.state().done);
    }
    Ok(Report {
        plan: run.plan().clone(),
        dry_run: run.is_trial(),
        ending,
        reason: Some(reason),
        rounds: run.state().round,
        milliseconds: 0,
        counts,
        reconciliation: None,
        failures: findings.failures,
        conflicts: findings.conflicts,
        findings: (!run.is_trial()).then(|| run.findings()),
    })
}
