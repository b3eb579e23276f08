//! The heart of CredLink: what an image is, how it is signed, and what it proves.
//!
//! Data flows downward through modules named after what they hold: [`asset`] and [`fingerprint`] read an
//! image; [`manifest`] says what is asserted; [`credential`] is the one place that speaks to the C2PA
//! library; [`embed`] makes the signed image out of slices of the input; [`extract`] finds a credential
//! again, and [`legacy`] reads those of CredLink's first system; [`certificate`] and [`verdict`] judge it.
//! [`sign`] and [`verify`] are the two stories that read from top to bottom; [`restamp`] is a short one between them: it
//! keeps what was signed provable when its certificate expires.
//!
//! Nothing here does I/O, reads a clock or knows HTTP. What the stories need from outside stands in ports:
//! [`signer::Signer`], [`proof::ProofStore`], [`timestamp::Clock`],
//! [`time_stamp_authority::TimeStampAuthority`] and [`revocation_source::RevocationSource`].

pub mod asset;
pub mod certificate;
pub mod credential;
pub mod digest;
pub mod embed;
pub mod extract;
pub mod fingerprint;
mod json_text;
mod judged;
mod jumbf;
pub mod kept_credential;
pub mod legacy;
pub mod manifest;
pub mod proof;
pub mod proof_uri;
pub mod recovery;
pub mod restamp;
pub mod revocation_source;
#[cfg(feature = "schema")]
mod schema;
pub mod sign;
pub mod sign_once;
pub mod signer;
mod stamped_ingredients;
pub mod time_stamp_authority;
pub mod timestamp;
pub mod trust;
pub mod unique_json;
pub mod verdict;
pub mod verify;
