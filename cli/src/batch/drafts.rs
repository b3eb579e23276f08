//! Files appear under their names when they are whole. Until then they are drafts beside their places; a draft is locked
//! as long as somebody writes it, so those of killed runs can be told and removed.

use std::{
    collections::HashSet,
    fs::{self, File, Permissions},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use credlink_pipeline::embed::Rope;
use credlink_service::turns::Turns;
use tempfile::{Builder, NamedTempFile};
use tokio::runtime::Handle;

use super::name::OWN_PREFIX;

/// The end of a draft's name.
const SUFFIX: &str = ".part";

/// Makes drafts, and removes what killed runs left where it makes them.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    /// Folders that were cleaned up.
    swept: Mutex<HashSet<PathBuf>>,
    /// Turns for who writes, and the threads that wait for them.
    turns: Option<(Turns, Handle)>,
}

impl Drafts {
    /// Writes in turns. Who flushes waits for the disk, and has none.
    pub(crate) fn in_turns(turns: Turns, waiting: Handle) -> Self {
        Self { turns: Some((turns, waiting)), ..Self::default() }
    }

    /// A draft beside `place` with the whole of `image`, flushed, with the permissions that the file in the place will
    /// have. It is removed unless it is put into the place.
    ///
    /// # Errors
    /// Those of the file system; nothing is left then.
    pub(crate) fn written(
        &self,
        place: &Path,
        image: &Rope,
        permissions: Permissions,
    ) -> io::Result<NamedTempFile> {
        let mut draft = self.begin(place)?;
        let turn = self.turns.as_ref().map(|(turns, waiting)| waiting.block_on(turns.take()));
        image.write_to(draft.as_file_mut())?;
        drop(turn);
        draft.as_file().set_permissions(permissions)?;
        draft.as_file().sync_all()?;
        Ok(draft)
    }

    /// An empty draft beside `place`, in a folder that is made if need be.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn begin(&self, place: &Path) -> io::Result<NamedTempFile> {
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        if self.is_new(folder) {
            // What cannot be removed now harms nobody.
            drop(sweep(folder));
        }
        let mut builder = Builder::new();
        builder.prefix(OWN_PREFIX).suffix(SUFFIX);
        // Those that a new file usually has, not those of a secret.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let draft = builder.tempfile_in(folder)?;
        draft.as_file().lock()?;
        Ok(draft)
    }

    fn is_new(&self, folder: &Path) -> bool {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned())
    }
}

/// Removes the drafts of dead runs.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file_name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let is_draft = file_name.starts_with(OWN_PREFIX.as_bytes()) && file_name.ends_with(SUFFIX.as_bytes());
        if is_draft && path.symlink_metadata()?.is_file() && File::open(&path)?.try_lock().is_ok() {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn drafts_of_the_dead_go_and_those_of_the_living_stay() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join(".credlink-dead.part");
        fs::write(&dead, "half").unwrap();
        fs::write(folder.path().join(".credlink-batch.jsonl"), "").unwrap();
        let place = folder.path().join("a.jpg");
        let living = Drafts::default().begin(&place).unwrap();
        assert!(!dead.exists());
        let other = Drafts::default().begin(&place).unwrap();
        assert!(living.path().exists() && folder.path().join(".credlink-batch.jsonl").exists());
        drop(other);
        let rope = Rope::new([Bytes::from_static(b"whole")]);
        let permissions = fs::metadata(folder.path().join(".credlink-batch.jsonl")).unwrap().permissions();
        let draft = Drafts::default().written(&place, &rope, permissions).unwrap();
        draft.persist_noclobber(&place).unwrap();
        drop(living);
        assert_eq!(fs::read(&place).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
