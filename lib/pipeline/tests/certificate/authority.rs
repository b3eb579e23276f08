//! Authorities of our own, and certificates with every possible fault.

use credlink_pipeline::{timestamp::Timestamp, trust::AnchorList};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SignatureAlgorithm, SigningKey as _,
};
use time::OffsetDateTime;

/// The time now, in all tests.
pub(crate) fn now() -> Timestamp {
    time("2026-06-01T00:00:00Z")
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(crate) fn date(text: &str) -> OffsetDateTime {
    time(text).as_offset_date_time()
}

/// A key and a certificate to issue others with.
pub(crate) struct Authority {
    pub(crate) issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A signer's certificate.
pub(crate) struct Leaf {
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(name, &PKCS_ECDSA_P256_SHA256, |_| {})
    }

    pub(crate) fn root_with(
        name: &str,
        algorithm: &'static SignatureAlgorithm,
        change: impl Fn(&mut CertificateParams),
    ) -> Self {
        let mut params = authority_params(name);
        change(&mut params);
        let key = KeyPair::generate_for(algorithm).unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    /// An authority below this one.
    pub(crate) fn authority(&self, name: &str) -> Self {
        self.authority_with(name, |_| {})
    }

    pub(crate) fn authority_with(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> Self {
        self.authority_for(name, KeyPair::generate().unwrap(), change)
    }

    /// An authority below this one, with a key that may have other certificates too.
    pub(crate) fn authority_for(
        &self,
        name: &str,
        key: KeyPair,
        change: impl Fn(&mut CertificateParams),
    ) -> Self {
        let mut params = authority_params(name);
        change(&mut params);
        Self { issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap() }
    }

    /// A signer without fault.
    pub(crate) fn leaf(&self) -> Leaf {
        self.leaf_with(|_| {})
    }

    pub(crate) fn leaf_with(&self, change: impl Fn(&mut CertificateParams)) -> Leaf {
        self.leaf_for(&KeyPair::generate().unwrap(), change)
    }

    pub(crate) fn leaf_for(&self, key: &KeyPair, change: impl Fn(&mut CertificateParams)) -> Leaf {
        let mut params = leaf_params();
        change(&mut params);
        let der = params.signed_by(key, &self.issuer).unwrap().der().to_vec();
        Leaf { der }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    pub(crate) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }

    /// A list with this authority alone.
    pub(crate) fn as_anchor(&self) -> AnchorList {
        AnchorList::from_pem(&self.issuer.pem()).unwrap()
    }

    /// Changes the parts of the body of a certificate, and signs it again with this authority's key.
    pub(crate) fn reissue(&self, certificate: &[u8], change: impl Fn(&mut Vec<Vec<u8>>)) -> Vec<u8> {
        let parts = elements(content(certificate));
        let mut body = elements(content(&parts[0]));
        change(&mut body);
        let body = wrap(0x30, &body.concat());
        let signature = self.key().sign(&body).unwrap();
        let signature = wrap(0x03, &[&[0][..], &signature].concat());
        wrap(0x30, &[body, parts[1].clone(), signature].concat())
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date("2020-01-01T00:00:00Z");
    params.not_after = date("2040-01-01T00:00:00Z");
    params
}

fn leaf_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Signer");
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date("2026-01-01T00:00:00Z");
    params.not_after = date("2027-01-01T00:00:00Z");
    params
}

/// The elements that stand one after the other.
pub(crate) fn elements(mut der: &[u8]) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    while !der.is_empty() {
        let length = header(der).0 + header(der).1;
        elements.push(der[..length].to_vec());
        der = &der[length..];
    }
    elements
}

/// What the first element holds.
pub(crate) fn content(der: &[u8]) -> &[u8] {
    let (header, length) = header(der);
    &der[header..header + length]
}

/// An element around `content`.
pub(crate) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        0x100..=0xffff => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        _ => vec![tag, 0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8],
    };
    [header.as_slice(), content].concat()
}

/// The lengths of header and content.
fn header(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            let length = der[2..2 + count].iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
            (2 + count, length)
        }
    }
}
