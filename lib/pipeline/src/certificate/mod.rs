//! What can be said about the certificate that signed.
//!
//! Each check is reported by name, and one that was not made says so. The C2PA library's opinion on certificates is not
//! asked: it knows one list of anchors where C2PA has two.

mod algorithms;
mod chain;
mod der;
mod naming;
mod obstacle;
mod path;
mod profile;
mod purpose;
mod report;
pub mod revocation;

pub use path::{MAX_CERTIFICATE_BYTES, Path, PathError, Purpose, find_path};
pub use report::{CertificateReport, Check, CheckName, CheckResult, TimeSource};

use self::{
    chain::{Chain, read, validity_of},
    naming::{name, serial_number},
    report::INVALID,
    revocation::RevocationService,
};
use crate::{
    credential::{ClaimSignature, Status, StatusKind},
    timestamp::Timestamp,
    trust::AnchorList,
};

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
    /// The report; `None` when the certificate cannot be read at all.
    pub report: Option<CertificateReport>,
    /// The validation statuses that follow (C2PA 2.4, section 15.2): `signingCredential.*` and
    /// `claimSignature.insideValidity` or `outsideValidity`.
    pub status: Vec<Status>,
}

/// Judges the certificate of a signature by seven checks, at the stamped time or now.
pub async fn judge(question: Question<'_>) -> Judgement {
    let Some((der, others)) = question.signature.chain.split_first() else {
        return unreadable("the signature carries no certificate");
    };
    let Some(leaf) = read(der) else {
        return unreadable("the signer's certificate cannot be read");
    };
    let at = question.stamped.unwrap_or(question.now);
    let key_usage = profile::key_usage(&leaf);
    let extended_key_usage = profile::extended_key_usage(&leaf);
    let basic_constraints = profile::basic_constraints(&leaf);
    let purpose = match extended_key_usage.check.result {
        CheckResult::Passed => Purpose::ClaimSigning,
        _ => Purpose::Unasked,
    };
    let chain = Chain { der, leaf: &leaf, others, anchors: question.anchors };
    let path = chain.path(at, purpose);
    let leads_to_anchor = chain.leads_to_anchor(path.as_ref());
    let trusted = path.as_ref().ok().filter(|_| leads_to_anchor.check.result == CheckResult::Passed);
    let findings = [
        leads_to_anchor,
        chain.is_valid_at(at, path.as_ref().ok()),
        chain.is_signed(path.as_ref()),
        key_usage,
        extended_key_usage,
        basic_constraints,
        revocation::judge(&leaf, trusted, &question).await,
    ];
    let (not_before, not_after) = validity_of(&leaf);
    let (checks, status): (Vec<Check>, Vec<Vec<Status>>) =
        findings.into_iter().map(|finding| (finding.check, finding.status)).unzip();
    let report = CertificateReport {
        subject: name(leaf.subject()),
        issuer: name(leaf.issuer()),
        serial_number: serial_number(&leaf.tbs_certificate.serial),
        algorithm: question.signature.algorithm.unwrap_or_default().to_owned(),
        not_before,
        not_after,
        evaluated_at: at,
        time_source: if question.stamped.is_some() { TimeSource::Timestamp } else { TimeSource::Now },
        checks,
    };
    Judgement { report: Some(report), status: status.concat() }
}

/// Until when all certificates of `chain`, which are in DER, are valid; `None` when one of them cannot be read, or when
/// there is none.
pub fn valid_until(chain: &[Vec<u8>]) -> Option<Timestamp> {
    let ends: Option<Vec<Timestamp>> = chain.iter().map(|der| Some(validity_of(&read(der)?).1)).collect();
    ends?.into_iter().min()
}

fn unreadable(reason: &str) -> Judgement {
    Judgement { report: None, status: vec![Status::new(StatusKind::Failure, INVALID, reason)] }
}
