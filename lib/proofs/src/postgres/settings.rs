//! Which database, and how to speak to it.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio_postgres::config::{Config, Host, SslMode};

use super::limits::{MAX_CONNECTING, MAX_LOCK_WAIT, MAX_STATEMENT};

/// How many connections a process opens at most, when the URL does not say.
const DEFAULT_CONNECTIONS: usize = 16;

/// The most that a URL can ask for; a server takes a hundred by default.
const MOST_CONNECTIONS: usize = 1000;

/// How long a connection may be silent before the system asks if the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The parameters that go to the driver as they are.
const DRIVER_PARAMETERS: [&str; 4] = ["application_name", "host", "options", "target_session_attrs"];

/// Which PostgreSQL database proofs are kept in. Neither [`fmt::Display`] nor [`fmt::Debug`] shows the password.
#[derive(Clone)]
pub struct PostgresSettings {
    pub(super) config: Config,
    pub(super) encryption: Encryption,
    pub(super) authorities: Option<PathBuf>,
    pub(super) max_connections: usize,
}

/// What must be true of the line to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// TLS is not used.
    Off,
    /// TLS where the server has it; whoever the server is.
    IfOffered,
    /// TLS; whoever the server is.
    Unverified,
    /// TLS; a trusted authority says that the server is the one in the URL.
    Verified,
}

/// Why a URL names no database. Never shows the URL, which holds a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PostgresSettingsError {
    /// It is another kind of URL.
    #[error("begins with no postgres://; give postgres://USER:PASSWORD@HOST/DATABASE")]
    NotPostgres,
    /// It cannot be taken apart.
    #[error(
        "cannot be read as postgres://USER:PASSWORD@HOST:PORT/DATABASE; write characters such as @ : / ? # % in a user or \
         password with % and two hexadecimal digits"
    )]
    Malformed,
    /// Something that must be there is not.
    #[error("names no {0}; give postgres://USER:PASSWORD@HOST/DATABASE")]
    Missing(&'static str),
    /// A parameter that has no meaning here.
    #[error(
        "has a parameter that is not known here; there are sslmode, sslrootcert, max_connections, application_name, host, \
         options and target_session_attrs"
    )]
    UnknownParameter,
    /// A parameter has a value that it cannot have.
    #[error("has a value of {name} that is none of these: {allowed}")]
    BadValue {
        /// The parameter.
        name: &'static str,
        /// What it can be.
        allowed: &'static str,
    },
    /// Authorities are named, and nobody would ask them.
    #[error(
        "has sslrootcert without sslmode=verify-full, where it would change nothing; add that, or leave it out"
    )]
    UnusedAuthorities,
}

