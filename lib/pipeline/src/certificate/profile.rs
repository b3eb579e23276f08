//! What C2PA demands of a signer's certificate, beside a chain (C2PA 2.4, section 14.5.1).

use x509_parser::{
    extensions::{ExtendedKeyUsage, ParsedExtension},
    oid_registry::{OID_X509_EXT_BASIC_CONSTRAINTS, Oid},
    prelude::X509Certificate,
    x509::X509Version,
};

use super::{
    der::is_der,
    report::{CheckName, Finding},
};

/// The key may make signatures, and does not issue certificates.
pub(super) fn key_usage(leaf: &X509Certificate<'_>) -> Finding {
    let name = CheckName::KeyUsage;
    let Ok(usage) = leaf.key_usage() else {
        return Finding::invalid(name, "the key usage cannot be read, or stands there twice");
    };
    match usage.map(|usage| usage.value) {
        None => Finding::invalid(name, "the certificate has no key usage"),
        Some(usage) if !usage.digital_signature() => {
            Finding::invalid(name, "the key usage does not allow digital signatures")
        }
        Some(usage) if usage.key_cert_sign() && !leaf.is_ca() => Finding::invalid(
            name,
            "the key usage allows issuing certificates, although it is not an authority's certificate",
        ),
        Some(_) => Finding::passed(name, "the key may make digital signatures"),
    }
}

/// The certificate is meant for signing claims or documents.
pub(super) fn extended_key_usage(leaf: &X509Certificate<'_>) -> Finding {
    let name = CheckName::ExtendedKeyUsage;
    let Ok(usage) = leaf.extended_key_usage() else {
        return Finding::invalid(name, "the extended key usage cannot be read, or stands there twice");
    };
    let Some(usage) = usage.map(|usage| usage.value) else {
        return Finding::invalid(name, "the certificate has no extended key usage");
    };
    if usage.any {
        Finding::invalid(name, "the certificate is meant for any purpose (anyExtendedKeyUsage)")
    } else if usage.time_stamping || usage.ocsp_signing {
        Finding::invalid(
            name,
            "the certificate is meant for time-stamps or OCSP responses, which excludes signing anything else",
        )
    } else if usage.email_protection || SIGNING.iter().any(|purpose| allows(usage, purpose)) {
        Finding::passed(name, "the certificate is meant for signing claims or documents")
    } else {
        Finding::invalid(
            name,
            "the certificate is meant for another purpose than signing claims or documents",
        )
    }
}

/// Signing of claims, the same as Microsoft called it before, and signing of documents (RFC 9336).
const SIGNING: &[&str] = &["1.3.6.1.4.1.62558.2.1", "1.3.6.1.4.1.311.76.59.1.9", "1.3.6.1.5.5.7.3.36"];

fn allows(usage: &ExtendedKeyUsage<'_>, purpose: &str) -> bool {
    usage.other.iter().map(Oid::to_id_string).any(|oid| oid == purpose)
}

/// The certificate is not an authority's.
pub(super) fn basic_constraints(leaf: &X509Certificate<'_>) -> Finding {
    let name = CheckName::BasicConstraints;
    let present =
        leaf.iter_extensions().filter(|extension| extension.oid == OID_X509_EXT_BASIC_CONSTRAINTS).count();
    match leaf.basic_constraints() {
        Ok(Some(constraints)) if constraints.value.ca => {
            Finding::invalid(name, "an authority's certificate must not sign images")
        }
        Ok(Some(_)) => Finding::passed(name, "the certificate is not an authority's"),
        Ok(None) if present == 0 => {
            Finding::passed(name, "the certificate does not claim to be an authority's")
        }
        _ => Finding::invalid(name, "the basic constraints cannot be read, or stand there twice"),
    }
}

/// What is wrong with the certificate as such, apart from what the other checks are about. `der` is what it was read
/// from.
pub(super) fn objection_to_form(der: &[u8], leaf: &X509Certificate<'_>) -> Option<&'static str> {
    let authority_is_named = leaf
        .iter_extensions()
        .any(|extension| matches!(extension.parsed_extension(), ParsedExtension::AuthorityKeyIdentifier(_)));
    if leaf.as_raw().len() != der.len() {
        Some("bytes follow the certificate")
    } else if !is_der(der) {
        Some("the certificate is not encoded in DER: a length is written longer than it has to be")
    } else if leaf.version() != X509Version::V3 {
        Some("the certificate is not of version 3")
    } else if leaf.issuer_uid.is_some() || leaf.subject_uid.is_some() {
        Some("the certificate has a unique identifier of its issuer or subject, which is not allowed")
    } else if !authority_is_named && !is_self_issued(leaf) {
        Some("the certificate has no authority key identifier")
    } else {
        None
    }
}

/// Whether issuer and subject are the same. A signer must not be its own authority.
pub(super) fn is_self_issued(leaf: &X509Certificate<'_>) -> bool {
    leaf.issuer().as_raw() == leaf.subject().as_raw()
}
