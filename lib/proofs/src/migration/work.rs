//! What a round has to do, as a file of entries of equal length.

use std::{
    fmt,
    fs::{self, File},
    io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use credlink_pipeline::proof::ProofId;
use uuid::Uuid;

use super::{
    error::MigrationError,
    mark::{MARK_LENGTH, Mark},
};

/// An id, two marks, a reason, and whether there is a second mark.
const ENTRY_LENGTH: usize = 16 + 2 * MARK_LENGTH + 2;

/// Why a proof is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The destination lacks it.
    New,
    /// The destination lacks it although it was tried, or was there already.
    Again,
    /// It changed in the source since this run copied it.
    Changed,
    /// It was written, and not read back.
    Check,
    /// The destination has another proof of this id.
    Conflict,
}

impl Why {
    const ALL: [(&'static str, u8, Self); 5] = [
        ("new", b'n', Self::New),
        ("again", b'a', Self::Again),
        ("changed", b'c', Self::Changed),
        ("check", b'k', Self::Check),
        ("conflict", b'x', Self::Conflict),
    ];
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, _, why)| why == self).map_or("", |(name, ..)| name))
    }
}

impl FromStr for Why {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(name, ..)| *name == text).map(|(.., why)| *why).ok_or(())
    }
}

/// A proof that is to be dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Which.
    pub(super) id: ProofId,
    /// Why.
    pub(super) why: Why,
    /// How it was in the source when the round began; unknown when it could not be read.
    pub(super) mark: Mark,
    /// How this run wrote it, as it stands in the destination.
    pub(super) ours: Option<Mark>,
}

impl Task {
    fn to_bytes(self) -> Vec<u8> {
        let code = Why::ALL.iter().find(|(.., why)| *why == self.why).map_or(0, |(_, code, _)| *code);
        let mut bytes = Vec::with_capacity(ENTRY_LENGTH);
        bytes.extend_from_slice(Uuid::from(self.id).as_bytes());
        bytes.extend_from_slice(&self.mark.to_bytes());
        bytes.extend_from_slice(&self.ours.unwrap_or(Mark::UNKNOWN).to_bytes());
        bytes.extend_from_slice(&[code, u8::from(self.ours.is_some())]);
        bytes
    }

    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let id = Uuid::from_bytes(*take(&mut bytes)?).into();
        let mark = Mark::from_bytes(take(&mut bytes)?);
        let ours = Mark::from_bytes(take(&mut bytes)?);
        let [code, has_ours] = *take(&mut bytes)?;
        let why = Why::ALL.iter().find(|(_, known, _)| *known == code).map(|(.., why)| *why)?;
        Some(Self { id, why, mark, ours: (has_ours == 1).then_some(ours) })
    }
}

/// The next bytes of an entry.
pub(super) fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(head)
}

/// The file while it is being written. It appears when it is whole.
pub(super) struct WorkWriter {
    file: BufWriter<File>,
    draft: PathBuf,
    path: PathBuf,
    count: u64,
}

impl WorkWriter {
    /// For the file at `path`, whose place may be taken.
    pub(super) fn create(path: &Path) -> Result<Self, MigrationError> {
        let draft = path.with_extension("new");
        let file = File::create(&draft).map_err(MigrationError::folder("create", &draft))?;
        Ok(Self { file: BufWriter::new(file), draft, path: path.to_owned(), count: 0 })
    }

    /// Adds a task.
    pub(super) fn add(&mut self, task: Task) -> Result<(), MigrationError> {
        self.count += 1;
        self.file.write_all(&task.to_bytes()).map_err(MigrationError::folder("write to", &self.draft))
    }

    /// Gives the file its place; how many tasks there are.
    pub(super) fn finish(mut self) -> Result<u64, MigrationError> {
        let failed = || MigrationError::folder("write", &self.draft);
        self.file.flush().map_err(failed())?;
        self.file.get_ref().sync_all().map_err(failed())?;
        fs::rename(&self.draft, &self.path).map_err(failed())?;
        Ok(self.count)
    }
}

/// The file while it is being worked on.
pub(super) struct Work {
    file: File,
    path: PathBuf,
    count: u64,
}

impl Work {
    /// Opens the file.
    pub(super) fn open(path: &Path) -> Result<Self, MigrationError> {
        let failed = || MigrationError::folder("open", path);
        let file = File::open(path).map_err(failed())?;
        let length = file.metadata().map_err(failed())?.len();
        Ok(Self { file, path: path.to_owned(), count: length / ENTRY_LENGTH as u64 })
    }

    /// How many tasks there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The tasks from this one on, at most `limit`.
    pub(super) fn tasks(&mut self, from: u64, limit: usize) -> Result<Vec<Task>, MigrationError> {
        let failed = || MigrationError::folder("read", &self.path);
        self.file.seek(SeekFrom::Start(from.saturating_mul(ENTRY_LENGTH as u64))).map_err(failed())?;
        let mut bytes = Vec::new();
        (&self.file).take((limit * ENTRY_LENGTH) as u64).read_to_end(&mut bytes).map_err(failed())?;
        let tasks: Option<Vec<Task>> = bytes.chunks_exact(ENTRY_LENGTH).map(Task::from_bytes).collect();
        tasks.ok_or_else(|| MigrationError::damaged(&self.path, &"it holds something else than tasks"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::sample;

    #[test]
    fn tasks_come_back_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("work");
        let mark = Mark::of(&sample(b"image", "2026-01-01T00:00:00Z").record);
        let tasks: Vec<Task> = Why::ALL
            .iter()
            .map(|(_, code, why)| Task {
                id: ProofId::random(),
                why: *why,
                mark,
                ours: (code % 2 == 0).then_some(mark),
            })
            .collect();
        let mut writer = WorkWriter::create(&path).unwrap();
        for task in &tasks {
            writer.add(*task).unwrap();
        }
        assert!(!path.exists());
        assert_eq!(writer.finish().unwrap(), 5);
        let mut work = Work::open(&path).unwrap();
        assert_eq!((work.count(), work.tasks(0, 2).unwrap()), (5, tasks[..2].to_vec()));
        assert_eq!((work.tasks(2, 10).unwrap(), work.tasks(5, 10).unwrap()), (tasks[2..].to_vec(), vec![]));
    }
}
