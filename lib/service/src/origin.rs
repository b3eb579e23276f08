//! Under which address a caller reached this service.

use axum::http::{
    HeaderMap, Uri, header,
    uri::{Authority, Scheme},
};
use credlink_pipeline::proof_uri::ProofUriBase;

use crate::{
    error::{ApiError, ErrorCode},
    uploads::Address,
};

/// The whole URL of `address`, for the caller who sent these headers.
///
/// # Errors
/// As for [`of`], when the address is one of this service.
pub(crate) fn absolute(
    address: &Address,
    headers: &HeaderMap,
    proof_uris: &ProofUriBase,
) -> Result<String, ApiError> {
    match address {
        Address::Absolute(url) => Ok(url.clone()),
        Address::Path(path) => Ok(format!("{}{path}", of(headers, proof_uris)?)),
    }
}

/// Scheme, host and port, such as `http://127.0.0.1:3001`. The host is what the caller's `Host` says. The scheme is
/// that of proof URIs where those name the same host, because a proxy before the service speaks TLS for it; else
/// `http`, which the service speaks itself.
///
/// # Errors
/// When the request has no `Host`, or one that is no host.
fn of(headers: &HeaderMap, proof_uris: &ProofUriBase) -> Result<String, ApiError> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).and_then(authority);
    let host = host.ok_or_else(|| {
        ApiError::new(
            ErrorCode::InvalidRequest,
            "The request's Host header is missing or names no host. Send the host, and the port if there is one.",
        )
    })?;
    let base: Option<Uri> = proof_uris.to_string().parse().ok();
    let same_host =
        base.as_ref().and_then(Uri::host).is_some_and(|own| own.eq_ignore_ascii_case(host.host()));
    let https = same_host && base.as_ref().and_then(Uri::scheme) == Some(&Scheme::HTTPS);
    Ok(format!("{}://{host}", if https { "https" } else { "http" }))
}

fn authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let port_is_sane = authority.host() == text || authority.port_u16().is_some();
    (!authority.host().is_empty() && !text.contains('@') && port_is_sane).then_some(authority)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn origin(host: &'static str, base: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        of(&headers, &base.parse().unwrap()).ok()
    }

    #[test]
    fn the_scheme_is_https_for_the_host_of_https_proof_uris() {
        let base = "https://photos.example.com/proofs";
        assert_eq!(origin("photos.example.com", base).unwrap(), "https://photos.example.com");
        assert_eq!(origin("Photos.Example.com:443", base).unwrap(), "https://Photos.Example.com:443");
        assert_eq!(origin("127.0.0.1:3001", base).unwrap(), "http://127.0.0.1:3001");
        assert_eq!(origin("[::1]:3001", "http://[::1]:3001").unwrap(), "http://[::1]:3001");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in [
            "",
            "user@example.com",
            "a b",
            "example.com/path",
            "example.com:99999",
            ":80",
            "a\"b",
            "a#b",
            "a?b",
        ] {
            assert_eq!(origin(host, "https://example.com"), None, "{host:?}");
        }
        assert!(of(&HeaderMap::new(), &"https://example.com".parse().unwrap()).is_err());
    }
}
