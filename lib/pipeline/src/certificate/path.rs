//! Finds and verifies the path from a certificate to a trust anchor (RFC 5280, section 6). The building and the
//! decisions are webpki's: signatures, names, validity, basic constraints, path length, name constraints, critical
//! extensions and purposes, within its limits for signatures and depth. What webpki does not look at is checked on the
//! path that it found, and when that fails it tries the next.

use std::{cell::RefCell, time::Duration};

use rustls_pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use webpki::{EndEntityCert, Error, VerifiedPath};
use x509_parser::{
    extensions::ParsedExtension,
    prelude::{FromDer as _, X509Certificate},
};

pub use super::purpose::Purpose;
use super::{
    algorithms::SIGNATURE_ALGORITHMS,
    der::split,
    naming::name,
    obstacle::{Obstacle, obstacle},
};
use crate::{credential::MAX_CERTIFICATES, timestamp::Timestamp, trust::AnchorList};

/// A verified path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The certificates between the leaf and the anchor, the leaf's issuer first.
    pub intermediates: Vec<Vec<u8>>,
    /// The certificate of the anchor.
    pub anchor: Vec<u8>,
}

impl Path {
    /// The certificate that issued the leaf.
    pub fn issuer(&self) -> &[u8] {
        self.intermediates.first().unwrap_or(&self.anchor)
    }
}

/// Why there is no path, in words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// The certificate itself cannot stand at the end of any path.
    #[error("{0}")]
    Unusable(String),
    /// There may be a path, but not at this time.
    #[error("{0}")]
    OutsideValidity(String),
    /// The chain is incomplete, or ends at a root that is no anchor.
    #[error("{0}")]
    NotTrusted(String),
    /// A certificate was not signed by the key of the issuer that it names.
    #[error("{0}")]
    Forged(String),
    /// There is a path, and it breaks a rule.
    #[error("{0}")]
    Refused(String),
}

/// The longest certificate that is read, in bytes; webpki's limit.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// Finds a path from `leaf` over any of `others`, in whatever order they stand, to one of `anchors`, that is valid
/// `at` and good for `purpose`. At most [`MAX_CERTIFICATES`] of `others` are looked at.
///
/// # Errors
/// When there is none; when there are several that do not hold, the reason is that of the best of them.
pub fn find_path(
    leaf: &[u8],
    others: &[Vec<u8>],
    anchors: &AnchorList,
    at: Timestamp,
    purpose: Purpose,
) -> Result<Path, PathError> {
    if leaf.len() > MAX_CERTIFICATE_BYTES {
        return Err(PathError::Unusable(format!(
            "the certificate has more than {MAX_CERTIFICATE_BYTES} bytes"
        )));
    }
    let der = CertificateDer::from(leaf);
    let end = EndEntityCert::try_from(&der).map_err(|error| PathError::Unusable(words(&error)))?;
    let others: Vec<CertificateDer<'_>> = others
        .iter()
        .take(MAX_CERTIFICATES)
        .filter(|der| der.len() <= MAX_CERTIFICATE_BYTES)
        .map(|der| CertificateDer::from(der.as_slice()))
        .collect();
    let leading = leading_to(anchors, &others);
    let objection = RefCell::new(None);
    let accept = |path: &VerifiedPath<'_>| match objection_to(leaf, &taken(path, anchors)) {
        None => Ok(()),
        Some(reason) => {
            objection.borrow_mut().get_or_insert(reason);
            Err(Error::UnknownIssuer)
        }
    };
    let found = end.verify_for_usage(
        SIGNATURE_ALGORITHMS,
        anchors.roots(),
        &leading,
        unix_time(at),
        purpose,
        None,
        Some(&accept),
    );
    match (found, objection.take()) {
        (Ok(path), _) => Ok(taken(&path, anchors)),
        (Err(_), Some(reason)) => Err(PathError::Refused(reason)),
        (Err(error), None) => Err(reason(&error, leaf, &others, anchors)),
    }
}

/// Those of `others` that lead to an anchor by their names. The rest only multiplies the paths that are tried: some
/// thirty authorities of one name that issued each other make hundreds of thousands.
fn leading_to<'a>(anchors: &AnchorList, others: &[CertificateDer<'a>]) -> Vec<CertificateDer<'a>> {
    let mut unknown: Vec<_> =
        others.iter().filter_map(|der| Some((der, X509Certificate::from_der(der).ok()?.1))).collect();
    let mut leading: Vec<_> = unknown
        .extract_if(.., |(_, certificate)| {
            anchors_named(certificate.issuer().as_raw(), anchors).next().is_some()
        })
        .collect();
    loop {
        let is_next = |issuer: &X509Certificate<'_>, certificate: &X509Certificate<'_>| {
            issuer.subject().as_raw() == certificate.issuer().as_raw()
        };
        let next: Vec<_> = unknown
            .extract_if(.., |(_, certificate)| leading.iter().any(|(_, issuer)| is_next(issuer, certificate)))
            .collect();
        if next.is_empty() {
            return leading.into_iter().map(|(der, _)| der.clone()).collect();
        }
        leading.extend(next);
    }
}

/// The anchors that have a name, which is given in DER.
pub(super) fn anchors_named<'a>(
    name: &[u8],
    anchors: &'a AnchorList,
) -> impl Iterator<Item = &'a CertificateDer<'static>> {
    // Path building keeps names without tag and length.
    let name = split(name).map(|(name, _)| name.content);
    let all = anchors.roots().iter().zip(anchors.certificates());
    all.filter(move |(root, _)| Some(root.subject.as_ref()) == name).map(|(_, der)| der)
}

