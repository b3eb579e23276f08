//! What the certificates of our own authorities say, wherever the authority keeps its keys.

use aws_lc_rs::rand;
use credlink_pipeline::timestamp::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::{
    authority::{INTERMEDIATE_DAYS, LEAF_DAYS, ROOT_DAYS, make_claim_signer},
    error::KeysError,
};

/// A new certificate is valid from a little before now, for validators whose clock is behind.
const SKEW: Duration = Duration::minutes(5);

/// A root of `organization`. Two installations must not have roots of one name, because validators look issuers up by
/// name first: so the name ends at random.
pub(crate) fn root(organization: &str, now: Timestamp) -> Result<CertificateParams, KeysError> {
    let mut params = parameters(organization, &format!("Root {}", random_suffix()?), now, ROOT_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// An intermediate below a root that is valid until `root_ends`.
pub(crate) fn intermediate(
    organization: &str,
    root_ends: OffsetDateTime,
    now: Timestamp,
) -> Result<CertificateParams, KeysError> {
    let name = format!("Intermediate {}", random_suffix()?);
    let mut params = parameters(organization, &name, now, INTERMEDIATE_DAYS)?;
    params.not_after = params.not_after.min(root_ends);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// A leaf below an intermediate that is valid until `issuer_ends`.
pub(crate) fn leaf(
    organization: &str,
    issuer_ends: OffsetDateTime,
    now: Timestamp,
) -> Result<CertificateParams, KeysError> {
    let mut params = parameters(organization, "Signer", now, LEAF_DAYS)?;
    params.not_after = params.not_after.min(issuer_ends);
    make_claim_signer(&mut params);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn parameters(
    organization: &str,
    name: &str,
    now: Timestamp,
    days: i64,
) -> Result<CertificateParams, KeysError> {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, organization);
    subject.push(DnType::CommonName, format!("{organization} {name}"));
    params.distinguished_name = subject;
    params.serial_number = Some(serial_number()?);
    // X.509 has whole seconds only.
    let now = now.as_offset_date_time().replace_nanosecond(0).unwrap_or(now.as_offset_date_time());
    params.not_before = now.saturating_sub(SKEW);
    params.not_after = now.saturating_add(Duration::days(days));
    Ok(params)
}

/// 126 random bits in 16 bytes: positive and never shortened (RFC 5280, 4.1.2.2).
fn serial_number() -> Result<SerialNumber, KeysError> {
    let mut bytes = random::<16>()?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

fn random_suffix() -> Result<String, KeysError> {
    Ok(hex::encode_upper(random::<4>()?))
}

fn random<const N: usize>() -> Result<[u8; N], KeysError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| KeysError::KeyGeneration("random"))?;
    Ok(bytes)
}
