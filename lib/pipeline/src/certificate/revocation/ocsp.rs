//! OCSP (RFC 6960): what is asked, and whether an answer counts. Bytes only; who moves them is no matter here.

use aws_lc_rs::digest;
use bytes::Bytes;
use rasn::types::{Any, Integer, ObjectIdentifier, OctetString, Oid};
use rasn_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspRequest, OcspResponse, OcspResponseStatus, Request,
    ResponseData, SingleResponse, TbsRequest,
};
use rasn_pkix::{AlgorithmIdentifier, CrlReason, Extension};
use x509_parser::{num_bigint::BigInt, prelude::X509Certificate};

use super::answer::{Answer, Standing, Subject, timestamp};
use crate::{
    certificate::{
        chain::read,
        der::{Signed, elements, split},
        naming::name,
        path::find_path,
        purpose::Purpose,
    },
    timestamp::Timestamp,
    trust::AnchorList,
};

/// The longest response that is read, in bytes.
pub(super) const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// The most certificates in a response among which its signer is looked for.
const MAX_RESPONDERS: usize = 4;

/// id-pkix-ocsp-basic and id-pkix-ocsp-nonce (RFC 6960, sections 4.2.1 and 4.4.1).
const BASIC: &Oid = Oid::const_new(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 1]);
const NONCE: &Oid = Oid::const_new(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 2]);

/// The hashes by which a response may name a certificate.
const SHA_1: &Oid = Oid::const_new(&[1, 3, 14, 3, 2, 26]);
const SHA_256: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 1]);
const SHA_384: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 2]);
const SHA_512: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 3]);

/// A request for one certificate, in DER. The certificate is named by SHA-1, which every responder knows (RFC 5019,
/// section 2.1.1); nothing depends on its strength. The nonce is an `OCTET STRING` (RFC 8954).
pub(super) fn request(subject: Subject<'_>, nonce: &[u8]) -> Option<Vec<u8>> {
    let named = named_by(&digest::SHA1_FOR_LEGACY_USE_ONLY, subject)?;
    let null = Any::new(vec![5, 0]);
    let request = OcspRequest {
        tbs_request: TbsRequest {
            version: Integer::from(0),
            requestor_name: None,
            request_list: vec![Request {
                req_cert: CertId {
                    hash_algorithm: AlgorithmIdentifier {
                        algorithm: ObjectIdentifier::from(SHA_1),
                        parameters: Some(null),
                    },
                    issuer_name_hash: OctetString::from(named.issuer_name),
                    issuer_key_hash: OctetString::from(named.issuer_key),
                    serial_number: named.serial_number,
                },
                single_request_extensions: None,
            }],
            request_extensions: Some(
                vec![Extension {
                    extn_id: ObjectIdentifier::from(NONCE),
                    critical: false,
                    extn_value: OctetString::from(octets(nonce)?),
                }]
                .into(),
            ),
        },
        optional_signature: None,
    };
    rasn::der::encode(&request).ok()
}

/// What a response says about the certificate. `nonce` is that of the request, if there was one.
///
/// # Errors
/// Why the response is no answer. Whether it is fresh is not asked here.
pub(super) fn answer(response: &[u8], subject: Subject<'_>, nonce: Option<&[u8]>) -> Result<Answer, String> {
    if response.len() > MAX_RESPONSE_BYTES {
        return Err(format!("it has more than {MAX_RESPONSE_BYTES} bytes"));
    }
    if !split(response).is_some_and(|(_, rest)| rest.is_empty()) {
        return Err("it is not one structure in DER".into());
    }
    let outer: OcspResponse = rasn::der::decode(response).map_err(|_| "it is no OCSP response")?;
    if outer.status != OcspResponseStatus::Successful {
        return Err(format!("the responder refused to answer: {}", refusal(outer.status)));
    }
    let inner = outer.bytes.ok_or("it is empty")?;
    if inner.r#type != *BASIC {
        return Err("it is of an unknown kind".into());
    }
    let signed = Signed::read(&inner.response).ok_or("it is not one structure in DER")?;
    // Decoded for its form; what counts is read from the very bytes that were signed.
    rasn::der::decode::<BasicOcspResponse>(&inner.response).map_err(|_| "it is no basic OCSP response")?;
    let data: ResponseData = rasn::der::decode(signed.body).map_err(|_| "it is no basic OCSP response")?;
    let produced_at = timestamp(data.produced_at.timestamp()).ok_or("its time cannot be read")?;
    let single = data
        .responses
        .iter()
        .find(|single| is_about(&single.cert_id, subject))
        .ok_or("it is about another certificate")?;
    let extensions = data.response_extensions.as_ref().map(|list| list.as_slice()).unwrap_or_default();
    let single_extensions = single.single_extensions.as_ref().map(|list| list.as_slice()).unwrap_or_default();
    if extensions
        .iter()
        .chain(single_extensions)
        .any(|extension| extension.critical && extension.extn_id != *NONCE)
    {
        return Err("a critical extension of it is unknown".into());
    }
    if let Some(nonce) = nonce {
        check_nonce(extensions, nonce)?;
    }
    authenticate(&signed, subject.issuer, produced_at)?;
    Ok(Answer {
        standing: standing(single)?,
        this_update: timestamp(single.this_update.timestamp()).ok_or("its time cannot be read")?,
        next_update: match &single.next_update {
            Some(until) => Some(timestamp(until.timestamp()).ok_or("its time cannot be read")?),
            None => None,
        },
        response: Some(Bytes::copy_from_slice(response)),
    })
}

