//! An authority elsewhere that issues good and bad certificates on demand.

#![allow(dead_code, reason = "each test file uses a part of it")]

use credlink_keys::PemFile;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use time::{Duration, OffsetDateTime};

/// A certificate with the key that belongs to it.
pub(crate) struct Authority {
    pub(crate) pem: String,
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    pub(crate) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority(name);
        params.use_authority_key_identifier_extension = false;
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), params, key }
    }

    pub(crate) fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(name, |_| {})
    }

    pub(crate) fn intermediate_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Self { pem: self.sign(&params, &key), params, key }
    }

    /// A leaf that meets the profile.
    pub(crate) fn leaf(&self) -> Leaf {
        self.leaf_with(|_| {})
    }

    /// A leaf that meets the profile but for one change.
    pub(crate) fn leaf_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        Leaf { pem: self.leaf_for(&key, change), key: key.serialize_pem() }
    }

    /// Like [`Authority::leaf_with`], for a key that was made elsewhere.
    pub(crate) fn leaf_for(
        &self,
        key: &impl PublicKeyData,
        change: impl FnOnce(&mut CertificateParams),
    ) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = name("A Newsroom");
        params.not_before = OffsetDateTime::now_utc() - Duration::hours(1);
        params.not_after = params.not_before + Duration::days(200);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        self.sign(&params, key)
    }

    fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> String {
        params.signed_by(key, &Issuer::from_params(&self.params, &self.key)).unwrap().pem()
    }
}

/// A leaf and its key, both PEM.
pub(crate) struct Leaf {
    pub(crate) pem: String,
    pub(crate) key: String,
}

/// A key usage extension that is not critical, which rcgen itself never writes.
pub(crate) fn uncritical_key_usage() -> CustomExtension {
    CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![3, 2, 7, 0x80])
}

/// A critical extension that nobody knows.
pub(crate) fn unknown_critical_extension() -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    extension
}

pub(crate) fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Example Trust Services");
    name.push(DnType::CommonName, common_name);
    name
}

pub(crate) fn pem(name: &str, text: &str) -> PemFile {
    PemFile::new(name, text.as_bytes().to_vec()).unwrap()
}

fn authority(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(common_name);
    params.not_before = OffsetDateTime::now_utc() - Duration::days(10);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(1000);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.use_authority_key_identifier_extension = true;
    params
}
