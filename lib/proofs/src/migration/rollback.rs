//! Taking back what a run wrote, and nothing else.

use std::sync::Arc;

use credlink_pipeline::proof::{ProofCatalogue, ProofId, ProofStoreError};
use tokio::task::JoinSet;

use super::{
    buckets::LAST_PART,
    comparing::{JOURNAL, traces_in},
    error::MigrationError,
    findings::{FindingKind, Findings},
    journal::{self, Journal, Line, Undone},
    keeping::Kept,
    mark::Mark,
    patience::{Call, Patience},
    report::RollbackReport,
    run::{Migration, unusable},
    run_folder::{RunFolder, Stage, State},
    trace::{Standing, Trace, Traces},
    watch::Step,
    whole::{Whole, before_all},
};

/// Why a proof that is not as the run wrote it is left.
const CHANGED: &str = "somebody else changed it, or put it anew, since the run wrote it";

impl Migration {
    /// Removes from the destination what the run wrote, and puts back what that had overwritten. A proof that is not as the
    /// run wrote it is left, and named. Stopped or killed, it goes on where it was when it is called again. The source is not
    /// looked at.
    ///
    /// # Errors
    /// When the run folder cannot be used, or the run was rolled back before.
    pub async fn roll_back(
        &self,
        run: &mut RunFolder,
        must_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<RollbackReport, MigrationError> {
        if run.stage() == Stage::RolledBack {
            return Err(MigrationError::RolledBack(run.plan().run.clone()));
        }
        let mut journal = Journal::open(&run.journal())?;
        run.set_state(State { stage: Stage::RollingBack, ..run.state() })?;
        journal::spread(&run.journal(), &run.listed(JOURNAL))?;
        self.watch.begin(Step::RollingBack { proofs: count_written(run)? });
        let undoer = Arc::new(Undoer {
            destination: Arc::clone(&self.destination),
            kept: Kept::open_if_any(&run.kept()).map_err(|error| unusable(run, &error))?,
            patience: self.patience,
        });
        let mut reason = None;
        for part in 0..=LAST_PART {
            let traces = traces_in(run, part)?;
            reason = self.undo_all(&undoer, traces, run, &mut journal).await?;
            if reason.is_none() && must_stop() {
                reason = Some("it was asked to stop".to_owned());
            }
            if reason.is_some() {
                break;
            }
        }
        let report = report_of(run, reason)?;
        run.write_report("rollback.json", &report)?;
        if report.finished {
            run.set_state(State { stage: Stage::RolledBack, ..run.state() })?;
            run.remove_lists()?;
        }
        Ok(report)
    }

    /// Undoes what was written under these ids; why not to the end, if so.
    async fn undo_all(
        &self,
        undoer: &Arc<Undoer>,
        traces: Traces,
        run: &RunFolder,
        journal: &mut Journal,
    ) -> Result<Option<String>, MigrationError> {
        let (mut waiting, mut at_work) =
            (traces.into_iter().filter(|(_, trace)| is_due(trace)), JoinSet::new());
        let mut failure = None;
        loop {
            while failure.is_none() && at_work.len() < run.plan().options.parallel() {
                let Some((id, trace)) = waiting.next() else { break };
                let undoer = Arc::clone(undoer);
                at_work.spawn(async move { (id, undoer.undo(id, &trace).await) });
            }
            let Some(ended) = at_work.join_next().await else { return Ok(failure) };
            match ended {
                Ok((id, Ok(how))) => journal.add(&[Line::RolledBack { id, how }])?,
                Ok((id, Err(error))) => failure = Some(format!("proof {id}: {error}")),
                Err(error) => failure = Some(error.to_string()),
            }
            self.watch.advance(1);
        }
    }
}

struct Undoer {
    destination: Arc<dyn ProofCatalogue>,
    kept: Option<Kept>,
    patience: Patience,
}

impl Undoer {
    async fn undo(&self, id: ProofId, trace: &Trace) -> Result<Undone, String> {
        let kept = match &self.kept {
            Some(kept) => kept.find(id).await?,
            None => None,
        };
        let of_kept = kept.as_ref().map(Whole::mark);
        let there = match self.ask(|| self.destination.record(id, before_all())).await {
            Err(ProofStoreError::Damaged { .. }) => return Ok(Undone::Left),
            there => there.map_err(|error| reason_of(&error))?,
        };
        let Some(there) = there else {
            return match &kept {
                Some(kept) => self.put_back(kept).await,
                None if trace.has_written() => Ok(Undone::Gone),
                None => Ok(Undone::Nothing),
            };
        };
        let mark = Mark::of(&there);
        if Some(mark) == of_kept {
            return Ok(if trace.has_written() { Undone::Restored } else { Undone::Nothing });
        }
        if let Some(kept) = kept.as_ref().filter(|kept| kept.mark().covers(mark)) {
            return self.put_back(kept).await;
        }
        if !trace.is_ours(mark, of_kept) {
            return Ok(if trace.has_written() { Undone::Left } else { Undone::Nothing });
        }
        // An older stamped copy comes back without a gap.
        if let Some(kept) = &kept
            && let Some((copy, store)) = &kept.stamped
            && kept.mark().is_same_proof(mark)
        {
            let call = || self.destination.keep_stamped(&there, *copy, store.clone());
            return Ok(if self.ask(call).await.map_err(|error| reason_of(&error))? {
                Undone::Restored
            } else {
                Undone::Left
            });
        }
        self.ask(|| self.destination.delete(id)).await.map_err(|error| reason_of(&error))?;
        match &kept {
            Some(kept) => self.put_back(kept).await,
            None => Ok(Undone::Removed),
        }
    }

