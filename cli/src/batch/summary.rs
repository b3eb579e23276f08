//! What a run came to, in numbers.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::{Duration, Instant},
};

use serde::Serialize;

/// How one file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Ending {
    /// As wished.
    Success,
    /// Not as wished.
    Failed,
    /// There was nothing to be done.
    Skipped,
}

/// The numbers of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    /// Files that were told of: the sum of the next three.
    total: u64,
    success: u64,
    failed: u64,
    skipped: u64,
    /// Files that the run did not come to, because it was stopped.
    left: u64,
    /// From the first file to the last, in milliseconds.
    duration: u64,
    /// The duration over the files that something was done with, in milliseconds.
    average: f64,
    /// Of the images that were worked on, in bytes.
    bytes: u64,
    /// What the work on the images took by itself, added up over all files, in milliseconds.
    pipeline_time: f64,
    /// How many files had which state; for `batch-verify`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    states: BTreeMap<String, u64>,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    #[serde(skip)]
    began: Instant,
    #[serde(skip)]
    pipeline: Duration,
}

impl Summary {
    /// A run that begins now.
    pub(crate) fn new(notes: Vec<String>) -> Self {
        Self {
            total: 0,
            success: 0,
            failed: 0,
            skipped: 0,
            left: 0,
            duration: 0,
            average: 0.0,
            bytes: 0,
            pipeline_time: 0.0,
            states: BTreeMap::new(),
            notes,
            began: Instant::now(),
            pipeline: Duration::ZERO,
        }
    }

    /// Counts a file of so many bytes, on which the work took so long.
    pub(crate) fn count(&mut self, ending: Ending, bytes: u64, pipeline: Duration) {
        self.total += 1;
        match ending {
            Ending::Success => self.success += 1,
            Ending::Failed => self.failed += 1,
            Ending::Skipped => self.skipped += 1,
        }
        self.bytes += bytes;
        self.pipeline += pipeline;
    }

    /// Counts a state.
    pub(crate) fn count_state(&mut self, state: &str) {
        *self.states.entry(state.to_owned()).or_default() += 1;
    }

    /// Ends the run; so many files are left.
    pub(crate) fn end(&mut self, left: usize) {
        self.left = left as u64;
        let duration = self.began.elapsed();
        self.duration = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.pipeline_time = milliseconds(self.pipeline);
        let worked_on = self.success + self.failed;
        if worked_on > 0 {
            self.average = (milliseconds(duration) / worked_on as f64 * 1000.0).round() / 1000.0;
        }
    }

    /// Whether nothing failed and nothing is left.
    pub(crate) fn is_all_well(&self) -> bool {
        self.failed == 0 && self.left == 0
    }

    /// Tells it to people.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Total      {}", self.total)?;
        writeln!(out, "Success    {}", self.success)?;
        writeln!(out, "Failed     {}", self.failed)?;
        writeln!(out, "Skipped    {}", self.skipped)?;
        if self.left > 0 {
            writeln!(out, "Left       {}", self.left)?;
        }
        for (state, files) in &self.states {
            writeln!(out, "  {state:<9}{files}")?;
        }
        writeln!(
            out,
            "Duration   {:.1} s, on average {:.1} ms a file",
            self.duration as f64 / 1000.0,
            self.average
        )?;
        writeln!(out, "Pipeline   {:.1} s, added up over all files", self.pipeline_time / 1000.0)?;
        writeln!(out, "Images     {} bytes", self.bytes)?;
        self.notes.iter().try_for_each(|note| writeln!(out, "Note       {note}"))
    }
}

/// Milliseconds, to the microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
