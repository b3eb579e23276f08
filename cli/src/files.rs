//! Reading an image and writing one; `-` stands for standard input and output.

use std::{
    fs::{self, File, Metadata},
    io::{self, IsTerminal as _, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use credlink_pipeline::embed::Rope;
use tempfile::NamedTempFile;
use thiserror::Error;

/// Why a file cannot be read or written.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// The input cannot be read.
    #[error("cannot read {}: {cause}", name(path))]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The input is too long.
    #[error("{} is longer than {limit} bytes", name(path))]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The longest, in bytes.
        limit: usize,
    },
    /// The output cannot be written.
    #[error("cannot write {}: {cause}", name(path))]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The output is there already.
    #[error("{} exists already; choose another name, or give --force to replace it", name(path))]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// An image would be written to a terminal.
    #[error("standard output is a terminal; send the image to a file with -o FILE")]
    Terminal,
}

/// Whether `path` stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What to call a file when speaking of it.
pub(crate) fn name(path: &Path) -> String {
    if is_standard(path) { "the standard stream".to_owned() } else { path.display().to_string() }
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// [`FileError::Read`] and [`FileError::TooLong`].
pub(crate) fn read(path: &Path, limit: usize) -> Result<Bytes, FileError> {
    let failed = |cause| FileError::Read { path: path.to_owned(), cause };
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut content = Vec::new();
    if is_standard(path) {
        io::stdin().lock().take(most).read_to_end(&mut content).map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        // Room for the end of the file too, so that the buffer does not grow once more to find it.
        let expected = file.metadata().map_err(failed)?.len().min(most).saturating_add(1);
        content.reserve_exact(usize::try_from(expected).unwrap_or_default());
        file.take(most).read_to_end(&mut content).map_err(failed)?;
    }
    if content.len() > limit {
        return Err(FileError::TooLong { path: path.to_owned(), limit });
    }
    Ok(content.into())
}

/// That the path leads to a file, and what is known of it: a pipe might keep whoever reads it waiting.
///
/// # Errors
/// In words.
pub(crate) fn check_regular(path: &Path) -> Result<Metadata, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => Ok(metadata),
        (false, true) => Err("is a folder; name it with --input to take what is in it".to_owned()),
        (false, false) => Err("is a pipe, a socket or a device, not a file".to_owned()),
    }
}

/// Where a signed image goes. A file appears under its name only when it is whole.
pub(crate) enum Output {
    /// Standard output.
    Standard,
    /// A file, written beside its place first.
    File {
        /// What is written.
        draft: NamedTempFile,
        /// Its place.
        path: PathBuf,
        /// Whether what stands there may be replaced.
        replace: bool,
    },
}

impl Output {
    /// Checks that `path` can be written, and is free or may be replaced.
    ///
    /// # Errors
    /// [`FileError::Exists`], [`FileError::Write`] and [`FileError::Terminal`].
    pub(crate) fn open(path: &Path, replace: bool) -> Result<Self, FileError> {
        if is_standard(path) {
            return if io::stdout().is_terminal() { Err(FileError::Terminal) } else { Ok(Self::Standard) };
        }
        if !replace && path.symlink_metadata().is_ok() {
            return Err(FileError::Exists { path: path.to_owned() });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let draft = draft_in(folder.unwrap_or(Path::new(".")))
            .map_err(|cause| FileError::Write { path: path.to_owned(), cause })?;
        Ok(Self::File { draft, path: path.to_owned(), replace })
    }

    /// Writes the image.
    ///
    /// # Errors
    /// [`FileError::Write`], and [`FileError::Exists`] when somebody else took the place meanwhile.
    pub(crate) fn finish(self, image: &Rope) -> Result<(), FileError> {
        match self {
            Self::Standard => {
                let mut stdout = io::stdout().lock();
                image
                    .write_to(&mut stdout)
                    .and_then(|()| stdout.flush())
                    .map_err(|cause| FileError::Write { path: PathBuf::from("-"), cause })
            }
            Self::File { mut draft, path, replace } => {
                let written = image.write_to(draft.as_file_mut()).and_then(|()| draft.as_file().sync_all());
                written.map_err(|cause| FileError::Write { path: path.clone(), cause })?;
                let placed = if replace { draft.persist(&path) } else { draft.persist_noclobber(&path) };
                placed.map(drop).map_err(|error| match error.error.kind() {
                    io::ErrorKind::AlreadyExists => FileError::Exists { path },
                    _ => FileError::Write { path, cause: error.error },
                })
            }
        }
    }
}

/// A file with the permissions that a new file usually has, not those of a secret.
fn draft_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".credlink-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
