//! Which hosts may be asked, and on which ports.

use std::{fmt, net::IpAddr, str::FromStr};

use thiserror::Error;

use super::{
    address::is_public,
    target::{Host, Refusal, Target, host_and_port},
};

/// Where answers about certificates are published (RFC 6960, appendix A; RFC 5280, section 4.2.1.13).
const PUBLIC_PORTS: [u16; 2] = [80, 443];

/// The most hosts in one setting.
const MAX_PRIVATE_HOSTS: usize = 64;

/// Hosts that may be asked wherever they are, because the operator named them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateHosts(Vec<PrivateHost>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct PrivateHost {
    host: Host,
    /// `None` means the ports that are public.
    port: Option<u16>,
}

/// A list of hosts that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrivateHostsError {
    /// An entry is of another form.
    #[error("{0:?} is neither a host nor host:port; entries have commas between them")]
    Entry(String),
    /// More than anybody needs.
    #[error("there are more than {MAX_PRIVATE_HOSTS} hosts")]
    TooMany,
}

impl FromStr for PrivateHosts {
    type Err = PrivateHostsError;

    fn from_str(text: &str) -> Result<Self, PrivateHostsError> {
        let mut hosts = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let (host, port) =
                host_and_port(entry).ok_or_else(|| PrivateHostsError::Entry(entry.to_owned()))?;
            if hosts.len() == MAX_PRIVATE_HOSTS {
                return Err(PrivateHostsError::TooMany);
            }
            hosts.push(PrivateHost { host, port });
        }
        Ok(Self(hosts))
    }
}

impl fmt::Display for PrivateHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, PrivateHost { host, port }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
            if let Some(port) = port {
                write!(f, ":{port}")?;
            }
        }
        Ok(())
    }
}

impl PrivateHosts {
    /// The host of `target` alone, on its port.
    pub(super) fn only(target: &Target) -> Self {
        Self(vec![PrivateHost { host: target.host.clone(), port: Some(target.port) }])
    }

    /// Whether the operator named this host, so that it may be anywhere.
    pub(super) fn include(&self, target: &Target) -> bool {
        self.0.iter().any(|entry| {
            entry.host == target.host
                && entry.port.map_or_else(|| PUBLIC_PORTS.contains(&target.port), |port| port == target.port)
        })
    }

    /// Whether `target` may be asked, as far as its spelling tells.
    ///
    /// # Errors
    /// When it is neither named nor public.
    pub(super) fn judge(&self, target: &Target) -> Result<(), Refusal> {
        if self.include(target) {
            return Ok(());
        }
        if !PUBLIC_PORTS.contains(&target.port) {
            return Err(Refusal::Port(target.port));
        }
        match &target.host {
            Host::Address(address) => judge_addresses(&[*address]),
            Host::Name(_) => Ok(()),
        }
    }
}

/// Whether all of these addresses are public.
///
/// # Errors
/// The first that is not.
pub(super) fn judge_addresses(addresses: &[IpAddr]) -> Result<(), Refusal> {
    match addresses.iter().find(|address| !is_public(**address)) {
        Some(address) => Err(Refusal::NotPublic(*address)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_host_may_be_anywhere_but_on_its_ports_only() {
        let hosts: PrivateHosts = "pki.Example.com, 10.0.0.7:8080,[fd00::1]:81".parse().unwrap();
        assert_eq!(hosts.to_string(), "pki.example.com,10.0.0.7:8080,[fd00::1]:81");
        let judge = |url: &str| hosts.judge(&url.parse().unwrap());
        assert_eq!(judge("http://pki.example.com/crl"), Ok(()));
        assert_eq!(judge("http://pki.example.com:8080/crl"), Err(Refusal::Port(8080)));
        assert_eq!(judge("http://10.0.0.7:8080/crl"), Ok(()));
        assert_eq!(judge("http://10.0.0.7/crl"), Err(Refusal::NotPublic([10, 0, 0, 7].into())));
        assert_eq!(judge("http://[fd00::1]:81/"), Ok(()));
        assert_eq!(judge("http://other.example.com/"), Ok(()));
        assert_eq!(judge("http://other.example.com:22/"), Err(Refusal::Port(22)));
    }

    #[test]
    fn what_is_no_host_is_named() {
        for (text, entry) in [("a.example,,b.example", "\"\""), ("http://a.example", "http"), ("a:0", "a:0")]
        {
            let error = text.parse::<PrivateHosts>().unwrap_err().to_string();
            assert!(error.contains(entry), "{error}");
        }
        let many = vec!["a.example"; 65].join(",");
        assert_eq!(many.parse::<PrivateHosts>(), Err(PrivateHostsError::TooMany));
    }
}
