//! With what certificates may be signed, and which keys are strong enough (C2PA 2.4, section 13.2; RFC 5280).

use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use webpki::aws_lc_rs as verification;
use x509_parser::{
    der_parser::oid,
    oid_registry::Oid,
    prelude::{FromDer as _, X509Certificate},
    public_key::RSAPublicKey,
    signature_algorithm::RsaSsaPssParams,
    x509::SubjectPublicKeyInfo,
};

/// RSA (PKCS #1 v1.5 and PSS) from 2048 bits, ECDSA on P-256, P-384 and P-521, Ed25519; with SHA-2.
pub(super) const SIGNATURE_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    verification::ECDSA_P256_SHA256,
    verification::ECDSA_P256_SHA384,
    verification::ECDSA_P256_SHA512,
    verification::ECDSA_P384_SHA256,
    verification::ECDSA_P384_SHA384,
    verification::ECDSA_P384_SHA512,
    verification::ECDSA_P521_SHA256,
    verification::ECDSA_P521_SHA384,
    verification::ECDSA_P521_SHA512,
    verification::ED25519,
    verification::RSA_PKCS1_2048_8192_SHA256,
    verification::RSA_PKCS1_2048_8192_SHA384,
    verification::RSA_PKCS1_2048_8192_SHA512,
    verification::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    verification::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    verification::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    &PssKey { verification: verification::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, key: ANY_PSS },
    &PssKey { verification: verification::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, key: ANY_PSS },
    &PssKey { verification: verification::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, key: ANY_PSS },
    &PssKey { verification: verification::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, key: alg_id::RSA_PSS_SHA256 },
    &PssKey { verification: verification::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, key: alg_id::RSA_PSS_SHA384 },
    &PssKey { verification: verification::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, key: alg_id::RSA_PSS_SHA512 },
];

/// The algorithm RSASSA-PSS without parameters: any hash will do.
const ANY_PSS: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a]);

/// RSASSA-PSS with a key that is for nothing else (RFC 4055, section 1.2). The library knows keys for all kinds of
/// RSA only; the mathematics are the same.
#[derive(Debug)]
struct PssKey {
    verification: &'static dyn SignatureVerificationAlgorithm,
    key: AlgorithmIdentifier,
}

impl SignatureVerificationAlgorithm for PssKey {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.verification.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.verification.signature_alg_id()
    }
}

const RSA: Oid<'static> = oid!(1.2.840.113549.1.1.1);
const RSA_PSS: Oid<'static> = oid!(1.2.840.113549.1.1.10);
const ELLIPTIC_CURVE: Oid<'static> = oid!(1.2.840.10045.2.1);
const ED25519: Oid<'static> = oid!(1.3.101.112);

const P_256: Oid<'static> = oid!(1.2.840.10045.3.1.7);
const P_384: Oid<'static> = oid!(1.3.132.0.34);
const P_521: Oid<'static> = oid!(1.3.132.0.35);

/// The shortest modulus of RSA, in bits.
const MIN_RSA_BITS: usize = 2048;

/// Why nothing may be signed with this key.
pub(super) fn objection_to_key(key: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    let algorithm = &key.algorithm.algorithm;
    if *algorithm == RSA || *algorithm == RSA_PSS {
        let bits = RSAPublicKey::from_der(&key.subject_public_key.data).map(|(_, key)| bits_of(key.modulus));
        match bits {
            Ok(MIN_RSA_BITS..) => None,
            Ok(bits) => Some(format!("an RSA key of {bits} bits is too short: {MIN_RSA_BITS} are needed")),
            Err(_) => Some("the RSA key cannot be read".into()),
        }
    } else if *algorithm == ELLIPTIC_CURVE {
        let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        let allowed = curve.is_some_and(|curve| [P_256, P_384, P_521].contains(&curve));
        (!allowed).then(|| "the key lies on a curve other than P-256, P-384 and P-521".into())
    } else if *algorithm == ED25519 {
        None
    } else {
        Some(format!("a key of the kind {} is not allowed: it takes RSA, ECDSA or Ed25519", id(algorithm)))
    }
}

/// Why the signature on a certificate proves nothing, whoever made it.
pub(super) fn objection_to_signature(certificate: &X509Certificate<'_>) -> Option<String> {
    let algorithm = &certificate.signature_algorithm.algorithm;
    if *algorithm == RSA_PSS {
        // Without parameters the hash is SHA-1 (RFC 4055, section 3.1).
        let strong = certificate.signature_algorithm.parameters.as_ref().is_some_and(|parameters| {
            RsaSsaPssParams::try_from(parameters)
                .is_ok_and(|parameters| STRONG_HASHES.contains(parameters.hash_algorithm_oid()))
        });
        return (!strong).then(|| "it is signed with RSASSA-PSS and SHA-1, which can be forged".into());
    }
    if STRONG_SIGNATURES.contains(algorithm) {
        return None;
    }
    let weak = WEAK_SIGNATURES.iter().find(|(weak, _)| weak == algorithm);
    Some(match weak {
        Some((_, name)) => format!("it is signed with {name}, which can be forged"),
        None => format!("it is signed with the algorithm {}, which is not allowed", id(algorithm)),
    })
}

const STRONG_SIGNATURES: &[Oid<'static>] = &[
    oid!(1.2.840.113549.1.1.11),
    oid!(1.2.840.113549.1.1.12),
    oid!(1.2.840.113549.1.1.13),
    oid!(1.2.840.10045.4.3.2),
    oid!(1.2.840.10045.4.3.3),
    oid!(1.2.840.10045.4.3.4),
    ED25519,
];

const WEAK_SIGNATURES: &[(Oid<'static>, &str)] = &[
    (oid!(1.2.840.113549.1.1.2), "RSA and MD2"),
    (oid!(1.2.840.113549.1.1.4), "RSA and MD5"),
    (oid!(1.2.840.113549.1.1.5), "RSA and SHA-1"),
    (oid!(1.3.14.3.2.29), "RSA and SHA-1"),
    (oid!(1.2.840.10040.4.3), "DSA and SHA-1"),
    (oid!(1.2.840.10045.4.1), "ECDSA and SHA-1"),
];

/// SHA-256, SHA-384 and SHA-512.
const STRONG_HASHES: &[Oid<'static>] =
    &[oid!(2.16.840.1.101.3.4.2.1), oid!(2.16.840.1.101.3.4.2.2), oid!(2.16.840.1.101.3.4.2.3)];

/// The length of an unsigned number in bits.
fn bits_of(number: &[u8]) -> usize {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let significant = number.get(start..).unwrap_or_default();
    let unused = significant.first().map_or(0, |byte| byte.leading_zeros());
    significant.len() * 8 - usize::try_from(unused).unwrap_or(0)
}

/// An object identifier in words of bounded length.
fn id(oid: &Oid<'_>) -> String {
    oid.to_id_string().chars().take(80).collect()
}
