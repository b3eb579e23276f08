//! Where the operator's time-stamp authority is.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::outbound::{
    reach::PrivateHosts,
    shown::shown,
    target::{Refusal, Target},
};

/// An `http` or `https` URL. Its host may be anywhere, because the operator chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStampUrl {
    text: String,
    target: Target,
}

/// An address that no authority has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}; allowed is a URL such as http://timestamp.example.com/tsa")]
pub struct TimeStampUrlError(#[from] Refusal);

impl FromStr for TimeStampUrl {
    type Err = TimeStampUrlError;

    fn from_str(text: &str) -> Result<Self, TimeStampUrlError> {
        Ok(Self { target: text.parse()?, text: text.to_owned() })
    }
}

/// Shortened, and without the query: some authorities want a key there.
impl fmt::Display for TimeStampUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.text.split('?').next().unwrap_or_default()))
    }
}

impl TimeStampUrl {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn only_host(&self) -> PrivateHosts {
        PrivateHosts::only(&self.target)
    }
}
