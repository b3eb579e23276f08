//! Where the cleanup of a folder goes on.

use std::{fmt, str::FromStr};

use crate::upkeep::UpkeepError;

/// Where the next page begins. Folders go by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// The folders of dead processes.
    #[default]
    Sessions,
    /// In `by-id`, behind this folder.
    Proofs {
        /// The last folder that was done; empty at the beginning.
        after: String,
    },
    /// In `by-hash`, behind this folder.
    LookUps {
        /// The last folder that was done; empty at the beginning.
        after: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sessions => f.write_str("tmp/"),
            Self::Proofs { after } => write!(f, "by-id/{after}"),
            Self::LookUps { after } => write!(f, "by-hash/{after}"),
        }
    }
}

impl FromStr for Place {
    type Err = UpkeepError;

    fn from_str(text: &str) -> Result<Self, UpkeepError> {
        match text.split_once('/') {
            Some(("tmp", "")) => Ok(Self::Sessions),
            Some(("by-id", after)) => Ok(Self::Proofs { after: after.to_owned() }),
            Some(("by-hash", after)) => Ok(Self::LookUps { after: after.to_owned() }),
            _ => Err(UpkeepError::UnknownPlace(text.to_owned())),
        }
    }
}
