//! What the operator chose, from environment variables. The table is in `docs/configuration.md`.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use credlink_keys::{
    KeyKind,
    rotation::{AuthorityChoice, RotationPolicy},
};
use credlink_pipeline::{
    asset::Limits, manifest::DigitalSourceType, proof_uri::ProofUriBase, sign::SignSettings,
};
use credlink_proofs::{StoreLocation, StoreLocationError};
use thiserror::Error;
use tracing_subscriber::EnvFilter;

use crate::{
    HttpSettings,
    anchors::{AnchorFile, AnchorFiles},
    jobs::{RestampSettings, Switches},
    logging::{self, LogFormat},
    outbound::{PrivateHosts, TimeStampUrl},
    service::Settings,
};

/// The whole configuration of the service, checked.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder with keys and proofs.
    pub data: PathBuf,
    /// What proof URIs begin with; `None` means the service's own address.
    pub proof_uris: Option<ProofUriBase>,
    /// The longest image, in bytes.
    pub max_image_bytes: usize,
    /// The longest image that may stand in a request or an answer, in bytes; `None` when any may.
    pub inline_limit: Option<usize>,
    /// How long a caller waits for an image to be worked on.
    pub processing_timeout: Duration,
    /// What a picture is when the caller does not say.
    pub default_digital_source_type: Option<DigitalSourceType>,
    /// Where proofs live; `None` when nothing was chosen.
    pub proof_store: Option<StoreLocation>,
    /// A PEM file of further roots of signers.
    pub trust_anchors: Option<PathBuf>,
    /// A PEM file of roots of time-stamp authorities.
    pub tsa_anchors: Option<PathBuf>,
    /// A PEM file with the key and the chain to sign with, in place of the data folder's.
    pub signing_certificate: Option<PathBuf>,
    /// A PEM file with the root of that chain, trusted too.
    pub issuer_certificate: Option<PathBuf>,
    /// Which authority issues new certificates.
    pub rotation_authority: AuthorityChoice,
    /// How many days before its certificate expires the signing key is replaced.
    pub rotate_before_days: u32,
    /// The kind of the next signing key; `None` means that of the active one.
    pub rotation_key_kind: Option<KeyKind>,
    /// Whether those who issued certificates are asked if they were revoked.
    pub revocation_fetch: bool,
    /// Hosts that may be asked about it wherever they are.
    pub revocation_private_hosts: PrivateHosts,
    /// The authority that stamps signatures; `None` when they get no stamp.
    pub time_stamp_url: Option<TimeStampUrl>,
    /// How long one stamp may take.
    pub time_stamp_timeout: Duration,
    /// When signatures get a time-stamp later, and how fast.
    pub restamp: RestampSettings,
    /// Which jobs may run.
    pub jobs: Switches,
    /// Who may call, and how often.
    pub http: HttpSettings,
    /// Whether the deprecated `stds.schema-org.CreativeWork` is written too.
    pub creative_work: bool,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// What is logged, and how.
#[derive(Debug)]
pub struct LogConfig {
    /// Which lines; `None` when nothing was chosen.
    pub filter: Option<EnvFilter>,
    /// Their form; `None` means JSON, but text on a terminal.
    pub format: Option<LogFormat>,
}

/// A variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The value is none of those that are allowed.
    #[error("{variable} is {value:?}; allowed is {allowed}")]
    NotAllowed {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// The place of proofs is none, or says otherwise than another variable. Its value may hold a password.
    #[error("PROOF_STORE cannot be used: {0}")]
    ProofStore(StoreLocationError),
    /// The value is not what it should be.
    #[error("{variable} is {value:?}: {reason}")]
    Refused {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it, and what is allowed.
        reason: String,
    },
}

