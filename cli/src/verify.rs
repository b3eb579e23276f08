//! `credlink verify`: what one image can prove.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use credlink_pipeline::{
    certificate::{CheckResult, TimeSource},
    credential::{StatusKind, ValidationState},
    timestamp::{Clock, Timestamp},
    verdict::{Substitution, VerificationReport},
    verify::{RECOVERED, VerifyContext, VerifyError, verify},
};
use credlink_service::{
    anchors::AnchorFile,
    clock::SystemClock,
    config::ConfigError,
    installation::{self, Installation, InstallationError},
    outbound,
};
use thiserror::Error;

use crate::{
    Answer, environment,
    files::{self, FileError},
    printable::printable,
};

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  credlink verify signed.jpg
  credlink verify signed.jpg --json | jq .score
  credlink verify signed.jpg --trust-anchors roots.pem --tsa-anchors tsa-roots.pem
  credlink verify signed.jpg --offline
  credlink verify signed.jpg --at 2026-01-31T12:00:00Z
  credlink verify - < signed.jpg

Exit status: 0 valid, 1 not valid, 2 wrong usage or environment, or not an image.")]
pub(crate) struct VerifyArgs {
    /// The image, JPEG, PNG or WebP; - reads standard input
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// PEM file with roots of signers to trust besides the local root, in place of TRUST_ANCHORS
    #[arg(long, value_name = "FILE")]
    trust_anchors: Option<PathBuf>,
    /// PEM file with roots of time-stamp authorities to trust, in place of TSA_ANCHORS
    #[arg(long, value_name = "FILE")]
    tsa_anchors: Option<PathBuf>,
    /// Ask nobody whether certificates were revoked; what the image brings along counts all the same
    #[arg(long)]
    offline: bool,
    /// Judge as if it were this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum VerifyCommandError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not an image.
    #[error("{image}: {cause}")]
    Verify {
        /// Which file.
        image: String,
        /// Why.
        cause: VerifyError,
    },
    /// The result could not be written.
    #[error("cannot write the result: {0}")]
    Result(#[from] io::Error),
}

/// Verifies the image with what the data folder knows.
///
/// # Errors
/// When there is no image to judge, or nothing to judge it with. A bad credential is an answer, not an error.
pub(crate) fn run(args: &VerifyArgs, data: PathBuf) -> Result<Answer, VerifyCommandError> {
    let config = environment::config(data)?;
    environment::log_command(&config);
    let max_bytes = config.max_image_bytes;
    let image = files::read(&args.image, max_bytes)?;
    let installation = Installation::new(&config.data);
    let mut further = config.anchor_files();
    if let Some(path) = &args.trust_anchors {
        further.signers = vec![AnchorFile::new("--trust-anchors", path)];
    }
    if let Some(path) = &args.tsa_anchors {
        further.time_stamps = vec![AnchorFile::new("--tsa-anchors", path)];
    }
    let clock: &dyn Clock = match &args.at {
        Some(time) => &FixedClock(*time),
        None => &SystemClock,
    };
    let runtime = environment::small_runtime()?;
    let proofs = runtime.block_on(installation::open_proofs_if_any(&config.lasting_proofs_here()))?;
    let revocation = if args.offline { None } else { outbound::authorities(&config).revocation };
    let context = VerifyContext {
        proofs: &*proofs,
        clock,
        trust: &installation.trust(&further)?,
        revocation: revocation.as_deref(),
        proof_uris: &config.proof_uris(config.listen)?,
        max_bytes,
    };
    let report = runtime
        .block_on(verify(image, &context))
        .map_err(|cause| VerifyCommandError::Verify { image: files::name(&args.image), cause })?
        .without_thumbnails();
    let mut stdout = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut stdout, &report).map_err(io::Error::from)?;
        writeln!(stdout)?;
    } else {
        let colour = environment::wants_colour(&stdout);
        Answered { image: &files::name(&args.image), report: &report, colour }.write(&mut stdout)?;
    }
    Ok(if report.valid { Answer::Done } else { Answer::No })
}

