//! Where a service is.

use std::{fmt, net::IpAddr, str::FromStr};

use hyper::{
    Uri,
    http::uri::{InvalidUri, Scheme},
};
use thiserror::Error;

/// The longest address, in bytes.
const MAX_LENGTH: usize = 1024;

/// The `http` or `https` URL under which a service has its routes, such as `https://credlink.example.com` or
/// `https://abc.execute-api.eu-central-1.amazonaws.com/Prod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl {
    uri: Uri,
    /// Without a slash at its end.
    text: String,
}

/// An address that no service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "it is no http or https URL without user name, query and fragment, such as https://credlink.example.com"
)]
pub struct ServiceUrlError;

impl FromStr for ServiceUrl {
    type Err = ServiceUrlError;

    fn from_str(text: &str) -> Result<Self, ServiceUrlError> {
        let text = text.trim_end_matches('/');
        let uri: Uri = text.parse().map_err(|_| ServiceUrlError)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let is_plain = !text.contains(['?', '#', '@']) && text.len() <= MAX_LENGTH;
        if !is_web || !is_plain || uri.host().is_none_or(str::is_empty) {
            return Err(ServiceUrlError);
        }
        Ok(Self { uri, text: text.to_owned() })
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ServiceUrl {
    /// The address of a route, which begins with a slash.
    pub(super) fn route(&self, route: &str) -> Result<Uri, InvalidUri> {
        format!("{}{route}", self.text).parse()
    }

    /// Whether nobody on the way can read what is sent there.
    pub(super) fn keeps_secrets(&self) -> bool {
        let host = self.uri.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.uri.scheme() == Some(&Scheme::HTTPS)
            || host.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ServiceUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_before_the_routes_is_kept() {
        assert_eq!(
            url("https://a.example/Prod/").route("/sign").unwrap().to_string(),
            "https://a.example/Prod/sign"
        );
        assert_eq!(
            url("http://127.0.0.1:3001").route("/sign").unwrap().to_string(),
            "http://127.0.0.1:3001/sign"
        );
    }

    #[test]
    fn what_is_no_address_of_a_service_is_refused() {
        for text in [
            "",
            "credlink.example.com",
            "ftp://a.example",
            "https://",
            "https://me:word@a.example",
            "https://a.example?b",
            "https://a.example/#b",
        ] {
            assert_eq!(text.parse::<ServiceUrl>(), Err(ServiceUrlError), "{text}");
        }
    }

    #[test]
    fn secrets_go_over_https_or_stay_here() {
        for text in ["https://a.example", "http://localhost:1", "http://127.0.0.1", "http://[::1]:80"] {
            assert!(url(text).keeps_secrets(), "{text}");
        }
        assert!(!url("http://a.example").keeps_secrets());
        assert!(!url("http://10.0.0.1").keeps_secrets());
    }
}
