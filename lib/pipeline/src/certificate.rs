//! What can be said about the certificate that signed.
//!
//! The C2PA library decides whether the chain leads to a trust anchor; this module reads the leaf and reports
//! each check by name. A check that was not made says so.

use serde::{Deserialize, Serialize};
use x509_parser::{
    extensions::{ExtendedKeyUsage, KeyUsage},
    num_bigint::BigUint,
    oid_registry::Oid,
    pem::Pem,
    prelude::X509Certificate,
};

use crate::{
    credential::{SignatureDetails, Status},
    timestamp::Timestamp,
};

/// What is reported about the signing certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateReport {
    /// The subject, as RFC 4514 writes it.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The serial number, hexadecimal.
    pub serial_number: String,
    /// The signature algorithm of the claim, for example `ps256`.
    pub algorithm: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The time at which validity was judged.
    pub evaluated_at: Timestamp,
    /// Where that time comes from.
    pub time_source: TimeSource,
    /// Seven checks, always in the same order.
    pub checks: Vec<Check>,
}

/// Where the time comes from at which a certificate is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeSource {
    /// A trusted time-stamp in the signature.
    Timestamp,
    /// The clock.
    Now,
}

/// One check of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which.
    pub name: CheckName,
    /// How it went.
    pub result: CheckResult,
    /// In words.
    pub detail: String,
}

/// The checks of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// The chain leads to a trust anchor.
    Chain,
    /// The time lies between notBefore and notAfter.
    Validity,
    /// Every certificate is signed by the next.
    Signature,
    /// The key may make signatures.
    KeyUsage,
    /// The certificate is meant for this use.
    ExtendedKeyUsage,
    /// The certificate is not an authority's.
    BasicConstraints,
    /// The certificate was not revoked.
    Revocation,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckResult {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It was not made.
    NotChecked,
}

impl CertificateReport {
    /// Judges the leaf of `signature`. `status` is what the validation of the credential said, `now` the clock.
    /// `None` when the leaf cannot be read.
    pub fn of(signature: &SignatureDetails, status: &[Status], now: Timestamp) -> Option<Self> {
        let pem = Pem::iter_from_buffer(signature.chain_pem.as_bytes()).next()?.ok()?;
        let leaf = pem.parse_x509().ok()?;
        let active = ActiveStatus(status);
        let stamped = signature.time.filter(|_| active.says("timeStamp.trusted"));
        let evaluated_at = stamped.unwrap_or(now);
        let not_before = Timestamp::new(leaf.validity().not_before.to_datetime());
        let not_after = Timestamp::new(leaf.validity().not_after.to_datetime());
        Some(Self {
            subject: leaf.subject().to_string(),
            issuer: leaf.issuer().to_string(),
            serial_number: hexadecimal(&leaf.tbs_certificate.serial),
            algorithm: signature.algorithm.clone().unwrap_or_default(),
            not_before,
            not_after,
            evaluated_at,
            time_source: if stamped.is_some() { TimeSource::Timestamp } else { TimeSource::Now },
            checks: vec![
                chain(active),
                validity(not_before, not_after, evaluated_at),
                signatures(active),
                key_usage(&leaf),
                extended_key_usage(&leaf),
                basic_constraints(&leaf),
                revocation(active),
            ],
        })
    }

    /// Whether the certificate holds: no check failed, and those that decide about trust were made.
    pub fn is_valid(&self) -> bool {
        let decisive = [CheckName::Chain, CheckName::Validity, CheckName::Signature];
        self.checks.iter().all(|check| match check.result {
            CheckResult::Passed => true,
            CheckResult::Failed => false,
            CheckResult::NotChecked => !decisive.contains(&check.name),
        })
    }

    /// The first check that keeps the certificate from being valid.
    pub fn first_objection(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.result == CheckResult::Failed).or_else(|| {
            self.checks
                .iter()
                .find(|check| check.result == CheckResult::NotChecked)
                .filter(|_| !self.is_valid())
        })
    }
}

/// The statuses of the active manifest, without its ingredients'.
#[derive(Clone, Copy)]
struct ActiveStatus<'a>(&'a [Status]);

impl ActiveStatus<'_> {
    fn says(self, code: &str) -> bool {
        self.0.iter().any(|status| status.ingredient.is_none() && status.code == code)
    }
}

fn check(name: CheckName, result: CheckResult, detail: impl Into<String>) -> Check {
    Check { name, result, detail: detail.into() }
}

