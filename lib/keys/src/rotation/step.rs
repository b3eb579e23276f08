//! The steps of a rotation by name, and what goes wrong in one.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use super::ports::Fault;

/// A step. The first ones are those of a rotation, in their order; the others look after what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Reading who signs, and whether the certificate is due.
    Check,
    /// Making the new key.
    MakeKey,
    /// Making the request, signed by that key.
    Request,
    /// Asking the authority.
    Ask,
    /// Fetching the certificate.
    Collect,
    /// Checking it.
    Validate,
    /// Signing a real image, and verifying it.
    Trial,
    /// Making the new key the active one.
    Swap,
    /// Telling people.
    Announce,
    /// Tidying up at the authority.
    Finish,
    /// Disabling, and later deleting, keys whose certificates expired.
    Retire,
    /// Giving up keys that belong to no rotation.
    Orphans,
    /// Making an earlier signer the active one again.
    Restore,
    /// Reading and writing how far a rotation came.
    State,
}

impl Step {
    /// Its name, such as `make-key`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::MakeKey => "make-key",
            Self::Request => "request",
            Self::Ask => "ask",
            Self::Collect => "collect",
            Self::Validate => "validate",
            Self::Trial => "trial",
            Self::Swap => "swap",
            Self::Announce => "announce",
            Self::Finish => "finish",
            Self::Retire => "retire",
            Self::Orphans => "orphans",
            Self::Restore => "restore",
            Self::State => "state",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A step that could not be done. The active signer is untouched.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[error("rotation, step {step}: {fault}")]
pub struct RotationError {
    /// Which step.
    pub step: Step,
    /// What stands in its way.
    pub fault: Fault,
}
