//! Revocation lists (RFC 5280, section 5): whether a list counts for a certificate, and what it says. Form, signature,
//! scope and distribution point are webpki's to judge.

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error, RevocationCheckDepth,
    RevocationOptionsBuilder, RevocationReason,
};
use x509_parser::{prelude::FromDer as _, time::ASN1Time};

use super::answer::{Answer, Standing, Subject, timestamp};
use crate::{
    certificate::{
        algorithms::SIGNATURE_ALGORITHMS,
        chain::validity_of,
        der::{Signed, elements, split},
        naming::name,
        path::unix_time,
        purpose::Purpose,
    },
    timestamp::Timestamp,
    trust::AnchorList,
};

/// The longest list that is read, in bytes.
pub(super) const MAX_LIST_BYTES: usize = 1024 * 1024;

/// What a list says about the certificate.
///
/// # Errors
/// Why the list is no answer. Whether it is fresh is not asked here.
pub(super) fn answer(list: &[u8], subject: Subject<'_>) -> Result<Answer, String> {
    if list.len() > MAX_LIST_BYTES {
        return Err(format!("it has more than {MAX_LIST_BYTES} bytes"));
    }
    let issuer = subject.issuer;
    let may_sign_lists = match issuer.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.crl_sign()),
        Err(_) => false,
    };
    if !may_sign_lists {
        return Err(format!("the key usage of {} does not allow signing lists", name(issuer.subject())));
    }
    let parsed = BorrowedCertRevocationList::from_der(list).map_err(|error| words(&error))?;
    let (this_update, next_update) = updates(list).ok_or("its time cannot be read")?;
    let parsed = CertRevocationList::from(parsed);
    let standing = match look_up(&parsed, subject) {
        Ok(()) => Standing::Good,
        Err(Error::CertRevoked) => revoked(&parsed, subject.certificate.raw_serial())?,
        Err(error) => return Err(words(&error)),
    };
    Ok(Answer { standing, this_update, next_update: Some(next_update), response: None })
}

/// Asks webpki about the certificate at a time when it was valid; time is judged elsewhere.
fn look_up(list: &CertRevocationList<'_>, subject: Subject<'_>) -> Result<(), Error> {
    let lists = [list];
    let options = RevocationOptionsBuilder::new(&lists)
        .map_err(|_| Error::UnknownRevocationStatus)?
        .with_depth(RevocationCheckDepth::EndEntity)
        .build();
    let anchors = AnchorList::of_one(subject.issuer.as_raw()).ok_or(Error::UnknownIssuer)?;
    let der = CertificateDer::from(subject.certificate.as_raw());
    let certificate = EndEntityCert::try_from(&der)?;
    let at = unix_time(validity_of(subject.certificate).0);
    certificate
        .verify_for_usage(
            SIGNATURE_ALGORITHMS,
            anchors.roots(),
            &[],
            at,
            Purpose::Unasked,
            Some(options),
            None,
        )
        .map(|_| ())
}

fn revoked(list: &CertRevocationList<'_>, serial: &[u8]) -> Result<Standing, String> {
    let entry = list.find_serial(serial).map_err(|error| words(&error))?;
    let entry = entry.ok_or("it does not say when the certificate was revoked")?;
    if entry.reason_code == Some(RevocationReason::RemoveFromCrl) {
        return Ok(Standing::Good);
    }
    let at = unix_timestamp(entry.revocation_date).ok_or("its time cannot be read")?;
    Ok(Standing::Revoked { at, reason: entry.reason_code.and_then(reason) })
}

/// `thisUpdate` and `nextUpdate`: the two times behind version, algorithm and issuer.
fn updates(list: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let signed = Signed::read(list)?;
    let (body, _) = split(signed.body)?;
    let parts = elements(body.content)?;
    let time = |position: usize| {
        let (_, time) = ASN1Time::from_der(parts.get(position)?.whole).ok()?;
        timestamp(time.timestamp())
    };
    Some((time(3)?, time(4)?))
}

fn unix_timestamp(time: UnixTime) -> Option<Timestamp> {
    timestamp(i64::try_from(time.as_secs()).ok()?)
}

fn words(error: &Error) -> String {
    match error {
        Error::UnsupportedDeltaCrl => "it is a delta list, which is not supported".into(),
        Error::UnsupportedIndirectCrl => "it is an indirect list, which is not supported".into(),
        Error::UnsupportedRevocationReasonsPartitioning => {
            "it is for some reasons of revocation only, which is not supported".into()
        }
        Error::UnsupportedCrlIssuingDistributionPoint => {
            "it names its distribution point in a way that is not supported".into()
        }
        Error::UnsupportedCriticalExtension => "a critical extension of it is unknown".into(),
        Error::UnsupportedCrlVersion => "it is not of version 2".into(),
        Error::UnknownRevocationStatus => "it is for other certificates".into(),
        Error::InvalidCrlSignatureForPublicKey
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
            "its signature does not verify with the issuer's key".into()
        }
        _ => "it is not a revocation list that can be read".into(),
    }
}

fn reason(reason: RevocationReason) -> Option<&'static str> {
    Some(match reason {
        RevocationReason::KeyCompromise => "its key was compromised",
        RevocationReason::CaCompromise => "its authority was compromised",
        RevocationReason::AffiliationChanged => "its holder's affiliation changed",
        RevocationReason::Superseded => "it was superseded",
        RevocationReason::CessationOfOperation => "it is no longer needed",
        RevocationReason::CertificateHold => "it is on hold",
        RevocationReason::PrivilegeWithdrawn => "a privilege was withdrawn",
        RevocationReason::AaCompromise => "an attribute authority was compromised",
        RevocationReason::Unspecified | RevocationReason::RemoveFromCrl => return None,
    })
}
