//! A certificate chain: leaf first, each issued by the next, every one as the profile wants it.

use credlink_pipeline::{digest::Sha256Hash, timestamp::Timestamp};
use serde::Serialize;
use time::OffsetDateTime;
use x509_parser::{
    certificate::X509Certificate,
    error::X509Error,
    oid_registry::{
        OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
        OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, OID_SIG_ED25519,
    },
    prelude::FromDer,
    public_key::PublicKey,
    x509::X509Name,
};

use crate::{
    algorithm::{KeyAlgorithm, KeyKind, bit_length},
    error::{KeysError, Position},
    pem_file::{MAX_CERTIFICATES, PemFile},
    private_key::PrivateKey,
    profile::{self, ProfileRule},
};

/// The facts of one certificate, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSummary {
    /// Whom it names; RFC 4514 style, control characters escaped.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its serial number, lower-case hexadecimal.
    pub serial_number: String,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// SHA-256 of its DER.
    pub sha256: Sha256Hash,
}

impl CertificateSummary {
    /// Whole days until it expires; negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after.unix_seconds() - now.unix_seconds()).div_euclid(24 * 60 * 60)
    }

    /// That it is valid at `now`; in messages it is certificate `number` in `file`.
    pub(crate) fn check_dates(&self, file: &str, number: usize, now: Timestamp) -> Result<(), KeysError> {
        let file = file.to_owned();
        let certificate = Position { number, subject: self.subject.clone() };
        if now < self.not_before {
            let not_before = self.not_before.to_string();
            return Err(KeysError::NotYetValid { file, certificate, not_before });
        }
        // The last second is still inside (RFC 5280, 4.1.2.5).
        if now.unix_seconds() > self.not_after.unix_seconds() {
            return Err(KeysError::Expired { file, certificate, not_after: self.not_after.to_string() });
        }
        Ok(())
    }

    fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let time = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok().map(Timestamp::new);
        Some(Self {
            subject: name_text(certificate.subject()),
            issuer: name_text(certificate.issuer()),
            serial_number: hex::encode(certificate.raw_serial()),
            not_before: time(certificate.validity().not_before.timestamp())?,
            not_after: time(certificate.validity().not_after.timestamp())?,
            sha256: Sha256Hash::of(certificate.as_raw()),
        })
    }
}

/// A chain whose order, signatures and profile were checked. Dates are not: see [`Chain::check_dates`].
#[derive(Debug)]
pub(crate) struct Chain {
    file: String,
    certificates: Vec<Vec<u8>>,
    summaries: Vec<CertificateSummary>,
    kind: KeyKind,
    leaf_public_key: Vec<u8>,
    notes: Vec<String>,
}

impl Chain {
    /// Reads and checks the certificates in `file`. A root at the end, and certificates that stand there twice, are
    /// dropped with a note.
    pub(crate) fn read(file: &PemFile) -> Result<Self, KeysError> {
        Self::of(file.name(), file.certificates()?)
    }

    /// Like [`Chain::read`], with certificates in DER that messages call `file`.
    pub(crate) fn of(file: &str, mut ders: Vec<Vec<u8>>) -> Result<Self, KeysError> {
        let mut notes = Vec::new();
        drop_repeated(&mut ders, &mut notes);
        drop_roots(file, &mut ders, &mut notes)?;
        let (kind, leaf_public_key, summaries) = check(file, &ders)?;
        Ok(Self { file: file.to_owned(), certificates: ders, summaries, kind, leaf_public_key, notes })
    }

    /// That every certificate is valid at `now`.
    pub(crate) fn check_dates(&self, now: Timestamp) -> Result<(), KeysError> {
        let mut numbered = self.summaries.iter().enumerate();
        numbered.try_for_each(|(index, summary)| summary.check_dates(&self.file, index + 1, now))
    }

    /// That `key` belongs to the leaf.
    pub(crate) fn check_key(&self, key: &PrivateKey, key_file: &str) -> Result<(), KeysError> {
        self.check_public_key(key.kind(), key.public_key(), key_file)
    }

    /// That the key with this public key, a bit string as in `SubjectPublicKeyInfo`, belongs to the leaf.
    pub(crate) fn check_public_key(&self, kind: KeyKind, bits: &[u8], name: &str) -> Result<(), KeysError> {
        if kind == self.kind && bits == self.leaf_public_key {
            Ok(())
        } else {
            Err(KeysError::KeyMismatch { chain: self.file.clone(), key: name.to_owned() })
        }
    }

    /// What kind of key the leaf has.
    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The bit string of the public key of the leaf.
    pub(crate) fn leaf_public_key(&self) -> &[u8] {
        &self.leaf_public_key
    }

    /// DER, leaf first.
    pub(crate) fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// The facts, leaf first; at least one.
    pub(crate) fn summaries(&self) -> &[CertificateSummary] {
        &self.summaries
    }

