//! Bundles of trust anchors that the operator names: who names them, where they are, and what is wrong with them.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use credlink_pipeline::trust::AnchorList;
use thiserror::Error;

/// The longest bundle, in bytes. The C2PA trust list has about 100 KB.
pub const MAX_BUNDLE_LENGTH: usize = 4 << 20;

/// A PEM file of trust anchors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorFile {
    /// The setting or argument that names it, for messages.
    pub setting: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// The files of trust anchors besides the installation's own roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorFiles {
    /// Roots of signers.
    pub signers: Vec<AnchorFile>,
    /// Roots of time-stamp authorities.
    pub time_stamps: Vec<AnchorFile>,
}

/// A bundle that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{setting} is {place:?}: {reason}")]
pub struct AnchorsError {
    /// The setting or argument that names it.
    pub setting: &'static str,
    /// The file or object.
    pub place: String,
    /// What is wrong; of a certificate, which one.
    pub reason: String,
}

impl AnchorFile {
    /// The bundle at `path`, which `setting` names.
    pub fn new(setting: &'static str, path: impl Into<PathBuf>) -> Self {
        Self { setting, path: path.into() }
    }

    /// The bundle.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a bundle with at least one certificate.
    pub(crate) fn read(&self) -> Result<AnchorList, AnchorsError> {
        let refused =
            |reason| AnchorsError { setting: self.setting, place: self.path.display().to_string(), reason };
        let bytes =
            read_bounded(&self.path).map_err(|error| refused(format!("it cannot be read: {error}")))?;
        bundle(bytes).map_err(refused)
    }
}

/// A bundle; the reason when `bytes` are none. An empty file is refused: whoever wants to trust nobody
/// names no file.
pub(crate) fn bundle(bytes: Vec<u8>) -> Result<AnchorList, String> {
    let pem = String::from_utf8(bytes).map_err(|_| "it is not text; a bundle is in PEM".to_owned())?;
    let list = AnchorList::from_pem(&pem).map_err(|error| error.to_string())?;
    if list.certificates().is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(list)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_BUNDLE_LENGTH as u64;
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BUNDLE_LENGTH {
        let reason = format!("it is longer than {MAX_BUNDLE_LENGTH} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}
