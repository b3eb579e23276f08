//! Finds and verifies the path from a certificate to a trust anchor (RFC 5280, section 6). The building and the
//! decisions are webpki's: signatures, names, validity, basic constraints, path length, name constraints, critical
//! extensions and purposes, within its limits for signatures and depth.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{
    EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
    aws_lc_rs as algorithms,
};

use crate::{timestamp::Timestamp, trust::AnchorList};

/// What a certificate is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing claims (C2PA 2.4, section 14.5.1).
    ClaimSigning,
    /// Stamping the time (RFC 3161, section 2.3).
    TimeStamping,
    /// Answering for an authority whether its certificates were revoked (RFC 6960, section 4.2.2.2).
    OcspSigning,
}

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

/// Finds a path from `leaf` over any of `others`, in whatever order they stand, to one of `anchors`, that is valid
/// `at` and good for `purpose`.
///
/// # Errors
/// The reason that webpki gives; when there are several paths, for the best of them.
pub fn find_path(
    leaf: &[u8],
    others: &[Vec<u8>],
    anchors: &AnchorList,
    at: Timestamp,
    purpose: Purpose,
) -> Result<Path, Error> {
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf)?;
    let others: Vec<CertificateDer<'_>> =
        others.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let anchors: Vec<_> = anchors
        .certificates()
        .iter()
        .filter_map(|der| Some((webpki::anchor_from_trusted_cert(der).ok()?, der)))
        .collect();
    let roots: Vec<_> = anchors.iter().map(|(anchor, _)| anchor.clone()).collect();
    let path =
        leaf.verify_for_usage(SIGNATURE_ALGORITHMS, &roots, &others, unix_time(at), purpose, None, None)?;
    let anchor = anchors.iter().find(|(anchor, _)| anchor == path.anchor()).map(|(_, der)| der.to_vec());
    Ok(Path {
        intermediates: path
            .intermediate_certificates()
            .map(|certificate| certificate.der().to_vec())
            .collect(),
        anchor: anchor.unwrap_or_default(),
    })
}

/// With which certificates may be signed: RSA (PKCS #1 v1.5 and PSS) from 2048 bits, ECDSA on P-256, P-384 and P-521,
/// Ed25519; with SHA-2.
pub(crate) const SIGNATURE_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P256_SHA512,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ECDSA_P384_SHA512,
    algorithms::ECDSA_P521_SHA256,
    algorithms::ECDSA_P521_SHA384,
    algorithms::ECDSA_P521_SHA512,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Times before 1970 are as good as 1970: no certificate is that old.
fn unix_time(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.unix_seconds()).unwrap_or(0)))
}

impl Purpose {
    /// The purposes of which a leaf needs one (extended key usage).
    fn allowed(self) -> &'static [KeyUsage] {
        match self {
            Self::ClaimSigning => &[CLAIM_SIGNING, EMAIL_PROTECTION, DOCUMENT_SIGNING],
            Self::TimeStamping => &[TIME_STAMPING],
            Self::OcspSigning => &[OCSP_SIGNING],
        }
    }
}

/// anyExtendedKeyUsage (RFC 5280, section 4.2.1.12).
const ANY: &[usize] = &[2, 5, 29, 37, 0];
/// 1.3.6.1.4.1.62558.2.1
const CLAIM_SIGNING: KeyUsage =
    KeyUsage::required(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xe8, 0x5e, 0x02, 0x01]);
/// 1.3.6.1.5.5.7.3.4
const EMAIL_PROTECTION: KeyUsage = KeyUsage::required(&[0x2b, 6, 1, 5, 5, 7, 3, 4]);
/// 1.3.6.1.5.5.7.3.8
const TIME_STAMPING: KeyUsage = KeyUsage::required(&[0x2b, 6, 1, 5, 5, 7, 3, 8]);
/// 1.3.6.1.5.5.7.3.9
const OCSP_SIGNING: KeyUsage = KeyUsage::required(&[0x2b, 6, 1, 5, 5, 7, 3, 9]);
/// 1.3.6.1.5.5.7.3.36
const DOCUMENT_SIGNING: KeyUsage = KeyUsage::required(&[0x2b, 6, 1, 5, 5, 7, 3, 36]);

impl ExtendedKeyUsageValidator for Purpose {
    /// What an authority may issue for. A certificate without purposes passes, and so does one for any: leaves, which
    /// need one by name, are asked for it elsewhere.
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let mut present = Vec::new();
        for purpose in purposes {
            let purpose = purpose?.to_decoded_oid();
            let is_allowed = |allowed: &KeyUsage| allowed.oid_values().eq(purpose.iter().copied());
            if purpose == ANY || self.allowed().iter().any(is_allowed) {
                return Ok(());
            }
            present.push(purpose);
        }
        match (present.is_empty(), self.allowed()) {
            (false, &[required, ..]) => {
                Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext { required, present }))
            }
            _ => Ok(()),
        }
    }
}
