//! Certificates and requests whose signature is made elsewhere.
//!
//! rcgen signs in the middle of its work and cannot wait for an answer. So the work is done twice: the first time to
//! learn what is to be signed, the second time with the signature at hand. Both times the same bytes must come out, which
//! they do as long as serial number and dates are set before.

use std::cell::RefCell;

use rcgen::{Error, PublicKeyData, SignatureAlgorithm, SigningKey, SubjectPublicKeyInfo};

/// Something that waits for its signature. `B` makes it with a [`RemoteKey`]; for example
/// `|key: &RemoteKey<'_>| parameters.serialize_request(key)`.
pub(crate) struct Unsigned<B> {
    key: SubjectPublicKeyInfo,
    message: Vec<u8>,
    build: B,
}

impl<B> Unsigned<B> {
    /// What `build` makes, to be signed by the key with this public half, `SubjectPublicKeyInfo` in DER. The signature is
    /// to be RSASSA-PKCS1-v1_5 with SHA-256, ECDSA with SHA-256 (P-256) or SHA-384 (P-384) in DER, or Ed25519.
    pub(crate) fn prepare<T>(public_key_info: &[u8], build: B) -> Result<Self, Error>
    where
        B: Fn(&RemoteKey<'_>) -> Result<T, Error>,
    {
        let key = SubjectPublicKeyInfo::from_der(public_key_info)?;
        let message = RefCell::new(Vec::new());
        build(&RemoteKey { key: &key, pass: Pass::Learn(&message) })?;
        Ok(Self { message: message.into_inner(), key, build })
    }

    /// What is to be signed: the bytes themselves, not their digest.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The finished thing. The signature is not checked here.
    pub(crate) fn finish<T>(self, signature: &[u8]) -> Result<T, Error>
    where
        B: Fn(&RemoteKey<'_>) -> Result<T, Error>,
    {
        let pass = Pass::Give { message: &self.message, signature };
        (self.build)(&RemoteKey { key: &self.key, pass })
    }
}

/// Stands for the key while something is made.
pub(crate) struct RemoteKey<'a> {
    key: &'a SubjectPublicKeyInfo,
    pass: Pass<'a>,
}

enum Pass<'a> {
    Learn(&'a RefCell<Vec<u8>>),
    Give { message: &'a [u8], signature: &'a [u8] },
}

impl PublicKeyData for RemoteKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl SigningKey for RemoteKey<'_> {
    fn sign(&self, asked: &[u8]) -> Result<Vec<u8>, Error> {
        match self.pass {
            Pass::Learn(message) => {
                message.replace(asked.to_vec());
                Ok(Vec::new())
            }
            Pass::Give { message, signature } if asked == message => Ok(signature.to_vec()),
            // Another signature than the one that was asked for would be worthless.
            Pass::Give { .. } => Err(Error::RemoteKeyError),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn the_second_time_is_like_the_first_but_for_the_signature() {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::default();
        let build = |remote: &RemoteKey<'_>| params.serialize_request(remote);
        let unsigned = Unsigned::prepare(&key.subject_public_key_info(), build).unwrap();
        let signature = key.sign(unsigned.message()).unwrap();
        let request = unsigned.finish(&signature).unwrap();
        assert_eq!(rcgen::CertificateSigningRequestParams::from_der(request.der()).unwrap().params, {
            let direct = params.serialize_request(&key).unwrap();
            rcgen::CertificateSigningRequestParams::from_der(direct.der()).unwrap().params
        });
    }

    #[test]
    fn what_comes_out_differently_is_not_signed() {
        let key = KeyPair::generate().unwrap();
        let count = Cell::new(0);
        let build = |remote: &RemoteKey<'_>| {
            count.set(count.get() + 1);
            remote.sign(&[count.get()])
        };
        let unsigned = Unsigned::prepare(&key.subject_public_key_info(), build).unwrap();
        assert_eq!(unsigned.message(), [1]);
        assert_eq!(unsigned.finish(b"a signature").unwrap_err(), Error::RemoteKeyError);
    }
}