/// A clock that stands still.
pub(crate) struct FixedClock(pub(crate) Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A time on the command line.
///
/// # Errors
/// When the text is none.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|_| "a time is written like 2026-01-31T12:00:00Z".to_owned())
}

/// A report for people: the answer first, then why.
struct Answered<'a> {
    image: &'a str,
    report: &'a VerificationReport,
    colour: bool,
}

impl Answered<'_> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (on, off) = match (self.colour, self.report.valid) {
            (false, _) => ("", ""),
            (true, true) => ("\x1b[32m", "\x1b[0m"),
            (true, false) => ("\x1b[31m", "\x1b[0m"),
        };
        writeln!(out, "{}: {on}{}{off}", self.image, verdict(self.report))?;
        if let Some(substitution) = &self.report.substitution {
            write_alarm(out, substitution)?;
        }
        self.write_signer(out)?;
        if let Some(proof) = &self.report.proof {
            writeln!(out, "Proof        {}", printable(&proof.uri))?;
            writeln!(out, "             signed {}, kept until {}", proof.created_at, proof.expires_at)?;
        }
        writeln!(out, "Score        {} of 100", self.report.confidence)?;
        for row in &self.report.score {
            writeln!(
                out,
                "  {:>2}/{:<2}  {:<16}  {}",
                row.points,
                row.of,
                row.check,
                printable(&row.reason)
            )?;
        }
        for status in self.report.status.iter().filter(|status| status.kind == StatusKind::Failure) {
            let explanation = status.explanation.as_deref().unwrap_or_default();
            writeln!(out, "Failure      {} {}", printable(&status.code), printable(explanation))?;
        }
        Ok(())
    }

    fn write_signer(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(certificate) = &self.report.certificate else { return Ok(()) };
        let source = match certificate.time_source {
            TimeSource::Timestamp => "the time-stamp of the signature",
            TimeSource::Now => "now; the signature has no trusted time-stamp",
        };
        writeln!(out, "Signed by    {}", printable(&certificate.subject))?;
        writeln!(out, "Issued by    {}", printable(&certificate.issuer))?;
        writeln!(out, "Judged at    {} ({source})", certificate.evaluated_at)?;
        for check in certificate.checks.iter().filter(|check| check.result == CheckResult::Failed) {
            writeln!(out, "             {:?} failed: {}", check.name, printable(&check.detail))?;
        }
        Ok(())
    }
}

fn write_alarm(out: &mut impl Write, substitution: &Substitution) -> io::Result<()> {
    match substitution.embedded_manifest_hash {
        Some(embedded) => {
            writeln!(out, "Alarm        the image carries another manifest than the one that was stored")?;
            writeln!(out, "             embedded {embedded}")?;
        }
        None => writeln!(out, "Alarm        the image names the proof of another picture")?,
    }
    writeln!(out, "             stored   {}", substitution.stored_manifest_hash)
}

/// The answer in a few words.
pub(crate) fn verdict(report: &VerificationReport) -> &'static str {
    let is_recovered = report.status.iter().any(|status| status.code == RECOVERED);
    match (report.valid, report.state) {
        (true, ValidationState::None) => "valid, by a proof of the first system",
        (true, _) if is_recovered => "valid, by the credential that is kept for it; the file carries none",
        (true, ValidationState::Trusted) => "valid, and the signer is trusted",
        (true, _) => "valid, but the signer is not known here",
        (false, _) if report.substitution.is_some() => "not valid: the credential was exchanged",
        (false, ValidationState::None) if !report.details.has_manifest => "no credential",
        (false, _) => "not valid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339() {
        assert_eq!(parse_time("2026-01-31T12:00:00+01:00").unwrap().to_string(), "2026-01-31T11:00:00.000Z");
        assert!(parse_time("yesterday").is_err());
    }
}