impl Config {
    /// Reads the variables through `lookup`, which gives the value of a name. An empty value counts as none.
    ///
    /// # Errors
    /// The first variable whose value cannot be used.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let chosen = lookup("CREDLINK_DATA").filter(|value| !value.trim().is_empty());
        Self::in_folder(chosen.unwrap_or_else(|| "./credlink-data".to_owned()).into(), lookup)
    }

    /// Like [`Config::from_env`], with this data folder.
    ///
    /// # Errors
    /// The first variable whose value cannot be used.
    pub fn in_folder(data: PathBuf, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variables = Variables(|name: &str| lookup(name).filter(|value| !value.trim().is_empty()));
        let port = variables.parsed("PORT", "a port from 0 to 65535")?.unwrap_or(3001);
        let megabytes: usize = variables.ranged("MAX_FILE_SIZE_MB", 1, 50)?.unwrap_or(50);
        let timeout = variables.ranged("IMAGE_PROCESSING_TIMEOUT_MS", 100, 600_000)?.unwrap_or(30_000);
        let stamp_timeout = variables.ranged("TIMESTAMP_TIMEOUT_MS", 100, 10_000)?.unwrap_or(2_000);
        Ok(Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            proof_uris: variables.checked("PROOF_URI_DOMAIN")?,
            max_image_bytes: megabytes << 20,
            inline_limit: variables.ranged("INLINE_LIMIT_BYTES", 64 << 10, 50 << 20)?,
            processing_timeout: Duration::from_millis(timeout),
            default_digital_source_type: variables.checked("DEFAULT_DIGITAL_SOURCE_TYPE")?,
            proof_store: variables.proof_store(&data)?,
            trust_anchors: variables.text("TRUST_ANCHORS").map(PathBuf::from),
            tsa_anchors: variables.text("TSA_ANCHORS").map(PathBuf::from),
            signing_certificate: variables.text("SIGNING_CERTIFICATE").map(PathBuf::from),
            issuer_certificate: variables.text("ISSUER_CERTIFICATE").map(PathBuf::from),
            rotation_authority: variables.checked("ROTATION_AUTHORITY")?.unwrap_or_default(),
            rotate_before_days: variables.ranged("ROTATE_BEFORE_DAYS", 1, 90)?.unwrap_or(30),
            rotation_key_kind: variables.checked("ROTATION_KEY_KIND")?,
            revocation_fetch: variables.switch("REVOCATION_FETCH")?.unwrap_or(true),
            revocation_private_hosts: variables.checked("REVOCATION_PRIVATE_HOSTS")?.unwrap_or_default(),
            time_stamp_url: variables.checked("TIMESTAMP_URL")?,
            time_stamp_timeout: Duration::from_millis(stamp_timeout),
            restamp: RestampSettings::from_variables(&variables)?,
            jobs: variables.job_switches()?,
            http: HttpSettings::from_variables(&variables)?,
            creative_work: variables.switch("WRITE_CREATIVE_WORK")?.unwrap_or(false),
            log: LogConfig::from_variables(&variables)?,
            data,
        })
    }

    /// Where proofs live on one machine: in the data folder, unless something else was chosen.
    pub fn proofs_here(&self) -> StoreLocation {
        self.proof_store.clone().unwrap_or_else(|| StoreLocation::local(&self.data))
    }

    /// Where proofs live for a command that ends when it is done: memory is no place then.
    pub fn lasting_proofs_here(&self) -> StoreLocation {
        match self.proofs_here() {
            StoreLocation::Memory => StoreLocation::local(&self.data),
            location => location,
        }
    }

    /// The PEM files of roots to trust besides the installation's own.
    pub fn anchor_files(&self) -> AnchorFiles {
        let file = |setting, path: &Option<PathBuf>| path.as_ref().map(|path| AnchorFile::new(setting, path));
        let issuer = file("ISSUER_CERTIFICATE", &self.issuer_certificate);
        AnchorFiles {
            signers: issuer.into_iter().chain(file("TRUST_ANCHORS", &self.trust_anchors)).collect(),
            time_stamps: file("TSA_ANCHORS", &self.tsa_anchors).into_iter().collect(),
        }
    }

    /// The settings of a service whose own address is `address`.
    ///
    /// # Errors
    /// When nothing was chosen for proof URIs and they cannot begin with `address` either: plain `http` is
    /// for loopback addresses only.
    pub fn settings(&self, address: SocketAddr) -> Result<Settings, ConfigError> {
        Ok(self.settings_with(self.proof_uris(address)?))
    }

    /// The settings of a service that does not know its own address.
    ///
    /// # Errors
    /// When nothing was chosen for proof URIs.
    pub fn settings_without_address(&self) -> Result<Settings, ConfigError> {
        let chosen = self.proof_uris.clone().ok_or_else(|| {
            ConfigError::new("PROOF_URI_DOMAIN", "", "the https URL that proof URIs begin with")
        })?;
        Ok(self.settings_with(chosen))
    }

    fn settings_with(&self, proof_uris: ProofUriBase) -> Settings {
        Settings {
            proof_uris,
            sign: self.sign_settings(),
            processing_timeout: self.processing_timeout,
            inline_limit: self.inline_limit,
            upload_origin: None,
            http: self.http.clone(),
        }
    }

    /// When and how the signing key is replaced.
    pub fn rotation_policy(&self) -> RotationPolicy {
        RotationPolicy {
            before_days: self.rotate_before_days,
            kind: self.rotation_key_kind,
            ..RotationPolicy::default()
        }
    }

    /// How images are signed.
    pub fn sign_settings(&self) -> SignSettings {
        SignSettings {
            limits: Limits { max_bytes: self.max_image_bytes, ..Limits::default() },
            default_digital_source_type: self.default_digital_source_type,
            creative_work: self.creative_work,
            ..SignSettings::default()
        }
    }

    /// What proof URIs begin with, for a service at `address`.
    ///
    /// # Errors
    /// As for [`Config::settings`].
    pub fn proof_uris(&self, address: SocketAddr) -> Result<ProofUriBase, ConfigError> {
        if let Some(chosen) = &self.proof_uris {
            return Ok(chosen.clone());
        }
        // A service on all addresses has the loopback address too.
        let host = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
        let own = format!("http://{}/proofs", SocketAddr::new(host, address.port()));
        own.parse().map_err(|_| {
            let allowed =
                format!("the address under which others reach the service, because it listens on {address}");
            ConfigError::new("PROOF_URI_DOMAIN", "", allowed)
        })
    }
}

