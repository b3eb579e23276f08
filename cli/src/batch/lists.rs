//! Lists of files.

use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use super::name;
use crate::files::{self, FileError};

/// The longest list, in bytes: some millions of names.
const MAX_LENGTH: usize = 512 << 20;

/// Why a list cannot be used.
#[derive(Debug, Error)]
pub(crate) enum ListError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A name is none here.
    #[error("line {line} of {list} is no name of a file on this system")]
    NoName {
        /// Which list.
        list: String,
        /// Which line, counted from one.
        line: usize,
    },
    /// A name that has no place in the tree of results.
    #[error(
        "line {line} of {list}: {path} is not below {root}; name the folder that all are below with --root"
    )]
    Outside {
        /// Which list.
        list: String,
        /// Which line, counted from one.
        line: usize,
        /// The name.
        path: String,
        /// The folder.
        root: String,
    },
}

/// A name in a list.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    line: usize,
}

impl Entry {
    /// The name below the absolute path `root`; `None` when it is elsewhere.
    pub(super) fn below(&self, root: &Path) -> Option<PathBuf> {
        let path = name::without_dots(&self.path);
        let relative = if path.is_absolute() { path.strip_prefix(root).ok()?.to_owned() } else { path };
        let is_plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        (is_plain && relative.file_name().is_some()).then_some(relative)
    }

    /// That it is elsewhere.
    pub(super) fn outside(&self, list: &Path, root: &Path) -> ListError {
        ListError::Outside {
            list: files::name(list),
            line: self.line,
            path: name::text(&self.path),
            root: name::text(root),
        }
    }
}

/// The names in `list`: on lines, or with a zero byte after each.
///
/// # Errors
/// [`ListError`].
pub(super) fn read(list: &Path) -> Result<Vec<Entry>, ListError> {
    let content = files::read(list, MAX_LENGTH)?;
    let end = if content.contains(&0) { 0 } else { b'\n' };
    let mut entries = Vec::new();
    for (index, line) in content.split(|byte| *byte == end).enumerate() {
        let line = if end == 0 { line } else { line.strip_suffix(b"\r").unwrap_or(line) };
        if line.is_empty() {
            continue;
        }
        let no_name = || ListError::NoName { list: files::name(list), line: index + 1 };
        let path = name::from_bytes(line.to_vec()).ok_or_else(no_name)?.into();
        entries.push(Entry { path, line: index + 1 });
    }
    Ok(entries)
}
