//! How the signing key is replaced before its certificate expires: a sequence of named steps, each of which may be
//! broken off and done again.
//!
//! check → make key → request → ask the authority → collect → validate → trial → swap → announce → finish. What comes next
//! is written into a journal before it is done, and everything that is made carries the name of the rotation, so whoever
//! comes next finds it and goes on. Up to the swap a rotation can be given up and leaves nothing behind; from then on it is
//! brought to its end.
//!
//! What a [`Rotation`] needs from outside are the [`ports`]: keys, an authority, the record of who signs, a journal, and
//! somebody to tell. [`local`] has them for one machine.

mod alerts;
mod authority_choice;
mod call;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod ending;
pub mod local;
#[cfg(any(test, feature = "contract"))]
pub mod memory;
mod notes;
pub mod ports;
mod report;
mod request;
mod rotating;
mod run;
mod state;
mod step;
mod trial;
mod upkeep;
mod validation;

pub use authority_choice::{AuthorityChoice, UnknownAuthority};
pub use report::{HistoryEntry, Outcome, Outlook, RolledBack, RotationReport, SignerFacts, Upkeep};
pub use request::Subject;
pub(crate) use request::verified_public_key;
pub use rotating::{Rotation, RotationPolicy, RotationPorts, Trigger};
pub use step::{RotationError, Step};