impl RestampSettings {
    fn from_variables<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<Self, ConfigError> {
        let defaults = Self::default();
        Ok(Self {
            before_days: variables.ranged("RESTAMP_BEFORE_DAYS", 1, 366)?.unwrap_or(defaults.before_days),
            per_minute: variables.ranged("RESTAMP_PER_MINUTE", 1, 6_000)?.unwrap_or(defaults.per_minute),
        })
    }
}

impl LogConfig {
    fn from_variables<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<Self, ConfigError> {
        const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
        let level = variables.one_of("LOG_LEVEL", &LEVELS)?.map(logging::filter);
        let format = variables.one_of("LOG_FORMAT", &["json", "text"])?;
        let filter = match variables.text("RUST_LOG") {
            None => level,
            Some(directives) => Some(EnvFilter::try_new(&directives).map_err(|_| {
                let allowed = "a level, or directives such as info,credlink_service=debug";
                ConfigError::new("RUST_LOG", directives, allowed)
            })?),
        };
        let format = format.map(|name| if name == "json" { LogFormat::Json } else { LogFormat::Text });
        Ok(Self { filter, format })
    }
}

impl ConfigError {
    fn new(variable: &'static str, value: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::NotAllowed { variable, value: value.into(), allowed: allowed.into() }
    }

    pub(crate) fn refused(
        variable: &'static str,
        value: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::Refused { variable, value: value.into(), reason: reason.into() }
    }
}

/// The environment, read with the names and limits of each variable.
pub(crate) struct Variables<L>(L);

impl<L: Fn(&str) -> Option<String>> Variables<L> {
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    fn parsed<T: FromStr>(&self, name: &'static str, allowed: &str) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| ConfigError::new(name, text, allowed))
    }

    /// A value whose own type says what is wrong with it.
    pub(crate) fn checked<T>(&self, name: &'static str) -> Result<Option<T>, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.trim().parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                Err(ConfigError::Refused { variable: name, reason: T::Err::to_string(&error), value: text })
            }
        }
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn ranged<T>(&self, name: &'static str, least: T, most: T) -> Result<Option<T>, ConfigError>
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

    pub(crate) fn switch(&self, name: &'static str) -> Result<Option<bool>, ConfigError> {
        Ok(self.one_of(name, &["true", "false"])?.map(|choice| choice == "true"))
    }

    /// Where proofs live. The older variable says no more than whether that is the data folder or memory.
    fn proof_store(&self, data: &Path) -> Result<Option<StoreLocation>, ConfigError> {
        let chosen = match self.text("PROOF_STORE") {
            Some(text) => {
                let location = StoreLocation::parse(&text, data, |name| self.text(name));
                Some(location.map_err(ConfigError::ProofStore)?)
            }
            None => None,
        };
        let older = "LOCAL_PROOF_STORAGE";
        match (self.switch(older)?, chosen) {
            (None, chosen) => Ok(chosen),
            (Some(true), None) => Ok(Some(StoreLocation::local(data))),
            (Some(false), None | Some(StoreLocation::Memory)) => Ok(Some(StoreLocation::Memory)),
            (Some(true), Some(local @ StoreLocation::Local(_))) => Ok(Some(local)),
            (Some(keeps), Some(location)) => Err(ConfigError::refused(
                older,
                keeps.to_string(),
                format!("PROOF_STORE is {location}, which says otherwise; leave one of the two out"),
            )),
        }
    }

    fn job_switches(&self) -> Result<Switches, ConfigError> {
        let enabled = |name| Ok::<_, ConfigError>(self.switch(name)?.unwrap_or(true));
        Ok(Switches {
            scheduler: enabled("ENABLE_JOB_SCHEDULER")?,
            cleanup: enabled("ENABLE_PROOF_CLEANUP")?,
            rotation: enabled("ENABLE_CERT_ROTATION")?,
            restamp: enabled("ENABLE_PROOF_RESTAMP")?,
            health_metrics: enabled("ENABLE_HEALTH_METRICS")?,
            on_start: self.switch("EXECUTE_JOBS_ON_START")?.unwrap_or(false),
        })
    }

    fn one_of<'a>(&self, name: &'static str, choices: &[&'a str]) -> Result<Option<&'a str>, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match choices.iter().find(|choice| choice.eq_ignore_ascii_case(text.trim())) {
            Some(choice) => Ok(Some(choice)),
            None => Err(ConfigError::new(name, text, choices.join(", "))),
        }
    }
}
