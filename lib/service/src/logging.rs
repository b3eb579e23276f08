//! Structured logs on standard error.

use std::{io, panic};

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// Lines from `level` on. The C2PA library reports its steps and missing features at every level; of it only
/// errors are of use. The AWS SDK writes names of objects below `info`, and who knows the name of an upload may use
/// it; directives of one's own (`RUST_LOG`) can show them.
pub fn filter(level: &str) -> EnvFilter {
    let sdk = if matches!(level, "debug" | "trace") { ",aws_=info" } else { "" };
    EnvFilter::new(format!("{level},c2pa=error{sdk}"))
}

/// Starts logging, once per process; a later call changes nothing. Panics are logged as well, in the same
/// form.
pub fn start(format: LogFormat, filter: EnvFilter, colour: bool) {
    let started = match format {
        LogFormat::Json => fmt()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .finish()
            .try_init(),
        LogFormat::Text => {
            fmt().with_env_filter(filter).with_ansi(colour).with_writer(io::stderr).finish().try_init()
        }
    };
    if started.is_ok() {
        log_panics();
    }
}

fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // Messages of panics are texts of the code; cut, in case one quotes what it choked on.
        let message: String = info.payload_as_str().unwrap_or("no message").chars().take(200).collect();
        tracing::error!(place, message, "panic");
    }));
}
