//! Which authority issues new certificates.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Which authority the operator chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthorityChoice {
    /// The one that issued the active certificate, as far as that can be known: the installation's own, if that issued
    /// it or nobody is active; else one elsewhere. A chain is never replaced by one that leads to another root unasked.
    #[default]
    Auto,
    /// The installation's own.
    Internal,
    /// AWS Private CA.
    PrivateCa,
    /// One elsewhere, that somebody brings the request to, and the certificate back from.
    External,
}

/// A name of no authority.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("choose one of auto, internal, private-ca, external")]
pub struct UnknownAuthority;

impl AuthorityChoice {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Internal, Self::PrivateCa, Self::External];

    /// The name that settings take: `auto`, `internal`, `private-ca`, `external`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Internal => "internal",
            Self::PrivateCa => "private-ca",
            Self::External => "external",
        }
    }
}

impl fmt::Display for AuthorityChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AuthorityChoice {
    type Err = UnknownAuthority;

    fn from_str(name: &str) -> Result<Self, UnknownAuthority> {
        Self::ALL.into_iter().find(|choice| choice.name() == name).ok_or(UnknownAuthority)
    }
}
