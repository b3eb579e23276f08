//! What is kept of a job: whether it is enabled, who runs it, how far it came, and how its last runs went. One document
//! for each job, so that a run that lost its lease can change nothing of it.

use credlink_pipeline::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{job::Counts, record::RunRecord, record::RunResult, record::Trigger};

/// The version of the form of the document.
pub const SCHEMA: u32 = 1;

/// How many runs are remembered.
pub const MAX_RUNS: usize = 50;

/// The longest progress, in bytes of JSON.
pub const MAX_PROGRESS_BYTES: usize = 64 * 1024;

/// The document of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobState {
    /// The version of its form: [`SCHEMA`].
    pub schema: u32,
    /// Random, of the last change: whoever made it knows it again when the answer got lost.
    #[serde(default)]
    pub change: Uuid,
    /// Whether it may run. The environment is asked as well.
    pub enabled: bool,
    /// The fencing token of the last lease: each lease has a higher one.
    pub token: u64,
    /// Who runs it now, or ran it when the process died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Where the last run ended; `None` when it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Value>,
    /// The last time of its schedule that needs no run any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered: Option<Timestamp>,
    /// The AWS Lambda function that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Its last runs, the newest first; at most [`MAX_RUNS`].
    #[serde(default)]
    pub runs: Vec<RunRecord>,
}

/// The right to run a job, until it is given back or nobody renews it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lease {
    /// Who has it: host and process, or function and request; for people.
    pub holder: String,
    /// What tells it from those before it.
    pub token: u64,
    /// How often it was renewed. Whoever sees it stand still knows that its holder is gone; no clock is compared.
    pub beats: u64,
    /// When it was renewed, by the holder's clock; for people.
    pub renewed_at: Timestamp,
    /// The run that it is for.
    pub run: Start,
}

/// How a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Start {
    /// When, by the holder's clock.
    pub started: Timestamp,
    /// What started it.
    pub trigger: Trigger,
    /// Counted from one; higher ones are retries.
    pub attempt: u32,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
}

/// The lease belongs to another run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl Default for JobState {
    /// A job that never ran.
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            change: Uuid::nil(),
            enabled: true,
            token: 0,
            lease: None,
            progress: None,
            covered: None,
            function: None,
            runs: Vec::new(),
        }
    }
}

impl JobState {
    /// Gives `holder` the lease for a run; its token. A lease that stands there was found dead: its run is remembered
    /// as interrupted.
    pub fn take(&mut self, holder: &str, run: Start) -> u64 {
        if let Some(dead) = self.lease.take() {
            self.remember(RunRecord::interrupted(&dead));
        }
        self.token = self.token.saturating_add(1);
        let lease =
            Lease { holder: holder.to_owned(), token: self.token, beats: 0, renewed_at: run.started, run };
        self.lease = Some(lease);
        self.token
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn renew(&mut self, token: u64, now: Timestamp) -> Result<(), Lost> {
        let lease = self.held(token)?;
        lease.beats = lease.beats.saturating_add(1);
        lease.renewed_at = now;
        Ok(())
    }

    /// Says which attempt the lease is for now; the progress to go on with.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn begin(&mut self, token: u64, run: Start) -> Result<Option<Value>, Lost> {
        self.renew(token, run.started)?;
        self.held(token)?.run = run;
        Ok(self.progress.clone())
    }

    /// Keeps how far the run came.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn keep(&mut self, token: u64, progress: Option<Value>, now: Timestamp) -> Result<(), Lost> {
        self.renew(token, now)?;
        self.progress = progress;
        Ok(())
    }

    /// Remembers how an attempt of the run went.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn end_attempt(&mut self, token: u64, record: RunRecord, now: Timestamp) -> Result<(), Lost> {
        self.renew(token, now)?;
        self.remember(record);
        Ok(())
    }

    /// Gives the lease back. `covered` is the time of the schedule that needs no run any more.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn release(&mut self, token: u64, covered: Option<Timestamp>) -> Result<(), Lost> {
        self.held(token)?;
        self.lease = None;
        self.covered = covered.or(self.covered);
        Ok(())
    }

    /// How many of the last runs, one after the other, ended with their process.
    pub fn interruptions(&self) -> usize {
        self.runs.iter().take_while(|run| run.result == RunResult::Interrupted).count()
    }

    /// What the last run counted that came to an end and was no dry run; and when it ended.
    pub fn last_counts(&self) -> Option<(Timestamp, &Counts)> {
        let run = self.runs.iter().find(|run| run.result == RunResult::Done && !run.dry_run)?;
        Some((run.ended?, &run.counts))
    }

    fn remember(&mut self, record: RunRecord) {
        self.runs.insert(0, record);
        self.runs.truncate(MAX_RUNS);
    }

    fn held(&mut self, token: u64) -> Result<&mut Lease, Lost> {
        self.lease.as_mut().filter(|lease| lease.token == token).ok_or(Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn start() -> Start {
        Start {
            started: time("2026-01-01T02:00:00Z"),
            trigger: Trigger::Schedule,
            attempt: 1,
            dry_run: false,
        }
    }

    #[test]
    fn a_run_that_lost_its_lease_changes_nothing() {
        let mut state = JobState::default();
        let first = state.take("first", start());
        let second = state.take("second", start());
        assert!(second > first);
        let before = state.clone();
        let now = time("2026-01-01T03:00:00Z");
        assert_eq!(state.renew(first, now), Err(Lost));
        assert_eq!(state.keep(first, Some("mine".into()), now), Err(Lost));
        let lease = before.lease.clone().unwrap();
        assert_eq!(state.end_attempt(first, RunRecord::interrupted(&lease), now), Err(Lost));
        assert_eq!(state.release(first, Some(now)), Err(Lost));
        assert_eq!(state, before);
        assert_eq!(state.keep(second, Some("mine".into()), now), Ok(()));
    }

    #[test]
    fn a_dead_holder_is_remembered() {
        let mut state = JobState::default();
        state.take("first", start());
        state.take("second", start());
        assert_eq!(state.interruptions(), 1);
        assert_eq!((state.runs[0].holder.as_str(), state.runs[0].ended), ("first", None));
    }

    #[test]
    fn fifty_runs_are_remembered() {
        let mut state = JobState::default();
        for _ in 0..60 {
            state.take("somebody", start());
        }
        assert_eq!((state.runs.len(), state.token), (MAX_RUNS, 60));
    }
}
