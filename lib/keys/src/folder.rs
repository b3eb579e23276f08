//! The folder with the keys: what stands where, and how a file in it changes.
//!
//! ```text
//! keys/                      0700
//!   root.pem                 the local trust anchor, to be handed to other validators
//!   root.key.pem             0600
//!   intermediate.pem
//!   intermediate.key.pem     0600
//!   signer.pem               0600; the active key and its chain in one file, so that they change together
//!   previous/                what was replaced
//!   trust/anchors.pem        roots of imported chains
//!   rotation.json            0600; how far a rotation came
//!   candidates/              keys of rotations that are not active yet
//!   requests/                requests of rotations, and the certificates that answer them
//!   .lock                    held while anything is written
//! ```
//!
//! A file is replaced by a rename, after its bytes and before its name are flushed to the disk: whoever reads sees
//! the old content or the new, and so does the machine after a power cut.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use crate::{
    error::KeysError,
    pem_file::{MAX_FILE_BYTES, PemFile},
};

/// The file of the active key and chain.
pub const SIGNER: &str = "signer.pem";
/// The certificate of the local root.
pub const ROOT: &str = "root.pem";
/// The key of the local root.
pub const ROOT_KEY: &str = "root.key.pem";
/// The certificate of the local intermediate authority.
pub const INTERMEDIATE: &str = "intermediate.pem";
/// The key of the local intermediate authority.
pub const INTERMEDIATE_KEY: &str = "intermediate.key.pem";
/// Roots of imported chains.
pub const ANCHORS: &str = "trust/anchors.pem";
/// Where replaced files are kept.
pub const PREVIOUS: &str = "previous";
/// How far a rotation came.
pub const ROTATION: &str = "rotation.json";
/// Where the keys of rotations are until they are active.
pub const CANDIDATES: &str = "candidates";
/// Where the requests of rotations are, and the certificates that answer them.
pub const REQUESTS: &str = "requests";

const LOCK: &str = ".lock";
const TEMPORARY: &str = ".new-";
const PRIVATE_FILES: [&str; 3] = [ROOT_KEY, INTERMEDIATE_KEY, SIGNER];

/// A folder with keys, or where keys will be.
#[derive(Clone, Debug)]
pub(crate) struct KeyFolder(PathBuf);

impl KeyFolder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file of the folder; `None` when it is not there.
    pub(crate) fn read(&self, name: &str) -> Result<Option<PemFile>, KeysError> {
        PemFile::read_if_present(&self.join(name))
    }

    /// The names of the files in a folder of the folder, sorted, but those that are half-written; none when it is not
    /// there.
    pub(crate) fn names(&self, subfolder: &str) -> Result<Vec<String>, KeysError> {
        let path = self.join(subfolder);
        let entries = match fs::read_dir(&path) {
            Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
        };
        let entries = entries.map_err(|source| KeysError::Io { action: "read", path, source })?;
        let names = entries.into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with(TEMPORARY)).collect();
        names.sort();
        Ok(names)
    }

    /// Makes the folder if it is missing, and waits until nobody else writes in it. Another process that dies lets
    /// go of it.
    pub(crate) fn lock(&self) -> Result<LockedFolder, KeysError> {
        create_folder(&self.0)?;
        let path = self.join(LOCK);
        let failed = |source| KeysError::Io { action: "lock", path: path.clone(), source };
        let file = open_lock(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let locked = LockedFolder { folder: self.clone(), lock: file };
        locked.remove_leftovers();
        Ok(locked)
    }

    /// What a start with keys in place does beside reading them: tightens permissions that are too wide, removes
    /// what a killed process left. Neither is worth failing for, as the folder may be read-only.
    pub(crate) fn tidy(&self) {
        for name in PRIVATE_FILES {
            tighten(&self.join(name));
        }
        if self.all_leftovers().next().is_none() {
            return;
        }
        let lock = open_lock(&self.join(LOCK)).and_then(|file| match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        });
        if let Ok(file) = lock {
            LockedFolder { folder: self.clone(), lock: file }.remove_leftovers();
        }
    }

    /// What killed processes left half-written.
    fn all_leftovers(&self) -> impl Iterator<Item = PathBuf> {
        let below = [PREVIOUS, "trust", CANDIDATES, REQUESTS].map(|name| self.join(name));
        [self.0.clone()].into_iter().chain(below).flat_map(|folder| leftovers(&folder))
    }
}

