//! Who says more about a signature than its signer: when it was made, and that its certificate was not revoked then.
//! Both stand in the unprotected header of the COSE structure, beside the signature (C2PA 2.4, sections 10.3.2.5 and
//! 10.3.2.6).

use bytes::Bytes;

use super::port_signer::cbor_header_length;
use crate::time_stamp_authority::{StampError, TimeStampAuthority};

/// What signing has beside a signer.
#[derive(Default)]
pub(crate) struct Witnesses<'a> {
    authority: Option<(&'a dyn TimeStampAuthority, usize)>,
    unavailable: Option<StampError>,
    staple: Option<Bytes>,
}

/// The least padding that the library can write in any case, in bytes, with some to spare: what a shorter token leaves
/// empty.
const LEAST_PADDING: usize = 320;

/// The longest token that room is kept for, in bytes. Real ones have 2 to 8 KB.
const MAX_TOKEN: usize = 24 * 1024;

/// A `TimeStampResp` is longer than its token by a status (RFC 3161, section 2.4.2).
const MAX_STATUS: usize = 64;

impl<'a> Witnesses<'a> {
    /// Finds out how much room the authority's stamps need. One that does not answer is not asked for a stamp either.
    pub(crate) async fn gather(authority: Option<&'a dyn TimeStampAuthority>, staple: Option<Bytes>) -> Self {
        let Some(authority) = authority else {
            return Self { staple, ..Self::default() };
        };
        match authority.token_length().await {
            Ok(length) if length <= MAX_TOKEN => {
                Self { authority: Some((authority, length)), unavailable: None, staple }
            }
            Ok(length) => {
                let reason = StampError::Refused(format!("its tokens have {length} bytes"));
                Self { authority: None, unavailable: Some(reason), staple }
            }
            Err(reason) => Self { authority: None, unavailable: Some(reason), staple },
        }
    }

    /// A stamp over `message`; `None` when none is asked for.
    pub(super) async fn stamp(&self, message: &[u8]) -> Option<Result<Vec<u8>, StampError>> {
        if let Some(reason) = &self.unavailable {
            return Some(Err(reason.clone()));
        }
        let (authority, room) = self.authority?;
        let stamp = authority.stamp(message).await;
        Some(stamp.and_then(|response| {
            if response.len() <= room + MAX_STATUS {
                return Ok(response);
            }
            let length = response.len();
            Err(StampError::Refused(format!("its answer has {length} bytes, and there is room for {room}")))
        }))
    }

    /// The OCSP response to staple.
    pub(super) fn staple(&self) -> Option<&[u8]> {
        self.staple.as_deref()
    }

    /// How much longer the COSE structure gets, in bytes: exactly without a stamp, with room to spare with one.
    pub(super) fn header_length(&self) -> usize {
        let staple = self.staple.as_ref().map_or(0, |staple| {
            // "rVals": {"ocspVals": [response]}
            let response = cbor_header_length(staple.len()) + staple.len();
            6 + 1 + 9 + 1 + response
        });
        let stamp = self.authority.map_or(0, |(_, room)| {
            // "sigTst2": {"tstTokens": [{"val": token}]}
            let token = room + MAX_STATUS;
            8 + 1 + 10 + 1 + 1 + 4 + cbor_header_length(token) + token + LEAST_PADDING
        });
        staple + stamp
    }
}
