//! Why a run cannot begin or go on.

use std::{io, path::PathBuf};

use thiserror::Error;

use super::plan::RunId;

/// Why a run cannot begin, be resumed or be rolled back. What happens to a store in the middle of a run is told by its
/// report instead.
#[derive(Debug, Error)]
pub enum MigrationError {
    /// The run folder cannot be used.
    #[error("cannot {what} {}: {cause}", path.display())]
    Folder {
        /// What was tried.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// There is no such run.
    #[error("there is no run {0} in this data folder; `credlink migrate-proofs --list` shows them")]
    NoSuchRun(RunId),
    /// Another process works on the run.
    #[error("another process works on run {0}; wait until it has ended")]
    Busy(RunId),
    /// The run came to its end.
    #[error("run {0} is finished; begin a new one, which copies only what is missing")]
    Finished(RunId),
    /// The run was rolled back, or is being.
    #[error("run {0} was rolled back; begin a new one")]
    RolledBack(RunId),
    /// What the run folder holds cannot be trusted.
    #[error("{} is damaged: {reason}; leave the run as it is, and begin a new one", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl MigrationError {
    /// For what was tried with `path`.
    pub(super) fn folder(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Folder { what, path, cause }
    }

    /// For a file that holds something else than it should.
    pub(super) fn damaged(path: impl Into<PathBuf>, reason: &impl ToString) -> Self {
        Self::Damaged { path: path.into(), reason: reason.to_string() }
    }
}
