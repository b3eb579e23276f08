//! Whom to trust: the roots of signers, and those of time-stamp authorities. The two lists are kept apart
//! (C2PA 2.4, section 14.4): an authority that tells the time must not vouch for signers.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, TrustAnchor};
use thiserror::Error;
use webpki::anchor_from_trusted_cert;
use x509_parser::{
    pem::Pem,
    prelude::{FromDer as _, X509Certificate},
};

use crate::credential::LibraryTrust;

/// The most certificates in one list. The C2PA trust list has about a hundred.
const MAX_ANCHORS: usize = 10_000;

/// Certificates that chains may end in.
#[derive(Clone, Debug, Default)]
pub struct AnchorList {
    certificates: Arc<[CertificateDer<'static>]>,
    /// What path building needs of each of them.
    roots: Arc<[TrustAnchor<'static>]>,
    pem: Arc<str>,
}

/// A certificate in a bundle of trust anchors is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustAnchorsError {
    /// One of the certificates cannot be used.
    #[error("certificate {position} of the trust anchors{} cannot be used: {reason}", named(.subject.as_deref()))]
    Certificate {
        /// Which, counted from 1.
        position: usize,
        /// Its subject, when that can be read.
        subject: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// There is text but no certificate.
    #[error(
        "the trust anchors are not certificates in PEM: there is no block that begins with -----BEGIN CERTIFICATE-----"
    )]
    NoCertificate,
    /// More than anybody needs.
    #[error("there are more than {MAX_ANCHORS} trust anchors")]
    TooMany,
    /// The C2PA library does not take them.
    #[error("the trust anchors cannot be used: {0}")]
    Library(String),
}

impl AnchorList {
    /// Reads certificates in PEM (RFC 7468), one after the other, with any text between them; empty text means
    /// that nobody is trusted.
    ///
    /// # Errors
    /// When one of them cannot be read as a trust anchor, or when text has none.
    pub fn from_pem(pem: &str) -> Result<Self, TrustAnchorsError> {
        let mut certificates = Vec::new();
        let mut roots = Vec::new();
        for block in Pem::iter_from_buffer(pem.as_bytes()) {
            let position = certificates.len() + 1;
            if position > MAX_ANCHORS {
                return Err(TrustAnchorsError::TooMany);
            }
            let unusable = |subject: Option<String>, reason: &dyn ToString| TrustAnchorsError::Certificate {
                position,
                subject,
                reason: reason.to_string(),
            };
            let block = block.map_err(|error| unusable(None, &error))?;
            if block.label != "CERTIFICATE" {
                return Err(unusable(None, &format!("it is a block of the type {}", block.label)));
            }
            let (rest, certificate) =
                X509Certificate::from_der(&block.contents).map_err(|error| unusable(None, &error))?;
            let subject = Some(certificate.subject().to_string());
            if !rest.is_empty() {
                return Err(unusable(subject, &"bytes follow the certificate"));
            }
            let certificate = CertificateDer::from(block.contents.clone());
            let root = anchor_from_trusted_cert(&certificate).map_err(|error| unusable(subject, &error))?;
            roots.push(root.to_owned());
            certificates.push(certificate);
        }
        if certificates.is_empty() && !pem.trim().is_empty() {
            return Err(TrustAnchorsError::NoCertificate);
        }
        Ok(Self { certificates: certificates.into(), roots: roots.into(), pem: pem.into() })
    }

    /// A list of one certificate in DER, for paths that have to end there; `None` when it cannot be an anchor.
    pub(crate) fn of_one(certificate: &[u8]) -> Option<Self> {
        let certificate = CertificateDer::from(certificate.to_vec());
        let root = anchor_from_trusted_cert(&certificate).ok()?.to_owned();
        Some(Self { certificates: [certificate].into(), roots: [root].into(), pem: "".into() })
    }

    /// The certificates in DER, in the order of the bundle.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// What path building needs of the certificates, in the same order.
    pub(crate) fn roots(&self) -> &[TrustAnchor<'static>] {
        &self.roots
    }

    /// The bundle as it was given.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// Both lists.
#[derive(Clone)]
pub struct TrustAnchors {
    signers: AnchorList,
    time_stamps: AnchorList,
    library: LibraryTrust,
}

impl TrustAnchors {
    /// Trusts signers that lead to `signers`, and time-stamps that lead to `time_stamps`.
    ///
    /// # Errors
    /// When the C2PA library does not take them.
    pub fn new(signers: AnchorList, time_stamps: AnchorList) -> Result<Self, TrustAnchorsError> {
        let library = LibraryTrust::new(signers.pem()).map_err(TrustAnchorsError::Library)?;
        Ok(Self { signers, time_stamps, library })
    }

    /// Trusts signers alone, given in PEM; no time-stamp counts.
    ///
    /// # Errors
    /// As for [`AnchorList::from_pem`].
    pub fn from_pem(signers: &str) -> Result<Self, TrustAnchorsError> {
        Self::new(AnchorList::from_pem(signers)?, AnchorList::default())
    }

    /// The roots of signers.
    pub fn signers(&self) -> &AnchorList {
        &self.signers
    }

    /// The roots of time-stamp authorities.
    pub fn time_stamps(&self) -> &AnchorList {
        &self.time_stamps
    }

    pub(crate) fn library(&self) -> &LibraryTrust {
        &self.library
    }
}

fn named(subject: Option<&str>) -> String {
    subject.map(|subject| format!(" ({subject})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(name: &str) -> String {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn a_bundle_may_have_comments_and_may_be_empty() {
        let bundle = format!("# the first\n{}\n# the second\n{}", root("A"), root("B"));
        assert_eq!(AnchorList::from_pem(&bundle).unwrap().certificates().len(), 2);
        assert!(AnchorList::from_pem(" \n").unwrap().certificates().is_empty());
    }

    #[test]
    fn a_broken_certificate_is_named() {
        let broken = "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n";
        let bundle = format!("{}{broken}", root("A"));
        let error = AnchorList::from_pem(&bundle).unwrap_err();
        assert!(
            error.to_string().starts_with("certificate 2 of the trust anchors cannot be used"),
            "{error}"
        );
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let error = AnchorList::from_pem(&format!("{}{key}", root("A"))).unwrap_err();
        assert!(error.to_string().contains("certificate 2") && error.to_string().contains("PRIVATE KEY"));
    }

    #[test]
    fn text_without_a_certificate_is_refused() {
        assert_eq!(AnchorList::from_pem("hello").unwrap_err(), TrustAnchorsError::NoCertificate);
    }
}
