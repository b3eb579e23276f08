//! The tasks of a round, in batches.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    copying::{Copier, Outcome, Side},
    error::MigrationError,
    journal::{self, Journal, Line},
    run_folder::{RunFolder, Stage, State},
    trace::{Traces, traces_of},
    watch::{Step, Watch},
    work::{Task, Work},
};

/// So many proofs in a row that fail because a store does not do something, though it answers, end the run.
const MAX_FAILED_IN_A_ROW: u32 = 20;

/// Why a round ended before its end.
pub(super) enum Halt {
    /// Somebody asked to stop.
    Asked,
    /// A store does not answer any more.
    Unreachable(Side, String),
    /// The run folder cannot be used.
    Folder(MigrationError),
}

impl From<MigrationError> for Halt {
    fn from(error: MigrationError) -> Self {
        Self::Folder(error)
    }
}

/// Does what is left to do in this round. A run that stops does so between two batches.
pub(super) async fn work_off(
    run: &mut RunFolder,
    copier: &Arc<Copier>,
    watch: &dyn Watch,
    must_stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), Halt> {
    let mut work = Work::open(&run.work())?;
    let mut journal = Journal::open(&run.journal())?;
    let options = run.plan().options;
    let State { round, done, journal: told, .. } = run.state();
    watch.begin(Step::Copying { round, proofs: work.count(), done });
    // What a process began before it was killed.
    let mut since = traces_since(run, told)?;
    let mut failed_in_a_row = 0;
    loop {
        let done = run.state().done;
        let tasks = work.tasks(done, options.batch_size())?;
        if tasks.is_empty() {
            return Ok(());
        }
        if must_stop() {
            return Err(Halt::Asked);
        }
        let intents: Vec<Line> = tasks
            .iter()
            .map(|Task { id, why, mark, .. }| Line::Intent { id: *id, round, why: *why, mark: *mark })
            .collect();
        journal.add_durably(&intents)?;
        let batch = Batch { copier, watch, since: Arc::new(since), parallel: options.parallel() };
        let unreachable = batch.run(&tasks, &mut journal, &mut failed_in_a_row).await?;
        if let Some((side, reason)) = unreachable {
            return Err(Halt::Unreachable(side, reason));
        }
        let done = done + tasks.len() as u64;
        run.set_state(State { stage: Stage::Copying, round, done, journal: journal.length() })?;
        since = Traces::new();
    }
}

fn traces_since(run: &RunFolder, from: u64) -> Result<Traces, MigrationError> {
    let mut lines = Vec::new();
    journal::replay(&run.journal(), from, |line| {
        lines.push(line);
        Ok(())
    })?;
    Ok(traces_of(lines.into_iter()))
}

struct Batch<'a> {
    copier: &'a Arc<Copier>,
    watch: &'a dyn Watch,
    since: Arc<Traces>,
    parallel: usize,
}

impl Batch<'_> {
    /// Does all tasks; none is begun any more when a store does not answer. Which one that was.
    async fn run(
        &self,
        tasks: &[Task],
        journal: &mut Journal,
        failed_in_a_row: &mut u32,
    ) -> Result<Option<(Side, String)>, MigrationError> {
        let (mut waiting, mut at_work) = (tasks.iter(), JoinSet::new());
        let mut unreachable = None;
        loop {
            while unreachable.is_none() && at_work.len() < self.parallel {
                let Some(task) = waiting.next() else { break };
                self.begin(*task, &mut at_work);
            }
            let Some(ended) = at_work.join_next().await else { return Ok(unreachable) };
            // A task that panicked is one whose process died: its intent stays open.
            let Ok((task, outcome)) = ended else { continue };
            let side = match &outcome {
                Outcome::Unavailable { side, .. } => Some(*side),
                Outcome::Failed { is_lasting: false, .. } => Some(Side::Destination),
                _ => None,
            };
            *failed_in_a_row = if side.is_some() { *failed_in_a_row + 1 } else { 0 };
            match (outcome, side) {
                (Outcome::Unreachable { side, reason }, _) => unreachable = Some((side, reason)),
                (Outcome::Unavailable { reason, .. } | Outcome::Failed { reason, .. }, Some(side))
                    if *failed_in_a_row >= MAX_FAILED_IN_A_ROW =>
                {
                    unreachable = Some((side, reason));
                }
                (outcome, _) => journal.add(&line_of(task, outcome).into_iter().collect::<Vec<_>>())?,
            }
            self.watch.advance(1);
        }
    }

    fn begin(&self, task: Task, at_work: &mut JoinSet<(Task, Outcome)>) {
        let (copier, since) = (Arc::clone(self.copier), Arc::clone(&self.since));
        at_work.spawn(async move {
            let outcome = copier.copy(&task, since.get(&task.id)).await;
            (task, outcome)
        });
    }
}

/// What the journal is told. A task that was not ended has no line, so that its intent stays open.
fn line_of(Task { id, mark, .. }: Task, outcome: Outcome) -> Option<Line> {
    Some(match outcome {
        Outcome::Written { bytes, replaced } => Line::Written { id, bytes, replaced },
        Outcome::Nothing => Line::Withdrawn { id },
        Outcome::Failed { is_lasting, reason } => Line::Failed { id, is_lasting, mark, reason },
        Outcome::Unavailable { reason, .. } => Line::Failed { id, is_lasting: false, mark, reason },
        Outcome::Left { destination, reason } => Line::Left { id, source: mark, destination, reason },
        Outcome::Unreachable { .. } => return None,
    })
}
