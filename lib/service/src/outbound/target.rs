//! An address that may be asked, in the only spelling that is taken.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use hyper::Uri;
use thiserror::Error;

/// The longest URL, in bytes.
const MAX_URL_LENGTH: usize = 2048;

/// The longest domain name, and the longest part of one, in bytes (RFC 1035, section 2.3.4).
const MAX_NAME_LENGTH: usize = 253;
const MAX_LABEL_LENGTH: usize = 63;

/// An absolute URL of `http` or `https` without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The whole URL.
    pub(super) uri: Uri,
    /// Its host.
    pub(super) host: Host,
    /// Its port; that of the scheme when the URL names none.
    pub(super) port: u16,
}

/// A host: an address, or a name in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// An IP address.
    Address(IpAddr),
    /// A domain name.
    Name(String),
}

/// Why a URL is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Longer than any that is used.
    #[error("it is longer than {MAX_URL_LENGTH} bytes")]
    TooLong,
    /// No URL, or one of another kind.
    #[error("it is not a whole http or https URL in ASCII")]
    NotHttp,
    /// A name or password stands in it.
    #[error("a user name stands in it")]
    Credentials,
    /// What reads as one host here and as another there is none.
    #[error("its host is neither a domain name nor an IP address in its usual spelling")]
    Host,
    /// The port is not one of the web.
    #[error("it names port {0}; only 80 and 443 are asked")]
    Port(u16),
    /// It leads into a private network, or to this machine.
    #[error("it leads to {0}, which is not a public address")]
    NotPublic(IpAddr),
}

impl FromStr for Target {
    type Err = Refusal;

    fn from_str(url: &str) -> Result<Self, Refusal> {
        if url.len() > MAX_URL_LENGTH {
            return Err(Refusal::TooLong);
        }
        // The parser would drop a fragment. Nobody publishes answers under one.
        if !url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\') {
            return Err(Refusal::NotHttp);
        }
        Self::of(url.parse().map_err(|_| Refusal::NotHttp)?)
    }
}

impl Target {
    /// What `uri` names.
    ///
    /// # Errors
    /// When it is not of the one form.
    pub(super) fn of(uri: Uri) -> Result<Self, Refusal> {
        let usual_port = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(Refusal::NotHttp),
        };
        let authority = uri.authority().ok_or(Refusal::NotHttp)?;
        if authority.as_str().contains('@') {
            return Err(Refusal::Credentials);
        }
        let (host, port) = host_and_port(authority.as_str()).ok_or(Refusal::Host)?;
        Ok(Self { host, port: port.unwrap_or(usual_port), uri })
    }
}

/// Reads `host` or `host:port`; `None` when it is spelled in any other than the usual way.
pub(super) fn host_and_port(text: &str) -> Option<(Host, Option<u16>)> {
    // Only an address of IPv6 has colons, and it stands in brackets.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        None => None,
        Some(digits) => Some(usual::<u16>(digits).filter(|port| *port != 0)?),
    };
    Some((host.parse().ok()?, port))
}

impl FromStr for Host {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Option<Ipv6Addr> = inner.strip_suffix(']').and_then(|inner| inner.parse().ok());
            return address.map(|address| Self::Address(address.into())).ok_or(Refusal::Host);
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        if is_name(text) { Ok(Self::Name(text.to_ascii_lowercase())) } else { Err(Refusal::Host) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A number in its only spelling: without sign and leading zeros.
fn usual<T: FromStr + ToString>(digits: &str) -> Option<T> {
    digits.parse().ok().filter(|number: &T| number.to_string() == digits)
}

/// The last label begins with a letter, as all top-level domains do: resolvers take `2130706433` and `0x7f.1` for
/// addresses. A dot at the end would be another spelling of the same name.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL_LENGTH).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= MAX_NAME_LENGTH
        && text.split('.').all(is_label)
        && text.split('.').next_back().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<(String, u16), Refusal> {
        url.parse::<Target>().map(|target| (target.host.to_string(), target.port))
    }

    #[test]
    fn usual_spellings_are_taken() {
        for (url, host, port) in [
            ("http://ocsp.example.com", "ocsp.example.com", 80),
            ("https://OCSP.example.com/a?b=c", "ocsp.example.com", 443),
            ("http://localhost:8080/x", "localhost", 8080),
            ("http://8.8.8.8/", "8.8.8.8", 80),
            ("http://[2606:4700::1111]:81/", "[2606:4700::1111]", 81),
            ("http://xn--bcher-kva.example/", "xn--bcher-kva.example", 80),
        ] {
            assert_eq!(target(url), Ok((host.to_owned(), port)), "{url}");
        }
    }

    #[test]
    fn odd_spellings_are_refused() {
        for (url, refusal) in [
            ("", Refusal::NotHttp),
            ("/ocsp", Refusal::NotHttp),
            ("ocsp.example.com", Refusal::NotHttp),
            ("//ocsp.example.com/", Refusal::NotHttp),
            ("ftp://ocsp.example.com/", Refusal::NotHttp),
            ("file:///etc/passwd", Refusal::NotHttp),
            ("ldap://ldap.example.com/cn=x?certificateRevocationList", Refusal::NotHttp),
            ("http://ocsp.example.com/a b", Refusal::NotHttp),
            ("http://ocsp.example.com/\r\nHost: other", Refusal::NotHttp),
            ("http://ocsp.example.com/#fragment", Refusal::NotHttp),
            ("http://ocsp.example.com\\@127.0.0.1/", Refusal::NotHttp),
            ("http://\u{ff11}27.0.0.1/", Refusal::NotHttp),
            ("http://user@ocsp.example.com/", Refusal::Credentials),
            ("http://user:word@127.0.0.1/", Refusal::Credentials),
            ("http://2130706433/", Refusal::Host),
            ("http://0x7f.1/", Refusal::Host),
            ("http://0x7f000001/", Refusal::Host),
            ("http://0177.0.0.1/", Refusal::Host),
            ("http://127.1/", Refusal::Host),
            ("http://127.0.0.1./", Refusal::Host),
            ("http://ocsp.example.com./", Refusal::Host),
            ("http://ocsp..example.com/", Refusal::Host),
            ("http://.example.com/", Refusal::Host),
            ("http://ocsp.example.com:/", Refusal::Host),
            ("http://ocsp.example.com:080/", Refusal::Host),
            ("http://ocsp.example.com:0/", Refusal::Host),
            ("http://ocsp%2eexample.com/", Refusal::NotHttp),
        ] {
            assert_eq!(target(url), Err(refusal), "{url}");
        }
        for url in
            ["http://ocsp.example.com:65536/", "http://[fe80::1%25eth0]/", "http://[::1/", "http://::1/"]
        {
            assert!(target(url).is_err(), "{url}");
        }
        assert_eq!(target(&format!("http://a.example/{}", "a".repeat(2048))), Err(Refusal::TooLong));
        assert!(target(&format!("http://{}.example/", "a".repeat(64))).is_err());
    }
}
