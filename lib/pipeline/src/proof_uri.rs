//! Proof URIs: where a proof can be read, and how to tell our own from somebody else's.
//!
//! A URI that stands in an image is never followed. It is compared with the base of this service, and the
//! id in it is looked up in our own store.

use std::{fmt, str::FromStr};

use thiserror::Error;
use url::{Host, Url};

use crate::proof::ProofId;

/// The longest text that is looked at as a URI, in bytes.
pub const MAX_URI_LENGTH: usize = 2048;

/// What all proof URIs of this service begin with: scheme, host, port, and a path prefix where there is one
/// (such as the stage of an API).
///
/// Parsed from `https://proofs.example.com`, `https://proofs.example.com:8443/prod` or a bare
/// `proofs.example.com`, which means `https`. Plain `http` is for loopback hosts only: `127.0.0.1`, `[::1]`
/// and `localhost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofUriBase {
    url: Url,
    /// The path without its trailing slash.
    prefix: String,
}

impl ProofUriBase {
    /// The URI of the proof with this id.
    pub fn uri_for(&self, id: ProofId) -> String {
        format!("{self}/{id}")
    }
}

impl fmt::Display for ProofUriBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl FromStr for ProofUriBase {
    type Err = InvalidProofUriBase;

    fn from_str(text: &str) -> Result<Self, InvalidProofUriBase> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = plain_url(with_scheme.trim_end_matches('/')).map_err(InvalidProofUriBase::Malformed)?;
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(InvalidProofUriBase::PlainHttp);
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { url, prefix })
    }
}

/// Why a text is not the base of proof URIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidProofUriBase {
    /// Not a plain `http(s)` URL.
    #[error("{0}; write it like https://proofs.example.com or https://proofs.example.com/prefix")]
    Malformed(&'static str),
    /// `http` for a host that is not this machine.
    #[error("http is allowed for 127.0.0.1, [::1] and localhost only; use https")]
    PlainHttp,
}

/// The id in a proof URI of this service.
///
/// Scheme, host (in any case), port (a default port equals none) and path prefix must be those of `base`,
/// and the one segment after them a UUID of 36 characters. User names, queries, fragments, percent-encoding
/// and dot segments are refused, not interpreted. On a loopback host the port does not matter: a service of
/// this machine keeps its proofs when it moves to another port, and loopback names no other machine.
///
/// # Errors
/// [`ForeignProofUri`] says why the URI is not ours. It may be somebody else's and right.
pub fn parse_proof_uri(text: &str, base: &ProofUriBase) -> Result<ProofId, ForeignProofUri> {
    let url = plain_url(text).map_err(ForeignProofUri::Malformed)?;
    let same_port = url.port_or_known_default() == base.url.port_or_known_default();
    let same_origin = url.scheme() == base.url.scheme()
        && url.host() == base.url.host()
        && (same_port || is_loopback(&base.url));
    if !same_origin {
        return Err(ForeignProofUri::OtherService);
    }
    let id = url.path().strip_prefix(base.prefix.as_str()).and_then(|rest| rest.strip_prefix('/'));
    id.ok_or(ForeignProofUri::OtherService)?.parse().map_err(|_| ForeignProofUri::NoProofId)
}

/// Why a URI does not name a proof of this service. The text of the URI is not repeated: it comes from a
/// stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ForeignProofUri {
    /// Not a plain `http(s)` URL.
    #[error("the proof URI cannot be used: {0}")]
    Malformed(&'static str),
    /// It points to another host, port or path.
    #[error("the proof URI names another service; it was not followed")]
    OtherService,
    /// It points to this service, but its last segment is not a UUID.
    #[error("the proof URI names this service, but no proof id")]
    NoProofId,
}

