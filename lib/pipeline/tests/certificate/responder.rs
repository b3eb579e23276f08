//! OCSP responses and revocation lists of our own, and a source that hands them out.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use credlink_pipeline::revocation_source::{FetchError, RevocationSource};
use rasn::types::{GeneralizedTime, ObjectIdentifier, OctetString, Oid};
use rasn_ocsp::{CertId, CertStatus, OcspRequest, ResponderId, ResponseData, RevokedInfo, SingleResponse};
use rasn_pkix::{AlgorithmIdentifier, CrlReason, Extension};
use rcgen::{
    CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, CustomExtension, KeyIdMethod,
    KeyPair, RevocationReason, RevokedCertParams, SerialNumber, SigningKey as _,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::authority::{Authority, content, date, elements, wrap};

pub(crate) const RESPONDER: &str = "http://ocsp.example.com/";
pub(crate) const LIST: &str = "http://crl.example.com/list";

const NONCE: &Oid = Oid::const_new(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 2]);

/// Adds the address of a responder to a certificate.
pub(crate) fn ask_at(params: &mut CertificateParams, addresses: &[&str]) {
    let description = |address: &&str| {
        let method = wrap(0x06, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1]);
        wrap(0x30, &[method, wrap(0x86, address.as_bytes())].concat())
    };
    let descriptions = addresses.iter().map(description).collect::<Vec<_>>().concat();
    let oid = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
    params.custom_extensions.push(CustomExtension::from_oid_content(oid, wrap(0x30, &descriptions)));
}

/// Adds the address of a revocation list to a certificate.
pub(crate) fn listed_at(params: &mut CertificateParams, address: &str) {
    params.crl_distribution_points.push(CrlDistributionPoint { uris: vec![address.into()] });
}

/// A response that is about to be signed.
pub(crate) struct Response {
    pub(crate) data: ResponseData,
    pub(crate) certificates: Vec<Vec<u8>>,
}

impl Response {
    /// Says of `certificate` that it is good, from May to July 2026.
    pub(crate) fn good(authority: &Authority, certificate: &[u8]) -> Self {
        let status = CertStatus::Good;
        let single = SingleResponse {
            cert_id: id(authority, certificate, false),
            cert_status: status,
            this_update: moment("2026-05-01T00:00:00Z"),
            next_update: Some(moment("2026-07-01T00:00:00Z")),
            single_extensions: None,
        };
        let data = ResponseData {
            version: 0.into(),
            responder_id: ResponderId::ByKey(OctetString::from(vec![7; 20])),
            produced_at: moment("2026-05-01T00:00:00Z"),
            responses: vec![single],
            response_extensions: None,
        };
        Self { data, certificates: Vec::new() }
    }

    pub(crate) fn revoked(
        authority: &Authority,
        certificate: &[u8],
        at: &str,
        reason: Option<CrlReason>,
    ) -> Self {
        let info = RevokedInfo { revocation_time: moment(at), revocation_reason: reason };
        Self::good(authority, certificate)
            .with(|single| single.cert_status = CertStatus::Revoked(info.clone()))
    }

    pub(crate) fn with(mut self, change: impl Fn(&mut SingleResponse)) -> Self {
        change(&mut self.data.responses[0]);
        self
    }

    pub(crate) fn with_nonce(mut self, nonce: &[u8]) -> Self {
        let extension = Extension {
            extn_id: ObjectIdentifier::from(NONCE),
            critical: false,
            extn_value: OctetString::from(nonce.to_vec()),
        };
        self.data.response_extensions = Some(vec![extension].into());
        self
    }

    pub(crate) fn with_certificate(mut self, der: &[u8]) -> Self {
        self.certificates.push(der.to_vec());
        self
    }

    /// The response in DER, signed with a key on P-256.
    pub(crate) fn signed_by(&self, key: &KeyPair) -> Vec<u8> {
        let body = rasn::der::encode(&self.data).unwrap();
        let signature = key.sign(&body).unwrap();
        let algorithm = wrap(0x30, &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
        let mut parts = vec![body, algorithm, wrap(0x03, &[&[0], signature.as_slice()].concat())];
        if !self.certificates.is_empty() {
            parts.push(wrap(0xa0, &wrap(0x30, &self.certificates.concat())));
        }
        successful(&wrap(0x30, &parts.concat()))
    }
}

/// A response around a basic response in DER.
pub(crate) fn successful(basic: &[u8]) -> Vec<u8> {
    let kind = wrap(0x06, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]);
    let bytes = wrap(0x30, &[kind, wrap(0x04, basic)].concat());
    wrap(0x30, &[vec![0x0a, 1, 0], wrap(0xa0, &bytes)].concat())
}

