//! Why a chain leads nowhere: which issuer is missing, which signature is not its issuer's. Nothing is decided here;
//! that there is no path is known already.

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{
    der::{Signed, Unverified},
    naming::name,
    path::anchors_named,
};
use crate::{credential::MAX_CERTIFICATES, trust::AnchorList};

/// What stands in the way.
pub(super) enum Obstacle {
    /// The chain is incomplete, or ends elsewhere.
    Missing(String),
    /// A signature was not made by the issuer's key.
    Forged(String),
}

/// The most signatures that are verified for an explanation.
const MAX_SIGNATURES: usize = 64;

/// Goes from `leaf` from issuer to issuer as far as names and signatures lead. `None` when they lead to an anchor.
pub(super) fn obstacle(leaf: &[u8], others: &[CertificateDer<'_>], anchors: &AnchorList) -> Option<Obstacle> {
    let others: Vec<X509Certificate<'_>> =
        others.iter().filter_map(|der| Some(X509Certificate::from_der(der).ok()?.1)).collect();
    let (_, mut current) = X509Certificate::from_der(leaf).ok()?;
    let mut passed: Vec<&[u8]> = vec![current.as_raw()];
    let mut signatures = MAX_SIGNATURES;
    for _ in 0..MAX_CERTIFICATES {
        let issuer_name = current.issuer().as_raw();
        let roots: Vec<X509Certificate<'_>> = anchors_named(issuer_name, anchors)
            .filter_map(|der| Some(X509Certificate::from_der(der).ok()?.1))
            .collect();
        let given = others.iter().filter(|other| other.subject().as_raw() == issuer_name);
        let candidates: Vec<&X509Certificate<'_>> =
            roots.iter().chain(given.filter(|other| !passed.contains(&other.as_raw()))).collect();
        if candidates.is_empty() {
            return Some(Obstacle::Missing(dead_end(&current, &passed, &others, anchors)));
        }
        let mut outcome = Err(Unverified::Algorithm);
        for issuer in candidates {
            let Some(left) = signatures.checked_sub(1) else {
                return Some(Obstacle::Missing("too many certificates have the issuer's name".into()));
            };
            signatures = left;
            outcome = signed_by(&current, issuer).map(|()| issuer.as_raw()).or_else(|found| {
                // A signature that is wrong says more than one that cannot be checked.
                outcome.map_err(|before| if before == Unverified::Signature { before } else { found })
            });
            if outcome.is_ok() {
                break;
            }
        }
        match outcome {
            Err(Unverified::Signature) => return Some(Obstacle::Forged(forged(&current))),
            Err(Unverified::Algorithm) => return Some(Obstacle::Missing(not_accepted(&current))),
            Ok(issuer) if roots.iter().any(|root| root.as_raw() == issuer) => return None,
            Ok(issuer) => {
                current = others.iter().find(|other| other.as_raw() == issuer)?.clone();
                passed.push(current.as_raw());
            }
        }
    }
    Some(Obstacle::Missing("the chain is longer than anybody needs".into()))
}

fn signed_by(subject: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> Result<(), Unverified> {
    Signed::read(subject.as_raw()).ok_or(Unverified::Algorithm)?.verify(issuer.public_key().raw)
}

/// Why nothing follows upon `last`.
fn dead_end(
    last: &X509Certificate<'_>,
    passed: &[&[u8]],
    others: &[X509Certificate<'_>],
    anchors: &AnchorList,
) -> String {
    let subject = name(last.subject());
    if anchors.certificates().is_empty() {
        return "no trust anchor is configured".into();
    }
    if last.subject().as_raw() == last.issuer().as_raw() {
        return if passed.len() == 1 {
            "it is signed by itself".into()
        } else {
            format!("it ends at {subject}, which is not a configured trust anchor")
        };
    }
    let issuer = name(last.issuer());
    let goes_round = others
        .iter()
        .any(|other| other.subject().as_raw() == last.issuer().as_raw() && passed.contains(&other.as_raw()));
    if goes_round {
        format!("its certificates issue each other in a circle ({subject} and {issuer})")
    } else {
        format!("the certificate of {issuer}, which issued {subject}, is missing")
    }
}

fn forged(certificate: &X509Certificate<'_>) -> String {
    format!(
        "the signature on the certificate of {} was not made with the key of its issuer {}",
        name(certificate.subject()),
        name(certificate.issuer())
    )
}

fn not_accepted(certificate: &X509Certificate<'_>) -> String {
    format!(
        "the certificate of {} is signed with an algorithm or key that is not accepted",
        name(certificate.subject())
    )
}
