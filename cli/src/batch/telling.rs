//! What a run tells while it goes on, and at its end.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use super::{
    front::FrontArgs,
    inputs::{Inputs, Oddity},
    progress::Progress,
    report::{Report, Row},
    summary::{Ending, Summary},
};
use crate::files::FileError;

/// Report, progress and numbers of a run.
pub(crate) struct Telling {
    report: Report,
    progress: Progress,
    summary: Summary,
}

/// A row that counts.
pub(crate) trait Counted: Row {
    /// What is told of a name that leads to no file.
    fn of_oddity(oddity: &Oddity) -> Self;

    /// How the file ended.
    fn ending(&self) -> Ending;

    /// The length of the image that was worked on, in bytes.
    fn bytes(&self) -> u64;

    /// How long the work took by itself.
    fn pipeline(&self) -> Duration;

    /// The state of the image, where that is counted.
    fn state(&self) -> Option<&str>;
}

impl Telling {
    /// Begins, and tells at once of names that lead to no file. The file of the report may be replaced when that is said.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub(crate) fn begin<R: Counted>(
        front: &FrontArgs,
        inputs: &Inputs,
        notes: Vec<String>,
        replace: bool,
    ) -> Result<Self, FileError> {
        let report = Report::begin::<R>(front.format, front.report.as_deref(), replace)?;
        let progress = Progress::begin(inputs.len() + inputs.oddities.len());
        let mut telling = Self { report, progress, summary: Summary::new(notes) };
        let failed = |cause| FileError::Write {
            path: front.report.as_deref().unwrap_or(Path::new("-")).to_owned(),
            cause,
        };
        for oddity in &inputs.oddities {
            telling.row(&R::of_oddity(oddity)).map_err(failed)?;
        }
        Ok(telling)
    }

    /// Tells of a file.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn row<R: Counted>(&mut self, row: &R) -> io::Result<()> {
        let ending = row.ending();
        self.summary.count(ending, row.bytes(), row.pipeline());
        if let Some(state) = row.state() {
            self.summary.count_state(state);
        }
        let report = &mut self.report;
        self.progress.advance(ending == Ending::Failed, || report.row(row))
    }

    /// Ends; so many files are left, because the run was stopped.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn end(self, left: usize, how_to_go_on: &str) -> io::Result<Summary> {
        let Self { report, progress, mut summary } = self;
        progress.end();
        summary.end(left);
        report.end(&summary)?;
        if left > 0 {
            // When standard error is closed too, nobody is left to be told.
            writeln!(io::stderr(), "credlink: stopped; {left} files are left: {how_to_go_on}").ok();
        }
        Ok(summary)
    }
}
