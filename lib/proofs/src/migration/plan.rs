//! What a run moves, and how.

use std::{fmt, str::FromStr};

use credlink_pipeline::timestamp::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;
use uuid::Uuid;

/// The most proofs of a batch.
pub(super) const MAX_BATCH: usize = 10_000;

/// The most proofs that are copied at once.
pub(super) const MAX_PARALLEL: usize = 256;

/// What a run moves where. It is written down when the run begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The run.
    pub run: RunId,
    /// The source, in words that never hold a secret.
    pub from: String,
    /// The destination, likewise.
    pub to: String,
    /// How.
    #[serde(flatten)]
    pub options: Options,
    /// When the run began. What is expired then is expired for the whole run.
    pub started: Timestamp,
}

/// How proofs are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// How many proofs there are between two points at which the run can stop, from 1 to 10 000.
    pub batch_size: usize,
    /// How many proofs are copied at once, from 1 to 256.
    pub parallel: usize,
    /// What happens where the destination has another proof of the same id.
    pub on_conflict: OnConflict,
    /// Expired proofs are moved too.
    pub include_expired: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch_size: 500, parallel: 8, on_conflict: OnConflict::Skip, include_expired: false }
    }
}

impl Options {
    /// The size of a batch, within its limits.
    pub(super) fn batch_size(&self) -> usize {
        self.batch_size.clamp(1, MAX_BATCH)
    }

    /// How many proofs are copied at once, within the limits.
    pub(super) fn parallel(&self) -> usize {
        self.parallel.clamp(1, MAX_PARALLEL)
    }
}

/// What happens where the destination has another proof of the same id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The destination's stays, and the report names it.
    #[default]
    Skip,
    /// The run stops before it writes anything more.
    Fail,
    /// The source's takes its place if it was made later; of two that were made at the same time, if its stamped copy
    /// was. The destination's is kept in the run folder.
    OverwriteIfNewer,
}

impl OnConflict {
    const ALL: [(&'static str, Self); 3] =
        [("skip", Self::Skip), ("fail", Self::Fail), ("overwrite-if-newer", Self::OverwriteIfNewer)];
}

impl fmt::Display for OnConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, policy)| policy == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for OnConflict {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, policy)| *policy).ok_or(UnknownPolicy)
    }
}

/// There is no such policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("what to do on a conflict is skip, fail or overwrite-if-newer")]
pub struct UnknownPolicy;

/// The name of a run: when it began, and some random digits, as in `20260131-081530-5f2c9a`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// A new one for a run that begins at `now`.
    pub fn new(now: Timestamp) -> Self {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let text = now.to_string();
        let (date, time) = text.split_once('T').unwrap_or((&text, ""));
        let time = time.split_once('.').map_or(time, |(seconds, _)| seconds);
        let random = Uuid::new_v4().simple().to_string();
        let random = random.get(..6).unwrap_or_default();
        Self(format!("{}-{}-{random}", digits(date), digits(time)))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = InvalidRunId;

    /// It becomes the name of a folder: digits, letters from a to f, and dashes between them, nothing else.
    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_id = text.len() <= 40 && text.split('-').count() == 3 && text.split('-').all(is_part);
        if is_id { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidRunId) }
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The text is no name of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the name of a run looks like 20260131-081530-5f2c9a; --list shows them")]
pub struct InvalidRunId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_after_its_beginning() {
        let id = RunId::new(Timestamp::parse("2026-01-31T08:15:30.250Z").unwrap());
        assert!(id.to_string().starts_with("20260131-081530-"), "{id}");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "..", "../../etc/passwd", "20260131-081530", "a-b-c-d", "a-b-", "20260131-081530-x"] {
            assert_eq!(bad.parse::<RunId>(), Err(InvalidRunId), "{bad}");
        }
    }

    #[test]
    fn a_policy_is_written_as_it_is_read() {
        for (name, policy) in OnConflict::ALL {
            assert_eq!((name.parse(), policy.to_string()), (Ok(policy), name.to_owned()));
            assert_eq!(serde_json::to_value(policy).unwrap(), name);
        }
        assert_eq!("overwrite".parse::<OnConflict>(), Err(UnknownPolicy));
    }
}
