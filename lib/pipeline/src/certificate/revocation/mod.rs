//! Whether the signer's certificate was revoked: first by OCSP responses that are stapled to the signature, then by
//! asking the responders that the certificate names, then by the revocation lists that it names. C2PA knows the first
//! two (C2PA 2.4, section 15.11); lists are ours in addition. Authorities' own certificates are not asked about.

mod addresses;
mod answer;
mod list;
mod memory;
mod ocsp;
mod service;

pub use service::RevocationService;
use x509_parser::prelude::X509Certificate;

use self::{
    answer::{Answer, Standing, Subject},
    service::Way,
};
use super::{
    Question,
    chain::{read, validity_of},
    path::Path,
    report::{CheckName, Finding},
};
use crate::{
    credential::{MAX_STAPLES, StatusKind},
    timestamp::Timestamp,
};

/// Judges whether the certificate was revoked when it signed. Without a path to a trust anchor nobody is asked: only an
/// authority that is trusted may have addresses asked and answers believed.
pub(super) async fn judge(
    certificate: &X509Certificate<'_>,
    path: Option<&Path>,
    question: &Question<'_>,
) -> Finding {
    let Some(issuer) = path.and_then(|path| read(path.issuer())) else {
        return skipped("there is no trusted issuer whose word would count");
    };
    let subject = Subject { certificate, issuer: &issuer };
    let mut ignored = Vec::new();
    if let Some(finding) = by_staples(subject, question, &mut ignored) {
        return finding;
    }
    let Some(service) = question.revocation else {
        return skipped(&with_reasons("nobody was asked", &ignored));
    };
    let ways = [Way::Ocsp, Way::List].into_iter().filter(|way| !way.addresses(subject).is_empty());
    let ways: Vec<Way> = ways.collect();
    if ways.is_empty() {
        return skipped(&with_reasons("the certificate names nobody who could be asked", &ignored));
    }
    let has_expired = question.now > validity_of(certificate).1;
    // Nobody has to keep answering for certificates that have expired (RFC 6960, section 4.4.4).
    let objection = |way: Way, answer: &Answer| {
        let is_silence = has_expired && answer.standing == Standing::Good;
        is_silence.then(|| format!("the {} does not call it revoked, but it has expired since", way.name()))
    };
    match service.ask(&ways, subject, question.now, objection).await {
        Ok((way, answer)) => return finding(&answer, &format!("the {}", way.name()), question.stamped),
        Err(reasons) => ignored.extend(reasons),
    }
    Finding::not_checked(CheckName::Revocation, with_reasons("no answer could be had", &ignored))
        .with(StatusKind::Informational, "signingCredential.ocsp.inaccessible")
}

/// The verdict of stapled responses; one counts when the time at which the certificate is judged lies in its window.
/// Revoked goes before good, and good before unknown.
fn by_staples(subject: Subject<'_>, question: &Question<'_>, ignored: &mut Vec<String>) -> Option<Finding> {
    let at = question.stamped.unwrap_or(question.now);
    let mut answers = Vec::new();
    for staple in question.signature.staples.iter().take(MAX_STAPLES) {
        match ocsp::answer(staple, subject, None).and_then(|answer| answer.current(at)) {
            Ok(answer) => answers.push(answer),
            Err(reason) => ignored.push(format!("the stapled OCSP response does not count: {reason}")),
        }
    }
    let rank = |answer: &Answer| match answer.standing {
        Standing::Revoked { at, .. } if question.stamped.is_none_or(|stamped| stamped >= at) => 0,
        Standing::Good | Standing::Revoked { .. } => 1,
        Standing::Unknown => 2,
    };
    let decisive = answers.into_iter().min_by_key(rank)?;
    Some(finding(&decisive, "the stapled OCSP response", question.stamped))
}

/// What an answer means for a signature that was made at the stamped time, or nobody knows when.
fn finding(answer: &Answer, source: &str, stamped: Option<Timestamp>) -> Finding {
    let (name, said) = (CheckName::Revocation, answer.this_update);
    match (&answer.standing, stamped) {
        (Standing::Good, _) => Finding::passed(name, format!("not revoked, says {source} of {said}"))
            .with(StatusKind::Success, "signingCredential.ocsp.notRevoked"),
        (Standing::Revoked { at, .. }, Some(stamped)) if stamped < *at => Finding::passed(
            name,
            format!("revoked on {at}, says {source}, but signed before that: stamped on {stamped}"),
        )
        .with(StatusKind::Success, "signingCredential.ocsp.notRevoked"),
        (Standing::Revoked { at, reason }, _) => {
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            Finding::failed(name, format!("revoked on {at}{reason}, says {source} of {said}"))
                .with(StatusKind::Failure, "signingCredential.ocsp.revoked")
        }
        (Standing::Unknown, _) => {
            Finding::failed(name, format!("the issuer's responder does not know it, says {source} of {said}"))
                .with(StatusKind::Failure, "signingCredential.ocsp.unknown")
        }
    }
}

fn skipped(reason: &str) -> Finding {
    Finding::not_checked(CheckName::Revocation, reason)
        .with(StatusKind::Informational, "signingCredential.ocsp.skipped")
}

fn with_reasons(what: &str, reasons: &[String]) -> String {
    if reasons.is_empty() { what.to_owned() } else { format!("{what}: {}", reasons.join("; ")) }
}
