//! `credlink jobs`: the jobs that run beside the service, on this machine and on AWS.

mod aws;
mod here;
mod overview;
mod printed;

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use credlink_service::{
    config::{Config, ConfigError},
    installation::{Installation, InstallationError},
    jobs::{Counts, JobBook, JobName, JobStoreError, RunReport, RunResult},
};
use thiserror::Error;

use crate::{Answer, environment};
use overview::Overview;

/// What to do with the jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Say which jobs there are, whether they may run, and how they ran last
    #[command(
        after_help = "Examples:\n  credlink jobs list\n  credlink jobs list --json | jq '.jobs[].lastRun'\n  \
                      credlink jobs list --table credlink-proofs"
    )]
    List(ListArgs),
    /// Run a job now
    #[command(after_help = "Examples:\n  credlink jobs run proof-cleanup --dry-run\n  \
                      credlink jobs run health-metrics --json\n  \
                      credlink jobs run certificate-rotation-check --force\n  \
                      credlink jobs run proof-cleanup --table credlink-proofs\n\n\
                      Exit status: 0 it did its work, or a part of it; 1 it failed or did not run; 2 wrong usage or \
                      environment.\n\n\
                      With --table the function on AWS runs it, and this command waits for its answer.")]
    Run(RunArgs),
    /// Let a job run again
    #[command(after_help = "Examples:\n  credlink jobs enable proof-cleanup\n  \
                      credlink jobs enable proof-cleanup --table credlink-proofs")]
    Enable(NamedArgs),
    /// Let a job run no more, until it is enabled; a run that goes on is not ended
    #[command(after_help = "Examples:\n  credlink jobs disable proof-cleanup\n  \
                      credlink jobs disable proof-cleanup --table credlink-proofs")]
    Disable(NamedArgs),
    /// Show the last 50 runs of a job, newest first
    #[command(after_help = "Examples:\n  credlink jobs history proof-cleanup\n  \
                      credlink jobs history proof-cleanup --json | jq '.runs[0].counts'")]
    History(NamedArgs),
}

/// Which installation, and in which form.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The installation on AWS with this DynamoDB table, in place of the data folder's
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `jobs list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    place: Where,
}

/// Arguments of what is done with one job.
#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// Which job: proof-cleanup, certificate-rotation-check, proof-restamp or health-metrics
    #[arg(value_name = "NAME")]
    job: JobName,
    #[command(flatten)]
    place: Where,
}

/// Arguments of `jobs run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// Change nothing; only count what would be done
    #[arg(long)]
    dry_run: bool,
    /// Run it although it is disabled, and do its work although it is not due
    #[arg(long)]
    force: bool,
    /// The function that runs it on AWS; found by itself once it ran there
    #[arg(long, value_name = "FUNCTION", requires = "table")]
    function: Option<String>,
}

/// Why a `jobs` command could not do its work. The exit status is 2.
#[derive(Debug, Error)]
pub(crate) enum JobsCommandError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The state of a job cannot be used.
    #[error(transparent)]
    Store(#[from] JobStoreError),
    /// Nothing says which region of AWS is meant.
    #[error("no AWS region: set AWS_REGION, or choose a profile that has one with AWS_PROFILE")]
    NoRegion,
    /// Nothing says which function runs the job.
    #[error("{0} did not run on AWS yet, so its function is not known: name it with --function")]
    NoFunction(JobName),
    /// The function could not be called.
    #[error("the function {function} could not be called: {reason}")]
    Invocation {
        /// Its name.
        function: String,
        /// What is in the way.
        reason: String,
    },
    /// The system gives no timers, threads or sockets.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// The result could not be written to the terminal or pipe.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
    /// The result could not be put into JSON.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Runs a `jobs` command on the data folder `data`, or on AWS.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub(crate) fn run(command: &JobsCommand, data: PathBuf) -> Result<Answer, JobsCommandError> {
    let config = environment::config(data)?;
    environment::log_command(&config);
    match command {
        JobsCommand::List(ListArgs { place }) => {
            let overview = with_book(&config, place, async |book| {
                Overview::read(book, place.table.is_none().then_some(&config.jobs)).await
            })?;
            print(place.json, &overview, |output| printed::overview(&overview, output))?;
        }
        JobsCommand::Enable(args) => set_enabled(&config, args, true)?,
        JobsCommand::Disable(args) => set_enabled(&config, args, false)?,
        JobsCommand::History(NamedArgs { job, place }) => {
            let runs = with_book(&config, place, async |book| Ok(book.state(*job).await?.runs))?;
            let history = overview::History { job: *job, runs };
            print(place.json, &history, |output| printed::history(&history, output))?;
        }
        JobsCommand::Run(args) => return run_job(&config, args),
    }
    Ok(Answer::Done)
}

fn run_job(config: &Config, args: &RunArgs) -> Result<Answer, JobsCommandError> {
    let report = match &args.named.place.table {
        Some(table) => aws::run(args, table)?,
        None => here::run(config, args)?,
    };
    print(args.named.place.json, &report, |output| printed::report(&report, output))?;
    Ok(if report.went_well() { Answer::Done } else { Answer::No })
}

fn set_enabled(config: &Config, args: &NamedArgs, enabled: bool) -> Result<(), JobsCommandError> {
    let NamedArgs { job, place } = args;
    with_book(config, place, async |book| Ok(book.set_enabled(*job, enabled).await?))?;
    let switched = overview::Switched { job: *job, enabled };
    print(place.json, &switched, |output| printed::switched(&switched, output))
}

/// Works with the states of jobs: in the data folder, or in the table.
fn with_book<T>(
    config: &Config,
    place: &Where,
    work: impl AsyncFnOnce(&JobBook) -> Result<T, JobsCommandError>,
) -> Result<T, JobsCommandError> {
    let runtime = environment::small_runtime().map_err(JobsCommandError::Start)?;
    runtime.block_on(async {
        let book = match &place.table {
            Some(table) => aws::Account::find().await?.book(table),
            None => JobBook::new(Installation::new(&config.data).jobs()),
        };
        work(&book).await
    })
}

fn print(
    json: bool,
    value: &impl serde::Serialize,
    text: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), JobsCommandError> {
    let mut output = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut output, value)?;
        writeln!(output)?;
        return Ok(());
    }
    Ok(text(&mut output)?)
}

/// What is told of a run that failed where nobody wrote a report.
fn failed(job: JobName, reason: String) -> RunReport {
    RunReport {
        job,
        result: Some(RunResult::Failed),
        skipped: None,
        reason: Some(reason),
        attempt: None,
        milliseconds: None,
        dry_run: false,
        counts: Counts::new(),
    }
}
