//! What is reported about a certificate.

use serde::{Deserialize, Serialize};

use crate::{
    credential::{Status, StatusKind},
    timestamp::Timestamp,
};

/// What is reported about the signing certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    #[cfg_attr(feature = "schema", schemars(length(equal = 7)))]
    pub checks: Vec<Check>,
}

/// Where the time comes from at which a certificate is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TimeSource {
    /// A trusted time-stamp in the signature.
    Timestamp,
    /// The clock.
    Now,
}

/// One check of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CertificateCheck"))]
pub struct Check {
    /// Which.
    pub name: CheckName,
    /// How it went.
    pub result: CheckResult,
    /// In words.
    pub detail: String,
}

/// The checks of a certificate, in the order in which they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// The chain leads to a trust anchor, by the rules for chains.
    Chain,
    /// The time lies between notBefore and notAfter, for the certificate and for its issuers.
    Validity,
    /// Every certificate is signed by the next, with keys and algorithms that hold.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// A check, and the validation statuses that follow from it (C2PA 2.4, section 15.2).
pub(super) struct Finding {
    pub(super) check: Check,
    pub(super) status: Vec<Status>,
}

impl Finding {
    /// The check holds.
    pub(super) fn passed(name: CheckName, detail: impl Into<String>) -> Self {
        Self::of(name, CheckResult::Passed, detail)
    }

    /// The check does not hold.
    pub(super) fn failed(name: CheckName, detail: impl Into<String>) -> Self {
        Self::of(name, CheckResult::Failed, detail)
    }

    /// The check was not made.
    pub(super) fn not_checked(name: CheckName, detail: impl Into<String>) -> Self {
        Self::of(name, CheckResult::NotChecked, detail)
    }

    /// The certificate is not one that C2PA takes.
    pub(super) fn invalid(name: CheckName, detail: impl Into<String>) -> Self {
        Self::failed(name, detail).with(StatusKind::Failure, INVALID)
    }

    /// Adds a status with the detail of the check.
    pub(super) fn with(mut self, kind: StatusKind, code: &str) -> Self {
        self.status.push(Status::new(kind, code, self.check.detail.as_str()));
        self
    }

    fn of(name: CheckName, result: CheckResult, detail: impl Into<String>) -> Self {
        Self { check: Check { name, result, detail: detail.into() }, status: Vec::new() }
    }
}

/// The credential is none that C2PA takes.
pub(super) const INVALID: &str = "signingCredential.invalid";
