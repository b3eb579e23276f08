//! The kinds of keys that CredLink signs with.

use std::{fmt, str::FromStr};

use credlink_pipeline::signer::SigningAlgorithm;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use x509_parser::{
    asn1_rs::Oid,
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_DSA, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521,
        OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS, OID_SIG_ED25519,
    },
    x509::AlgorithmIdentifier,
};

use crate::error::KeysError;

/// What kind of key it is, and how long. Each has one signature algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, 2048 bits; signs PS256.
    #[default]
    Rsa2048,
    /// RSA, 3072 bits; signs PS256.
    Rsa3072,
    /// RSA, 4096 bits; signs PS256.
    Rsa4096,
    /// ECDSA on NIST P-256; signs ES256.
    P256,
    /// ECDSA on NIST P-384; signs ES384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::P256, Self::P384, Self::Ed25519];

    /// The name that the command line takes: `rsa-2048`, `rsa-3072`, `rsa-4096`, `p-256`, `p-384`, `ed25519`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::P256 => "p-256",
            Self::P384 => "p-384",
            Self::Ed25519 => "ed25519",
        }
    }

    /// What such a key signs with.
    pub fn signing_algorithm(self) -> SigningAlgorithm {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SigningAlgorithm::Ps256,
            Self::P256 => SigningAlgorithm::Es256,
            Self::P384 => SigningAlgorithm::Es384,
            Self::Ed25519 => SigningAlgorithm::Ed25519,
        }
    }

    /// The length of every signature of such a key, in bytes; ECDSA as `r ‖ s`.
    pub fn signature_length(self) -> usize {
        match self {
            Self::Rsa2048 => 256,
            Self::Rsa3072 => 384,
            Self::Rsa4096 => 512,
            Self::P256 | Self::Ed25519 => 64,
            Self::P384 => 96,
        }
    }

    /// The kind of an RSA key by the length of its modulus.
    pub(crate) fn of_rsa(file: &str, bits: usize) -> Result<Self, KeysError> {
        match bits {
            2048 => Ok(Self::Rsa2048),
            3072 => Ok(Self::Rsa3072),
            4096 => Ok(Self::Rsa4096),
            0..2048 => Err(KeysError::WeakKey { file: file.to_owned(), bits }),
            other => Err(unsupported(file, format!("RSA of {other} bits"))),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = KeysError;

    fn from_str(name: &str) -> Result<Self, KeysError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| KeysError::UnknownKeyKind(name.chars().take(40).collect()))
    }
}

impl Serialize for KeyKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for KeyKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What the `AlgorithmIdentifier` of a key says (RFC 5280, 4.1.2.7; RFC 5208), before its length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAlgorithm {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl KeyAlgorithm {
    /// The algorithm named by `identifier`, which stands in `file`.
    pub(crate) fn of(file: &str, identifier: &AlgorithmIdentifier<'_>) -> Result<Self, KeysError> {
        let oid = &identifier.algorithm;
        if *oid == OID_PKCS1_RSAENCRYPTION || *oid == OID_PKCS1_RSASSAPSS {
            return Ok(Self::Rsa);
        }
        if *oid == OID_SIG_ED25519 {
            return Ok(Self::Ed25519);
        }
        if *oid == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = identifier.parameters.as_ref().and_then(|any| any.as_oid().ok());
            return curve.map_or_else(
                || Err(unsupported(file, "elliptic curve without a name".to_owned())),
                |curve| Self::of_curve(file, &curve),
            );
        }
        if *oid == OID_KEY_TYPE_DSA {
            return Err(unsupported(file, "DSA".to_owned()));
        }
        Err(unsupported(file, format!("algorithm {}", oid.to_id_string())))
    }

    fn of_curve(file: &str, curve: &Oid<'_>) -> Result<Self, KeysError> {
        if *curve == OID_EC_P256 {
            Ok(Self::P256)
        } else if *curve == OID_NIST_EC_P384 {
            Ok(Self::P384)
        } else if *curve == OID_NIST_EC_P521 {
            Err(unsupported(file, "P-521".to_owned()))
        } else {
            Err(unsupported(file, format!("elliptic curve {}", curve.to_id_string())))
        }
    }
}

/// The number of bits of an unsigned big-endian number.
pub(crate) fn bit_length(big_endian: &[u8]) -> usize {
    let mut significant = big_endian.iter().skip_while(|byte| **byte == 0);
    significant.next().map_or(0, |first| 8 - first.leading_zeros() as usize + 8 * significant.count())
}

fn unsupported(file: &str, found: String) -> KeysError {
    KeysError::UnsupportedKey { file: file.to_owned(), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in KeyKind::ALL {
            assert_eq!(kind.name().parse::<KeyKind>().unwrap(), kind);
        }
        let refused = "rsa-1024".parse::<KeyKind>().unwrap_err().to_string();
        assert!(refused.contains("rsa-1024") && refused.contains("ed25519"), "{refused}");
    }

    #[test]
    fn bits_are_counted_from_the_first_one() {
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[0, 0x80, 0]), 16);
        assert_eq!(bit_length(&[1, 0]), 9);
    }
}
