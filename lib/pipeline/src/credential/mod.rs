//! The one place that speaks to the C2PA library: manifest stores are made and read here, and no type of the
//! library leaves this module.
//!
//! The library is never given the image to write. It makes a manifest store for a hash that we computed
//! ourselves, and it validates a store that our own extraction found: its reader accepts a JPEG with two
//! stores, which the specification treats as having none (C2PA 2.4, section 15.5).

mod claim_signature;
mod history;
mod library_error;
mod outline;
mod port_signer;
mod reading;
mod time_stamp;
mod time_stamp_assertion;
mod update;
mod witnesses;
mod writing;

pub use claim_signature::{ClaimSignature, MAX_CERTIFICATES, MAX_STAPLES, StampToken};
pub(crate) use history::THUMBNAIL;
pub(crate) use outline::names_one_signer;
pub(crate) use reading::LibraryTrust;
pub use reading::{CredentialReading, Status, StatusKind, ValidationState};
pub(crate) use time_stamp::token_of;
pub use time_stamp::{StampJudgement, judge_later_stamps, judge_stamps};
pub(crate) use time_stamp_assertion::later_stamps;
pub(crate) use update::update_with_stamp;
pub(crate) use witnesses::Witnesses;
pub(crate) use writing::{Draft, ParentCredential, SignedStore};

use thiserror::Error;

use crate::signer::SignerError;

/// Why a manifest store could not be made.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// The signer failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The C2PA library refused what it was given.
    #[error("the manifest store could not be made: {0}")]
    Library(#[from] c2pa::Error),
}
