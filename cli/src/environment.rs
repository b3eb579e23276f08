//! What all commands share: the configuration of the environment, logs, and whether colour is wanted.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
};

use credlink_service::{
    config::{Config, ConfigError},
    logging::{self, LogFormat},
};
use tokio::runtime::{Builder, Runtime};

/// Waiting takes little of a processor.
const WAITING_THREADS: usize = 2;

/// The configuration, with the data folder of the command line.
///
/// # Errors
/// The first variable whose value cannot be used.
pub(crate) fn config(data: PathBuf) -> Result<Config, ConfigError> {
    Config::in_folder(data, |name| env::var(name).ok())
}

/// Starts the logs of a service on standard error: everything of note, as text on a terminal and as JSON
/// elsewhere, unless something else was chosen.
pub(crate) fn log_service(config: &Config) {
    let format = if io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
    start_logging(config, "info", format);
}

/// Starts the logs of a command that does one thing: text, and errors only, because its answer is its result.
pub(crate) fn log_command(config: &Config) {
    start_logging(config, "error", LogFormat::Text);
}

fn start_logging(config: &Config, level: &str, format: LogFormat) {
    let filter = config.log.filter.clone().unwrap_or_else(|| logging::filter(level));
    logging::start(config.log.format.unwrap_or(format), filter, wants_colour(&io::stderr()));
}

/// Colour is for terminals, and not for who said no to it (no-color.org).
pub(crate) fn wants_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What runs the work of a command that does one thing.
///
/// # Errors
/// When the system refuses.
pub(crate) fn small_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// What waits for the network and for timers while threads of their own work on many files.
///
/// # Errors
/// When the system refuses.
pub(crate) fn waiting_runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(WAITING_THREADS).enable_all().build()
}
