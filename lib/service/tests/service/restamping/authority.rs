//! A time-stamp authority and signers of our own, whose times are chosen.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use credlink_pipeline::{
    digest::Sha256Hash,
    signer::{Signer, SignerError, SigningAlgorithm},
    time_stamp_authority::{StampError, TimeStampAuthority},
    timestamp::{Clock, Timestamp},
    trust::{AnchorList, TrustAnchors},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SigningKey as _,
};

/// A clock that shows what it is told.
pub(crate) struct SetClock(Mutex<Timestamp>);

impl SetClock {
    pub(crate) fn at(time: Timestamp) -> Self {
        Self(Mutex::new(time))
    }

    pub(crate) fn set(&self, time: Timestamp) {
        *self.0.lock().unwrap() = time;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A root that issues certificates.
pub(crate) struct Root(CertifiedIssuer<'static, KeyPair>);

impl Root {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }
}

/// Trusts a root of signers and a root of time-stamp authorities.
pub(crate) fn trust(signers: &Root, time_stamps: Option<&Root>) -> TrustAnchors {
    let list = |root: Option<&Root>| AnchorList::from_pem(&root.map(Root::pem).unwrap_or_default()).unwrap();
    TrustAnchors::new(list(Some(signers)), list(time_stamps)).unwrap()
}

/// A signer whose certificate ends when it is told.
pub(crate) struct ShortSigner {
    key: KeyPair,
    chain: Vec<Vec<u8>>,
}

impl ShortSigner {
    pub(crate) fn new(root: &Root, not_after: Timestamp) -> Self {
        let mut params = params("Signer");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        params.not_after = not_after.as_offset_date_time();
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let chain = vec![params.signed_by(&key, &root.0).unwrap().der().to_vec()];
        Self { key, chain }
    }
}

#[async_trait]
impl Signer for ShortSigner {
    fn algorithm(&self) -> SigningAlgorithm {
        SigningAlgorithm::Ed25519
    }

    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn signature_length(&self) -> usize {
        64
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.key.sign(message).map_err(|error| SignerError::Unusable(error.to_string()))
    }
}

/// How an authority behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It stamps what it is asked to.
    Stamping,
    /// It stamps something else.
    OtherMessage,
    /// It does not answer.
    Silent,
}

/// An authority that stamps with the time that it is told.
pub(crate) struct Authority {
    key: KeyPair,
    certificate: Vec<u8>,
    pub(crate) time: Mutex<Timestamp>,
    pub(crate) mode: Mutex<Mode>,
    stamps: AtomicUsize,
}

impl Authority {
    pub(crate) fn new(root: &Root, time: Timestamp) -> Self {
        let mut params = params("Time-stamps");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // Critical, and alone (RFC 3161, section 2.3).
        let purposes = element(0x30, &[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8]]);
        let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], purposes);
        usage.set_criticality(true);
        params.custom_extensions.push(usage);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.signed_by(&key, &root.0).unwrap().der().to_vec();
        Self {
            key,
            certificate,
            time: Mutex::new(time),
            mode: Mutex::new(Mode::Stamping),
            stamps: AtomicUsize::new(0),
        }
    }

    /// How often it was asked for a stamp.
    pub(crate) fn asked(&self) -> usize {
        self.stamps.load(Ordering::SeqCst)
    }

    /// A whole answer, in DER.
    fn answer(&self, message: &[u8]) -> Vec<u8> {
        let token = self.token(message);
        element(0x30, &[&element(0x30, &[&[2, 1, 0]]), &token])
    }

    /// A token as `openssl ts` makes it, with the time of our choice (RFC 3161, section 2.4.2; RFC 5652, section 5).
    pub(crate) fn token(&self, message: &[u8]) -> Vec<u8> {
        let digits: String =
            self.time.lock().unwrap().to_string().chars().filter(char::is_ascii_digit).collect();
        let info = element(
            0x30,
            &[
                &[2, 1, 1],
                &[6, 4, 0x2a, 3, 4, 1],
                &element(0x30, &[&SHA_256, &element(4, &[Sha256Hash::of(message).as_bytes()])]),
                &[2, 1, 7],
                &element(0x18, &[&digits.as_bytes()[..14], b"Z"]),
            ],
        );
        let attribute = |kind: &[u8], value: &[u8]| element(0x30, &[kind, &element(0x31, &[value])]);
        let certificate_hash = element(4, &[Sha256Hash::of(&self.certificate).as_bytes()]);
        let mut attributes = [
            attribute(&CONTENT_TYPE, &TST_INFO),
            attribute(&MESSAGE_DIGEST, &element(4, &[Sha256Hash::of(&info).as_bytes()])),
            attribute(
                &SIGNING_CERTIFICATE,
                &element(0x30, &[&element(0x30, &[&element(0x30, &[&certificate_hash])])]),
            ),
        ];
        attributes.sort();
        let signature = self.key.sign(&element(0x31, &[&attributes.concat()])).unwrap();
        let certificate = elements(inside(&elements(inside(&self.certificate))[0]));
        let signer = element(
            0x30,
            &[
                &[2, 1, 1],
                // Issuer and serial number.
                &element(0x30, &[&certificate[3], &certificate[1]]),
                &SHA_256,
                &element(0xa0, &[&attributes.concat()]),
                &element(0x30, &[&ECDSA_SHA_256]),
                &element(4, &[&signature]),
            ],
        );
        let content = element(0x30, &[&TST_INFO, &element(0xa0, &[&element(4, &[&info])])]);
        let signed = element(
            0x30,
            &[
                &[2, 1, 3],
                &element(0x31, &[&SHA_256]),
                &content,
                &element(0xa0, &[&self.certificate]),
                &element(0x31, &[&signer]),
            ],
        );
        element(0x30, &[&SIGNED_DATA, &element(0xa0, &[&signed])])
    }
}

