//! `credlink migrate-proofs`: from one store to another.

mod aws;
mod printed;
mod progress;
mod stores;

use std::{
    convert::Infallible,
    io::{self, Write as _},
    path::Path,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::Args;
use credlink_pipeline::{proof::ProofStoreError, timestamp::Clock as _};
use credlink_proofs::{
    MemoryProofStore, ProofArchive, StoreLocationError,
    migration::{
        Ending, Migration, MigrationError, OnConflict, Options, Plan, Report, RunFolder, RunId, Runs,
    },
};
use credlink_service::{clock::SystemClock, config::ConfigError};
use serde::Serialize;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use crate::{Answer, environment, stop_signal::StopSignals};
use progress::Progress;
use stores::Stores;

/// Arguments of `migrate-proofs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  credlink migrate-proofs --from local --to dynamodb:credlink-proofs/credlink-blobs --dry-run
  credlink migrate-proofs --from local --to s3:my-bucket/proofs --parallel 16
  credlink migrate-proofs --from local --to local:/backup/proofs --on-conflict overwrite-if-newer
  credlink migrate-proofs --resume 20260131-081530-5f2c9a
  credlink migrate-proofs --rollback 20260131-081530-5f2c9a
  credlink migrate-proofs --list

A store is local[:FOLDER], dynamodb[:TABLE/BUCKET], s3[:BUCKET[/PREFIX]] or postgres://…; what is left out comes from the \
                  environment. The source is only read.

Exit status: 0 everything is there; 1 some proofs are not, or the run was stopped; 2 wrong usage or environment, or a store \
                  does not answer any more.

docs/migration.md explains what a report says.")]
pub(crate) struct MigrateProofsArgs {
    /// The store that proofs come from
    #[arg(long, value_name = "STORE", required_unless_present_any = ["resume", "rollback", "list"])]
    from: Option<String>,
    /// The store that they go to
    #[arg(long, value_name = "STORE", required_unless_present_any = ["resume", "rollback", "list"])]
    to: Option<String>,
    /// Change nothing; say what would be moved, how much that is, and what collides
    #[arg(long)]
    dry_run: bool,
    /// How many proofs there are between two points at which the run can stop [default: 500]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch_size: Option<u16>,
    /// How many proofs are copied at once [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: Option<u16>,
    /// Where the destination has another proof of the same id: skip, fail or overwrite-if-newer [default: skip]
    #[arg(long, value_name = "POLICY")]
    on_conflict: Option<OnConflict>,
    /// Move expired proofs too
    #[arg(long)]
    include_expired: bool,
    /// Go on with a run that was stopped or killed
    #[arg(long, value_name = "RUN", conflicts_with_all = ["dry_run", "include_expired"])]
    resume: Option<RunId>,
    /// Remove what a run wrote, and nothing else
    #[arg(long, value_name = "RUN", conflicts_with_all = ["resume", "dry_run", "include_expired", "from", "on_conflict", "batch_size"])]
    rollback: Option<RunId>,
    /// Show the runs of this data folder
    #[arg(long, conflicts_with_all = ["resume", "rollback", "dry_run", "from", "to", "on_conflict", "batch_size", "parallel", "include_expired"])]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Why proofs could not be moved. The exit status is 2.
#[derive(Debug, Error)]
pub(crate) enum MigrateProofsError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A text names no store.
    #[error("--{option}: {cause}")]
    Location {
        /// Which option.
        option: &'static str,
        /// What is wrong with it.
        cause: StoreLocationError,
    },
    /// A store cannot be opened.
    #[error("the {side} {location} cannot be used: {cause}")]
    Store {
        /// Source or destination.
        side: &'static str,
        /// Which store.
        location: String,
        /// Why not.
        cause: ProofStoreError,
    },
    /// Both are one store.
    #[error("--from and --to are the same store, {0}; name two")]
    SameStore(String),
    /// A resumed run is to use another store.
    #[error("run {run} is between {planned}, not {given}; leave --from and --to out, or begin a new run")]
    OtherStore {
        /// Which run.
        run: RunId,
        /// The store of the run.
        planned: String,
        /// What was given.
        given: String,
    },
    /// A store that is forgotten when the program ends.
    #[error("proofs in memory are gone when this program ends; name another store")]
    Memory,
    /// The run cannot begin, or go on.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// A store does not answer any more.
    #[error(
        "the {side} does not answer any more: {reason}; when it does, go on with `credlink migrate-proofs --{option} {run}`"
    )]
    Unreachable {
        /// Source or destination.
        side: &'static str,
        /// Why.
        reason: String,
        /// How to go on.
        option: &'static str,
        /// Which run.
        run: RunId,
    },
    /// A dry run could not be finished.
    #[error("the {side} does not answer any more: {reason}")]
    DryRun {
        /// Source or destination.
        side: &'static str,
        /// Why.
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

/// Moves proofs, goes on moving them, takes a move back, or lists the runs of the data folder `data`.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub(crate) fn run(args: &MigrateProofsArgs, data: &Path) -> Result<Answer, MigrateProofsError> {
    environment::log_command(&environment::config(data.to_owned())?);
    let runs = Runs::new(data.join("migrations"));
    if args.list {
        let listed = runs.list()?;
        print(args.json, &listed, |output| printed::runs(&listed, output))?;
        return Ok(Answer::Done);
    }
    let runtime = threads().map_err(MigrateProofsError::Start)?;
    let answer = runtime.block_on(async {
        let stop = Arc::new(AtomicBool::new(false));
        let signals = StopSignals::listen().map_err(MigrateProofsError::Start)?;
        let command = Command { args, data, runs: &runs, stop: &stop };
        tokio::select! {
            biased;
            answer = command.run() => answer,
            never = obey(signals, &stop) => match never {},
        }
    });
    runtime.shutdown_background();
    answer
}

