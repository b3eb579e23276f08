//! What an error of the table of signers means for a rotation.

use crate::{
    aws::error::RecordsError,
    rotation::ports::{Fault, SwapError},
};

/// The fault that `error` is.
pub(super) fn of(error: &RecordsError) -> Fault {
    let (sk, problem, fix, passing) = match error {
        RecordsError::Unavailable { reason, .. } => {
            ("active", reason.clone(), "nothing needs to be done if it passes by itself", true)
        }
        RecordsError::Refused { reason, .. } => (
            "active",
            reason.clone(),
            "allow dynamodb:GetItem, dynamodb:Query and dynamodb:PutItem on the items of pk=signer, in the role or \
             user that this runs as",
            false,
        ),
        RecordsError::Damaged { sk, reason, .. } => (
            sk.as_str(),
            format!("the record is damaged: {reason}"),
            "put the copy of an earlier version (sk=version#...) in its place, or delete it",
            false,
        ),
        RecordsError::NoActiveSigner { .. } => (
            "active",
            "no signer is active".to_owned(),
            "let a rotation make one, with `credlink keys rotate --force`",
            false,
        ),
        RecordsError::LostRace { .. } => {
            ("active", "another signer became active meanwhile".to_owned(), "look, and try again", false)
        }
        RecordsError::TooLarge { what, .. } => (
            "active",
            format!("the record would be too large ({what})"),
            "take roots that nobody needs any more out of its attribute `anchors`",
            false,
        ),
        RecordsError::NoVersion { version, .. } => (
            "active",
            format!("there is no version {version}"),
            "choose one of `credlink keys history`",
            false,
        ),
        RecordsError::NotValid { reason, .. } => {
            ("active", reason.clone(), "choose a version whose certificates are valid", false)
        }
    };
    let resource = format!("table {} (pk=signer, sk={sk})", error.table());
    Fault { resource, problem, fix: fix.to_owned(), passing }
}

/// Why a signer was not swapped.
pub(super) fn of_swap(error: RecordsError) -> SwapError {
    match error {
        RecordsError::LostRace { .. } => SwapError::LostRace,
        error => SwapError::Fault(of(&error)),
    }
}
