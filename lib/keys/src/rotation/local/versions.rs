//! Who signs, and who did before: `signer.pem` and `previous/`.

use std::{cmp::Reverse, path::Path};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use zeroize::Zeroizing;

use super::{
    blocking::{blocking, fault},
    keys,
};
use crate::{
    chain::Chain,
    error::KeysError,
    folder::{KeyFolder, LockedFolder, PREVIOUS, SIGNER},
    import,
    local::{archive_signer, key_name},
    pem_file::PemFile,
    rotation::ports::{CandidateKey, Fault, SignerVersion, SignerVersions, SwapError},
    signer::LocalSigner,
    trust,
};

/// The most versions that are listed.
const MAX_VERSIONS: usize = 1000;

/// What stands before the time in the first line of a signer's file.
const ACTIVE_SINCE: &str = "Active since ";

/// The signers of a key folder. A version is named by the SHA-256 of its leaf certificate.
#[derive(Clone, Debug)]
pub struct FolderVersions(KeyFolder);

impl FolderVersions {
    /// The signers in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self(KeyFolder::new(folder))
    }
}

#[async_trait]
impl SignerVersions for FolderVersions {
    fn place(&self) -> String {
        self.0.join(SIGNER).display().to_string()
    }

    async fn active(&self) -> Result<Option<SignerVersion>, Fault> {
        let folder = self.0.clone();
        blocking(move || active(&folder).map_err(fault(folder.path()))).await
    }

