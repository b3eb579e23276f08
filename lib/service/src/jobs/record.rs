//! How a run went, as it is remembered.

use std::fmt;

use credlink_pipeline::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{job::Counts, state::Lease};

/// The longest counts that are remembered of a run, in bytes of JSON. Fifty runs fit into an item of DynamoDB with them.
pub const MAX_COUNTS_BYTES: usize = 4096;

/// The longest reason that is remembered, in characters.
const MAX_ERROR_CHARS: usize = 1000;

/// In the counts of a run of which something was left out.
const LEFT_OUT: &str = "leftOut";

/// One attempt of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunRecord {
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` when nobody saw it end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How long it took in milliseconds, whatever the clock did meanwhile.
    #[serde(default)]
    pub milliseconds: u64,
    /// What started it.
    pub trigger: Trigger,
    /// Counted from one; higher ones are retries.
    pub attempt: u32,
    /// Whether nothing was to be changed.
    #[serde(default)]
    pub dry_run: bool,
    /// Who ran it.
    pub holder: String,
    /// How it ended.
    pub result: RunResult,
    /// What it counted, cut to [`MAX_COUNTS_BYTES`].
    #[serde(default)]
    pub counts: Counts,
    /// Why it failed, or what cut it short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Its time had come.
    Schedule,
    /// The service started.
    Start,
    /// Somebody wanted it.
    Command,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunResult {
    /// It did all that it found.
    Done,
    /// Its time was over, or it was asked to stop; the next run goes on there.
    Unfinished,
    /// It failed.
    Failed,
    /// Its process ended in the middle.
    Interrupted,
}

impl RunRecord {
    /// The run of a lease that nobody renewed any more.
    pub fn interrupted(lease: &Lease) -> Self {
        Self {
            started: lease.run.started,
            ended: None,
            milliseconds: lease.renewed_at.milliseconds_since(lease.run.started),
            trigger: lease.run.trigger,
            attempt: lease.run.attempt,
            dry_run: lease.run.dry_run,
            holder: lease.holder.clone(),
            result: RunResult::Interrupted,
            counts: Counts::new(),
            error: Some("its process ended, or could not reach where jobs are kept".to_owned()),
        }
    }

    /// The same, short enough to be kept.
    pub fn shortened(mut self) -> Self {
        self.counts = shortened(self.counts);
        self.error = self.error.map(|error| error.chars().take(MAX_ERROR_CHARS).collect());
        self
    }
}

/// The longest values are left out first; `leftOut` says how many.
fn shortened(mut counts: Counts) -> Counts {
    let mut left_out = 0_u64;
    while length(&counts) > MAX_COUNTS_BYTES {
        let longest = counts.iter().filter(|(name, _)| *name != LEFT_OUT);
        let Some((longest, _)) = longest.max_by_key(|(name, value)| name.len() + value.to_string().len())
        else {
            break;
        };
        let longest = longest.clone();
        counts.remove(&longest);
        left_out += 1;
        counts.insert(LEFT_OUT.to_owned(), Value::from(left_out));
    }
    counts
}

fn length(counts: &Counts) -> usize {
    serde_json::to_string(counts).map_or(0, |text| text.len())
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Schedule => "schedule",
            Self::Start => "start",
            Self::Command => "command",
        })
    }
}

impl fmt::Display for RunResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::Unfinished => "unfinished",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_lists_are_left_out_and_numbers_stay() {
        let ids: Vec<String> = (0..200).map(|number| format!("id-{number:036}")).collect();
        let counts =
            Counts::from([("damagedProofs".to_owned(), json!(7)), ("damagedIds".to_owned(), json!(ids))]);
        let short = shortened(counts);
        assert_eq!(
            short,
            Counts::from([("damagedProofs".to_owned(), json!(7)), ("leftOut".to_owned(), json!(1))])
        );
    }
}
