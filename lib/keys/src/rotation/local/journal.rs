//! The journal of rotations: `rotation.json`.

use std::path::Path;

use async_trait::async_trait;
use credlink_pipeline::digest::Sha256Hash;

use super::blocking::{blocking, fault};
use crate::{
    folder::{KeyFolder, ROTATION},
    pem_file::PemFile,
    rotation::ports::{Fault, RotationJournal, SwapError},
};

/// The file of a key folder. Its revision is the beginning of its SHA-256, so a change by hand is one too.
#[derive(Clone, Debug)]
pub struct FolderJournal(KeyFolder);

impl FolderJournal {
    /// The journal in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self(KeyFolder::new(folder))
    }
}

#[async_trait]
impl RotationJournal for FolderJournal {
    fn place(&self) -> String {
        self.0.join(ROTATION).display().to_string()
    }

    async fn read(&self) -> Result<Option<(u64, String)>, Fault> {
        let (folder, place) = (self.0.clone(), self.place());
        blocking(move || {
            let Some(file) = folder.read(ROTATION).map_err(fault(folder.path()))? else { return Ok(None) };
            let text = String::from_utf8(file.bytes().to_vec()).map_err(|_| {
                let fix = "put it back as it was, or delete it: then the next run begins afresh";
                Fault::lasting(place, "it is not text", fix)
            })?;
            Ok(Some((revision(&file), text)))
        })
        .await
    }

    async fn write(&self, text: &str, expected: Option<u64>) -> Result<u64, SwapError> {
        let (folder, text) = (self.0.clone(), text.to_owned());
        blocking(move || {
            let failed = fault(folder.path());
            let locked = folder.lock().map_err(&failed)?;
            let current = locked.read(ROTATION).map_err(&failed)?;
            if current.as_ref().map(revision) != expected {
                return Err(SwapError::LostRace);
            }
            let new = PemFile::new(ROTATION, text.into_bytes()).map_err(&failed)?;
            locked.write_private(ROTATION, new.bytes()).map_err(&failed)?;
            Ok(revision(&new))
        })
        .await
    }
}

fn revision(file: &PemFile) -> u64 {
    let hash = Sha256Hash::of(file.bytes());
    hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
