//! What C2PA asks of a certificate that signs claims, and of those that issue it (C2PA 2.4, "Certificate
//! Profiles"), with the narrower choices of this project: an organisation in the subject, 90 to 366 days.

use std::fmt;

use x509_parser::{
    certificate::X509Certificate,
    extensions::{ExtendedKeyUsage, ParsedExtension},
    x509::X509Version,
};

/// Extended key usage "C2PA claim signing".
pub const CLAIM_SIGNING: &str = "1.3.6.1.4.1.62558.2.1";

/// Extended key usage "document signing" (RFC 9336).
pub const DOCUMENT_SIGNING: &str = "1.3.6.1.5.5.7.3.36";

/// How long a leaf may be valid, in days.
pub const LEAF_VALIDITY_DAYS: std::ops::RangeInclusive<i64> = 90..=366;

/// A rule of the profile that a certificate breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileRule {
    /// X.509 version 3.
    Version3,
    /// No issuer or subject unique identifiers.
    NoUniqueIds,
    /// No critical extension that validators do not know.
    KnownCriticalExtensions,
    /// Extensions that can be read, each there once.
    ReadableExtensions,
    /// A leaf is not an authority.
    LeafIsNotAuthority,
    /// Key usage is there and critical.
    KeyUsageCritical,
    /// A leaf may make digital signatures.
    DigitalSignature,
    /// A leaf may not sign certificates.
    NoCertificateSigning,
    /// Extended key usage is there.
    ExtendedKeyUsage,
    /// … and is not "any".
    NotAnyPurpose,
    /// … and names a purpose that C2PA takes.
    AllowedPurpose,
    /// … and neither time stamping nor OCSP.
    NoServicePurpose,
    /// The authority key identifier is there.
    AuthorityKeyIdentifier,
    /// The subject key identifier is there.
    SubjectKeyIdentifier,
    /// The subject has a common name and an organisation.
    CommonNameAndOrganization,
    /// The length of a leaf's validity.
    Validity,
    /// An issuer is an authority.
    IssuerIsAuthority,
    /// An issuer may sign certificates.
    CertificateSigning,
    /// An issuer allows as many authorities below it as there are.
    PathLength,
}

impl fmt::Display for ProfileRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version3 => "it must be X.509 version 3",
            Self::NoUniqueIds => "it must have no issuer or subject unique identifier",
            Self::KnownCriticalExtensions => "it has a critical extension that C2PA validators do not know",
            Self::ReadableExtensions => "its extensions must be readable, and none may occur twice",
            Self::LeafIsNotAuthority => {
                "it is a certificate authority (CA=true), but a claim must be signed with an end-entity certificate"
            }
            Self::KeyUsageCritical => "it must have a key usage extension marked critical",
            Self::DigitalSignature => "its key usage must contain digitalSignature",
            Self::NoCertificateSigning => "its key usage must not contain keyCertSign",
            Self::ExtendedKeyUsage => "it must have an extended key usage extension",
            Self::NotAnyPurpose => "its extended key usage must not contain anyExtendedKeyUsage",
            Self::AllowedPurpose => {
                "its extended key usage must contain C2PA claim signing (1.3.6.1.4.1.62558.2.1), emailProtection or \
                 documentSigning"
            }
            Self::NoServicePurpose => "its extended key usage must not contain timeStamping or OCSPSigning",
            Self::AuthorityKeyIdentifier => "it must have an authority key identifier",
            Self::SubjectKeyIdentifier => "it must have a subject key identifier",
            Self::CommonNameAndOrganization => "its subject must have a common name (CN) and an organization (O)",
            Self::Validity => "it must be valid for 90 to 366 days",
            Self::IssuerIsAuthority => {
                "it issues another certificate, so it must be a certificate authority (CA=true)"
            }
            Self::CertificateSigning => "it issues another certificate, so its key usage must contain keyCertSign",
            Self::PathLength => "its path length does not allow the authorities below it",
        })?;
        f.write_str("; have it issued again")
    }
}