    /// The certificate nearest to the root.
    pub(crate) fn last(&self) -> &[u8] {
        self.certificates.last().map_or(&[], Vec::as_slice)
    }

    /// The name of the root that the chain needs.
    pub(crate) fn root_name(&self) -> &str {
        self.summaries.last().map_or("", |summary| summary.issuer.as_str())
    }

    /// What was dropped while reading.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// The facts of a certificate in DER; `None` when it is not one.
pub fn summary(der: &[u8]) -> Option<CertificateSummary> {
    CertificateSummary::of(&parse(der)?)
}

/// Whether `certificate` names `issuer` and bears its signature; false for anything unreadable.
pub(crate) fn is_issued_by(certificate: &[u8], issuer: &[u8]) -> bool {
    let (Some(certificate), Some(issuer)) = (parse(certificate), parse(issuer)) else { return false };
    names_issuer(&certificate, &issuer) && certificate.verify_signature(Some(issuer.public_key())).is_ok()
}

/// The bit string of the public key of a certificate.
pub(crate) fn public_key_of(der: &[u8]) -> Option<Vec<u8>> {
    parse(der).map(|certificate| certificate.public_key().subject_public_key.data.to_vec())
}

/// Whether a certificate may issue others.
pub(crate) fn is_authority(der: &[u8]) -> bool {
    parse(der).is_some_and(|certificate| certificate.is_ca())
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
}

fn names_issuer(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == issuer.subject().as_raw()
}

fn drop_repeated(ders: &mut Vec<Vec<u8>>, notes: &mut Vec<String>) {
    let before = ders.len();
    let mut kept: Vec<Vec<u8>> = Vec::with_capacity(before.min(MAX_CERTIFICATES));
    for der in ders.drain(..) {
        if !kept.contains(&der) {
            kept.push(der);
        }
    }
    *ders = kept;
    if ders.len() < before {
        notes.push("certificates that stood in the chain more than once were dropped".to_owned());
    }
}

/// C2PA wants the root left out of the signature (C2PA 2.4, `x5chain`). One that does not stand last is in the
/// wrong order and stays, to be refused for it.
fn drop_roots(file: &str, ders: &mut Vec<Vec<u8>>, notes: &mut Vec<String>) -> Result<(), KeysError> {
    if ders.len() == 1 && ders.iter().all(|der| is_issued_by(der, der)) {
        return Err(KeysError::SelfSignedLeaf { file: file.to_owned() });
    }
    if let Some(leaf) = ders.first()
        && !is_authority(leaf)
        && is_issued_by(leaf, leaf)
    {
        return Err(KeysError::SelfSignedLeaf { file: file.to_owned() });
    }
    while let Some(root) = ders.pop_if(|der| is_authority(der) && is_issued_by(der, der)) {
        if let Some(root) = summary(&root) {
            notes.push(format!("the root ({}) was left out of the chain, as C2PA wants it", root.subject));
        }
    }
    if ders.is_empty() {
        return Err(KeysError::SelfSignedLeaf { file: file.to_owned() });
    }
    Ok(())
}

type Checked = (KeyKind, Vec<u8>, Vec<CertificateSummary>);

fn check(file: &str, ders: &[Vec<u8>]) -> Result<Checked, KeysError> {
    let mut certificates = Vec::with_capacity(ders.len());
    let mut summaries = Vec::with_capacity(ders.len());
    for (index, der) in ders.iter().enumerate() {
        let malformed = || KeysError::MalformedCertificate { file: file.to_owned(), number: index + 1 };
        let certificate = parse(der).ok_or_else(malformed)?;
        summaries.push(CertificateSummary::of(&certificate).ok_or_else(malformed)?);
        certificates.push(certificate);
    }
    let chain = Unchecked { file, certificates: &certificates };
    chain.check_order()?;
    for index in 0..certificates.len() {
        chain.check_key_length(index)?;
        chain.check_signature(index)?;
    }
    let leaf = certificates.first().ok_or_else(|| KeysError::NoCertificate { file: file.to_owned() })?;
    let kind = public_key_kind(file, leaf)?;
    chain.check_profile(0, profile::check_leaf(leaf))?;
    for (index, issuer) in certificates.iter().enumerate().skip(1) {
        chain.check_profile(index, profile::check_issuer(issuer, index - 1))?;
    }
    Ok((kind, leaf.public_key().subject_public_key.data.to_vec(), summaries))
}

/// Certificates on their way to being a chain.
struct Unchecked<'a> {
    file: &'a str,
    certificates: &'a [X509Certificate<'a>],
}