/// Whether the response was signed by the issuer, or by a responder whom the issuer itself authorised (RFC 6960,
/// section 4.2.2.2).
fn authenticate(
    signed: &Signed<'_>,
    issuer: &X509Certificate<'_>,
    produced_at: Timestamp,
) -> Result<(), String> {
    if signed.verify(issuer.public_key().raw).is_ok() {
        return Ok(());
    }
    let responders = responders(signed.rest);
    let responder = responders
        .iter()
        .filter_map(|der| read(der))
        .find(|responder| signed.verify(responder.public_key().raw).is_ok())
        .ok_or("its signature is neither the issuer's nor that of a responder whose certificate is in it")?;
    let subject = name(responder.subject());
    let names_purpose =
        responder.extended_key_usage().ok().flatten().is_some_and(|usage| usage.value.ocsp_signing);
    if !names_purpose {
        return Err(format!("it is signed by {subject}, whose certificate is not meant for OCSP responses"));
    }
    let issuer = AnchorList::of_one(issuer.as_raw()).ok_or("the issuer's certificate cannot be read")?;
    match find_path(responder.as_raw(), &[], &issuer, produced_at, Purpose::OcspSigning) {
        Ok(_) => Ok(()),
        Err(reason) => Err(format!(
            "it is signed by {subject}, which the certificate's issuer did not authorise: {reason}"
        )),
    }
}

/// The certificates behind the signature (`certs`, RFC 6960, section 4.2.1).
fn responders(behind_signature: &[u8]) -> Vec<&[u8]> {
    let list = split(behind_signature).and_then(|(tagged, _)| split(tagged.content));
    let certificates = list.and_then(|(list, _)| elements(list.content)).unwrap_or_default();
    certificates.into_iter().take(MAX_RESPONDERS).map(|certificate| certificate.whole).collect()
}

fn check_nonce(extensions: &[Extension], nonce: &[u8]) -> Result<(), String> {
    let answered = extensions.iter().find(|extension| extension.extn_id == *NONCE);
    match answered {
        // Responders that prepare their answers send none.
        None => Ok(()),
        Some(answered) if octets(nonce).is_some_and(|nonce| *answered.extn_value == nonce[..]) => Ok(()),
        Some(_) => Err("it answers another request: the nonce is not the one that was sent".into()),
    }
}

fn standing(single: &SingleResponse) -> Result<Standing, String> {
    Ok(match &single.cert_status {
        CertStatus::Good => Standing::Good,
        CertStatus::Unknown(()) => Standing::Unknown,
        CertStatus::Revoked(info) if info.revocation_reason == Some(CrlReason::RemoveFromCRL) => {
            Standing::Good
        }
        CertStatus::Revoked(info) => Standing::Revoked {
            at: timestamp(info.revocation_time.timestamp()).ok_or("its time cannot be read")?,
            reason: info.revocation_reason.and_then(reason),
        },
    })
}

/// What stands in a request and in a response for a certificate (RFC 6960, section 4.1.1).
struct Named {
    issuer_name: Vec<u8>,
    issuer_key: Vec<u8>,
    serial_number: Integer,
}

fn named_by(algorithm: &'static digest::Algorithm, subject: Subject<'_>) -> Option<Named> {
    let serial = subject.certificate.raw_serial();
    (!serial.is_empty()).then(|| Named {
        issuer_name: digest::digest(algorithm, subject.certificate.issuer().as_raw()).as_ref().to_vec(),
        issuer_key: digest::digest(algorithm, &subject.issuer.public_key().subject_public_key.data)
            .as_ref()
            .to_vec(),
        serial_number: Integer::from(BigInt::from_signed_bytes_be(serial)),
    })
}

fn is_about(id: &CertId, subject: Subject<'_>) -> bool {
    let algorithm = &id.hash_algorithm.algorithm;
    let algorithm = if *algorithm == *SHA_1 {
        &digest::SHA1_FOR_LEGACY_USE_ONLY
    } else if *algorithm == *SHA_256 {
        &digest::SHA256
    } else if *algorithm == *SHA_384 {
        &digest::SHA384
    } else if *algorithm == *SHA_512 {
        &digest::SHA512
    } else {
        return false;
    };
    named_by(algorithm, subject).is_some_and(|named| {
        *id.issuer_name_hash == named.issuer_name[..]
            && *id.issuer_key_hash == named.issuer_key[..]
            && id.serial_number == named.serial_number
    })
}

/// An `OCTET STRING` in DER; `None` when it is longer than a nonce.
fn octets(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(bytes.len()).ok().filter(|length| *length < 0x80)?;
    Some([&[0x04, length], bytes].concat())
}

fn refusal(status: OcspResponseStatus) -> &'static str {
    match status {
        OcspResponseStatus::Successful => "it did not",
        OcspResponseStatus::MalformedRequest => "it does not understand the question",
        OcspResponseStatus::InternalError => "it has an internal error",
        OcspResponseStatus::TryLater => "it asks to try again later",
        OcspResponseStatus::SigRequired => "it answers signed questions only",
        OcspResponseStatus::Unauthorized => "it does not answer for this certificate",
    }
}

fn reason(reason: CrlReason) -> Option<&'static str> {
    Some(match reason {
        CrlReason::KeyCompromise => "its key was compromised",
        CrlReason::CaCompromise => "its authority was compromised",
        CrlReason::AffiliationChanged => "its holder's affiliation changed",
        CrlReason::Superseded => "it was superseded",
        CrlReason::CessationOfOperation => "it is no longer needed",
        CrlReason::CertificateHold => "it is on hold",
        CrlReason::PrivilegeWithdrawn => "a privilege was withdrawn",
        CrlReason::AaCompromise => "an attribute authority was compromised",
        CrlReason::Unspecified | CrlReason::RemoveFromCRL => return None,
    })
}
