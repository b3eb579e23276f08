//! The arguments that both batch commands have.

use std::{env, ffi::OsString, num::NonZeroUsize, path::PathBuf, thread};

use clap::{Args, ValueEnum};
use credlink_service::api_client::ServiceUrl;

/// Which files, where, and what is told.
#[derive(Debug, Args)]
pub(crate) struct FrontArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// How many files are worked on at once [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<NonZeroUsize>,
    /// Let a deployed service do it, with the API key in CREDLINK_API_KEY
    #[arg(long, value_name = "URL")]
    pub(crate) service: Option<ServiceUrl>,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Where the report goes, in place of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

impl FrontArgs {
    /// How many files are worked on at once.
    pub(crate) fn parallel(&self) -> usize {
        self.parallel.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }
}

/// The API key for a service. It stands in the environment alone: others can read command lines.
pub(crate) fn api_key() -> Option<String> {
    env::var("CREDLINK_API_KEY").ok().filter(|key| !key.trim().is_empty())
}

/// Which files.
#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// A folder, an image, a pattern in quotes such as './images/*.jpg' or '**/*.png', @FILE with a list of names, or -
    /// for a list on standard input; may be given often
    #[arg(short, long, value_name = "INPUT", num_args = 1.., required_unless_present = "input_list")]
    pub(crate) input: Vec<OsString>,
    /// File with a name on each line, or with a zero byte after each; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input_list: Vec<PathBuf>,
    /// The folder that the names in lists are below; results are put in the same tree [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: what went wrong, and a summary
    Text,
    /// One JSON object
    Json,
    /// A JSON object on each line, the summary last
    Jsonl,
    /// A table; the summary goes to standard error
    Csv,
}