#[async_trait]
impl TimeStampAuthority for Authority {
    async fn token_length(&self) -> Result<usize, StampError> {
        if *self.mode.lock().unwrap() == Mode::Silent {
            return Err(StampError::Unavailable("it is silent".to_owned()));
        }
        Ok(self.answer(b"").len() + 64)
    }

    async fn stamp(&self, message: &[u8]) -> Result<Vec<u8>, StampError> {
        let mode = *self.mode.lock().unwrap();
        self.stamps.fetch_add(1, Ordering::SeqCst);
        match mode {
            Mode::Stamping => Ok(self.answer(message)),
            Mode::OtherMessage => Ok(self.answer(b"something else")),
            Mode::Silent => Err(StampError::Unavailable("it is silent".to_owned())),
        }
    }
}

const SHA_256: [u8; 15] = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
const ECDSA_SHA_256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const SIGNED_DATA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 2];
const TST_INFO: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 1, 4];
const CONTENT_TYPE: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 3];
const MESSAGE_DIGEST: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 4];
const SIGNING_CERTIFICATE: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 2, 47];

/// Valid from yesterday on, for long.
fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.not_before = super::days_from_now(-1).as_offset_date_time();
    params.not_after = super::days_from_now(3650).as_offset_date_time();
    params
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head: &[u8] = match content.len() {
        0..0x80 => &[tag, length[1]],
        0x80..0x100 => &[tag, 0x81, length[1]],
        _ => &[tag, 0x82, length[0], length[1]],
    };
    [head, &content].concat()
}

fn inside(der: &[u8]) -> &[u8] {
    let (header, length) = header(der);
    &der[header..header + length]
}

fn elements(mut der: &[u8]) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    while !der.is_empty() {
        let (header, length) = header(der);
        elements.push(der[..header + length].to_vec());
        der = &der[header + length..];
    }
    elements
}

/// The lengths of header and content.
fn header(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            let length = der[2..2 + count].iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
            (2 + count, length)
        }
    }
}
