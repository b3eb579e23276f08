//! A request for a time-stamp.

use credlink_pipeline::digest::Sha256Hash;
use uuid::Uuid;

/// `AlgorithmIdentifier` of SHA-256: 2.16.840.1.101.3.4.2.1, with NULL as RFC 3161 signers expect it.
const SHA_256: [u8; 15] = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];

/// The tags and lengths of a `TimeStampReq` (RFC 3161, section 2.4.1). They never change, because an imprint has 32
/// bytes and a nonce eight: SEQUENCE and version, then MessageImprint, then its OCTET STRING, the nonce, and certReq.
const START: [u8; 5] = [0x30, 67, 2, 1, 1];
const IMPRINT: [u8; 2] = [0x30, 49];
const DIGEST: [u8; 2] = [4, 32];
const NONCE: [u8; 2] = [2, 8];
const WITH_CERTIFICATES: [u8; 3] = [1, 1, 0xff];

/// Asks for a stamp on a digest, with the authority's certificates.
#[derive(Debug)]
pub(super) struct StampRequest {
    pub(super) imprint: Sha256Hash,
    /// Positive, and eight bytes long as an INTEGER.
    pub(super) nonce: u64,
}

impl StampRequest {
    /// With a new random nonce.
    pub(super) fn new(imprint: Sha256Hash) -> Self {
        // The half of a version 4 UUID with 62 random bits; the bits at its top are fixed to 01 here.
        let (_, random) = Uuid::new_v4().as_u64_pair();
        Self { imprint, nonce: random & (u64::MAX >> 2) | 1 << 62 }
    }

    /// The request in DER.
    pub(super) fn to_der(&self) -> Vec<u8> {
        let nonce = self.nonce.to_be_bytes();
        let parts: [&[u8]; 8] = [
            &START,
            &IMPRINT,
            &SHA_256,
            &DIGEST,
            self.imprint.as_bytes(),
            &NONCE,
            &nonce,
            &WITH_CERTIFICATES,
        ];
        parts.concat()
    }
}

#[cfg(test)]
mod tests {
    use rasn_cms::tsp::TimeStampReq;

    use super::*;

    #[test]
    fn the_request_is_the_one_that_the_standard_describes() {
        let request = StampRequest::new(Sha256Hash::of(b"signature"));
        let der = request.to_der();
        let read: TimeStampReq = rasn::der::decode(&der).unwrap();
        assert_eq!(read.version, 1);
        assert_eq!(&*read.message_imprint.hashed_message, request.imprint.as_bytes());
        assert_eq!(read.nonce, Some(request.nonce.into()));
        assert!(read.cert_req);
        assert!(read.req_policy.is_none() && read.extensions.is_none());
        assert_eq!(rasn::der::encode(&read).unwrap(), der);
        assert_ne!(StampRequest::new(request.imprint).nonce, request.nonce);
    }
}
