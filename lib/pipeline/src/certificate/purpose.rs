//! What certificates are used for (extended key usage; RFC 5280, section 4.2.1.12).

use webpki::{
    Error, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
};

/// What a certificate is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing claims (C2PA 2.4, section 14.5.1).
    ClaimSigning,
    /// Stamping the time (RFC 3161, section 2.3).
    TimeStamping,
    /// Answering for an authority whether its certificates were revoked (RFC 6960, section 4.2.2.2).
    OcspSigning,
    /// Not asked here: the leaf was refused for its purposes already, and the rest of the chain is to be judged
    /// apart from that.
    Unasked,
}

impl Purpose {
    /// The purposes of which a certificate needs one, in DER.
    fn allowed(self) -> &'static [&'static [u8]] {
        match self {
            Self::ClaimSigning => {
                &[CLAIM_SIGNING, CLAIM_SIGNING_MICROSOFT, EMAIL_PROTECTION, DOCUMENT_SIGNING]
            }
            Self::TimeStamping => &[TIME_STAMPING],
            Self::OcspSigning => &[OCSP_SIGNING],
            Self::Unasked => &[],
        }
    }
}

/// anyExtendedKeyUsage (RFC 5280, section 4.2.1.12).
const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
/// 1.3.6.1.4.1.62558.2.1
const CLAIM_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xe8, 0x5e, 0x02, 0x01];
/// 1.3.6.1.4.1.311.76.59.1.9
const CLAIM_SIGNING_MICROSOFT: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x4c, 0x3b, 1, 9];
/// 1.3.6.1.5.5.7.3.4
const EMAIL_PROTECTION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 4];
/// 1.3.6.1.5.5.7.3.8
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
/// 1.3.6.1.5.5.7.3.9
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];
/// 1.3.6.1.5.5.7.3.36
const DOCUMENT_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 36];

impl ExtendedKeyUsageValidator for Purpose {
    /// What an authority may issue for. A certificate without purposes passes, and so does one for any: leaves, which
    /// need one by name, are asked for it elsewhere.
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        if *self == Self::Unasked {
            return Ok(());
        }
        let mut present = Vec::new();
        for purpose in purposes {
            let purpose = purpose?;
            let is = |oid: &[u8]| purpose == KeyPurposeId::new(oid);
            if is(ANY) || self.allowed().iter().any(|allowed| is(allowed)) {
                return Ok(());
            }
            present.push(purpose.to_decoded_oid());
        }
        match (present.is_empty(), self.allowed()) {
            (false, &[required, ..]) => {
                let required = KeyUsage::required(required);
                Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext { required, present }))
            }
            _ => Ok(()),
        }
    }
}
