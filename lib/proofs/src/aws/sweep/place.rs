//! Where the sweep goes on.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::upkeep::UpkeepError;

/// Where the next page begins; as text it is JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Place {
    /// In the table, for the proofs whose manifest stores are listed behind `from`: behind the item with this partition
    /// key and sort key.
    Items { from: Option<String>, after: Option<(String, String)> },
    /// In the bucket, behind the object with this name; all of the table is done.
    Objects { after: Option<String> },
}

impl Default for Place {
    fn default() -> Self {
        Self::Items { from: None, after: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Place {
    type Err = UpkeepError;

    fn from_str(text: &str) -> Result<Self, UpkeepError> {
        serde_json::from_str(text).map_err(|_| UpkeepError::UnknownPlace(text.to_owned()))
    }
}
