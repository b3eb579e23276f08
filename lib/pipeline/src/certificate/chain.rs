//! The three checks that concern the whole chain: where it leads, whether it is valid in time, and who signed it.

use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{
    algorithms::{objection_to_key, objection_to_signature},
    naming::name,
    path::{MAX_CERTIFICATE_BYTES, Path, PathError, find_path},
    profile::{is_self_issued, objection_to_form},
    purpose::Purpose,
    report::{CheckName, Finding, INVALID},
};
use crate::{
    credential::{MAX_CERTIFICATES, StatusKind},
    timestamp::Timestamp,
    trust::AnchorList,
};

/// A leaf, what came with it, and where it is to lead.
pub(super) struct Chain<'a> {
    pub(super) der: &'a [u8],
    pub(super) leaf: &'a X509Certificate<'a>,
    pub(super) others: &'a [Vec<u8>],
    pub(super) anchors: &'a AnchorList,
}

impl Chain<'_> {
    /// The path to an anchor at `at`, or else at the nearest time at which there is one: whether a chain leads to
    /// an anchor is one question, whether it has expired another.
    pub(super) fn path(&self, at: Timestamp, purpose: Purpose) -> Result<Path, PathError> {
        if is_self_issued(self.leaf) {
            return Err(PathError::NotTrusted(
                "the certificate is issued by itself, and a signer must not be its own authority".into(),
            ));
        }
        let mut outcome = Err(PathError::OutsideValidity(String::new()));
        for time in self.times(at) {
            outcome = find_path(self.der, self.others, self.anchors, time, purpose);
            if !matches!(outcome, Err(PathError::OutsideValidity(_))) {
                return outcome;
            }
        }
        outcome
            .map_err(|_| PathError::Refused("its certificates were never valid all at the same time".into()))
    }

    /// The times to look at, the nearest to `at` first: where the leaf is valid, and there where another certificate
    /// is as well.
    fn times(&self, at: Timestamp) -> Vec<Timestamp> {
        let (from, until) = validity_of(self.leaf);
        let within = |time: Timestamp| time.max(from).min(until);
        let given = self.others.iter().take(MAX_CERTIFICATES).filter_map(|der| read(der));
        let mut times: Vec<Timestamp> = given
            .map(|other| validity_of(&other))
            .map(|(from, until)| within(at.max(from).min(until)))
            .chain([within(at)])
            .collect();
        times.sort_by_key(|time| time.milliseconds_since(at).max(at.milliseconds_since(*time)));
        times.dedup();
        times.truncate(MAX_TIMES);
        times
    }

    /// Whether the chain leads to an anchor, and the leaf is a certificate that a chain may end in.
    pub(super) fn leads_to_anchor(&self, path: Result<&Path, &PathError>) -> Finding {
        let objection = objection_to_form(self.der, self.leaf);
        let chain = CheckName::Chain;
        let finding = match (path, objection) {
            (Ok(path), None) => {
                let anchor = read(&path.anchor)
                    .map_or_else(|| "a trust anchor".into(), |anchor| name(anchor.subject()));
                return Finding::passed(chain, format!("the chain leads to the trust anchor {anchor}"))
                    .with(StatusKind::Success, "signingCredential.trusted");
            }
            (Ok(_), Some(reason)) => Finding::failed(chain, reason),
            (Err(PathError::Unusable(reason)), objection) => {
                return Finding::invalid(chain, objection.map_or_else(|| reason.clone(), str::to_owned));
            }
            (Err(reason), _) => Finding::failed(
                chain,
                format!("the chain leads to none of the configured trust anchors: {reason}"),
            )
            .with(StatusKind::Failure, "signingCredential.untrusted"),
        };
        match objection {
            Some(reason) => {
                let mut finding = finding;
                finding.status.push(crate::credential::Status::new(StatusKind::Failure, INVALID, reason));
                finding
            }
            None => finding,
        }
    }

    /// Whether the leaf, and the issuers on its path, are valid `at`.
    pub(super) fn is_valid_at(&self, at: Timestamp, path: Option<&Path>) -> Finding {
        let issuers = path.into_iter().flat_map(|path| &path.intermediates).filter_map(|der| read(der));
        let objection = objection_to_time(self.leaf, at)
            .map(|reason| format!("the certificate {reason}"))
            .or_else(|| {
                issuers.into_iter().find_map(|issuer| {
                    let reason = objection_to_time(&issuer, at)?;
                    Some(format!("the certificate of the issuer {} {reason}", name(issuer.subject())))
                })
            });
        match objection {
            Some(reason) => Finding::failed(CheckName::Validity, reason)
                .with(StatusKind::Failure, "claimSignature.outsideValidity"),
            None => Finding::passed(
                CheckName::Validity,
                format!("the certificate is valid until {}", validity_of(self.leaf).1),
            )
            .with(StatusKind::Success, "claimSignature.insideValidity"),
        }
    }

    /// Whether every certificate is signed by the next. That is verified on the way to an anchor; without one it is
    /// said only when a signature is known to be wrong, or worthless whoever made it.
    pub(super) fn is_signed(&self, path: Result<&Path, &PathError>) -> Finding {
        let signature = CheckName::Signature;
        let with_path = match path {
            Ok(path) => path.intermediates.iter().chain([&path.anchor]).filter_map(|der| read(der)).collect(),
            Err(_) => Vec::new(),
        };
        let given = self.others.iter().take(MAX_CERTIFICATES).filter_map(|der| read(der));
        let others = if path.is_ok() { with_path } else { given.collect() };
        let weakness = std::iter::once(self.leaf).chain(&others).find_map(weakness);
        match (path, weakness) {
            (_, Some(reason)) => Finding::invalid(signature, reason),
            (Ok(_), None) => {
                Finding::passed(signature, "every certificate up to the trust anchor is signed by the next")
            }
            (Err(PathError::Forged(reason)), None) => Finding::failed(signature, reason.as_str()),
            (Err(_), None) => Finding::not_checked(
                signature,
                "there is no path to a trust anchor along which signatures could be verified",
            ),
        }
    }
}

/// The most times at which a path is looked for.
const MAX_TIMES: usize = 4;

/// A key that is too weak, or a signature that can be forged. A root's own signature says nothing anyway.
fn weakness(certificate: &X509Certificate<'_>) -> Option<String> {
    let in_key = objection_to_key(certificate.public_key());
    let in_signature = || {
        let is_root = is_self_issued(certificate) && certificate.is_ca();
        (!is_root).then(|| objection_to_signature(certificate)).flatten()
    };
    let reason = in_key.or_else(in_signature)?;
    Some(format!("the certificate of {}: {reason}", name(certificate.subject())))
}

fn objection_to_time(certificate: &X509Certificate<'_>, at: Timestamp) -> Option<String> {
    let (from, until) = validity_of(certificate);
    if at < from {
        Some(format!("is not valid before {from}"))
    } else if at > until {
        Some(format!("expired on {until}"))
    } else {
        None
    }
}

/// From when until when a certificate is valid, both included.
pub(super) fn validity_of(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    (Timestamp::new(validity.not_before.to_datetime()), Timestamp::new(validity.not_after.to_datetime()))
}

/// Reads a certificate that is not too long.
pub(super) fn read(der: &[u8]) -> Option<X509Certificate<'_>> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return None;
    }
    Some(X509Certificate::from_der(der).ok()?.1)
}