/// Checks the certificate that signs claims.
pub(crate) fn check_leaf(leaf: &X509Certificate<'_>) -> Result<(), ProfileRule> {
    check_any(leaf)?;
    require(!leaf.is_ca(), ProfileRule::LeafIsNotAuthority)?;
    let usage = leaf.key_usage().map_err(|_| ProfileRule::ReadableExtensions)?;
    let usage = usage.filter(|usage| usage.critical).ok_or(ProfileRule::KeyUsageCritical)?.value;
    require(usage.digital_signature(), ProfileRule::DigitalSignature)?;
    require(!usage.key_cert_sign(), ProfileRule::NoCertificateSigning)?;
    let purposes = leaf.extended_key_usage().map_err(|_| ProfileRule::ReadableExtensions)?;
    check_purposes(purposes.ok_or(ProfileRule::ExtendedKeyUsage)?.value)?;
    require(has_authority_key_identifier(leaf), ProfileRule::AuthorityKeyIdentifier)?;
    let subject = leaf.subject();
    require(
        subject.iter_common_name().next().is_some() && subject.iter_organization().next().is_some(),
        ProfileRule::CommonNameAndOrganization,
    )?;
    let validity = leaf.validity();
    let seconds = validity.not_after.timestamp().saturating_sub(validity.not_before.timestamp());
    let (shortest, longest) = (LEAF_VALIDITY_DAYS.start() * DAY, LEAF_VALIDITY_DAYS.end() * DAY);
    require((shortest..=longest).contains(&seconds), ProfileRule::Validity)
}

/// Checks a certificate that issued another; `authorities_below` counts the authorities between it and the leaf.
pub(crate) fn check_issuer(
    issuer: &X509Certificate<'_>,
    authorities_below: usize,
) -> Result<(), ProfileRule> {
    check_any(issuer)?;
    let constraints = issuer.basic_constraints().map_err(|_| ProfileRule::ReadableExtensions)?;
    let constraints = constraints.map(|found| found.value).filter(|constraints| constraints.ca);
    let constraints = constraints.ok_or(ProfileRule::IssuerIsAuthority)?;
    if let Some(limit) = constraints.path_len_constraint {
        require(u32::try_from(authorities_below).is_ok_and(|below| below <= limit), ProfileRule::PathLength)?;
    }
    let usage = issuer.key_usage().map_err(|_| ProfileRule::ReadableExtensions)?;
    require(usage.is_some_and(|usage| usage.value.key_cert_sign()), ProfileRule::CertificateSigning)?;
    require(has_authority_key_identifier(issuer), ProfileRule::AuthorityKeyIdentifier)?;
    require(has_subject_key_identifier(issuer), ProfileRule::SubjectKeyIdentifier)
}

const DAY: i64 = 24 * 60 * 60;

fn check_any(certificate: &X509Certificate<'_>) -> Result<(), ProfileRule> {
    require(certificate.version() == X509Version::V3, ProfileRule::Version3)?;
    require(certificate.issuer_uid.is_none() && certificate.subject_uid.is_none(), ProfileRule::NoUniqueIds)?;
    require(certificate.extensions_map().is_ok(), ProfileRule::ReadableExtensions)?;
    for extension in certificate.extensions() {
        let parsed = extension.parsed_extension();
        require(!matches!(parsed, ParsedExtension::ParseError { .. }), ProfileRule::ReadableExtensions)?;
        let unknown = matches!(parsed, ParsedExtension::UnsupportedExtension { .. });
        require(!(extension.critical && unknown), ProfileRule::KnownCriticalExtensions)?;
    }
    Ok(())
}

fn check_purposes(purposes: &ExtendedKeyUsage<'_>) -> Result<(), ProfileRule> {
    require(!purposes.any, ProfileRule::NotAnyPurpose)?;
    require(!purposes.time_stamping && !purposes.ocsp_signing, ProfileRule::NoServicePurpose)?;
    let named = |wanted| purposes.other.iter().any(|oid| oid.to_id_string() == wanted);
    require(
        purposes.email_protection || named(CLAIM_SIGNING) || named(DOCUMENT_SIGNING),
        ProfileRule::AllowedPurpose,
    )
}

fn has_authority_key_identifier(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::AuthorityKeyIdentifier(id)
            if id.key_identifier.is_some() || id.authority_cert_serial.is_some())
    })
}

fn has_subject_key_identifier(certificate: &X509Certificate<'_>) -> bool {
    certificate
        .extensions()
        .iter()
        .any(|extension| matches!(extension.parsed_extension(), ParsedExtension::SubjectKeyIdentifier(_)))
}

fn require(met: bool, rule: ProfileRule) -> Result<(), ProfileRule> {
    if met { Ok(()) } else { Err(rule) }
}