fn taken(path: &VerifiedPath<'_>, anchors: &AnchorList) -> Path {
    let anchor = anchors.roots().iter().position(|root| root == path.anchor());
    let anchor = anchor.and_then(|position| anchors.certificates().get(position));
    Path {
        intermediates: path.intermediate_certificates().map(|issuer| issuer.der().to_vec()).collect(),
        anchor: anchor.map(|der| der.to_vec()).unwrap_or_default(),
    }
}

/// What webpki does not look at: whether issuers may issue (key usage), and whether key identifiers of neighbours
/// agree (RFC 5280, sections 4.2.1.1 to 4.2.1.3).
fn objection_to(leaf: &[u8], path: &Path) -> Option<String> {
    let whole = [leaf].into_iter().chain(path.intermediates.iter().map(Vec::as_slice)).chain([&*path.anchor]);
    let whole: Vec<X509Certificate<'_>> =
        whole.filter_map(|der| Some(X509Certificate::from_der(der).ok()?.1)).collect();
    for issuer in whole.iter().skip(1) {
        let may_issue = match issuer.key_usage() {
            Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
            Err(_) => false,
        };
        if !may_issue {
            return Some(format!(
                "the key usage of {} does not allow issuing certificates",
                name(issuer.subject())
            ));
        }
    }
    whole.windows(2).find_map(|pair| match pair {
        [subject, issuer] => objection_to_neighbours(subject, issuer),
        _ => None,
    })
}

/// Why `issuer` does not seem to be the one that issued `subject`, although names and signature fit.
fn objection_to_neighbours(subject: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> Option<String> {
    let named = subject.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(authority) => authority.key_identifier.as_ref(),
        _ => None,
    })?;
    let own = issuer.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(own) => Some(own),
        _ => None,
    })?;
    (named.0 != own.0).then(|| {
        format!(
            "the authority key identifier of {} is not the subject key identifier of {}",
            name(subject.subject()),
            name(issuer.subject())
        )
    })
}

/// The reason why webpki found no path. Where it says no more than that an issuer is unknown, the chain is looked
/// through for what is missing.
fn reason(error: &Error, leaf: &[u8], others: &[CertificateDer<'_>], anchors: &AnchorList) -> PathError {
    match error {
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => PathError::OutsideValidity(words(error)),
        Error::UnknownIssuer
        | Error::InvalidSignatureForPublicKey
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            match obstacle(leaf, others, anchors) {
                Some(Obstacle::Missing(reason)) => PathError::NotTrusted(reason),
                Some(Obstacle::Forged(reason)) => PathError::Forged(reason),
                None => PathError::Refused(words(error)),
            }
        }
        _ => PathError::Refused(words(error)),
    }
}

/// What webpki says, for people.
fn words(error: &Error) -> String {
    match error {
        Error::BadDer | Error::BadDerTime => "a certificate is not encoded in DER".into(),
        Error::TrailingData(_) => "bytes follow the certificate, or a part of it".into(),
        Error::CaUsedAsEndEntity => "it is an authority's certificate, which must not sign itself".into(),
        Error::EndEntityUsedAsCa => "a certificate was issued by one that is not an authority's".into(),
        Error::CertExpired { .. } => "a certificate of the chain has expired".into(),
        Error::CertNotValidYet { .. } => "a certificate of the chain is not valid yet".into(),
        Error::InvalidCertValidity => "a certificate expires before it is valid".into(),
        Error::EmptyEkuExtension => "an extended key usage names no purpose".into(),
        Error::RequiredEkuNotFoundContext(_) => {
            "an authority of the chain must not issue certificates for this purpose".into()
        }
        Error::ExtensionValueInvalid | Error::MalformedExtensions => {
            "an extension occurs twice or cannot be read".into()
        }
        Error::UnsupportedCriticalExtension => "a critical extension is unknown".into(),
        Error::UnsupportedCertVersion => "a certificate is not of version 3".into(),
        Error::SignatureAlgorithmMismatch => {
            "a certificate names one signature algorithm inside and another outside".into()
        }
        Error::InvalidSerialNumber => "a serial number is not allowed".into(),
        Error::InvalidSignatureForPublicKey => {
            "a signature of the chain does not verify with its issuer's key".into()
        }
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a certificate of the chain is signed with an algorithm or key that is not accepted".into()
        }
        Error::NameConstraintViolation => {
            "a name violates the name constraints of an authority of the chain".into()
        }
        Error::MalformedNameConstraint | Error::InvalidNetworkMaskConstraint | Error::UnsupportedNameType => {
            "a name constraint of the chain cannot be read".into()
        }
        Error::PathLenConstraintViolated => {
            "the chain is longer than the path length constraint of one of its authorities allows".into()
        }
        Error::MaximumPathDepthExceeded => "the chain is longer than anybody needs".into(),
        Error::MaximumSignatureChecksExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => {
            "the chain is too complicated: too many paths would have to be tried".into()
        }
        Error::UnknownIssuer => "the certificate of an issuer is missing".into(),
        other => format!("the chain is not acceptable ({other:?})").chars().take(200).collect(),
    }
}

/// Times before 1970 are as good as 1970: no certificate is that old.
pub(super) fn unix_time(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.unix_seconds()).unwrap_or(0)))
}
