//! What `credlink migrate-proofs` tells people.

use std::io::{Result, Write};

use credlink_proofs::migration::{
    Ending, Finding, Reconciliation, Report, RollbackReport, RunSummary, Stage,
};

/// How many findings are shown.
const MAX_SHOWN: usize = 20;

/// What became of a run, or would.
pub(super) fn report(report: &Report, output: &mut dyn Write) -> Result<()> {
    let (from, to) = (&report.plan.from, &report.plan.to);
    writeln!(output, "{} {from} to {to}", headline(report))?;
    let counts = &report.counts;
    let verb = if report.dry_run { "would be copied" } else { "copied" };
    let line = |output: &mut dyn Write, number: u64, what: &str| writeln!(output, "{number:>12}  {what}");
    line(output, counts.copied, &format!("{verb}, {} of manifest stores", bytes(counts.bytes)))?;
    for (number, what) in [
        (counts.overwritten, "of them in place of older ones"),
        (counts.came_meanwhile, "of them came into the source meanwhile"),
        (counts.changed_meanwhile, "of them changed in the source meanwhile, and were copied again"),
        (counts.gone_meanwhile, "gone from the source meanwhile"),
        (counts.already_there, "there already, with the same record"),
        (counts.conflicts, "left: the destination has another proof of their id"),
        (counts.expired, "left out, expired"),
        (counts.failed, "failed"),
        (counts.remaining, "not dealt with yet"),
    ] {
        if number > 0 {
            line(output, number, what)?;
        }
    }
    if let Some(reconciliation) = report.reconciliation.as_ref().filter(|_| !report.dry_run) {
        reconciled(reconciliation, report.rounds, output)?;
    }
    findings("Failed", &report.failures, counts.failed + counts.remaining, output)?;
    findings("Conflicts", &report.conflicts, counts.conflicts, output)?;
    if let Some(path) = report.findings.as_ref().filter(|_| more_than_shown(report)) {
        writeln!(output, "All of them: {}", path.display())?;
    }
    if report.ending.can_be_resumed() && !report.dry_run {
        let policy = if report.ending == Ending::Conflict { " --on-conflict skip" } else { "" };
        let run = &report.plan.run;
        writeln!(output, "Go on with   credlink migrate-proofs --resume {run}{policy}")?;
        writeln!(output, "Or take back credlink migrate-proofs --rollback {run}")?;
    }
    Ok(())
}

fn headline(report: &Report) -> String {
    let reason = report.reason.as_deref().unwrap_or_default();
    match (report.dry_run, report.ending) {
        (true, Ending::Complete | Ending::Incomplete) => "Dry run from".to_owned(),
        (_, Ending::Complete) => "Moved all proofs from".to_owned(),
        (_, Ending::Incomplete) => "Moved some proofs from".to_owned(),
        (_, Ending::Conflict) => format!("Stopped, {reason}: from"),
        (_, Ending::Interrupted) => "Stopped as asked: from".to_owned(),
        (_, Ending::SourceUnavailable | Ending::DestinationUnavailable) => "Stopped: from".to_owned(),
    }
}

fn reconciled(reconciliation: &Reconciliation, rounds: u32, output: &mut dyn Write) -> Result<()> {
    let Reconciliation { source, destination, .. } = reconciliation;
    let verdict = if reconciliation.equal { "equal" } else { "not equal" };
    writeln!(output, "Compared {rounds} times, in the end {verdict}")?;
    writeln!(output, "  source       {:>9} proofs  {}", source.proofs, source.digest)?;
    writeln!(output, "  destination  {:>9} proofs  {}", destination.proofs, destination.digest)?;
    for (number, what) in [
        (reconciliation.only_in_source, "only in the source"),
        (reconciliation.different, "in both, and different"),
        (reconciliation.only_in_destination_before, "only in the destination, from before"),
        (reconciliation.only_in_destination_since, "only in the destination, from others meanwhile"),
    ] {
        if number > 0 {
            writeln!(output, "  {number} {what}")?;
        }
    }
    Ok(())
}

fn findings(title: &str, named: &[Finding], count: u64, output: &mut dyn Write) -> Result<()> {
    if named.is_empty() {
        return Ok(());
    }
    writeln!(output, "{title}")?;
    for finding in named.iter().take(MAX_SHOWN) {
        writeln!(output, "  {}  {}", finding.id, finding.reason)?;
    }
    let more = count.saturating_sub(MAX_SHOWN as u64);
    if more > 0 { writeln!(output, "  and {more} more") } else { Ok(()) }
}

fn more_than_shown(report: &Report) -> bool {
    report.failures.len() > MAX_SHOWN || report.conflicts.len() > MAX_SHOWN
}

/// What a rollback did.
pub(super) fn rollback(report: &RollbackReport, output: &mut dyn Write) -> Result<()> {
    let how = if report.finished { "Rolled back" } else { "Rolled back in part" };
    writeln!(output, "{how}, in {}", report.plan.to)?;
    for (number, what) in [
        (report.removed, "removed"),
        (report.restored, "put back, which had been overwritten"),
        (report.gone, "gone already"),
        (report.left, "left: not as the run wrote them any more"),
    ] {
        if number > 0 || what == "removed" {
            writeln!(output, "{number:>12}  {what}")?;
        }
    }
    findings("Left", &report.left_proofs, report.left, output)?;
    if !report.finished {
        writeln!(output, "Go on with   credlink migrate-proofs --rollback {}", report.plan.run)?;
    }
    Ok(())
}

/// A line for each run.
pub(super) fn runs(runs: &[RunSummary], output: &mut dyn Write) -> Result<()> {
    if runs.is_empty() {
        return writeln!(output, "No run yet in this data folder");
    }
    for run in runs {
        let stage = match run.stage {
            Stage::Listing => "listing",
            Stage::Copying => "copying",
            Stage::Finished => "finished",
            Stage::RollingBack => "rolling back",
            Stage::RolledBack => "rolled back",
        };
        let plan = &run.plan;
        writeln!(output, "{}  {stage:12}  {} to {}", plan.run, plan.from, plan.to)?;
    }
    Ok(())
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
