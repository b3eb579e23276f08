//! The proofs that are not as they should be at the end of a run.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use credlink_pipeline::proof::ProofId;
use serde::{Deserialize, Serialize};

use super::error::MigrationError;

/// How many findings of a kind a report names. The file has all.
pub(super) const MAX_NAMED: usize = 100;

/// A proof that somebody may want to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which.
    pub id: ProofId,
    /// What became of it.
    pub kind: FindingKind,
    /// Why.
    pub reason: String,
}

/// What became of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FindingKind {
    /// It was not moved.
    Failed,
    /// The destination has another proof of this id, which was left as it is.
    Conflict,
    /// It came, or changed, until the run ended.
    Remaining,
    /// It is not as this run wrote it any more, so the rollback left it.
    NotRolledBack,
}

/// The file of findings while it is written, and the first ones.
pub(super) struct Findings {
    file: BufWriter<File>,
    draft: PathBuf,
    path: PathBuf,
    pub(super) failures: Vec<Finding>,
    pub(super) conflicts: Vec<Finding>,
}

impl Findings {
    /// For the file at `path`, which is replaced in the end.
    pub(super) fn create(path: &Path) -> Result<Self, MigrationError> {
        let draft = path.with_extension("new");
        let file = File::create(&draft).map_err(MigrationError::folder("create", &draft))?;
        let (failures, conflicts) = (Vec::new(), Vec::new());
        Ok(Self { file: BufWriter::new(file), draft, path: path.to_owned(), failures, conflicts })
    }

    /// Adds one.
    pub(super) fn add(&mut self, id: ProofId, kind: FindingKind, reason: &str) -> Result<(), MigrationError> {
        let finding = Finding { id, kind, reason: reason.to_owned() };
        let failed = || MigrationError::folder("write to", &self.draft);
        serde_json::to_writer(&mut self.file, &finding).map_err(|error| failed()(error.into()))?;
        self.file.write_all(b"\n").map_err(failed())?;
        let named = if kind == FindingKind::Conflict { &mut self.conflicts } else { &mut self.failures };
        if named.len() < MAX_NAMED {
            named.push(finding);
        }
        Ok(())
    }

    /// Gives the file its place.
    pub(super) fn finish(&mut self) -> Result<(), MigrationError> {
        let placed = self.file.flush().and_then(|()| fs::rename(&self.draft, &self.path));
        placed.map_err(MigrationError::folder("write", &self.path))
    }
}
