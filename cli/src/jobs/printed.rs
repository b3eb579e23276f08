//! What `credlink jobs` tells people.

use std::io::{Result, Write};

use credlink_service::jobs::{Counts, RunReport, RunResult};

use super::overview::{History, JobLine, Overview, Switched};

/// A line or more for each job.
pub(super) fn overview(overview: &Overview, output: &mut dyn Write) -> Result<()> {
    overview.jobs.iter().try_for_each(|job| job_lines(job, output))
}

fn job_lines(job: &JobLine, output: &mut dyn Write) -> Result<()> {
    let name = job.name;
    if let Some(problem) = &job.problem {
        return writeln!(output, "{name:28}unknown   {problem}");
    }
    let state = match (&job.running, job.enabled) {
        (Some(_), _) => "running",
        (None, true) => "enabled",
        (None, false) => "disabled",
    };
    write!(output, "{name:28}{state:10}")?;
    match &job.last_run {
        Some(run) => write!(output, "{} {}", run.result, run.ended.unwrap_or(run.started))?,
        None => write!(output, "never ran")?,
    }
    if let Some(next) = job.next {
        write!(output, ", next {next}")?;
    }
    writeln!(output)?;
    let note = |output: &mut dyn Write, text: &str| writeln!(output, "{:28}{text}", "");
    for by in &job.disabled_by {
        note(output, &format!("disabled by {by}"))?;
    }
    if let Some(lease) = &job.running {
        let text = format!("since {} by {}, last seen {}", lease.run.started, lease.holder, lease.renewed_at);
        note(output, &text)?;
    }
    if job.progress.is_some() {
        note(output, "not at its end: the next run goes on")?;
    }
    if let Some(error) = job.last_run.as_ref().and_then(|run| run.error.as_ref()) {
        note(output, error)?;
    }
    Ok(())
}

/// One line for each run, and what it counted below.
pub(super) fn history(history: &History, output: &mut dyn Write) -> Result<()> {
    if history.runs.is_empty() {
        return writeln!(output, "{} never ran", history.job);
    }
    for run in &history.runs {
        let (result, trigger, attempt) = (run.result, run.trigger, run.attempt);
        write!(output, "{}  {result:12}{trigger:9}attempt {attempt}  {} ms", run.started, run.milliseconds)?;
        writeln!(output, "{}", if run.dry_run { "  dry run" } else { "" })?;
        counts(&run.counts, output)?;
        if let Some(error) = &run.error {
            writeln!(output, "    {error}")?;
        }
    }
    Ok(())
}

/// How a run went.
pub(super) fn report(report: &RunReport, output: &mut dyn Write) -> Result<()> {
    let job = report.job;
    let how = match report.result {
        None => "did not run",
        Some(RunResult::Done) if report.dry_run => "changed nothing, and would have done this",
        Some(RunResult::Done) => "is done",
        Some(RunResult::Unfinished) => "did a part; the next run goes on",
        Some(RunResult::Failed | RunResult::Interrupted) => "failed",
    };
    match &report.reason {
        Some(reason) => writeln!(output, "{job} {how}: {reason}")?,
        None => writeln!(output, "{job} {how}")?,
    }
    counts(&report.counts, output)
}

/// What is set now.
pub(super) fn switched(switched: &Switched, output: &mut dyn Write) -> Result<()> {
    let state = if switched.enabled { "enabled" } else { "disabled" };
    writeln!(output, "{} is {state}", switched.job)
}

fn counts(counts: &Counts, output: &mut dyn Write) -> Result<()> {
    counts.iter().try_for_each(|(name, value)| writeln!(output, "    {name:32}{value}"))
}
