//! What can be said about the certificate that signed.
//!
//! Each check is reported by name, and one that was not made says so. The C2PA library's opinion on certificates is not
//! asked: it knows one list of anchors where C2PA has two.

mod path;
pub mod revocation;

pub use path::{Path, Purpose, find_path};

use serde::{Deserialize, Serialize};
use x509_parser::{
    extensions::{ExtendedKeyUsage, KeyUsage},
    num_bigint::BigUint,
    oid_registry::Oid,
    prelude::{FromDer as _, X509Certificate},
};

use self::revocation::RevocationService;
use crate::{
    credential::{ClaimSignature, Status, StatusKind},
    timestamp::Timestamp,
    trust::AnchorList,
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

/// A certificate, and what is asked about it.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The signature that it made, with the rest of the chain and stapled OCSP responses.
    pub signature: &'a ClaimSignature,
    /// Whom to trust.
    pub anchors: &'a AnchorList,
    /// The time of a trusted time-stamp, if there is one: the certificate is judged at that time.
    pub stamped: Option<Timestamp>,
    /// The time now.
    pub now: Timestamp,
    /// Asks about revocation what no staple answers; `None` when nobody is to be asked.
    pub revocation: Option<&'a RevocationService>,
}

/// What was found out about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The report.
    pub report: CertificateReport,
    /// The validation statuses that follow (C2PA 2.4, section 15.2): `signingCredential.*` and
    /// `claimSignature.insideValidity` or `outsideValidity`.
    pub status: Vec<Status>,
}

/// Judges the certificate of a signature. `None` when it cannot be read at all.
pub async fn judge(question: Question<'_>) -> Option<Judgement> {
    let (leaf_der, others) = question.signature.chain.split_first()?;
    let (_, leaf) = X509Certificate::from_der(leaf_der).ok()?;
    let evaluated_at = question.stamped.unwrap_or(question.now);
    let not_before = Timestamp::new(leaf.validity().not_before.to_datetime());
    let not_after = Timestamp::new(leaf.validity().not_after.to_datetime());
    // Whether the chain leads to an anchor is one question, whether it is expired another.
    let inside = evaluated_at.max(not_before).min(not_after);
    let path = find_path(leaf_der, others, question.anchors, inside, Purpose::ClaimSigning);
    let report = CertificateReport {
        subject: leaf.subject().to_string(),
        issuer: leaf.issuer().to_string(),
        serial_number: hexadecimal(&leaf.tbs_certificate.serial),
        algorithm: question.signature.algorithm.unwrap_or_default().to_owned(),
        not_before,
        not_after,
        evaluated_at,
        time_source: if question.stamped.is_some() { TimeSource::Timestamp } else { TimeSource::Now },
        checks: vec![
            chain(path.as_ref().map_err(ToString::to_string)),
            validity(not_before, not_after, evaluated_at),
            signatures(path.is_ok()),
            key_usage(&leaf),
            extended_key_usage(&leaf),
            basic_constraints(&leaf),
            revocation(),
        ],
    };
    let status = statuses(&report);
    Some(Judgement { report, status })
}

fn statuses(report: &CertificateReport) -> Vec<Status> {
    let say = |check: &Check, good: &str, bad: &str| match check.result {
        CheckResult::Passed => Some(Status::new(StatusKind::Success, good, check.detail.as_str())),
        CheckResult::Failed => Some(Status::new(StatusKind::Failure, bad, check.detail.as_str())),
        CheckResult::NotChecked => None,
    };
    report
        .checks
        .iter()
        .filter_map(|check| match check.name {
            CheckName::Chain => say(check, "signingCredential.trusted", "signingCredential.untrusted"),
            CheckName::Validity => {
                say(check, "claimSignature.insideValidity", "claimSignature.outsideValidity")
            }
            CheckName::Signature | CheckName::Revocation => None,
            CheckName::KeyUsage | CheckName::ExtendedKeyUsage | CheckName::BasicConstraints => {
                say(check, "", "signingCredential.invalid")
                    .filter(|status| status.kind == StatusKind::Failure)
            }
        })
        .collect()
}

impl CertificateReport {
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

fn check(name: CheckName, result: CheckResult, detail: impl Into<String>) -> Check {
    Check { name, result, detail: detail.into() }
}

fn verdict(name: CheckName, holds: bool, good: &str, bad: &str) -> Check {
    if holds { check(name, CheckResult::Passed, good) } else { check(name, CheckResult::Failed, bad) }
}

fn chain(path: Result<&Path, String>) -> Check {
    match path {
        Ok(_) => check(CheckName::Chain, CheckResult::Passed, "the chain leads to a trust anchor"),
        Err(reason) => check(
            CheckName::Chain,
            CheckResult::Failed,
            format!("the chain leads to none of the configured trust anchors: {reason}"),
        ),
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
fn signatures(has_path: bool) -> Check {
    if has_path {
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

fn revocation() -> Check {
    check(CheckName::Revocation, CheckResult::NotChecked, "nobody was asked")
}

fn hexadecimal(serial: &BigUint) -> String {
    hex::encode(serial.to_bytes_be())
}