impl PostgresSettings {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS`. The port is 5432 when it is left out. Several
    /// hosts, with commas between them, are tried in their order; `host=/run/postgresql` is the folder of a Unix socket.
    ///
    /// | parameter | meaning |
    /// |---|---|
    /// | `sslmode` | `disable`: no TLS. `prefer`: TLS when the server has it, whoever it is. `require`: TLS or nothing, whoever it is. `verify-full`: TLS, and a trusted authority must say that the server is HOST. When left out: `prefer` for this machine, `verify-full` for any other |
    /// | `sslrootcert` | a PEM file with the authorities that `verify-full` trusts; those of the system when left out |
    /// | `max_connections` | how many connections this process opens at most; 16 when left out |
    /// | `application_name` | what the server calls the connections; `credlink` when left out |
    /// | `options` | settings for the server, after ours: `-c work_mem=8MB` |
    /// | `target_session_attrs` | `read-write`: of several hosts the first that can be written |
    ///
    /// # Errors
    /// [`PostgresSettingsError`] when the URL is another one, or incomplete.
    pub fn parse(url: &str) -> Result<Self, PostgresSettingsError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(PostgresSettingsError::NotPostgres);
        }
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let parameters = Parameters::parse(query)?;
        let rest = parameters.for_driver.join("&");
        let config =
            Config::from_str(&format!("{place}?{rest}")).map_err(|_| PostgresSettingsError::Malformed)?;
        let hosts = config.get_hosts();
        let encryption = match parameters.encryption {
            _ if are_sockets(hosts) => Encryption::Off,
            Some(encryption) => encryption,
            None => usual_encryption(hosts),
        };
        if parameters.authorities.is_some() && encryption != Encryption::Verified {
            return Err(PostgresSettingsError::UnusedAuthorities);
        }
        let settings = Self {
            config,
            encryption,
            authorities: parameters.authorities,
            max_connections: parameters.max_connections,
        };
        settings.complete()
    }

    fn complete(mut self) -> Result<Self, PostgresSettingsError> {
        let config = &mut self.config;
        let missing = |what| Err(PostgresSettingsError::Missing(what));
        if config.get_hosts().is_empty() {
            return missing("host");
        }
        if config.get_user().is_none() {
            return missing("user");
        }
        if config.get_dbname().is_none() {
            return missing("database");
        }
        if config.get_application_name().is_none() {
            config.application_name("credlink");
        }
        let given = config.get_options().unwrap_or_default();
        // A commit that was answered is durable, whatever is usual on that server.
        let options = format!(
            "-c synchronous_commit=on -c statement_timeout={} -c lock_timeout={} {given}",
            MAX_STATEMENT.as_millis(),
            MAX_LOCK_WAIT.as_millis()
        );
        config.options(options.trim_end());
        config.connect_timeout(MAX_CONNECTING).keepalives_idle(KEEPALIVE);
        config.ssl_mode(match self.encryption {
            Encryption::Off => SslMode::Disable,
            Encryption::IfOffered => SslMode::Prefer,
            Encryption::Unverified | Encryption::Verified => SslMode::Require,
        });
        Ok(self)
    }
}

/// One name for one database: `postgres://USER@HOST:PORT/DATABASE`.
impl fmt::Display for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.config.get_user().unwrap_or_default())?;
        let ports = self.config.get_ports();
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(number).or(ports.first()).copied().unwrap_or(5432);
            let comma = if number == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "{comma}[{name}]:{port}")?,
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                #[cfg(unix)]
                Host::Unix(folder) => write!(f, "{comma}{}:{port}", folder.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresSettings({self})")
    }
}

/// What stands behind the question mark.
struct Parameters {
    encryption: Option<Encryption>,
    authorities: Option<PathBuf>,
    max_connections: usize,
    for_driver: Vec<String>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, PostgresSettingsError> {
        let mut parameters = Self {
            encryption: None,
            authorities: None,
            max_connections: DEFAULT_CONNECTIONS,
            for_driver: Vec::new(),
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, raw) = parameter.split_once('=').ok_or(PostgresSettingsError::Malformed)?;
            let value =
                percent_decode_str(raw).decode_utf8().map_err(|_| PostgresSettingsError::Malformed)?;
            match name {
                "sslmode" => parameters.encryption = Some(value.parse()?),
                "sslrootcert" => parameters.authorities = Some(PathBuf::from(value.as_ref())),
                "max_connections" => parameters.max_connections = connections(&value)?,
                _ if DRIVER_PARAMETERS.contains(&name) => parameters.for_driver.push(parameter.to_owned()),
                _ => return Err(PostgresSettingsError::UnknownParameter),
            }
        }
        Ok(parameters)
    }
}

impl FromStr for Encryption {
    type Err = PostgresSettingsError;

    fn from_str(text: &str) -> Result<Self, PostgresSettingsError> {
        match text {
            "disable" => Ok(Self::Off),
            "prefer" => Ok(Self::IfOffered),
            "require" => Ok(Self::Unverified),
            "verify-full" => Ok(Self::Verified),
            _ => Err(PostgresSettingsError::BadValue {
                name: "sslmode",
                allowed: "disable, prefer, require, verify-full",
            }),
        }
    }
}

