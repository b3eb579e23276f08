//! Where a certificate says that one can ask about it.

use x509_parser::{
    extensions::{AuthorityInfoAccess, DistributionPointName, GeneralName, ParsedExtension},
    oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_OCSP,
    prelude::X509Certificate,
};

/// The most addresses of each kind that are asked.
const MAX_ADDRESSES: usize = 2;

/// The longest address, in bytes.
const MAX_LENGTH: usize = 2_048;

/// OCSP responders (authority information access; RFC 5280, section 4.2.2.1).
pub(super) fn responders<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let descriptions =
        certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => Some(access),
            _ => None,
        });
    let descriptions = descriptions.into_iter().flat_map(AuthorityInfoAccess::iter);
    usable(
        descriptions
            .filter(|description| description.access_method == OID_PKIX_ACCESS_DESCRIPTOR_OCSP)
            .map(|description| &description.access_location),
    )
}

/// Revocation lists (distribution points; RFC 5280, section 4.2.1.13). Points of other issuers, and those for some
/// reasons only, are passed over: such lists are not supported.
pub(super) fn lists<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let points = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(points) => Some(points),
        _ => None,
    });
    let points = points.into_iter().flat_map(|points| points.points.iter());
    usable(points.filter(|point| point.crl_issuer.is_none() && point.reasons.is_none()).flat_map(|point| {
        match &point.distribution_point {
            Some(DistributionPointName::FullName(names)) => names.as_slice(),
            _ => &[],
        }
    }))
}

/// The first of the addresses that are http or https. Whether one may be asked is the source's to decide.
fn usable<'a>(names: impl Iterator<Item = &'a GeneralName<'a>>) -> Vec<&'a str> {
    let addresses = names.filter_map(|name| match name {
        GeneralName::URI(address) => Some(*address),
        _ => None,
    });
    let is_web = |address: &&str| {
        let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        matches!(scheme.as_deref(), Some("http" | "https")) && address.len() <= MAX_LENGTH
    };
    addresses.filter(is_web).take(MAX_ADDRESSES).collect()
}
