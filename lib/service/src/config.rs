//! What the operator chose, from environment variables. The table is in `docs/configuration.md`.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use thiserror::Error;
use tracing_subscriber::EnvFilter;

use crate::logging::LogFormat;

/// The whole configuration of the service, checked.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder with keys and proofs.
    pub data: PathBuf,
    /// The longest image, in bytes.
    pub max_image_bytes: usize,
    /// How long a caller waits for an image to be worked on.
    pub processing_timeout: Duration,
    /// Whether proofs are kept in the data folder, or in memory until the service ends.
    pub keep_proofs: bool,
    /// A PEM file of further roots to trust.
    pub trust_anchors: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// What is logged, and how.
#[derive(Debug)]
pub struct LogConfig {
    /// Which lines.
    pub filter: EnvFilter,
    /// Their form; `None` means JSON, but text on a terminal.
    pub format: Option<LogFormat>,
}

/// A variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{variable} is {value:?}; allowed is {allowed}")]
pub struct ConfigError {
    /// The variable's name.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// What it may be.
    pub allowed: String,
}

impl Config {
    /// Reads the variables through `lookup`, which gives the value of a name. An empty value counts as none.
    ///
    /// # Errors
    /// The first variable whose value cannot be used.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variables = Variables(|name: &str| lookup(name).filter(|value| !value.trim().is_empty()));
        let port = variables.parsed("PORT", "a port from 0 to 65535")?.unwrap_or(3001);
        let megabytes: usize = variables.ranged("MAX_FILE_SIZE_MB", 1, 50)?.unwrap_or(50);
        let timeout = variables.ranged("IMAGE_PROCESSING_TIMEOUT_MS", 100, 600_000)?.unwrap_or(30_000);
        Ok(Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            data: variables.text("CREDLINK_DATA").unwrap_or_else(|| "./credlink-data".to_owned()).into(),
            max_image_bytes: megabytes << 20,
            processing_timeout: Duration::from_millis(timeout),
            keep_proofs: variables.switch("LOCAL_PROOF_STORAGE")?.unwrap_or(true),
            trust_anchors: variables.text("TRUST_ANCHORS").map(PathBuf::from),
            log: LogConfig::from_variables(&variables)?,
        })
    }
}

impl LogConfig {
    fn from_variables<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<Self, ConfigError> {
        const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
        let level = variables.one_of("LOG_LEVEL", &LEVELS)?.unwrap_or("info");
        let format = variables.one_of("LOG_FORMAT", &["json", "text"])?;
        let directives = variables.text("RUST_LOG");
        let filter = EnvFilter::try_new(directives.as_deref().unwrap_or(level)).map_err(|_| {
            let allowed = "a level, or directives such as info,credlink_service=debug";
            ConfigError::new("RUST_LOG", directives.clone().unwrap_or_default(), allowed)
        })?;
        let format = format.map(|name| if name == "json" { LogFormat::Json } else { LogFormat::Text });
        Ok(Self { filter, format })
    }
}

impl ConfigError {
    /// `value` of `variable` cannot be used, because only `allowed` may stand there.
    pub fn new(variable: &'static str, value: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { variable, value: value.into(), allowed: allowed.into() }
    }
}

struct Variables<L>(L);

impl<L: Fn(&str) -> Option<String>> Variables<L> {
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    fn parsed<T: FromStr>(&self, name: &'static str, allowed: &str) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| ConfigError::new(name, text, allowed))
    }

    /// A whole number from `least` to `most`.
    fn ranged<T>(&self, name: &'static str, least: T, most: T) -> Result<Option<T>, ConfigError>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let allowed = format!("a whole number from {least} to {most}");
        match self.parsed(name, &allowed)? {
            Some(number) if number < least || number > most => {
                Err(ConfigError::new(name, self.text(name).unwrap_or_default(), allowed))
            }
            number => Ok(number),
        }
    }

    fn switch(&self, name: &'static str) -> Result<Option<bool>, ConfigError> {
        Ok(self.one_of(name, &["true", "false"])?.map(|choice| choice == "true"))
    }

    fn one_of<'a>(&self, name: &'static str, choices: &[&'a str]) -> Result<Option<&'a str>, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match choices.iter().find(|choice| choice.eq_ignore_ascii_case(text.trim())) {
            Some(choice) => Ok(Some(choice)),
            None => Err(ConfigError::new(name, text, choices.join(", "))),
        }
    }
}
