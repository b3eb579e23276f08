//! What a run did, for people and programs; nothing secret.

use std::fmt;

use credlink_pipeline::timestamp::Timestamp;
use serde::Serialize;

use super::{
    ports::{KeyName, RotationId, SignerVersion},
    step::{RotationError, Step},
};
use crate::{
    algorithm::KeyKind,
    chain::{self, CertificateSummary},
};

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationReport {
    /// How the rotation stands.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was tidied up beside.
    pub upkeep: Upkeep,
}

/// How the rotation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// There is time.
    NotDue {
        /// Whole days until the first certificate of the chain expires.
        days_left: i64,
    },
    /// The authority has not answered yet.
    Waiting {
        /// Which rotation.
        rotation: RotationId,
        /// What is waited for, and what somebody may have to do.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// Whole days until the active signer expires; `None` when there is none.
        days_left: Option<i64>,
    },
    /// A new key signs.
    Rotated {
        /// Which rotation.
        rotation: RotationId,
        /// Who signed before; `None` when nobody did, or when it cannot be read any more.
        from: Option<Box<SignerFacts>>,
        /// Who signs now.
        to: Box<SignerFacts>,
    },
    /// Another run was quicker. This one left nothing behind.
    TakenOver,
    /// The time of the run was over. The next one goes on.
    Stopped {
        /// With which step.
        next: Step,
    },
}

/// What there is to know about a signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignerFacts {
    /// What tells the versions apart.
    pub version: String,
    /// The key.
    pub key: KeyName,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// When it became the active one.
    pub activated_at: Timestamp,
    /// When the first certificate of its chain expires.
    pub expires_at: Timestamp,
    /// The leaf certificate; `None` when it cannot be read.
    pub leaf: Option<CertificateSummary>,
}

/// What was tidied up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Upkeep {
    /// Keys that can sign no more, because their certificates expired.
    pub disabled: Vec<KeyName>,
    /// Keys that are gone, because their certificates expired long ago.
    pub deleted: Vec<KeyName>,
    /// Keys that belonged to no rotation.
    pub discarded: Vec<KeyName>,
    /// What could not be done, each in a sentence. It is tried again by the next run.
    pub problems: Vec<RotationError>,
}

/// How the rotation stands, when nothing is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// Who signs; `None` when nobody does.
    pub active: Option<SignerFacts>,
    /// Whole days until its chain expires.
    pub days_left: Option<i64>,
    /// Whether a run would begin a rotation, or go on with one.
    pub due: bool,
    /// The step that comes next in a rotation in progress.
    pub next: Option<Step>,
    /// Why it waits.
    pub waiting: Option<String>,
}

/// A signer that became active again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolledBack {
    /// Who signed before.
    pub from: Option<SignerFacts>,
    /// Who signs now.
    pub to: SignerFacts,
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Whether it signs now.
    pub active: bool,
    /// The signer.
    #[serde(flatten)]
    pub signer: SignerFacts,
}

impl SignerFacts {
    pub(super) fn of(version: &SignerVersion) -> Self {
        Self {
            version: version.version.clone(),
            key: version.key.clone(),
            kind: version.kind,
            activated_at: version.activated_at,
            expires_at: version.not_after,
            leaf: version.chain.first().and_then(|leaf| chain::summary(leaf)),
        }
    }
}

impl SignerVersion {
    /// Whole days until the first certificate of its chain expires; negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        days_until(self.not_after, now)
    }
}

impl SignerFacts {
    /// Whole days until the first certificate of its chain expires; negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        days_until(self.expires_at, now)
    }
}

fn days_until(end: Timestamp, now: Timestamp) -> i64 {
    (end.unix_seconds() - now.unix_seconds()).div_euclid(24 * 60 * 60)
}

impl fmt::Display for SignerFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}), until {}", short(&self.version), self.kind, self.expires_at)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDue { days_left } => write!(f, "Not due: the certificate is valid for {days_left} days"),
            Self::Waiting { reason, since, days_left, .. } => {
                write!(f, "Waiting since {since}: {reason}")?;
                days_left
                    .map_or(Ok(()), |days| write!(f, "\nThe active certificate is valid for {days} days"))
            }
            Self::Rotated { from, to, .. } => {
                write!(f, "Rotated\nNow     {to}")?;
                from.as_ref().map_or(Ok(()), |from| write!(f, "\nBefore  {from}"))
            }
            Self::TakenOver => {
                write!(f, "Another run is at work on the rotation; this one left it to that one")
            }
            Self::Stopped { next } => write!(f, "Out of time: the next run goes on with the step {next}"),
        }
    }
}

impl fmt::Display for RotationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        let Upkeep { disabled, deleted, discarded, problems } = &self.upkeep;
        for (what, keys) in [("Disabled", disabled), ("Deleted", deleted), ("Discarded", discarded)] {
            for key in keys {
                write!(f, "\n{what}  key {key}")?;
            }
        }
        problems.iter().try_for_each(|problem| write!(f, "\nPROBLEM  {problem}"))
    }
}

/// Versions may be hashes; their beginning tells them apart.
fn short(version: &str) -> String {
    version.chars().take(16).collect()
}
