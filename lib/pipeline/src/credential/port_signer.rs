//! Lets the C2PA library ask our signer and our witnesses.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use c2pa::{AsyncSigner, SigningAlg};

use super::{CredentialError, SignedStore, Witnesses};
use crate::{
    signer::{Signer, SignerError, SigningAlgorithm},
    time_stamp_authority::StampError,
};

/// Our signer as the library wants it. Keeps the reason when the signer or a witness fails.
pub(super) struct PortSigner<'a> {
    signer: &'a dyn Signer,
    witnesses: &'a Witnesses<'a>,
    failure: Mutex<Option<SignerError>>,
    stamp: Mutex<Option<Result<(), StampError>>>,
}

impl<'a> PortSigner<'a> {
    /// Signs with `signer`, and puts what `witnesses` say beside the signature.
    pub(super) fn new(signer: &'a dyn Signer, witnesses: &'a Witnesses<'a>) -> Self {
        Self { signer, witnesses, failure: Mutex::new(None), stamp: Mutex::new(None) }
    }

    /// What became of the store that the library was to sign.
    ///
    /// # Errors
    /// When the signer failed, or the library did.
    pub(super) fn outcome(self, signed: c2pa::Result<Vec<u8>>) -> Result<SignedStore, CredentialError> {
        let stamp = self.stamp.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (signed, self.failure.into_inner().unwrap_or_else(PoisonError::into_inner)) {
            (Ok(store), _) => Ok(SignedStore { store, stamp }),
            (Err(_), Some(failure)) => Err(CredentialError::Signer(failure)),
            (Err(error), None) => Err(CredentialError::Library(error)),
        }
    }
}

#[async_trait]
impl AsyncSigner for PortSigner<'_> {
    async fn sign(&self, data: Vec<u8>) -> c2pa::Result<Vec<u8>> {
        self.signer.sign(&data).await.map_err(|failure| {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            c2pa::Error::CoseSignature
        })
    }

    fn alg(&self) -> SigningAlg {
        match self.signer.algorithm() {
            SigningAlgorithm::Ps256 => SigningAlg::Ps256,
            SigningAlgorithm::Es256 => SigningAlg::Es256,
            SigningAlgorithm::Es384 => SigningAlg::Es384,
            SigningAlgorithm::Ed25519 => SigningAlg::Ed25519,
        }
    }

    fn certs(&self) -> c2pa::Result<Vec<Vec<u8>>> {
        Ok(self.signer.chain().to_vec())
    }

    fn reserve_size(&self) -> usize {
        cose_length(self.signer, self.witnesses)
    }

    async fn send_timestamp_request(&self, message: &[u8]) -> Option<c2pa::Result<Vec<u8>>> {
        let (response, outcome) = match self.witnesses.stamp(message).await? {
            Ok(response) => (Some(Ok(response)), Ok(())),
            // The library would give up on an error; an image without a time-stamp is better than none.
            Err(reason) => (None, Err(reason)),
        };
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        response
    }

    async fn ocsp_val(&self) -> Option<Vec<u8>> {
        self.witnesses.staple().map(<[u8]>::to_vec)
    }
}

/// The exact length of the tagged COSE_Sign1 structure (RFC 9052, section 4.2) that the library is going to
/// make, in bytes. Told exactly, the library adds no padding, of which it needs 263 bytes or none; and padding
/// stands where no signature covers it. With a time-stamp, whose length nobody knows before, there is padding.
pub(super) fn cose_length(signer: &dyn Signer, witnesses: &Witnesses<'_>) -> usize {
    let algorithm = match signer.algorithm() {
        SigningAlgorithm::Es256 | SigningAlgorithm::Ed25519 => 1,
        SigningAlgorithm::Ps256 | SigningAlgorithm::Es384 => 2,
    };
    let certificates =
        signer.chain().iter().map(|der| cbor_header_length(der.len()) + der.len()).sum::<usize>();
    // One certificate stands alone, several stand in an array (RFC 9360, section 2).
    let array_header = if signer.chain().len() == 1 { 0 } else { cbor_header_length(signer.chain().len()) };
    // A map of two: the keys 1 and 33, and their values.
    let protected = 1 + (1 + algorithm) + (2 + array_header + certificates);
    let signature = signer.signature_length();
    // The tag; an array of the protected header, a map, no payload and the signature.
    let bare = 1
        + 1
        + (cbor_header_length(protected) + protected)
        + 1
        + 1
        + (cbor_header_length(signature) + signature);
    bare + witnesses.header_length()
}

/// The length of the header of a CBOR string or array of `length` bytes or items (RFC 8949, section 3).
pub(super) fn cbor_header_length(length: usize) -> usize {
    match length {
        0..=23 => 1,
        24..=0xFF => 2,
        0x100..=0xFFFF => 3,
        _ => 5,
    }
}
