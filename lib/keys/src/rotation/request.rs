//! The request for a certificate (PKCS#10, RFC 2986), signed by the key that it is for.

use rcgen::{CertificateParams, DistinguishedName, DnType};
use x509_parser::{
    certificate::X509Certificate, certification_request::X509CertificationRequest, prelude::FromDer,
};

use super::ports::{CandidateKey, Fault, KeyKeeper};
use crate::{
    authority,
    remote_signature::{RemoteKey, Unsigned},
};

/// The longest part of a name (RFC 5280, A.1: `ub-common-name`, `ub-organization-name`).
const MAX_NAME: usize = 64;

/// Whom the new certificate is to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The organisation (O).
    pub organization: String,
    /// The common name (CN).
    pub common_name: String,
}

impl Default for Subject {
    fn default() -> Self {
        Self { organization: "CredLink Local".to_owned(), common_name: "CredLink Local Signer".to_owned() }
    }
}

impl Subject {
    /// The subject of a certificate in DER; `None` when it lacks an organisation or a common name.
    pub(super) fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        let organization = subject.iter_organization().next()?.as_str().ok()?;
        let common_name = subject.iter_common_name().next()?.as_str().ok()?;
        Some(Self { organization: bounded(organization), common_name: bounded(common_name) })
    }
}

/// A request for `key`, in DER. It names `subject` and asks for what the profile wants of a certificate that signs
/// claims.
///
/// # Errors
/// [`Fault`] when the key does not sign.
pub(super) async fn make(
    keys: &dyn KeyKeeper,
    key: &CandidateKey,
    subject: &Subject,
) -> Result<Vec<u8>, Fault> {
    let failed = |error: rcgen::Error| {
        let fix = "give the rotation up with `credlink keys rotate --force`, which makes another key";
        Fault::lasting(format!("key {}", key.name), format!("no request can be made for it ({error})"), fix)
    };
    let params = parameters(subject);
    let build = |key: &RemoteKey<'_>| params.serialize_request(key).map(|request| request.der().to_vec());
    let unsigned = Unsigned::prepare(&key.public_key_info, build).map_err(failed)?;
    let signature = keys.sign_request(key, unsigned.message()).await?;
    let request = unsigned.finish(&signature).map_err(failed)?;
    match verified_public_key(&request) {
        Ok(public_key_info) if public_key_info == key.public_key_info => Ok(request),
        _ => Err(Fault::lasting(
            format!("key {}", key.name),
            "it made a signature that does not match its own public key",
            "do not use this key; the next run makes another one",
        )),
    }
}

/// The public key that `request` (DER) is for, `SubjectPublicKeyInfo` in DER, once the request proves that whoever asks
/// has the private key. What else the request asks for is not looked at: an authority issues by its own profile.
///
/// # Errors
/// Why the request cannot be taken.
pub(crate) fn verified_public_key(request: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (rest, parsed) =
        X509CertificationRequest::from_der(request).map_err(|_| "it is no PKCS#10 request")?;
    if !rest.is_empty() {
        return Err("bytes follow the request");
    }
    parsed.verify_signature().map_err(|_| "its signature does not match its public key")?;
    Ok(parsed.certification_request_info.subject_pki.raw.to_vec())
}

fn parameters(subject: &Subject) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, subject.organization.as_str());
    name.push(DnType::CommonName, subject.common_name.as_str());
    params.distinguished_name = name;
    authority::make_claim_signer(&mut params);
    params
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}