/// The first signal asks for an end after the batch; the second is the end.
async fn obey(mut signals: StopSignals, stop: &AtomicBool) -> Infallible {
    signals.next().await;
    stop.store(true, Ordering::Relaxed);
    process::exit(128 + signals.next().await)
}

fn threads() -> io::Result<Runtime> {
    Builder::new_multi_thread().thread_name("migration").enable_all().build()
}

struct Command<'a> {
    args: &'a MigrateProofsArgs,
    data: &'a Path,
    runs: &'a Runs,
    stop: &'a AtomicBool,
}

impl Command<'_> {
    async fn run(&self) -> Result<Answer, MigrateProofsError> {
        match (&self.args.resume, &self.args.rollback) {
            (Some(run), _) => self.resume(run).await,
            (_, Some(run)) => self.roll_back(run).await,
            _ => self.begin().await,
        }
    }

    async fn begin(&self) -> Result<Answer, MigrateProofsError> {
        let stores = Stores::parse(self.args, self.data)?;
        let started = SystemClock.now();
        let plan = Plan {
            run: RunId::new(started),
            from: stores.from.to_string(),
            to: stores.to.to_string(),
            options: self.options(Options::default()),
            started,
        };
        if self.args.dry_run {
            return self.look(plan, &stores).await;
        }
        let (source, destination) = stores.open().await?;
        let mut run = self.runs.create(plan)?;
        self.go(&mut run, source, destination).await
    }

    async fn look(&self, plan: Plan, stores: &Stores) -> Result<Answer, MigrateProofsError> {
        let (source, destination) = stores.open_for_looking().await?;
        let mut trial = self.runs.create_trial(plan)?;
        let progress = Arc::new(Progress::new());
        let migration = Migration::new(source, destination).watched_by(Arc::clone(&progress) as _);
        let report = migration.dry_run(&mut trial, &|| self.must_stop()).await?;
        progress.end();
        print(self.args.json, &report, |output| printed::report(&report, output))?;
        match (&report.ending, side_of(&report)) {
            (_, Some(side)) => {
                Err(MigrateProofsError::DryRun { side, reason: report.reason.unwrap_or_default() })
            }
            (Ending::Complete, None) => Ok(Answer::Done),
            _ => Ok(Answer::No),
        }
    }

    async fn resume(&self, run: &RunId) -> Result<Answer, MigrateProofsError> {
        let mut folder = self.runs.open(run)?;
        let stores = Stores::of_run(folder.plan(), self.args, self.data)?;
        let options = self.options(folder.plan().options);
        if options != folder.plan().options {
            folder.set_options(options)?;
        }
        let (source, destination) = stores.open().await?;
        self.go(&mut folder, source, destination).await
    }

    async fn go(
        &self,
        run: &mut RunFolder,
        source: Arc<dyn ProofArchive>,
        destination: Arc<dyn ProofArchive>,
    ) -> Result<Answer, MigrateProofsError> {
        self.name(&run.plan().run)?;
        let progress = Arc::new(Progress::new());
        let migration = Migration::new(source, destination).watched_by(Arc::clone(&progress) as _);
        let report = migration.run(run, &|| self.must_stop()).await?;
        progress.end();
        print(self.args.json, &report, |output| printed::report(&report, output))?;
        if let Some(side) = side_of(&report) {
            let (run, reason) = (report.plan.run, report.reason.unwrap_or_default());
            return Err(MigrateProofsError::Unreachable { side, reason, option: "resume", run });
        }
        Ok(if report.ending == Ending::Complete { Answer::Done } else { Answer::No })
    }

    async fn roll_back(&self, run: &RunId) -> Result<Answer, MigrateProofsError> {
        let mut folder = self.runs.open(run)?;
        let destination = Stores::of_run(folder.plan(), self.args, self.data)?.open_destination().await?;
        self.name(run)?;
        // Nobody asks the source.
        let source = Arc::new(MemoryProofStore::new());
        let progress = Arc::new(Progress::new());
        let migration = Migration::new(source, destination).watched_by(Arc::clone(&progress) as _);
        let report = migration.roll_back(&mut folder, &|| self.must_stop()).await?;
        progress.end();
        print(self.args.json, &report, |output| printed::rollback(&report, output))?;
        match report.reason {
            Some(reason) if !self.must_stop() => Err(MigrateProofsError::Unreachable {
                side: "destination",
                reason,
                option: "rollback",
                run: run.clone(),
            }),
            _ if report.finished && report.left == 0 => Ok(Answer::Done),
            _ => Ok(Answer::No),
        }
    }

    fn options(&self, before: Options) -> Options {
        Options {
            batch_size: self.args.batch_size.map_or(before.batch_size, usize::from),
            parallel: self.args.parallel.map_or(before.parallel, usize::from),
            on_conflict: self.args.on_conflict.unwrap_or(before.on_conflict),
            include_expired: before.include_expired || self.args.include_expired,
        }
    }

    fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Says which run it is before anything else, so that it is known whatever happens.
    fn name(&self, run: &RunId) -> io::Result<()> {
        if self.args.json {
            return writeln!(io::stderr(), "Run {run}");
        }
        let mut output = io::stdout().lock();
        writeln!(output, "Run {run}")?;
        output.flush()
    }
}

/// The store that does not answer any more.
fn side_of(report: &Report) -> Option<&'static str> {
    match report.ending {
        Ending::SourceUnavailable => Some("source"),
        Ending::DestinationUnavailable => Some("destination"),
        Ending::Complete | Ending::Incomplete | Ending::Conflict | Ending::Interrupted => None,
    }
}

fn print(
    json: bool,
    value: &(impl Serialize + ?Sized),
    text: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), MigrateProofsError> {
    let mut output = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut output, value)?;
        writeln!(output)?;
        return Ok(());
    }
    Ok(text(&mut output)?)
}