/// The folder, while this process alone writes in it.
pub(crate) struct LockedFolder {
    folder: KeyFolder,
    lock: File,
}

impl std::ops::Deref for LockedFolder {
    type Target = KeyFolder;

    fn deref(&self) -> &KeyFolder {
        &self.folder
    }
}

impl Drop for LockedFolder {
    fn drop(&mut self) {
        // A program that this process is just starting has a copy of the file, and closing leaves the lock with it.
        drop(self.lock.unlock());
    }
}

impl LockedFolder {
    /// Writes a file that only its owner may read, from its first byte on.
    pub(crate) fn write_private(&self, name: &str, content: &[u8]) -> Result<(), KeysError> {
        self.write(name, content, 0o600)
    }

    /// Writes a file without secrets.
    pub(crate) fn write_public(&self, name: &str, content: &[u8]) -> Result<(), KeysError> {
        self.write(name, content, 0o644)
    }

    /// Keeps a copy of `file` under `previous/`, as private as the original.
    pub(crate) fn archive(&self, file: &PemFile, name: &str) -> Result<PathBuf, KeysError> {
        let name = format!("{PREVIOUS}/{name}");
        self.write_private(&name, file.bytes())?;
        Ok(self.join(&name))
    }

    /// Removes a file; no error when it is not there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), KeysError> {
        let path = self.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(KeysError::Io { action: "remove", path, source })
            }
            _ => flush_folder(self.path()),
        }
    }

    fn write(&self, name: &str, content: &[u8], mode: u32) -> Result<(), KeysError> {
        let path = self.join(name);
        // What could not be read back must not take the place of what can.
        if u64::try_from(content.len()).map_or(true, |length| length > MAX_FILE_BYTES) {
            return Err(KeysError::FileTooLarge { file: path.display().to_string(), limit: MAX_FILE_BYTES });
        }
        let parent = path.parent().unwrap_or(self.path());
        create_folder(parent)?;
        replace(&path, parent, content, mode).map_err(|source| KeysError::Io {
            action: "write",
            path: path.clone(),
            source,
        })?;
        flush_folder(parent)
    }

    fn remove_leftovers(&self) {
        for path in self.all_leftovers() {
            match fs::remove_file(&path) {
                Ok(()) => tracing::info!(path = %path.display(), "removed a half-written file"),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "cannot remove a half-written file");
                }
            }
        }
    }
}

fn replace(path: &Path, parent: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = temporary(parent, mode)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(unix)]
fn temporary(parent: &Path, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(parent)
}

#[cfg(not(unix))]
fn temporary(parent: &Path, _mode: u32) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(parent)
}

fn create_folder(path: &Path) -> Result<(), KeysError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|source| KeysError::Io {
        action: "create",
        path: path.to_owned(),
        source,
    })?;
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), flush_folder)
}

/// Makes renames in a folder durable. Only Unix opens a folder as a file.
fn flush_folder(path: &Path) -> Result<(), KeysError> {
    if !cfg!(unix) {
        return Ok(());
    }
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| KeysError::Io {
        action: "flush",
        path: path.to_owned(),
        source,
    })
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

fn leftovers(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY))
        .map(|entry| entry.path())
}

/// Takes a private file from everybody but its owner. It may have been read already, hence the warning.
#[cfg(unix)]
fn tighten(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return;
    }
    let (path_text, mode_text) = (path.display(), format!("{mode:o}"));
    match fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
        Ok(()) => tracing::warn!(
            path = %path_text, mode = mode_text,
            "others could read this private file; it is 0600 now, but consider a new key"
        ),
        Err(error) => tracing::warn!(
            path = %path_text, mode = mode_text, %error,
            "others can read this private file; run chmod 600 on it"
        ),
    }
}

#[cfg(not(unix))]
fn tighten(_path: &Path) {}