    async fn put_back(&self, kept: &Whole) -> Result<Undone, String> {
        let record = &kept.proof.record;
        match self.ask(|| self.destination.put(&kept.proof)).await {
            Ok(()) => {}
            Err(ProofStoreError::AlreadyExists(id)) => {
                let there = self
                    .ask(|| self.destination.record(id, before_all()))
                    .await
                    .map_err(|error| reason_of(&error))?;
                // An attempt whose answer was lost, or somebody else.
                if there.as_ref() != Some(record) {
                    return Ok(Undone::Left);
                }
            }
            Err(error) => return Err(reason_of(&error)),
        }
        if let Some((copy, store)) = &kept.stamped {
            self.ask(|| self.destination.keep_stamped(record, *copy, store.clone()))
                .await
                .map_err(|error| reason_of(&error))?;
        }
        Ok(Undone::Restored)
    }

    async fn ask<'a, T>(&self, call: impl FnMut() -> Call<'a, T>) -> Result<T, ProofStoreError> {
        self.patience.ask(call).await
    }
}

fn reason_of(error: &ProofStoreError) -> String {
    error.to_string()
}

/// Whether a rollback has something to look at.
fn is_due(trace: &Trace) -> bool {
    trace.may_have_written() && !matches!(trace.standing, Standing::RolledBack)
}

fn count_written(run: &RunFolder) -> Result<u64, MigrationError> {
    let mut written = 0;
    for part in 0..=LAST_PART {
        written += traces_in(run, part)?.values().filter(|trace| is_due(trace)).count() as u64;
    }
    Ok(written)
}

/// What all processes that worked on the rollback did, as the journal tells.
fn report_of(run: &RunFolder, reason: Option<String>) -> Result<RollbackReport, MigrationError> {
    let mut report = RollbackReport {
        plan: run.plan().clone(),
        finished: reason.is_none(),
        reason,
        removed: 0,
        restored: 0,
        gone: 0,
        left: 0,
        left_proofs: Vec::new(),
    };
    let mut findings = Findings::create(&run.findings())?;
    journal::replay(&run.journal(), 0, |line| {
        let Line::RolledBack { id, how } = line else { return Ok(()) };
        match how {
            Undone::Removed => report.removed += 1,
            Undone::Restored => report.restored += 1,
            Undone::Gone => report.gone += 1,
            Undone::Nothing => {}
            Undone::Left => {
                report.left += 1;
                findings.add(id, FindingKind::NotRolledBack, CHANGED)?;
            }
        }
        Ok(())
    })?;
    findings.finish()?;
    report.left_proofs = findings.failures;
    Ok(report)
}
