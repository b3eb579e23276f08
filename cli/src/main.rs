//! The `credlink` command.
//!
//! Exit status: 0 done, 1 the answer is no (`verify`: not valid; a batch: some failed; `jobs run`: not done), 2 wrong usage or environment. Results go to
//! standard output; what went wrong goes to standard error, on one line.

mod background;
mod batch;
mod batch_sign;
mod batch_verify;
mod environment;
mod files;
mod jobs;
mod keys;
mod migrate_proofs;
mod printable;
mod serve;
mod sign;
mod sign_values;
mod stop_signal;
mod time_left;
mod verify;

use std::{
    error::Error,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "Examples:
  credlink serve
  credlink sign photo.jpg -o signed.jpg --creator 'Jane Doe'
  credlink verify signed.jpg
  credlink migrate-proofs --from local --to s3:BUCKET
  credlink batch-sign --input ./images --output ./signed
  credlink keys show
  credlink jobs list

Exit status: 0 done, 1 the answer is no, 2 wrong usage or environment.";

/// Sign and verify images with Content Credentials.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, infer_subcommands = false)]
struct Cli {
    /// Folder with keys and proofs
    #[arg(long, global = true, env = "CREDLINK_DATA", value_name = "DIR", default_value = "./credlink-data")]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API and the web page
    Serve(serve::ServeArgs),
    /// Sign an image
    Sign(sign::SignArgs),
    /// Say what an image can prove
    Verify(verify::VerifyArgs),
    /// Move proofs from one store to another
    MigrateProofs(Box<migrate_proofs::MigrateProofsArgs>),
    /// Sign many images
    BatchSign(Box<batch_sign::BatchSignArgs>),
    /// Say what many images can prove
    BatchVerify(Box<batch_verify::BatchVerifyArgs>),
    /// Show, make, import, replace and activate signing keys; make and revoke API keys
    #[command(
        subcommand,
        after_help = "Examples:\n  credlink keys show\n  credlink keys init --algorithm p-256\n  \
                      credlink keys import --chain chain.pem --key key.pem\n  \
                      credlink keys rotate\n  credlink keys activate --kms-key alias/signing --table credlink-proofs\n  \
                      credlink keys api create --name 'picture desk' --scope sign"
    )]
    Keys(keys::KeysCommand),
    /// List, run, enable and disable the jobs that run beside the service
    #[command(
        subcommand,
        after_help = "Examples:\n  credlink jobs list\n  credlink jobs run proof-cleanup --dry-run\n  \
                      credlink jobs disable proof-restamp\n  credlink jobs history proof-cleanup --json\n\n\
                      docs/jobs.md explains them."
    )]
    Jobs(jobs::JobsCommand),
}

/// The answer of a command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    No,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(Answer::Done) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => {
            let line = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            // When standard error is closed too, nobody is left to be told.
            drop(writeln!(io::stderr(), "credlink: {line}"));
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<Answer, Box<dyn Error>> {
    Ok(match cli.command {
        Command::Serve(args) => serve::run(&args, cli.data)?,
        Command::Sign(args) => sign::run(args, cli.data)?,
        Command::Verify(args) => verify::run(&args, cli.data)?,
        Command::MigrateProofs(args) => migrate_proofs::run(&args, &cli.data)?,
        Command::BatchSign(args) => batch_sign::run(*args, cli.data)?,
        Command::BatchVerify(args) => batch_verify::run(&args, cli.data)?,
        Command::Keys(command) => {
            keys::run(&command, &cli.data)?;
            Answer::Done
        }
        Command::Jobs(command) => jobs::run(&command, cli.data)?,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