/// Parses a URL that means exactly what it looks like: nothing in it was decoded, normalised or dropped,
/// except the case of scheme and host and a default port.
fn plain_url(text: &str) -> Result<Url, &'static str> {
    if text.len() > MAX_URI_LENGTH {
        return Err("it is longer than 2048 bytes");
    }
    if text.bytes().any(|byte| !byte.is_ascii_graphic() || b"%\\?#@".contains(&byte)) {
        return Err("it has a user name, a query, a fragment or characters that a plain URL does not have");
    }
    let url = Url::parse(text).map_err(|_| "it is not a URL")?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("it is not an https URL");
    }
    let (_, after_scheme) = text.split_once("://").ok_or("it is not a URL")?;
    let (authority, path) = after_scheme.split_at(after_scheme.find('/').unwrap_or(after_scheme.len()));
    let same_path = url.path() == if path.is_empty() { "/" } else { path };
    if !same_path || path.contains("//") {
        return Err("its path has empty or dot segments");
    }
    let host = url.host_str().ok_or("it has no host")?;
    let same_host = authority
        .to_ascii_lowercase()
        .strip_prefix(host)
        .is_some_and(|port| port.is_empty() || port.starts_with(':'));
    if same_host { Ok(url) } else { Err("its host is written in an unusual way") }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";

    fn base(text: &str) -> ProofUriBase {
        text.parse().unwrap()
    }

    #[test]
    fn a_uri_gives_its_id_back_for_every_kind_of_base() {
        for text in [
            "https://proofs.example.com",
            "https://proofs.example.com/",
            "https://proofs.example.com:8443/prod",
            "proofs.example.com",
            "PROOFS.example.com/a/b",
            "http://localhost:3001",
            "http://127.0.0.1:3001/proofs",
            "http://[::1]:3001",
        ] {
            let id = ProofId::random();
            let uri = base(text).uri_for(id);
            assert_eq!(parse_proof_uri(&uri, &base(text)), Ok(id), "{text} gave {uri}");
        }
        let id = ID.parse().unwrap();
        assert_eq!(base("proofs.example.com/").uri_for(id), format!("https://proofs.example.com/{ID}"));
        assert_eq!(base("http://localhost:3001/p").uri_for(id), format!("http://localhost:3001/p/{ID}"));
    }

    #[test]
    fn bases_that_are_refused() {
        for text in [
            "",
            "http://proofs.example.com",
            "http://127.0.0.1.example.com",
            "ftp://proofs.example.com",
            "https://",
            "https://user@proofs.example.com",
            "https://proofs.example.com?a=b",
            "https://proofs.example.com#a",
            "https://proofs.example.com/a/../b",
            "https://proofs.example.com//a",
            "https://proofs.example.com/%2e",
            "https://proofs.example.com:99999",
            "https://proofs example.com",
            "https://pröofs.example.com",
        ] {
            assert!(text.parse::<ProofUriBase>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_same_uri_in_another_spelling_is_ours() {
        let base = base("https://proofs.example.com");
        for text in [
            format!("https://proofs.example.com/{ID}"),
            format!("HTTPS://Proofs.Example.COM/{ID}"),
            format!("https://proofs.example.com:443/{ID}"),
            format!("https://proofs.example.com/{}", ID.to_uppercase()),
        ] {
            assert_eq!(parse_proof_uri(&text, &base), Ok(ID.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn foreign_and_tricky_uris_are_not_ours() {
        let base = base("https://proofs.example.com/prod");
        let ours = "proofs.example.com/prod";
        for text in [
            String::new(),
            ID.to_owned(),
            format!("http://{ours}/{ID}"),
            format!("https://proofs.example.com:8443/prod/{ID}"),
            format!("https://proofs.example.com./prod/{ID}"),
            format!("https://proofs.example.com.evil.test/prod/{ID}"),
            format!("https://evil.test/proofs.example.com/prod/{ID}"),
            format!("https://proofs.example.com@evil.test/prod/{ID}"),
            format!("https://evil.test\\@{ours}/{ID}"),
            format!("https://user:pass@{ours}/{ID}"),
            format!("https:{ours}/{ID}"),
            format!("https:///{ours}/{ID}"),
            format!("//{ours}/{ID}"),
            format!("https://proofs.example.com/{ID}"),
            format!("https://proofs.example.com/PROD/{ID}"),
            format!("https://proofs.example.com/production/{ID}"),
            format!("https://proofs.example.com/prod{ID}"),
            format!("https://{ours}//{ID}"),
            format!("https://{ours}/x/{ID}"),
            format!("https://{ours}/x/../{ID}"),
            format!("https://{ours}/./{ID}"),
            format!("https://{ours}/%2e%2e/{ID}"),
            format!("https://{ours}/{ID}/"),
            format!("https://{ours}/{ID}?x"),
            format!("https://{ours}/{ID}#x"),
            format!("https://{ours}/{ID}\n"),
            format!(" https://{ours}/{ID}"),
            format!("https://{ours}/{}", ID.replace('-', "")),
            format!("https://{ours}/{}", ID.replacen('0', "%30", 1)),
            format!("https://{ours}/{}", "../".repeat(12)),
            format!("https://ｐroofs.example.com/prod/{ID}"),
            format!("https://{ours}/{}{ID}", "a/".repeat(1500)),
            format!("javascript:https://{ours}/{ID}"),
        ] {
            assert!(parse_proof_uri(&text, &base).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_in_another_notation_is_not_ours() {
        let base = base("http://127.0.0.1:3001");
        for host in ["127.1", "0x7f.0.0.1", "2130706433", "localhost", "[::ffff:127.0.0.1]"] {
            assert!(parse_proof_uri(&format!("http://{host}:3001/{ID}"), &base).is_err(), "{host}");
        }
    }

    #[test]
    fn on_loopback_the_port_does_not_matter() {
        let uri = format!("http://127.0.0.1:49152/proofs/{ID}");
        assert_eq!(parse_proof_uri(&uri, &base("http://127.0.0.1:3001/proofs")), Ok(ID.parse().unwrap()));
        assert!(parse_proof_uri(&uri, &base("http://127.0.0.1:3001")).is_err());
        assert!(parse_proof_uri(&uri, &base("http://localhost:49152/proofs")).is_err());
    }

    #[test]
    fn the_reason_tells_ours_from_others() {
        let base = base("https://proofs.example.com");
        let reason = |text: &str| parse_proof_uri(text, &base).unwrap_err();
        assert_eq!(reason("https://proofs.example.com/about"), ForeignProofUri::NoProofId);
        assert_eq!(reason("https://other.example.com/about"), ForeignProofUri::OtherService);
        assert!(matches!(reason("mailto:a"), ForeignProofUri::Malformed(_)));
    }
}
