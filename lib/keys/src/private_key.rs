//! A private key: generated, read from PEM, matched to a certificate, and signing.

use std::fmt;

use aws_lc_rs::{
    encoding::AsDer,
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair as _, RSA_PSS_SHA256, RsaKeyPair,
    },
};
use rcgen::{KeyPair, SigningKey as _};
use x509_parser::{
    asn1_rs::{Any, FromDer, Integer, Tag},
    x509::AlgorithmIdentifier,
};
use zeroize::Zeroizing;

use crate::{
    algorithm::{KeyAlgorithm, KeyKind, bit_length},
    error::KeysError,
    pem_file::{self, PemFile},
};

/// A private key. `Debug` shows its kind only; AWS-LC wipes its memory when it is dropped.
pub(crate) struct PrivateKey {
    kind: KeyKind,
    secret: Secret,
}

enum Secret {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// A new random key.
    pub(crate) fn generate(kind: KeyKind) -> Result<Self, KeysError> {
        let secret = match kind {
            KeyKind::Rsa2048 => RsaKeyPair::generate(KeySize::Rsa2048).map(Secret::Rsa),
            KeyKind::Rsa3072 => RsaKeyPair::generate(KeySize::Rsa3072).map(Secret::Rsa),
            KeyKind::Rsa4096 => RsaKeyPair::generate(KeySize::Rsa4096).map(Secret::Rsa),
            KeyKind::P256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Secret::Ecdsa),
            KeyKind::P384 => EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Secret::Ecdsa),
            KeyKind::Ed25519 => Ed25519KeyPair::generate().map(Secret::Ed25519),
        };
        Ok(Self { kind, secret: secret.map_err(|_| KeysError::KeyGeneration(kind.name()))? })
    }

    /// The only private key in `file`: PKCS#8, PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`).
    pub(crate) fn read(file: &PemFile) -> Result<Self, KeysError> {
        let block = file.private_key()?;
        match block.tag.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(file.name(), &block.der),
            "RSA PRIVATE KEY" => Self::from_pkcs1(file.name(), &block.der),
            "EC PRIVATE KEY" => Self::from_sec1(file.name(), &block.der),
            other => Err(KeysError::UnsupportedKey { file: file.name().to_owned(), found: other.to_owned() }),
        }
    }

    /// What kind of key it is.
    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key, as the bit string of a `SubjectPublicKeyInfo` contains it.
    pub(crate) fn public_key(&self) -> &[u8] {
        match &self.secret {
            Secret::Rsa(pair) => pair.public_key().as_ref(),
            Secret::Ecdsa(pair) => pair.public_key().as_ref(),
            Secret::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The public key as `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7).
    pub(crate) fn public_key_info(&self) -> Result<Vec<u8>, KeysError> {
        let der = match &self.secret {
            Secret::Rsa(pair) => pair.public_key().as_der(),
            Secret::Ecdsa(pair) => pair.public_key().as_der(),
            Secret::Ed25519(pair) => pair.public_key().as_der(),
        };
        der.map(|der| der.as_ref().to_vec()).map_err(|_| KeysError::KeyGeneration(self.kind.name()))
    }

    /// The key as PKCS#8, version 1: the one form that every tool reads.
    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        let der: Result<Vec<u8>, Unspecified> = match &self.secret {
            Secret::Rsa(pair) => pair.as_der().map(|der| der.as_ref().to_vec()),
            Secret::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Secret::Ed25519(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
        };
        der.map(Zeroizing::new).map_err(|_| KeysError::KeyGeneration(self.kind.name()))
    }

    /// [`PrivateKey::to_pkcs8`] as PEM.
    pub(crate) fn to_pem(&self) -> Result<Zeroizing<String>, KeysError> {
        Ok(Zeroizing::new(pem_file::encode("PRIVATE KEY", &self.to_pkcs8()?)))
    }

    /// Signs `message`; ECDSA as `r ‖ s`.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Secret::Ecdsa(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Secret::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
        }
    }

    /// Signs `message` as X.509 and PKCS#10 want it: RSASSA-PKCS1-v1_5 with SHA-256, ECDSA in DER, Ed25519.
    pub(crate) fn sign_request(&self, message: &[u8]) -> Result<Vec<u8>, KeysError> {
        Ok(self.issuing_key()?.sign(message)?)
    }

    /// The key as rcgen signs with it.
    pub(crate) fn issuing_key(&self) -> Result<Zeroizing<KeyPair>, KeysError> {
        Ok(Zeroizing::new(KeyPair::try_from(self.to_pkcs8()?.as_slice())?))
    }

    fn from_pkcs8(file: &str, der: &[u8]) -> Result<Self, KeysError> {
        let parts = Pkcs8::parse(der).ok_or_else(|| damaged(file, "not PKCS#8"))?;
        let rejected = |error| rejected(file, error);
        match KeyAlgorithm::of(file, &parts.algorithm)? {
            // What is inside, because AWS-LC takes no PKCS#8 of a key restricted to PSS.
            KeyAlgorithm::Rsa => Self::from_pkcs1(file, parts.key),
            KeyAlgorithm::P256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .map(|pair| Self { kind: KeyKind::P256, secret: Secret::Ecdsa(pair) })
                .map_err(rejected),
            KeyAlgorithm::P384 => EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der)
                .map(|pair| Self { kind: KeyKind::P384, secret: Secret::Ecdsa(pair) })
                .map_err(rejected),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::from_pkcs8(der)
                .map(|pair| Self { kind: KeyKind::Ed25519, secret: Secret::Ed25519(pair) })
                .map_err(rejected),
        }
    }

    fn from_pkcs1(file: &str, der: &[u8]) -> Result<Self, KeysError> {
        // Asked first: AWS-LC's own word for a short key says neither its length nor what is wanted.
        let bits = pkcs1_modulus_bits(der).ok_or_else(|| damaged(file, "not PKCS#1"))?;
        let kind = KeyKind::of_rsa(file, bits)?;
        let pair = RsaKeyPair::from_der(der).map_err(|error| rejected(file, error))?;
        Ok(Self { kind, secret: Secret::Rsa(pair) })
    }

    /// SEC 1 keys name their curve in an optional field, so both curves are tried.
    fn from_sec1(file: &str, der: &[u8]) -> Result<Self, KeysError> {
        let attempts = [
            (KeyKind::P256, EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)),
            (KeyKind::P384, EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der)),
        ];
        for (kind, attempt) in attempts {
            if let Ok(pair) = attempt {
                return Ok(Self { kind, secret: Secret::Ecdsa(pair) });
            }
        }
        if sequence(der).is_none() {
            return Err(damaged(file, "not SEC 1"));
        }
        Err(KeysError::UnsupportedKey {
            file: file.to_owned(),
            found: "another elliptic curve than P-256 and P-384, such as P-521".to_owned(),
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The first fields of a PKCS#8 `PrivateKeyInfo` (RFC 5208, section 5).
struct Pkcs8<'a> {
    algorithm: AlgorithmIdentifier<'a>,
    key: &'a [u8],
}

impl<'a> Pkcs8<'a> {
    fn parse(der: &'a [u8]) -> Option<Self> {
        let fields = sequence(der)?;
        let (fields, _version) = Integer::from_der(fields).ok()?;
        let (fields, algorithm) = AlgorithmIdentifier::from_der(fields).ok()?;
        let (_, key) = Any::from_der(fields).ok()?;
        (key.tag() == Tag::OctetString).then_some(Self { algorithm, key: key.data })
    }
}

/// The length of the modulus of an `RSAPrivateKey` (RFC 8017, A.1.2), in bits.
fn pkcs1_modulus_bits(der: &[u8]) -> Option<usize> {
    let fields = sequence(der)?;
    let (fields, _version) = Integer::from_der(fields).ok()?;
    let (_, modulus) = Integer::from_der(fields).ok()?;
    Some(bit_length(modulus.as_ref()))
}

/// What is in a SEQUENCE.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    let (_, any) = Any::from_der(der).ok()?;
    (any.tag() == Tag::Sequence).then_some(any.data)
}

fn rejected(file: &str, error: KeyRejected) -> KeysError {
    damaged(file, error.description_())
}

fn damaged(file: &str, reason: &str) -> KeysError {
    KeysError::MalformedPrivateKey { file: file.to_owned(), reason: reason.to_owned() }
}
