//! The trust anchors of this installation: its own root, and the roots of imported chains.

use std::path::{Path, PathBuf};

use crate::{
    chain,
    error::KeysError,
    folder::{ANCHORS, KeyFolder, LockedFolder, ROOT},
    pem_file,
};

/// The trust anchors in the key folder `folder`, as PEM: the local root first, each once; empty when there are none.
///
/// # Errors
/// When a file with anchors cannot be read or holds something else.
pub fn anchors(folder: &Path) -> Result<String, KeysError> {
    Ok(encode(&certificates(&KeyFolder::new(folder))?))
}

/// The files of the key folder `folder` that hold trust anchors; they need not be there.
pub fn anchor_files(folder: &Path) -> [PathBuf; 2] {
    [ROOT, ANCHORS].map(|name| folder.join(name))
}

/// The trust anchors as DER, each once.
pub(crate) fn certificates(folder: &KeyFolder) -> Result<Vec<Vec<u8>>, KeysError> {
    let mut all = Vec::new();
    for name in [ROOT, ANCHORS] {
        if let Some(file) = folder.read(name)? {
            merge(&mut all, &file.certificates()?);
        }
    }
    Ok(all)
}

/// Adds roots to those of imported chains; true when one of them is new here.
pub(crate) fn add(folder: &LockedFolder, roots: &[Vec<u8>]) -> Result<bool, KeysError> {
    let mut anchors = match folder.read(ANCHORS)? {
        Some(file) => file.certificates()?,
        None => Vec::new(),
    };
    let before = anchors.len();
    merge(&mut anchors, roots);
    if anchors.len() == before {
        return Ok(false);
    }
    folder.write_public(ANCHORS, encode(&anchors).as_bytes())?;
    Ok(true)
}

/// Whether one of `anchors` issued `certificate`, or is it.
pub(crate) fn leads_to(certificate: &[u8], anchors: &[Vec<u8>]) -> bool {
    anchors.iter().any(|anchor| anchor == certificate || chain::is_issued_by(certificate, anchor))
}

/// Adds those of `more` that are not among `anchors`.
pub(crate) fn merge(anchors: &mut Vec<Vec<u8>>, more: &[Vec<u8>]) {
    for der in more {
        if !anchors.contains(der) {
            anchors.push(der.clone());
        }
    }
}

/// Certificates in DER as PEM.
pub(crate) fn encode(certificates: &[Vec<u8>]) -> String {
    certificates.iter().map(|der| pem_file::encode("CERTIFICATE", der)).collect()
}