/// A response that says no more than that there is none.
pub(crate) fn refusal(status: u8) -> Vec<u8> {
    vec![0x30, 3, 0x0a, 1, status]
}

/// How a response names a certificate.
pub(crate) fn id(authority: &Authority, certificate: &[u8], by_sha_256: bool) -> CertId {
    let (algorithm, oid) = if by_sha_256 {
        (&digest::SHA256, Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 1]))
    } else {
        (&digest::SHA1_FOR_LEGACY_USE_ONLY, Oid::const_new(&[1, 3, 14, 3, 2, 26]))
    };
    let issuer = authority.der();
    let (_, issuer) = X509Certificate::from_der(&issuer).unwrap();
    let body = elements(content(certificate));
    let serial = elements(content(&body[0]))[1].clone();
    let hash = |bytes: &[u8]| OctetString::from(digest::digest(algorithm, bytes).as_ref().to_vec());
    CertId {
        hash_algorithm: AlgorithmIdentifier { algorithm: ObjectIdentifier::from(oid), parameters: None },
        issuer_name_hash: hash(issuer.subject().as_raw()),
        issuer_key_hash: hash(&issuer.public_key().subject_public_key.data),
        serial_number: rasn::der::decode(&serial).unwrap(),
    }
}

/// The nonce that a request carries.
pub(crate) fn nonce_of(request: &[u8]) -> Vec<u8> {
    let request: OcspRequest = rasn::der::decode(request).unwrap();
    let extensions = request.tbs_request.request_extensions.unwrap();
    extensions.iter().find(|extension| extension.extn_id == *NONCE).unwrap().extn_value.to_vec()
}

pub(crate) fn moment(text: &str) -> GeneralizedTime {
    GeneralizedTime::parse_from_rfc3339(text).unwrap()
}

/// A revocation list from May to July 2026 that names the given certificates.
pub(crate) fn list(authority: &Authority, revoked: &[(&[u8], &str, Option<RevocationReason>)]) -> Vec<u8> {
    list_with(authority, revoked, |_| {})
}

pub(crate) fn list_with(
    authority: &Authority,
    revoked: &[(&[u8], &str, Option<RevocationReason>)],
    change: impl Fn(&mut CertificateRevocationListParams),
) -> Vec<u8> {
    let entry = |(certificate, at, reason): &(&[u8], &str, Option<RevocationReason>)| {
        let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
        RevokedCertParams {
            serial_number: SerialNumber::from_slice(certificate.raw_serial()),
            revocation_time: date(at),
            reason_code: *reason,
            invalidity_date: None,
        }
    };
    let mut params = CertificateRevocationListParams {
        this_update: date("2026-05-01T00:00:00Z"),
        next_update: date("2026-07-01T00:00:00Z"),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    change(&mut params);
    params.signed_by(&authority.issuer).unwrap().der().to_vec()
}

type Answer = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync>;

/// Answers from memory, and counts how often it is asked.
#[derive(Clone, Default)]
pub(crate) struct Canned {
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<AtomicUsize>,
}

impl Canned {
    pub(crate) fn saying(
        self,
        address: &str,
        answer: impl Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> Self {
        self.answers.lock().unwrap().insert(address.into(), Box::new(answer));
        self
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn answer(&self, url: &str, request: &[u8]) -> Result<Bytes, FetchError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let failed = |reason: String| FetchError::Failed { url: url.into(), reason };
        let answers = self.answers.lock().unwrap();
        let answer = answers.get(url).ok_or_else(|| failed("nobody is there".into()))?;
        answer(request).map(Bytes::from).map_err(failed)
    }
}

#[async_trait]
impl RevocationSource for Canned {
    async fn ocsp(&self, url: &str, request: Vec<u8>) -> Result<Bytes, FetchError> {
        self.answer(url, &request)
    }

    async fn revocation_list(&self, url: &str) -> Result<Bytes, FetchError> {
        self.answer(url, &[])
    }
}