impl Unchecked<'_> {
    /// That each names the next as its issuer; when not, whether another order would do.
    fn check_order(&self) -> Result<(), KeysError> {
        for (index, pair) in self.certificates.windows(2).enumerate() {
            let [certificate, next] = pair else { continue };
            if names_issuer(certificate, next) {
                continue;
            }
            let elsewhere = self.certificates.iter().position(|other| names_issuer(certificate, other));
            let is_issuer =
                self.certificates.iter().skip(index + 1).any(|other| names_issuer(other, certificate));
            if let Some(found) = elsewhere {
                return Err(self.wrong_order(index, &format!("its issuer is certificate {}", found + 1)));
            }
            if is_issuer {
                return Err(self.wrong_order(index, "it stands before one that it issued"));
            }
            return Err(KeysError::BrokenLink {
                file: self.file.to_owned(),
                certificate: self.position(index),
                next: self.position(index + 1),
                issuer: name_text(certificate.issuer()),
            });
        }
        Ok(())
    }

    fn check_signature(&self, index: usize) -> Result<(), KeysError> {
        let Some(certificate) = self.certificates.get(index) else { return Ok(()) };
        let algorithm = &certificate.signature_algorithm.algorithm;
        let unsupported = || KeysError::UnsupportedSignature {
            file: self.file.to_owned(),
            certificate: self.position(index),
            algorithm: algorithm.to_id_string(),
        };
        let allowed = [
            OID_PKCS1_SHA256WITHRSA,
            OID_PKCS1_SHA384WITHRSA,
            OID_PKCS1_SHA512WITHRSA,
            OID_PKCS1_RSASSAPSS,
            OID_SIG_ECDSA_WITH_SHA256,
            OID_SIG_ECDSA_WITH_SHA384,
            OID_SIG_ECDSA_WITH_SHA512,
            OID_SIG_ED25519,
        ];
        if !allowed.contains(algorithm) {
            return Err(unsupported());
        }
        let Some(next) = self.certificates.get(index + 1) else { return Ok(()) };
        match certificate.verify_signature(Some(next.public_key())) {
            Ok(()) => Ok(()),
            Err(X509Error::SignatureUnsupportedAlgorithm) => Err(unsupported()),
            Err(_) => Err(KeysError::BadSignature {
                file: self.file.to_owned(),
                certificate: self.position(index),
                next: self.position(index + 1),
            }),
        }
    }

    fn check_key_length(&self, index: usize) -> Result<(), KeysError> {
        let Some(certificate) = self.certificates.get(index) else { return Ok(()) };
        match certificate.public_key().parsed() {
            Ok(PublicKey::RSA(key)) if bit_length(key.modulus) < 2048 => {
                Err(KeysError::WeakKey { file: self.file.to_owned(), bits: bit_length(key.modulus) })
            }
            _ => Ok(()),
        }
    }

    fn check_profile(&self, index: usize, verdict: Result<(), ProfileRule>) -> Result<(), KeysError> {
        verdict.map_err(|rule| KeysError::Profile {
            file: self.file.to_owned(),
            certificate: self.position(index),
            rule,
        })
    }

    fn wrong_order(&self, index: usize, fact: &str) -> KeysError {
        KeysError::WrongOrder {
            file: self.file.to_owned(),
            detail: format!("{}: {fact}", self.position(index)),
        }
    }

    fn position(&self, index: usize) -> Position {
        let subject = self.certificates.get(index).map(|certificate| name_text(certificate.subject()));
        Position { number: index + 1, subject: subject.unwrap_or_default() }
    }
}

fn public_key_kind(file: &str, leaf: &X509Certificate<'_>) -> Result<KeyKind, KeysError> {
    let key = leaf.public_key();
    Ok(match KeyAlgorithm::of(file, &key.algorithm)? {
        KeyAlgorithm::P256 => KeyKind::P256,
        KeyAlgorithm::P384 => KeyKind::P384,
        KeyAlgorithm::Ed25519 => KeyKind::Ed25519,
        KeyAlgorithm::Rsa => {
            let bits = match key.parsed() {
                Ok(PublicKey::RSA(rsa)) => bit_length(rsa.modulus),
                // A key restricted to PSS has the same structure under another name (RFC 4055, 1.2).
                _ => pss_modulus_bits(&key.subject_public_key.data).unwrap_or(0),
            };
            KeyKind::of_rsa(file, bits)?
        }
    })
}

/// The length of the modulus of an `RSAPublicKey` (RFC 8017, A.1.1).
fn pss_modulus_bits(der: &[u8]) -> Option<usize> {
    use x509_parser::asn1_rs::{Any, FromDer, Integer};
    let (_, sequence) = Any::from_der(der).ok()?;
    let (_, modulus) = Integer::from_der(sequence.data).ok()?;
    Some(bit_length(modulus.as_ref()))
}

/// A name as text that can stand in a log line: no control characters, at most 200 characters.
fn name_text(name: &X509Name<'_>) -> String {
    let text: String = name
        .to_string()
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .take(200)
        .collect();
    if text.is_empty() { "no name".to_owned() } else { text }
}