    async fn all(&self) -> Result<Vec<SignerVersion>, Fault> {
        let folder = self.0.clone();
        blocking(move || {
            let mut versions: Vec<_> = active(&folder).map_err(fault(folder.path()))?.into_iter().collect();
            for (name, file) in previous_signers(&folder) {
                match version(&file) {
                    Ok(found) if versions.iter().all(|known| known.version != found.version) => {
                        versions.push(found);
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(name, %error, "an earlier signer cannot be read"),
                }
            }
            versions.sort_by_key(|version| Reverse(version.activated_at));
            versions.truncate(MAX_VERSIONS);
            Ok(versions)
        })
        .await
    }

    /// The root is trusted before the new key signs. What signed is in `previous/` before it is replaced.
    async fn swap(
        &self,
        key: &CandidateKey,
        chain: &PemFile,
        root: &PemFile,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError> {
        let checked = Chain::read(chain).map_err(fault(self.0.path()))?;
        checked.check_dates(now).map_err(fault(self.0.path()))?;
        let roots = import::matching_roots(root, &checked, chain, now).map_err(fault(self.0.path()))?;
        let (folder, key, expected) = (self.0.clone(), key.clone(), expected.map(ToOwned::to_owned));
        blocking(move || {
            let failed = fault(folder.path());
            let locked = folder.lock().map_err(&failed)?;
            let current = active(&locked).map_err(&failed)?;
            let wanted = checked.summaries().first().map(|leaf| leaf.sha256.to_string());
            if let Some(done) = current.as_ref().filter(|current| Some(&current.version) == wanted.as_ref()) {
                locked.remove(&keys::file_of(key.rotation)).map_err(&failed)?;
                return Ok(done.clone());
            }
            if current.map(|current| current.version) != expected {
                return Err(SwapError::LostRace);
            }
            let private = keys::owned(&locked, &key)?;
            let signer = LocalSigner::new(checked, private, &keys::file_of(key.rotation)).map_err(&failed)?;
            let known = trust::certificates(&locked).map_err(&failed)?;
            let new: Vec<_> = roots.into_iter().filter(|root| !known.contains(root)).collect();
            trust::add(&locked, &new).map_err(&failed)?;
            let version = activate(&locked, &signer, now).map_err(&failed)?;
            locked.remove(&keys::file_of(key.rotation)).map_err(&failed)?;
            Ok(version)
        })
        .await
    }

    async fn restore(
        &self,
        version: &str,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError> {
        let (folder, wanted) = (self.0.clone(), version.to_owned());
        let expected = expected.map(ToOwned::to_owned);
        blocking(move || {
            let failed = fault(folder.path());
            let locked = folder.lock().map_err(&failed)?;
            let current = active(&locked).map_err(&failed)?;
            if let Some(done) = current.as_ref().filter(|current| current.version == wanted) {
                return Ok(done.clone());
            }
            if current.map(|current| current.version) != expected {
                return Err(SwapError::LostRace);
            }
            let mut files = previous_signers(&locked).map(|(_, file)| file);
            let file = files.find(|file| self::version(file).is_ok_and(|found| found.version == wanted));
            let file = file.ok_or_else(|| {
                let problem = format!("there is no earlier signer {wanted}");
                let place = locked.join(PREVIOUS).display().to_string();
                Fault::lasting(place, problem, "`credlink keys history` lists them")
            })?;
            let signer = LocalSigner::read(&file).map_err(&failed)?;
            signer.check_dates(now).map_err(&failed)?;
            Ok(activate(&locked, &signer, now).map_err(&failed)?)
        })
        .await
    }
}

/// The files of earlier signers, by their names in the folder. One that is no PEM file is passed over.
pub(super) fn previous_signers(folder: &KeyFolder) -> impl Iterator<Item = (String, PemFile)> {
    let names = folder.names(PREVIOUS).unwrap_or_default().into_iter();
    let names = names.filter(|name| name.starts_with("signer-") && name.ends_with(".pem"));
    let folder = folder.clone();
    names.filter_map(move |name| {
        let name = format!("{PREVIOUS}/{name}");
        folder.read(&name).ok().flatten().map(|file| (name, file))
    })
}

/// When the signer in `file` became active; `None` when nobody wrote it down.
pub(super) fn active_since(file: &PemFile) -> Option<Timestamp> {
    let first = file.bytes().split(|byte| *byte == b'\n').next()?;
    Timestamp::parse(str::from_utf8(first).ok()?.strip_prefix(ACTIVE_SINCE)?.trim()).ok()
}

/// The first line of a signer's file. Readers of PEM pass over text before a block (RFC 7468, section 2).
pub(super) fn heading(active_since: Option<Timestamp>) -> String {
    active_since.map(|time| format!("{ACTIVE_SINCE}{time}\n")).unwrap_or_default()
}

fn active(folder: &KeyFolder) -> Result<Option<SignerVersion>, KeysError> {
    let Some(file) = folder.read(SIGNER)? else { return Ok(None) };
    // Key and chain have to belong together, or nothing is built on them.
    LocalSigner::read(&file)?;
    version(&file).map(Some)
}

fn version(file: &PemFile) -> Result<SignerVersion, KeysError> {
    let chain = Chain::read(file)?;
    let missing = || KeysError::NoCertificate { file: file.name().to_owned() };
    let leaf = chain.summaries().first().ok_or_else(missing)?;
    let ends = chain.summaries().iter().map(|summary| summary.not_after).min();
    Ok(SignerVersion {
        version: leaf.sha256.to_string(),
        key: key_name(chain.leaf_public_key()),
        kind: chain.kind(),
        chain: chain.certificates().to_vec(),
        not_after: ends.unwrap_or(leaf.not_after),
        // A signer that was made by other means is active from its first day on, as far as can be known.
        activated_at: active_since(file).unwrap_or(leaf.not_before),
    })
}

fn activate(folder: &LockedFolder, signer: &LocalSigner, now: Timestamp) -> Result<SignerVersion, KeysError> {
    if let Some(current) = folder.read(SIGNER)? {
        archive_signer(folder, &current)?;
    }
    let (heading, pem) = (heading(Some(now)), signer.to_pem()?);
    // Room for both from the start: growing would leave a copy of the key behind.
    let mut content = Zeroizing::new(String::with_capacity(heading.len() + pem.len()));
    content.push_str(&heading);
    content.push_str(&pem);
    folder.write_private(SIGNER, content.as_bytes())?;
    version(&PemFile::new(folder.join(SIGNER).display().to_string(), content.as_bytes().to_vec())?)
}
