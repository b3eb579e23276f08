//! `credlink batch-sign`: many images with one command, which may be ended at any time and goes on where it was.

mod aws;
mod one;
mod row;
mod signatory;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{ArgGroup, Args};
use credlink_pipeline::signer::SignerError;
use credlink_service::{
    api_client::ApiKeyError,
    config::{Config, ConfigError},
    installation::InstallationError,
    outbound::TimeStampUrl,
    turns::Turns,
};
use thiserror::Error;
use tokio::runtime::Runtime;

use crate::{
    Answer,
    batch::{
        crew,
        drafts::Drafts,
        front::{self, FrontArgs},
        inputs::{InputError, Inputs, Scope},
        journal::{DEFAULT_NAME, Journal, JournalError},
        outputs::{KeptSuffix, OutputError, Outputs},
        pace::{MaxRate, Pace},
        stop::Stop,
        summary::Summary,
        telling::Telling,
        terms::Terms,
        values::{TableError, Values},
    },
    environment,
    files::FileError,
    sign_values::{SignValues, ValuesError},
    stop_signal::StopSignals,
};
use one::{Existing, Work};
use row::SignRow;
use signatory::Signatory;

/// Arguments of `batch-sign`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("place").required(true),
    after_help = "Examples:
  credlink batch-sign --input ./images --output ./signed --creator 'Jane Doe'
  credlink batch-sign --input './images/*.jpg' --input '**/*.png' --output ./signed --values captions.csv
  credlink batch-sign --input ./images --output ./signed --resume
  credlink batch-sign --input ./images --in-place --backup-suffix .orig
  find /archive -name '*.jpg' -print0 | credlink batch-sign --input - --root /archive --output ./signed
  credlink batch-sign --input ./images --output ./signed --table credlink-proofs --max-rate 50
  CREDLINK_API_KEY=… credlink batch-sign --input ./images --output ./signed --service https://credlink.example.com

A file that fails does not stop the others. Ctrl-C ends the run when what runs is done; the same command with --resume
goes on, also after the process was killed, and nothing is signed twice. docs/batch.md explains it.

