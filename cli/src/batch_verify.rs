//! `credlink batch-verify`: what many images can prove.

mod row;
mod verifier;

use std::{io, path::PathBuf, sync::Arc};

use clap::Args;
use credlink_pipeline::timestamp::Timestamp;
use credlink_service::{api_client::ApiKeyError, config::ConfigError, installation::InstallationError};
use thiserror::Error;

use crate::{
    Answer,
    batch::{
        crew,
        front::{self, FrontArgs},
        inputs::{InputError, Inputs, Scope},
        stop::Stop,
        summary::Summary,
        telling::Telling,
    },
    environment,
    files::FileError,
    stop_signal::StopSignals,
    verify::parse_time,
};
use row::VerifyRow;
use verifier::{Verifier, VerifyWork};

/// Arguments of `batch-verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  credlink batch-verify --input ./signed
  credlink batch-verify --input './signed/**/*.jpg' --format csv > states.csv
  credlink batch-verify --input ./signed --trust-anchors roots.pem --at 2026-01-31T12:00:00Z --format jsonl
  CREDLINK_API_KEY=… credlink batch-verify --input ./signed --service https://credlink.example.com

Exit status: 0 all are valid, 1 some are not, or could not be judged, 2 wrong usage or environment.")]
pub(crate) struct BatchVerifyArgs {
    #[command(flatten)]
    front: FrontArgs,
    #[command(flatten)]
    judging: JudgingArgs,
    /// Replace the file of --report
    #[arg(long)]
    overwrite: bool,
}

/// How images are judged. A service has its own ways.
#[derive(Debug, Args)]
pub(crate) struct JudgingArgs {
    /// PEM file with roots of signers to trust besides the local root, in place of TRUST_ANCHORS
    #[arg(long, value_name = "FILE", conflicts_with = "service")]
    trust_anchors: Option<PathBuf>,
    /// PEM file with roots of time-stamp authorities to trust, in place of TSA_ANCHORS
    #[arg(long, value_name = "FILE", conflicts_with = "service")]
    tsa_anchors: Option<PathBuf>,
    /// Ask nobody whether certificates were revoked; what an image brings along counts all the same
    #[arg(long, conflicts_with = "service")]
    offline: bool,
    /// Judge as if it were this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "service")]
    at: Option<Timestamp>,
}

/// Why nothing was judged. The exit status is 2.
#[derive(Debug, Error)]
pub(crate) enum BatchVerifyError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The files cannot be told.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The report cannot be begun.
    #[error(transparent)]
    Report(#[from] FileError),
    /// The API key cannot be used.
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    /// The system gives no threads or signals.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// The report could not be brought to an end.
    #[error("cannot write the result: {0}")]
    Result(io::Error),
}

/// Verifies all files, and tells how it went.
///
/// # Errors
/// [`BatchVerifyError`]. A bad credential, or a file that is no image, is an answer.
pub(crate) fn run(args: &BatchVerifyArgs, data: PathBuf) -> Result<Answer, BatchVerifyError> {
    let config = environment::config(data)?;
    environment::log_command(&config);
    let runtime = environment::waiting_runtime().map_err(BatchVerifyError::Start)?;
    let inputs = Inputs::find(&args.front.input, &Scope::default())?;
    let verifier = match &args.front.service {
        Some(url) => Verifier::elsewhere(url, front::api_key().as_deref())?,
        None => runtime.block_on(Verifier::here(&config, &args.judging))?,
    };
    let telling = Telling::begin::<VerifyRow>(&args.front, &inputs, Vec::new(), args.overwrite)?;
    let waiting = runtime.handle().clone();
    let work = VerifyWork { inputs, verifier, waiting, max_bytes: config.max_image_bytes, stop: Stop::new() };
    let summary = runtime.block_on(verify_all(Arc::new(work), telling, args.front.parallel()));
    runtime.shutdown_background();
    Ok(if summary?.is_all_well() { Answer::Done } else { Answer::No })
}

async fn verify_all(
    work: Arc<VerifyWork>,
    mut telling: Telling,
    at_once: usize,
) -> Result<Summary, BatchVerifyError> {
    let signals = StopSignals::listen().map_err(BatchVerifyError::Start)?;
    let (stop, count) = (work.stop.clone(), work.inputs.len());
    let (verifying, hurrying) = (Arc::clone(&work), Arc::clone(&work));
    let hurry = tokio::spawn(async move {
        hurrying.stop.wait().await;
        hurrying.verifier.end();
    });
    let mut told = 0;
    let all =
        crew::work(count, at_once, &stop, Arc::new(move |number| verifying.verify(number)), |number, row| {
            told += 1;
            telling.row(&row.unwrap_or_else(|| work.broken(number)))
        });
    let done = tokio::select! {
        biased;
        done = all => done,
        never = stop.obey(signals) => match never {},
    };
    hurry.abort();
    done.map_err(BatchVerifyError::Result)?;
    telling.end(count - told, "name them again to verify them").map_err(BatchVerifyError::Result)
}
