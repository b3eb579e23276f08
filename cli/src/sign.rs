//! `credlink sign`: one image.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use credlink_pipeline::{
    proof::ProofRecord,
    sign::{SignContext, SignError, StampOutcome, sign},
};
use credlink_service::{
    clock::SystemClock,
    config::ConfigError,
    installation::{self, Installation, InstallationError},
    outbound::{self, TimeStampUrl},
};
use thiserror::Error;

use crate::{
    Answer, environment,
    files::{self, FileError, Output},
    sign_values::{SignValues, ValuesError},
};

/// Arguments of `sign`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  credlink sign photo.jpg -o signed.jpg --creator 'Jane Doe' --title 'The harbour'
  credlink sign render.png -o signed.png --digital-source-type trainedAlgorithmicMedia
  credlink sign photo.jpg -o signed.jpg --tsa http://timestamp.example.com/tsa
  credlink sign photo.jpg -o signed.jpg --assertions desk.json --training notAllowed --json
  curl -s https://example.com/photo.webp | credlink sign - -o - > signed.webp

The file of --assertions holds a JSON array: [{\"label\": \"com.example.desk\", \"data\": {\"id\": 7}}].")]
pub(crate) struct SignArgs {
    /// The image, JPEG, PNG or WebP; - reads standard input
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Where the signed image goes; - writes standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    values: SignValues,
    /// The time-stamp authority to ask (RFC 3161), in place of TIMESTAMP_URL
    #[arg(long, value_name = "URL")]
    tsa: Option<TimeStampUrl>,
    /// Replace the output file when there is one
    #[arg(long)]
    force: bool,
    /// Print the proof's record as JSON
    #[arg(long)]
    json: bool,
}

/// Why an image was not signed.
#[derive(Debug, Error)]
pub(crate) enum SignCommandError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is said about the image cannot be used.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// The image and the JSON would go to the same place.
    #[error("--json and -o - both write to standard output; give one of them up")]
    TwoResults,
    /// The image cannot be signed.
    #[error("{image}: {cause}")]
    Sign {
        /// Which image.
        image: String,
        /// Why.
        cause: SignError,
    },
    /// The result could not be written.
    #[error("cannot write the result: {0}")]
    Result(#[from] io::Error),
}

/// Signs the image and keeps the proof where `PROOF_STORE` says, else in the data folder.
///
/// # Errors
/// [`SignCommandError`]. The output file is as it was then.
pub(crate) fn run(args: SignArgs, data: PathBuf) -> Result<Answer, SignCommandError> {
    if args.json && files::is_standard(&args.output) {
        return Err(SignCommandError::TwoResults);
    }
    let mut config = environment::config(data)?;
    config.time_stamp_url = args.tsa.or(config.time_stamp_url);
    environment::log_command(&config);
    let settings = config.sign_settings();
    let proof_uris = config.proof_uris(config.listen)?;
    let image = files::read(&args.image, settings.limits.max_bytes)?;
    let output = Output::open(&args.output, args.force)?;
    let options = args.values.into_options()?;
    let installation = Installation::new(&config.data);
    let signer = installation.signer(config.signing_certificate.as_deref())?;
    let runtime = environment::small_runtime()?;
    let proofs = runtime.block_on(installation::open_proofs(&config.lasting_proofs_here()))?;
    let authorities = outbound::authorities(&config);
    let context = SignContext {
        signer: &*signer,
        proofs: &*proofs,
        clock: &SystemClock,
        proof_uris: &proof_uris,
        trust: &installation.trust(&config.anchor_files())?,
        time_stamps: authorities.time_stamps.as_deref(),
        revocation: authorities.revocation.as_deref(),
        settings: &settings,
    };
    let signed = runtime
        .block_on(sign(image, &options, &context))
        .map_err(|cause| SignCommandError::Sign { image: files::name(&args.image), cause })?;
    output.finish(&signed.image)?;
    if let StampOutcome::Missing(reason) = &signed.stamp {
        writeln!(io::stderr(), "credlink: signed without a time-stamp: {reason}")?;
    }
    if !files::is_standard(&args.output) {
        tell(&args.output, &signed.record, args.json)?;
    }
    Ok(Answer::Done)
}

fn tell(output: &Path, record: &ProofRecord, json: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut stdout, record)?;
        return writeln!(stdout);
    }
    let length = fs::metadata(output)?.len();
    writeln!(stdout, "{}: signed, {length} bytes", output.display())?;
    writeln!(stdout, "Proof  {}, until {}", record.uri, record.expires_at)
}