Exit status: 0 all is signed, 1 some files failed or are left, 2 wrong usage or environment; then nothing was signed."
)]
pub(crate) struct BatchSignArgs {
    #[command(flatten)]
    front: FrontArgs,
    /// Put signed images into this folder, in the tree of the files
    #[arg(short, long, value_name = "DIR", group = "place")]
    output: Option<PathBuf>,
    /// Put signed images into the places of the files, which are kept under a longer name
    #[arg(long, group = "place")]
    in_place: bool,
    /// What the names of the files get at their ends when signed images take their places
    #[arg(long, value_name = "SUFFIX", default_value = ".orig", requires = "in_place")]
    backup_suffix: KeptSuffix,
    /// Replace files in the folder of signed images
    #[arg(long, conflicts_with_all = ["skip_existing", "in_place"])]
    overwrite: bool,
    /// Leave out what has a signed image already, or with --in-place, a kept file
    #[arg(long)]
    skip_existing: bool,
    #[command(flatten)]
    values: SignValues,
    /// CSV file that says more about single files: file, creator, title, digitalSourceType, training, customAssertions
    #[arg(long = "values", value_name = "FILE")]
    table_of_values: Option<PathBuf>,
    /// The most signatures in a second, for the quota of whoever makes them
    #[arg(long, value_name = "RATE")]
    max_rate: Option<MaxRate>,
    /// Sign with the key in AWS KMS that is active in this DynamoDB table
    #[arg(long, value_name = "TABLE", conflicts_with = "service")]
    table: Option<String>,
    /// The time-stamp authority to ask (RFC 3161), in place of TIMESTAMP_URL
    #[arg(long, value_name = "URL", conflicts_with = "service")]
    tsa: Option<TimeStampUrl>,
    /// Go on with a batch that was broken off, or has failures to be tried again
    #[arg(long)]
    resume: bool,
    /// Where the batch is remembered [default: .credlink-batch.jsonl in the folder of signed images, else in the current
    /// one]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// Why nothing was signed. The exit status is 2.
#[derive(Debug, Error)]
pub(crate) enum BatchSignError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The signer cannot be used.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// What is said about all images cannot be used.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// What is said about single images cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The files cannot be told.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Results have no places.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The report cannot be begun.
    #[error(transparent)]
    Report(#[from] FileError),
    /// The API key cannot be used.
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    /// Nothing says which region of AWS is meant.
    #[error("no AWS region: set AWS_REGION, or choose a profile that has one with AWS_PROFILE")]
    NoRegion,
    /// The system gives no threads or signals.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// The report or the journal could not be brought to an end.
    #[error("cannot write the result: {0}")]
    Result(io::Error),
}

/// Files that are on their way for each one that is computed on: the others wait for the disk or for who holds the key.
/// Four and twelve signed 400 photographs no sooner than two.
const FILES_PER_TURN: usize = 2;

/// The most rows of values without a file that are named.
const MAX_UNUSED_NAMED: usize = 20;

/// Signs all files, and tells how it went.
///
/// # Errors
/// [`BatchSignError`]; a file that cannot be signed is none.
pub(crate) fn run(mut args: BatchSignArgs, data: PathBuf) -> Result<Answer, BatchSignError> {
    let mut config = environment::config(data)?;
    config.time_stamp_url = args.tsa.take().or(config.time_stamp_url);
    environment::log_command(&config);
    let runtime = environment::waiting_runtime().map_err(BatchSignError::Start)?;
    let parallel = args.front.parallel();
    let at_once =
        if args.front.service.is_some() { parallel } else { parallel.saturating_mul(FILES_PER_TURN) };
    let (work, telling) = runtime.block_on(prepare(args, &config, &runtime, parallel))?;
    let summary = runtime.block_on(sign_all(Arc::new(work), telling, at_once));
    // Nothing runs any more but look-ups that nobody waits for.
    runtime.shutdown_background();
    Ok(if summary?.is_all_well() { Answer::Done } else { Answer::No })
}

/// Finds everything out that can be wrong before the first image is signed.
async fn prepare(
    args: BatchSignArgs,
    config: &Config,
    runtime: &Runtime,
    parallel: usize,
) -> Result<(Work, Telling), BatchSignError> {
    let common = args.values.into_options()?;
    let (values, table) = args.table_of_values.as_deref().map(Values::read).transpose()?.unwrap_or_default();
    let outputs = match &args.output {
        Some(folder) => Outputs::tree(folder)?,
        None => Outputs::InPlace(args.backup_suffix.clone()),
    };
    let scope = Scope {
        needs_tree: args.output.is_some(),
        output: outputs.folder().map(Path::to_owned),
        kept_suffix: args.in_place.then(|| args.backup_suffix.as_os_str().to_owned()),
    };
    let mut inputs = Inputs::find(&args.front.input, &scope)?;
    outputs.settle(&mut inputs)?;
    let chosen = signatory::Choice { service: args.front.service.as_ref(), table: args.table.as_deref() };
    let signatory = Signatory::open(&chosen, config, front::api_key().as_deref()).await?;
    let mut terms = Terms::default();
    terms.add("in place", &[u8::from(args.in_place)]);
    terms.add_path("output", &outputs.describe());
    terms.add_options(&common);
    terms.add("values", &table);
    signatory.add_to(&mut terms);
    let default = || args.output.as_deref().unwrap_or(Path::new("")).join(DEFAULT_NAME);
    let path = args.journal.clone().unwrap_or_else(default);
    let journal = Journal::open(&path, terms.hash(), args.resume)?;
    let mut notes = notes_on_values(&values, &inputs);
    if journal.is_resumed() {
        notes.insert(0, "an earlier run began this batch".to_owned());
    }
    let telling = Telling::begin::<SignRow>(&args.front, &inputs, notes, args.overwrite || args.resume)?;
    let existing = match (args.overwrite, args.skip_existing) {
        (true, _) => Existing::Replace,
        (false, true) => Existing::Skip,
        (false, false) => Existing::Refuse,
    };
    let (turns, waiting) = (Turns::new(parallel), runtime.handle().clone());
    let work = Work {
        inputs,
        outputs,
        existing,
        values,
        common,
        journal,
        drafts: Drafts::in_turns(turns.clone(), waiting.clone()),
        pace: Pace::new(args.max_rate),
        turns,
        signatory,
        stop: Stop::new(),
        waiting,
        max_bytes: config.max_image_bytes,
    };
    Ok((work, telling))
}

fn notes_on_values(values: &Values, inputs: &Inputs) -> Vec<String> {
    let unused = values.unused(inputs);
    let named = unused.iter().take(MAX_UNUSED_NAMED);
    let mut notes: Vec<String> =
        named.map(|(line, file)| format!("line {line} of --values: {file} is not among the files")).collect();
    if unused.len() > MAX_UNUSED_NAMED {
        notes.push(format!(
            "{} more rows of --values are of files that are not among these",
            unused.len() - MAX_UNUSED_NAMED
        ));
    }
    notes
}

async fn sign_all(work: Arc<Work>, mut telling: Telling, at_once: usize) -> Result<Summary, BatchSignError> {
    let signals = StopSignals::listen().map_err(BatchSignError::Start)?;
    let (stop, count) = (work.stop.clone(), work.inputs.len());
    let (signing, hurrying) = (Arc::clone(&work), Arc::clone(&work));
    let hurry = tokio::spawn(async move {
        hurrying.stop.wait().await;
        hurrying.signatory.end();
    });
    let mut told = 0;
    let all =
        crew::work(count, at_once, &stop, Arc::new(move |number| signing.sign(number)), |number, row| {
            // None within: the run ended before the file was begun. None without: a fault of this program.
            let Some(row) = row.unwrap_or_else(|| Some(work.broken(number))) else { return Ok(()) };
            told += 1;
            telling.row(&row)
        });
    let done = tokio::select! {
        biased;
        done = all => done,
        never = stop.obey(signals) => match never {},
    };
    hurry.abort();
    done.map_err(BatchSignError::Result)?;
    let summary = telling
        .end(count - told, "the same command with --resume goes on")
        .map_err(BatchSignError::Result)?;
    work.journal.close(summary.is_all_well()).map_err(BatchSignError::Result)?;
    Ok(summary)
}
