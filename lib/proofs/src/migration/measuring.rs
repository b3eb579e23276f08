//! What a run would copy, and how much that is. Nothing is written.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    batch::Halt,
    comparing::Comparison,
    copying::{Copier, Outcome},
    findings::{Finding, FindingKind, MAX_NAMED},
    plan::Options,
    run_folder::RunFolder,
    watch::{Step, Watch},
    work::{Task, Work},
};

/// Reads every proof that would be copied, and counts it as if it had been.
pub(super) async fn measure(
    run: &RunFolder,
    copier: &Arc<Copier>,
    watch: &dyn Watch,
    must_stop: &(dyn Fn() -> bool + Sync),
    found: &mut Comparison,
) -> Result<(), Halt> {
    let mut work = Work::open(&run.work())?;
    let options = run.plan().options;
    watch.begin(Step::Measuring { proofs: work.count() });
    let mut done = 0;
    loop {
        let tasks = work.tasks(done, options.batch_size())?;
        if tasks.is_empty() {
            return Ok(());
        }
        if must_stop() {
            return Err(Halt::Asked);
        }
        for (task, outcome) in look_at(&tasks, copier, options, watch).await {
            count(found, task, outcome)?;
        }
        done += tasks.len() as u64;
    }
}

async fn look_at(
    tasks: &[Task],
    copier: &Arc<Copier>,
    options: Options,
    watch: &dyn Watch,
) -> Vec<(Task, Outcome)> {
    let (mut waiting, mut at_work, mut ended) = (tasks.iter(), JoinSet::new(), Vec::new());
    loop {
        while at_work.len() < options.parallel() {
            let Some(task) = waiting.next().copied() else { break };
            let copier = Arc::clone(copier);
            at_work.spawn(async move { (task, copier.look(&task).await) });
        }
        let Some(looked) = at_work.join_next().await else { return ended };
        ended.extend(looked);
        watch.advance(1);
    }
}

fn count(found: &mut Comparison, Task { id, .. }: Task, outcome: Outcome) -> Result<(), Halt> {
    let counts = &mut found.counts;
    let named = |kind, reason| Finding { id, kind, reason };
    match outcome {
        Outcome::Written { bytes, replaced } => {
            counts.copied += 1;
            counts.bytes += bytes;
            counts.overwritten += u64::from(replaced);
        }
        Outcome::Nothing => counts.gone_meanwhile += 1,
        Outcome::Failed { reason, .. } | Outcome::Unavailable { reason, .. } => {
            counts.failed += 1;
            if found.failures.len() < MAX_NAMED {
                found.failures.push(named(FindingKind::Failed, reason));
            }
        }
        Outcome::Left { reason, .. } => {
            counts.conflicts += 1;
            if found.conflicts.len() < MAX_NAMED {
                found.conflicts.push(named(FindingKind::Conflict, reason));
            }
        }
        Outcome::Unreachable { side, reason } => return Err(Halt::Unreachable(side, reason)),
    }
    Ok(())
}
