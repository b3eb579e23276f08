//! Entries on disk, in 256 parts by the first byte of the proof's id, so that one part at a time is in memory.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::{self, File},
    io::{BufWriter, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use credlink_pipeline::proof::ProofId;
use uuid::Uuid;

use super::error::MigrationError;

/// The last part; the first one is 0.
pub(super) const LAST_PART: u8 = u8::MAX;

/// How much is held back of each part before it is written, in bytes.
const BUFFER: usize = 8 << 10;

/// A folder of parts that is being written. A part without an entry has no file.
pub(super) struct BucketWriter {
    folder: PathBuf,
    parts: HashMap<u8, BufWriter<File>>,
}

impl BucketWriter {
    /// Makes the folder anew.
    pub(super) fn create(folder: &Path) -> Result<Self, MigrationError> {
        remove(folder)?;
        fs::create_dir_all(folder).map_err(MigrationError::folder("create", folder))?;
        Ok(Self { folder: folder.to_owned(), parts: HashMap::new() })
    }

    /// Adds an entry that belongs to `id`.
    pub(super) fn add(&mut self, id: ProofId, entry: &[u8]) -> Result<(), MigrationError> {
        let [part, ..] = Uuid::from(id).into_bytes();
        let path = path_of(&self.folder, part);
        let file = match self.parts.entry(part) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(place) => {
                let file = File::create_new(&path).map_err(MigrationError::folder("create", &path))?;
                place.insert(BufWriter::with_capacity(BUFFER, file))
            }
        };
        file.write_all(entry).map_err(MigrationError::folder("write to", path))
    }

    /// Writes what was held back.
    pub(super) fn finish(mut self) -> Result<(), MigrationError> {
        for part in self.parts.values_mut() {
            part.flush().map_err(MigrationError::folder("write to", &self.folder))?;
        }
        Ok(())
    }
}

/// The entries of one part.
pub(super) fn read(folder: &Path, part: u8) -> Result<Vec<u8>, MigrationError> {
    let path = path_of(folder, part);
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes.map_err(MigrationError::folder("read", path)),
    }
}

/// Removes a folder of parts, if it is there.
pub(super) fn remove(folder: &Path) -> Result<(), MigrationError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(MigrationError::folder("remove", folder)(error))
        }
        _ => Ok(()),
    }
}

fn path_of(folder: &Path, part: u8) -> PathBuf {
    folder.join(format!("{part:02x}"))
}