fn verdict(name: CheckName, holds: bool, good: &str, bad: &str) -> Check {
    if holds { check(name, CheckResult::Passed, good) } else { check(name, CheckResult::Failed, bad) }
}

fn chain(status: ActiveStatus<'_>) -> Check {
    if status.says("signingCredential.trusted") {
        check(CheckName::Chain, CheckResult::Passed, "the chain leads to a trust anchor")
    } else if status.says("signingCredential.untrusted") {
        check(
            CheckName::Chain,
            CheckResult::Failed,
            "the chain leads to none of the configured trust anchors",
        )
    } else {
        check(CheckName::Chain, CheckResult::NotChecked, "validation ended before the chain was looked at")
    }
}

fn validity(not_before: Timestamp, not_after: Timestamp, at: Timestamp) -> Check {
    if at < not_before {
        check(CheckName::Validity, CheckResult::Failed, format!("not valid before {not_before}"))
    } else if at > not_after {
        check(CheckName::Validity, CheckResult::Failed, format!("expired on {not_after}"))
    } else {
        check(CheckName::Validity, CheckResult::Passed, format!("valid until {not_after}"))
    }
}

/// Signatures are verified on the way from the leaf to the anchor, so an untrusted chain's are not known.
fn signatures(status: ActiveStatus<'_>) -> Check {
    if status.says("signingCredential.trusted") {
        check(
            CheckName::Signature,
            CheckResult::Passed,
            "every certificate up to the anchor is signed by the next",
        )
    } else {
        check(
            CheckName::Signature,
            CheckResult::NotChecked,
            "no path to a trust anchor along which to verify",
        )
    }
}

fn key_usage(leaf: &X509Certificate<'_>) -> Check {
    let name = CheckName::KeyUsage;
    match leaf.key_usage() {
        Ok(Some(usage)) => {
            let usage: &KeyUsage = usage.value;
            verdict(
                name,
                usage.digital_signature() && !usage.key_cert_sign(),
                "the key may sign and may not issue certificates",
                "the key usage does not allow a signature, or allows issuing certificates",
            )
        }
        Ok(None) => check(name, CheckResult::Failed, "the certificate has no key usage"),
        Err(_) => check(name, CheckResult::Failed, "the key usage cannot be read"),
    }
}

/// Purposes for which C2PA accepts a signing certificate (C2PA 2.4, section 14.5.1).
const CLAIM_SIGNING: &str = "1.3.6.1.4.1.62558.2.1";
const DOCUMENT_SIGNING: &str = "1.3.6.1.5.5.7.3.36";

fn extended_key_usage(leaf: &X509Certificate<'_>) -> Check {
    let name = CheckName::ExtendedKeyUsage;
    match leaf.extended_key_usage() {
        Ok(Some(usage)) => {
            let usage: &ExtendedKeyUsage<'_> = usage.value;
            if usage.any {
                return check(name, CheckResult::Failed, "anyExtendedKeyUsage is not allowed");
            }
            verdict(
                name,
                usage.email_protection || allows(usage, CLAIM_SIGNING) || allows(usage, DOCUMENT_SIGNING),
                "the certificate is meant for signing claims or documents",
                "the certificate is meant for another purpose",
            )
        }
        Ok(None) => check(name, CheckResult::Failed, "the certificate has no extended key usage"),
        Err(_) => check(name, CheckResult::Failed, "the extended key usage cannot be read"),
    }
}

fn allows(usage: &ExtendedKeyUsage<'_>, purpose: &str) -> bool {
    usage.other.iter().map(Oid::to_id_string).any(|oid| oid == purpose)
}

fn basic_constraints(leaf: &X509Certificate<'_>) -> Check {
    verdict(
        CheckName::BasicConstraints,
        !leaf.is_ca(),
        "the certificate is not an authority's",
        "an authority's certificate must not sign images",
    )
}

fn revocation(status: ActiveStatus<'_>) -> Check {
    let name = CheckName::Revocation;
    if status.says("signingCredential.ocsp.revoked") {
        check(name, CheckResult::Failed, "the certificate was revoked")
    } else if status.says("signingCredential.ocsp.notRevoked") {
        check(name, CheckResult::Passed, "a stapled OCSP response says it was not revoked")
    } else {
        check(name, CheckResult::NotChecked, "the signature carries no OCSP response, and none was asked for")
    }
}

fn hexadecimal(serial: &BigUint) -> String {
    hex::encode(serial.to_bytes_be())
}