fn connections(text: &str) -> Result<usize, PostgresSettingsError> {
    text.parse()
        .ok()
        .filter(|number| (1..=MOST_CONNECTIONS).contains(number))
        .ok_or(PostgresSettingsError::BadValue { name: "max_connections", allowed: "1 to 1000" })
}

/// What is used when the URL does not say: nobody listens inside this machine; anywhere else somebody may, or pose as
/// the server.
fn usual_encryption(hosts: &[Host]) -> Encryption {
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    if hosts.iter().all(is_here) { Encryption::IfOffered } else { Encryption::Verified }
}

/// PostgreSQL speaks no TLS on Unix sockets.
fn are_sockets(hosts: &[Host]) -> bool {
    hosts.iter().all(|host| !matches!(host, Host::Tcp(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(url: &str) -> Encryption {
        PostgresSettings::parse(url).unwrap().encryption
    }

    #[test]
    fn nothing_shows_the_password() {
        let url = "postgres://us%40er:s3%2Fcret@db.example:6432/proofs?sslmode=require";
        let settings = PostgresSettings::parse(url).unwrap();
        assert_eq!(settings.to_string(), "postgres://us@er@db.example:6432/proofs");
        assert!(!format!("{settings:?} {settings}").contains("cret"));
        assert_eq!(settings.config.get_password(), Some(b"s3/cret".as_slice()));
        for broken in
            ["postgres://u:s3cret@[::1", "postgres://u:s3cret@h:port/d", "postgres://u:s3cret@h/d?s3cret=1"]
        {
            let error = PostgresSettings::parse(broken).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn one_database_has_one_name() {
        for (url, name) in [
            ("postgresql://u@h/d", "postgres://u@h:5432/d"),
            ("postgres://u:p@h:5432/d?sslmode=disable&max_connections=3", "postgres://u@h:5432/d"),
            ("postgres://u@[::1]/d", "postgres://u@[::1]:5432/d"),
            ("postgres://u@a:1,b:2/d", "postgres://u@a:1,b:2/d"),
            ("postgres://u@/d?host=/run/postgresql", "postgres://u@/run/postgresql:5432/d"),
        ] {
            assert_eq!(PostgresSettings::parse(url).unwrap().to_string(), name, "{url}");
        }
    }

    #[test]
    fn a_server_elsewhere_must_prove_who_it_is() {
        assert_eq!(encryption("postgres://u@db.example/d"), Encryption::Verified);
        assert_eq!(encryption("postgres://u@127.0.0.1,db.example/d"), Encryption::Verified);
        assert_eq!(encryption("postgres://u@10.0.0.1/d?sslmode=require"), Encryption::Unverified);
        for here in ["localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(encryption(&format!("postgres://u@{here}/d")), Encryption::IfOffered, "{here}");
        }
        assert_eq!(encryption("postgres://u@/d?host=/tmp&sslmode=verify-full"), Encryption::Off);
    }

    #[test]
    fn what_is_no_database_is_refused_with_a_reason() {
        use PostgresSettingsError::{
            BadValue, Malformed, Missing, NotPostgres, UnknownParameter, UnusedAuthorities,
        };
        for (url, expected) in [
            ("mysql://u@h/d", NotPostgres),
            ("postgres://u@h:65536/d", Malformed),
            ("postgres://u@h/d?sslmode", Malformed),
            ("postgres:///d", Missing("host")),
            ("postgres://h/d", Missing("user")),
            ("postgres://u@h", Missing("database")),
            ("postgres://u@h/d?hostaddr=1.2.3.4", UnknownParameter),
            ("postgres://u@h/d?sslmode=require&sslrootcert=ca.pem", UnusedAuthorities),
            (
                "postgres://u@h/d?max_connections=0",
                BadValue { name: "max_connections", allowed: "1 to 1000" },
            ),
        ] {
            assert_eq!(PostgresSettings::parse(url).unwrap_err(), expected, "{url}");
        }
        let unknown_mode = PostgresSettings::parse("postgres://u@h/d?sslmode=verify-ca");
        assert!(matches!(unknown_mode, Err(BadValue { name: "sslmode", .. })));
    }
}
